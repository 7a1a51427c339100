package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/ui"
)

func newReleasesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "releases",
		Short: "Show which releases ran when, who changed them, and how that ended",
		Long: "releases lists the upgrades of this cluster, the newest first, with the images and the locks of plugins, how long there was no controller,\n" +
			"and the backup that holds the home as it was before; below them those of ZooKeeper, Mesos and Marathon. For the releases that there are, see `jomctl release list`.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.releases() },
	}
}

// releaseRun is one line of the answer.
type releaseRun struct {
	upgrade.State
	Outcome     string  `json:"outcome"`
	DownSeconds float64 `json:"downSeconds,omitempty"`
}

func (a *app) releases() error {
	c, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	store, err := upgrade.Open(lifecycle.UpgradeDir(c))
	if err != nil {
		return err
	}
	all, err := upgrade.History(store.Dir)
	if err != nil {
		return err
	}
	if store.State.Windowed() {
		all = append(all, store.State)
	}
	slices.Reverse(all)
	runs := []releaseRun{}
	for _, one := range all {
		run := releaseRun{State: one, Outcome: one.Outcome, DownSeconds: one.Down().Seconds()}
		if run.Outcome == "" {
			run.Outcome = "unfinished"
		}
		runs = append(runs, run)
	}
	platforms, err := platformRuns(lifecycle.PlatformDir(c))
	if err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"installed": c.Release, "runs": runs, "platform": platforms})
	}
	var text strings.Builder
	if err := releasesText(&text, runs); err != nil {
		return err
	}
	if err := platformRunsText(&text, platforms); err != nil {
		return err
	}
	_, err = io.WriteString(a.streams.Out, text.String())
	return err
}

func releasesText(w io.Writer, runs []releaseRun) error {
	if len(runs) == 0 {
		fmt.Fprintln(w, "No upgrade yet: what runs is what `jomctl install` has installed")
		return nil
	}
	table := ui.NewTable("BEGAN", "FROM", "TO", "ENDED", "AWAY", "BACKUP", "BY")
	for _, run := range runs {
		away := ""
		if down := run.Down(); down > 0 {
			away = down.Round(100 * time.Millisecond).String()
		}
		table.Row(run.Began.Local().Format("2006-01-02 15:04"), versionText(run.From), versionText(run.To), run.Outcome, away, run.Backup[:min(8, len(run.Backup))], run.User)
	}
	if err := table.Write(w, 0); err != nil {
		return err
	}
	for _, run := range runs {
		if run.Cause != "" {
			fmt.Fprintf(w, "\n%s to %s: %s", run.Began.Local().Format("2006-01-02 15:04"), run.To.Release, strings.ReplaceAll(run.Cause, "\n", "\n  "))
			if run.FailedHome != "" {
				fmt.Fprintf(w, "\n  the failed home is kept: %s", run.FailedHome)
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}

func versionText(v upgrade.Version) string {
	text := v.Core + " (" + v.Release + ")"
	if v.Image != "" {
		text += " " + v.Image
	}
	return text
}
