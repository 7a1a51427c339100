package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/home/history"
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
	k, err := openHome(ctx, s.Cluster)
	if err != nil {
		return mutation{}, err
	}
	commit, err := k.commit(ctx, opts.at)
	if err != nil {
		return mutation{}, err
	}
	differences, _, err := restore.Compare(ctx, k.repo, commit, k.home)
	if err != nil {
		return mutation{}, err
	}
	var changes []string
	for _, d := range differences {
		verb, known := map[restore.What]string{restore.Missing: "bring back", restore.Extra: "remove", restore.Changed: "change"}[d.What]
		if known && (restore.Within(d.Name, opts.only) || restore.Within(d.Path, opts.only)) {
			changes = append(changes, verb+" "+d.Name)
		}
	}
	if len(changes) == 0 {
		return mutation{}, &lifecycle.Refusal{Problem: "there is nothing to restore: the files are those of " + commit.String(), Fix: "`jomctl home history` shows the commits"}
	}
	changes = append(changes, "start the controller again; running builds are lost")
	plan := lifecycle.RestoreHome(k.env, history.Order{Commit: commit.String(), Only: opts.only}, changes)
	return mutation{Plan: plan, Closes: true, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		return fmt.Sprintf("Restored: %d files from %s\n", len(changes)-1, commit), map[string]any{"commit": commit.String(), "files": len(changes) - 1}, nil
	}}, nil
}
