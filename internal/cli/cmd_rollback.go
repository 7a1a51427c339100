package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

func newRollbackCommand(a *app) *cobra.Command {
	to, planOnly := "", false
	cmd := &cobra.Command{
		Use:   "rollback [--to RELEASE]",
		Short: "Take back the last run that was stopped or failed, or go back to a release that ran before",
		Long: "rollback takes back what the last unfinished command began, the last step first, as far as a step can be taken back.\n" +
			"It ends with exit code 7 when everything is taken back.\n" +
			"With --to it goes back from a proven upgrade to the release that ran before, with the home of then: what was done since is not in it, and the\n" +
			"home that is there now is kept beside it. It goes the way of an upgrade (see `jomctl upgrade-jenkins --help`), at once, without a window.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" && planOnly {
				return &usageError{errors.New("--plan is for --to: what an unfinished run has begun is shown before it is taken back")}
			}
			if to == "" {
				return a.carryOn(cmd.Context(), op.VerbRollback)
			}
			c, err := config.Load(a.global.File)
			if err != nil {
				return err
			}
			store, err := upgrade.Open(lifecycle.UpgradeDir(c))
			if err != nil {
				return err
			}
			switch state := store.State; {
			case state.Windowed() && state.HomeOf == nil && state.From.Release == to && !state.Opened():
				return a.carryOn(cmd.Context(), op.VerbRollback)
			case state.Windowed():
				return &refusedError{fmt.Errorf("an upgrade from %s to %s is half-way", state.From.Release, state.To.Release), "end it first: `jomctl resume`"}
			}
			inner := &app{streams: a.streams, global: a.global, log: a.log, lines: a.lines, commands: a.commands}
			args := []string{upgrade.Verb, "--release", to, "--back", "--now"}
			if planOnly {
				args = append(args, "--plan")
			}
			return inner.run(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "release that ran before the newest upgrade away from it")
	cmd.Flags().BoolVar(&planOnly, "plan", false, "with --to: show what would be done, and do nothing")
	return cmd
}
