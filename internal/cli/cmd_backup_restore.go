package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

type restoreOptions struct {
	from, to      string
	inPlace, stop bool
}

func newRestoreCommand(a *app) *cobra.Command {
	opts := restoreOptions{}
	cmd := &cobra.Command{
		Use:   "restore [--from ID] --to DIR | --in-place",
		Short: "Restore a backup of the home, to an empty folder or in the place of the home",
		Long: "restore takes the newest backup that counts, or the one that --from names (see `jomctl backups`), and reads what it restored.\n" +
			"--to writes to a folder that is empty or not there, and touches nothing else. --in-place puts the backup in the place of the home and keeps\n" +
			"the home that was there beside it; it is refused while the controller runs, unless --stop stops it before and starts it afterwards.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&opts.from, "from", "", "the beginning of the backup's ID")
	cmd.Flags().StringVar(&opts.to, "to", "", "an empty folder")
	cmd.Flags().BoolVar(&opts.inPlace, "in-place", false, "put it in the place of the home")
	cmd.Flags().BoolVar(&opts.stop, "stop", false, "with --in-place: stop the controller, and start it again afterwards")
	a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) { return restoreInPlace(ctx, s, opts) })
	inPlace := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case opts.inPlace == (opts.to != ""):
			return &usageError{errors.New("say either --to DIR or --in-place")}
		case opts.inPlace:
			return inPlace(cmd, args)
		case opts.stop || cmd.Flag("plan").Changed:
			return &usageError{errors.New("--stop and --plan are for --in-place: --to changes nothing of the cluster")}
		}
		return a.restoreTo(cmd.Context(), opts)
	}
	return cmd
}

func (a *app) restoreTo(ctx context.Context, opts restoreOptions) error {
	b, err := a.backups()
	if err != nil {
		return err
	}
	to, at := opts.to, ""
	if b.Where() == "" {
		if to, err = filepath.Abs(to); err != nil {
			return err
		}
	} else if at = b.Where() + ":"; !filepath.IsAbs(to) {
		return &usageError{fmt.Errorf("--to %s: want the whole path of a folder on %s, which has the home", to, b.Where())}
	}
	from, err := b.Choose(ctx, opts.from)
	if err != nil {
		return err
	}
	verdict, err := b.Restore(ctx, from.Snapshot.ID, to)
	if err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		err = a.writeJSON(map[string]any{"backup": from.Snapshot.ID, "to": to, "found": verdict})
	} else {
		var text strings.Builder
		fmt.Fprintf(&text, "Restored backup %s of %s to %s: %d files, %d of them XML, %d jobs\n", from.Snapshot.ID[:8], from.Time.Local().Format("2006-01-02 15:04"), at+to, verdict.Files, verdict.XML, verdict.Jobs)
		findingsText(&text, verdict)
		_, err = io.WriteString(a.streams.Out, text.String())
	}
	if err == nil && len(verdict.Problems)+len(verdict.Warnings) > 0 {
		err = &reported{exitFindings}
	}
	return err
}

func findingsText(w io.Writer, v backup.Verdict) {
	for _, one := range v.Problems {
		fmt.Fprintln(w, "  problem: "+one)
	}
	for _, one := range v.Warnings {
		fmt.Fprintln(w, "  warning: "+one)
	}
}

func restoreInPlace(ctx context.Context, s *session, opts restoreOptions) (mutation, error) {
	env, err := lifecycle.Look(s.Cluster)
	if err != nil {
		return mutation{}, err
	}
	b, err := env.Backups()
	if err != nil {
		return mutation{}, err
	}
	from, err := b.Choose(ctx, opts.from)
	if err != nil {
		return mutation{}, err
	}
	restore, err := b.InPlace(ctx, from, opts.stop)
	if err != nil {
		return mutation{}, err
	}
	return mutation{Plan: restore.Plan(), Closes: true, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		text := fmt.Sprintf("Restored backup %s to %s\n", from.Snapshot.ID[:8], b.Home)
		if restore.Kept != "" {
			text += "The home that was there is " + restore.Kept + "; remove it when nothing is missing\n"
		}
		if !opts.stop {
			text += "Start the controller: jomctl install\n"
		}
		return text, map[string]any{"backup": from.Snapshot.ID, "home": b.Home, "kept": restore.Kept}, nil
	}}, nil
}
