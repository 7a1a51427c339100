package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/ui"
)

// platformRuns are the upgrades of ZooKeeper, Mesos and Marathon that a folder knows, the newest first, with the one that is half-way.
func platformRuns(dir string) ([]platform.State, error) {
	all, err := platform.History(dir)
	if err != nil {
		return nil, err
	}
	store, err := platform.Open(dir)
	if err != nil {
		return nil, err
	}
	if s := store.State; s.Run != "" && !slices.ContainsFunc(all, func(one platform.State) bool { return one.Run == s.Run }) && (s.Outcome != "" || s.Disturbed()) {
		if s.Outcome == "" {
			s.Outcome = "unfinished"
		}
		all = append(all, s)
	}
	slices.Reverse(all)
	return append([]platform.State{}, all...), nil
}

// platformRunsText is their table, with a line for each part; nothing where there was none.
func platformRunsText(w io.Writer, runs []platform.State) error {
	if len(runs) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table := ui.NewTable("BEGAN", "PART", "FROM", "TO", "HOSTS", "ENDED", "BY")
	for _, run := range runs {
		for _, part := range run.Parts {
			ended := run.Outcome
			if slices.Contains(run.Proven, part.Role) {
				ended = "proven"
			}
			table.Row(run.Began.Local().Format("2006-01-02 15:04"), part.Role, part.From, part.To, strings.Join(part.Hosts, ", "), ended, run.User)
		}
	}
	if err := table.Write(w, 0); err != nil {
		return err
	}
	for _, run := range runs {
		if run.Cause != "" {
			fmt.Fprintf(w, "\n%s: %s\n", run.Began.Local().Format("2006-01-02 15:04"), strings.ReplaceAll(run.Cause, "\n", "\n  "))
		}
	}
	return nil
}
