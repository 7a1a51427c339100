package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/restore"
)

// homeVerdict is what verify found.
type homeVerdict struct {
	Same        bool                 `json:"same"`
	Pushed      bool                 `json:"pushed"`
	OneWriter   bool                 `json:"oneWriter"`
	Commits     int                  `json:"commits"`
	Differences []restore.Difference `json:"differences"`
	Refused     map[string]string    `json:"refused,omitempty"`
	Problems    []string             `json:"problems,omitempty"`
}

func newHomeVerify(a *app) *cobra.Command {
	cmd := a.homeCommand("verify", "Compare every file of the home with what is pushed, and prove that one controller at a time wrote it", cobra.NoArgs,
		func(ctx context.Context, k *kept, _ []string) error {
			v, err := k.verify(ctx)
			if err != nil {
				return err
			}
			if err := a.writeVerdict(v); err != nil {
				return err
			}
			if !v.Same || !v.Pushed || !v.OneWriter {
				return &reported{exitFindings}
			}
			return nil
		})
	cmd.Long = "verify reads the home and the last pushed commit file by file, and the history from its beginning.\n" +
		"A change of the last seconds is a difference. Exit code 0: all is the same; 4: there are differences."
	return cmd
}

func (k *kept) verify(ctx context.Context) (homeVerdict, error) {
	v := homeVerdict{OneWriter: true, Differences: []restore.Difference{}}
	remote, err := k.repo.Remotes(ctx)
	if err != nil {
		return v, err
	}
	pushed := remote[k.repo.Main()]
	if v.Pushed = pushed == k.head && !pushed.IsZero(); !v.Pushed {
		v.Problems = append(v.Problems, fmt.Sprintf("the last commit here is %s, and the repository has %s", k.head, pushed))
	}
	differences, refused, err := restore.Compare(ctx, k.repo, k.head, k.home)
	if err != nil {
		return v, err
	}
	v.Differences, v.Refused, v.Same = append(v.Differences, differences...), refused, len(differences) == 0
	out, err := k.repo.Run(ctx, "log", "-z", "--reverse", "--first-parent", "--format=%H%n%B", k.head.String())
	if err != nil {
		return v, err
	}
	last := int64(0)
	for text := range strings.SplitSeq(strings.Trim(out, "\x00"), "\x00") {
		commit, message, _ := strings.Cut(text, "\n")
		v.Commits++
		epoch, ok := claim.EpochOf(message)
		if ok && (epoch < last || epoch > last && !strings.HasPrefix(message, fmt.Sprintf("Controller epoch %d starts", epoch))) {
			v.OneWriter = false
			v.Problems = append(v.Problems, fmt.Sprintf("commit %s is of epoch %d, after epoch %d", commit, epoch, last))
		}
		last = max(last, epoch)
	}
	return v, nil
}

func (a *app) writeVerdict(v homeVerdict) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(v)
	}
	var text strings.Builder
	for _, d := range v.Differences {
		fmt.Fprintf(&text, "%-8s %s\n", d.What, d.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(v.Refused)) {
		fmt.Fprintf(&text, "not kept %s: %s\n", name, v.Refused[name])
	}
	for _, problem := range v.Problems {
		fmt.Fprintln(&text, problem)
	}
	if v.Same && v.Pushed && v.OneWriter {
		fmt.Fprintf(&text, "The home is what is pushed, file by file; %d commits, by one controller at a time.\n", v.Commits)
	}
	_, err := io.WriteString(a.streams.Out, text.String())
	return err
}
