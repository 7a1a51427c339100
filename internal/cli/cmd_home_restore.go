package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/home/look"
	"github.com/jomctl/jomctl/internal/home/restore"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

type homeRestoreOptions struct {
	at   string
	only []string
}

func newHomeRestore(a *app) *cobra.Command {
	opts := homeRestoreOptions{}
	cmd := &cobra.Command{
		Use:   "restore --at COMMIT [--only PATH]...",
		Short: "Give the home, or files of it, the state of an earlier commit",
		Long: "restore starts the controller again on the files of an earlier commit (see `jomctl home history`). Running builds are lost.\n" +
			"The history goes on from there: what is replaced stays in it. Builds, secrets and plugins are not touched.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&opts.at, "at", "", "the commit")
	cmd.Flags().StringArrayVar(&opts.only, "only", nil, "a file or folder, as jobs/NAME (repeatable)")
	return a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) { return restoreHome(ctx, s, opts) })
}

func restoreHome(ctx context.Context, s *session, opts homeRestoreOptions) (mutation, error) {
	if opts.at == "" {
		return mutation{}, &usageError{errors.New("--at is missing: say which commit")}
	}
	h, err := openHome(s.Cluster)
	if err != nil {
		return mutation{}, err
	}
	answer, err := h.Ask(ctx, look.Question{Verb: look.Compare, Commits: []string{opts.at}, Paths: opts.only})
	if err != nil {
		return mutation{}, homeError(err)
	}
	commit := answer.Commits[0]
	var changes []string
	for _, d := range answer.Differences {
		if verb, known := map[restore.What]string{restore.Missing: "bring back", restore.Extra: "remove", restore.Changed: "change"}[d.What]; known {
			changes = append(changes, verb+" "+d.Name)
		}
	}
	if len(changes) == 0 {
		return mutation{}, &lifecycle.Refusal{Problem: "there is nothing to restore: the files are those of " + commit, Fix: "`jomctl home history` shows the commits"}
	}
	changes = append(changes, "start the controller again; running builds are lost")
	plan := lifecycle.RestoreHome(h, commit, opts.only, changes)
	return mutation{Plan: plan, Closes: true, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		return fmt.Sprintf("Restored: %d files from %s\n", len(changes)-1, commit), map[string]any{"commit": commit, "files": len(changes) - 1}, nil
	}}, nil
}
