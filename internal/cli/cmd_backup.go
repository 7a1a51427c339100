package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

func newBackupCommand(a *app) *cobra.Command {
	verify := false
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Back up the controller's home",
		Long: "backup makes a backup of the home as a set, while the controller goes on, and removes the backups that backup.keep does not ask for.\n" +
			"A backup counts when a test restore of it was opened and its XML read: --verify does that at once, `jomctl backups verify` later.\n" +
			"The newest backup that counts is never removed. It asks nothing, so that a timer can run it.\n" +
			"Exit code 0: done; 4: files changed in every try, or the test restore found something.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.backUp(cmd, verify) },
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "restore the backup into a scratch folder and read it")
	return cmd
}

// backups opens the backups of the cluster of the file.
func (a *app) backups() (*lifecycle.Backups, error) {
	c, err := config.Load(a.global.File)
	if err != nil {
		return nil, err
	}
	env, err := lifecycle.Look(c)
	if err != nil {
		return nil, err
	}
	return env.Backups()
}

// underLock runs what must not meet another change of the cluster, and keeps no journal: there is nothing to resume.
func (a *app) underLock(cmd *cobra.Command, do func(context.Context) error) error {
	if err := a.openLog(cmd.Name()); err != nil {
		return err
	}
	lock, held, err := op.AcquireLock(cmd.Context(), a.global.stateDir(), op.CurrentOwner(uuid.NewString(), cmd.Name()),
		op.LockOptions{Note: func(text string) { a.say("Note: %s", text) }})
	if err != nil {
		return err
	}
	return errors.Join(do(held), lock.Release())
}

func (a *app) backUp(cmd *cobra.Command, verify bool) error {
	b, err := a.backups()
	if err != nil {
		return err
	}
	return a.underLock(cmd, func(ctx context.Context) error {
		r, err := b.Run(ctx, verify, a.say)
		if err != nil {
			return err
		}
		if err := a.writeTaken(b, r); err != nil {
			return err
		}
		if len(r.Unsettled) > 0 || r.Record.Proof != nil && (!r.Record.Counts() || len(r.Record.Proof.Warnings) > 0) {
			return &reported{exitFindings}
		}
		return nil
	})
}

func (a *app) writeTaken(b *lifecycle.Backups, r lifecycle.Result) error {
	taken, record, removed := r.Taken, r.Record, r.Removed
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"backup": taken, "repository": b.Repository.Location, "proof": record.Proof, "counts": record.Counts(), "removed": removed})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Backup %s of %s in %s: %d files, %s, of which %s were new\n", taken.ID[:8], b.Home, b.Repository.Location, taken.Files, byteText(taken.Bytes), byteText(taken.Added))
	if n := len(taken.Unsettled); n > 0 {
		fmt.Fprintf(&text, "%d files changed in each of %d tries, and may not fit together with the others: %s\n", n, taken.Tries, taken.Unsettled[0])
	}
	backupProof(&text, record)
	if len(removed) > 0 {
		fmt.Fprintf(&text, "Removed: %d older backups\n", len(removed))
	}
	_, err := io.WriteString(a.streams.Out, text.String())
	return err
}

// backupProof says whether a backup counts, and why not.
func backupProof(w io.Writer, record backup.Record) {
	proof := record.Proof
	if proof == nil {
		fmt.Fprintln(w, "It does not count yet: `jomctl backups verify` restores it to a scratch folder and reads it")
		return
	}
	if proof.Counts() {
		fmt.Fprint(w, "It counts: ")
	} else {
		fmt.Fprint(w, "It does NOT count: ")
	}
	fmt.Fprintf(w, "restored and read, %d files, %d of them XML, %d jobs, %d accounts\n", proof.Files, proof.XML, proof.Jobs, proof.Users)
	findingsText(w, proof.Verdict)
}

func byteText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
