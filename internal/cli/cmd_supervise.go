package cli

import (
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/host"
)

// newSuperviseCommand is what the units of local hosts run under. People have no use for it.
func newSuperviseCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "supervise SPECFILE",
		Short:  "Keep one program running",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := host.Supervise(cmd.Context(), args[0]); code != 0 {
				return &reported{code}
			}
			return nil
		},
	}
}
