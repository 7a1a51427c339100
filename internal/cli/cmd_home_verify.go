package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/home/look"
	"github.com/jomctl/jomctl/internal/lifecycle"
)

func newHomeVerify(a *app) *cobra.Command {
	cmd := a.homeCommand("verify", "Compare every file of the home with what is pushed, and prove that one controller at a time wrote it", cobra.NoArgs,
		func(ctx context.Context, h *lifecycle.Home, _ []string) error {
			answer, err := h.Ask(ctx, look.Question{Verb: look.Verify})
			if err != nil {
				return err
			}
			v := *answer.Verdict
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

func (a *app) writeVerdict(v look.Verdict) error {
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
