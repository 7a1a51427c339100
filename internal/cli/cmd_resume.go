package cli

import (
	"github.com/spf13/cobra"
)

func newResumeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Go on with the last run that was stopped or failed",
		Long: "resume runs the last unfinished command again, with the options that it was given. Steps that are done are skipped.\n" +
			"A rollback that was cut off is gone on with as a rollback.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.carryOn(cmd.Context(), "resume") },
	}
}
