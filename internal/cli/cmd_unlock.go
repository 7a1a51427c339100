package cli

import (
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/op"
)

type unlockOptions struct{ Force bool }

func newUnlockCommand(a *app) *cobra.Command {
	opts := unlockOptions{}
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Remove the lock that a dead run left behind",
		Long: "unlock removes a lock whose run has ended. One that is held is refused with exit code 5;\n" +
			"--force removes it all the same, and the run that holds it stops.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runUnlock(a, opts) },
	}
	cmd.Flags().BoolVar(&opts.Force, "force", false, "also remove the lock of a run that may still be working")
	return cmd
}

func runUnlock(a *app, opts unlockOptions) error {
	owner, err := op.Unlock(a.global.stateDir(), opts.Force)
	if err != nil {
		return err
	}
	removed := owner.RunID != ""
	if removed {
		a.say("removed the lock of %q of %s", owner.Verb, owner)
	} else {
		a.say("there is no lock in %s", a.global.stateDir())
	}
	if a.global.Output == formatJSON {
		answer := map[string]any{"removed": removed}
		if removed {
			answer["owner"] = owner
		}
		return a.writeJSON(answer)
	}
	return nil
}
