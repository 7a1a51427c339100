package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/ui"
)

func newBackupsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backups",
		Short: "List the backups of the home, and which of them count",
		Long: "backups lists what the repository holds of this cluster, the newest first. A backup counts when a test restore of it was opened and\n" +
			"its XML read; that is known where it was done. Exit code 0: there is one that counts; 4: there is none.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listBackups(cmd.Context()) },
	}
	cmd.AddCommand(newBackupsVerify(a), newBackupsCheck(a))
	return cmd
}

func (a *app) listBackups(ctx context.Context) error {
	b, err := a.backups()
	if err != nil {
		return err
	}
	all, err := b.List(ctx)
	if err != nil {
		return err
	}
	if err := a.writeBackups(b, all); err != nil {
		return err
	}
	for _, one := range all {
		if one.Counts() {
			return nil
		}
	}
	return &reported{exitFindings}
}

func (a *app) writeBackups(b *lifecycle.Backups, all []lifecycle.Backup) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"repository": b.Repository.Location, "home": b.Home, "backups": all})
	}
	if len(all) == 0 {
		_, err := fmt.Fprintf(a.streams.Out, "No backups in %s: `jomctl backup --verify` makes one\n", b.Repository.Location)
		return err
	}
	table := ui.NewTable("BACKUP", "TIME", "RELEASE", "EPOCH", "COUNTS")
	for _, one := range all {
		epoch := ""
		if one.Epoch > 0 {
			epoch = fmt.Sprint(one.Epoch)
		}
		table.Row(one.Snapshot.ID[:8], one.Time.Local().Format("2006-01-02 15:04:05"), one.Release, epoch, countsText(one.Record))
	}
	return table.Write(a.streams.Out, 0)
}

func countsText(r backup.Record) string {
	switch {
	case r.Proof == nil:
		return "not verified"
	case !r.Counts():
		return "NO: " + r.Proof.Problems[0]
	}
	text := fmt.Sprintf("yes, %d XML files read %s", r.Proof.XML, r.Proof.Time.Local().Format("2006-01-02 15:04"))
	if len(r.Unsettled) > 0 {
		text += fmt.Sprintf(", %d files changed meanwhile", len(r.Unsettled))
	}
	return text
}

func newBackupsVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [ID]",
		Short: "Restore a backup into a scratch folder, read all its XML, and look whether Jenkins could start with it",
		Long: "verify makes a test restore of the newest backup, or of that whose ID begins so, in the state folder, and removes it.\n" +
			"Exit code 0: the backup counts; 4: it does not, or builds in it are damaged.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.backups()
			if err != nil {
				return err
			}
			return a.underLock(cmd, func(ctx context.Context) error { return a.verifyBackup(ctx, b, args) })
		},
	}
}

func (a *app) verifyBackup(ctx context.Context, b *lifecycle.Backups, args []string) error {
	id := ""
	if len(args) > 0 {
		one, err := b.Choose(ctx, args[0])
		if err != nil {
			return err
		}
		id = one.Snapshot.ID
	} else {
		all, err := b.List(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return &lifecycle.Refusal{Problem: "there is no backup in " + b.Repository.Location, Fix: "`jomctl backup --verify` makes one"}
		}
		id = all[0].Snapshot.ID
	}
	record, err := b.Prove(ctx, id)
	if err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		err = a.writeJSON(map[string]any{"backup": id, "proof": record.Proof, "counts": record.Counts()})
	} else {
		var text strings.Builder
		fmt.Fprintf(&text, "Backup %s\n", id[:8])
		backupProof(&text, record)
		_, err = io.WriteString(a.streams.Out, text.String())
	}
	if err == nil && (!record.Counts() || len(record.Proof.Warnings) > 0) {
		err = &reported{exitFindings}
	}
	return err
}

func newBackupsCheck(a *app) *cobra.Command {
	read := false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Let restic check the repository",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := a.backups()
			if err != nil {
				return err
			}
			if err := b.Check(cmd.Context(), read); err != nil {
				return err
			}
			if a.global.Output == formatJSON {
				return a.writeJSON(map[string]any{"repository": b.Repository.Location, "sound": true})
			}
			_, err = fmt.Fprintf(a.streams.Out, "%s: no errors\n", b.Repository.Location)
			return err
		},
	}
	cmd.Flags().BoolVar(&read, "read", false, "read every byte of it")
	return cmd
}
