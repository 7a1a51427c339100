package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home/claim"
)

// farRepository is a repository that is no folder of this machine, as restic writes it.
var farRepository = regexp.MustCompile(`^(sftp|s3|rest|b2|azure|gs|swift|rclone):`)

// Backups are the backups of a cluster's home.
type Backups struct {
	// Repository is where they are, Home what they are of.
	Repository backup.Repository
	Home       string

	env     *Env
	keep    config.Keep
	secret  config.Secret
	records backup.Records
	scratch string
}

// Backup is one of them.
type Backup struct {
	backup.Snapshot
	backup.Record
}

// Backups finds the backups of the cluster's home. The error is a *Refusal where there are none to be.
func (e *Env) Backups() (*Backups, error) {
	set := e.Cluster.Backup
	switch {
	case set == nil:
		return nil, &Refusal{Problem: "the file says nothing of backups", Fix: "name a repository in backup.repository of " + e.Cluster.File}
	case e.own != nil:
		return nil, &Refusal{Problem: "this version of jomctl backs up a home on target local only", Fix: "use restic on the host of the home: docs/backup.md says which files a backup must hold"}
	}
	state := e.Cluster.StateDir()
	b := &Backups{env: e, Home: e.controller().home, keep: set.Keep, secret: set.Password, records: backup.Records(filepath.Join(state, "backups")),
		scratch: filepath.Join(state, "scratch"), Repository: backup.Repository{Location: set.Repository, Cache: filepath.Join(state, "cache", "restic")}}
	if !farRepository.MatchString(set.Repository) {
		b.Repository.Location = e.Cluster.Resolve(set.Repository)
	}
	if path, ok := set.Password.Path(e.Cluster); ok {
		b.Repository.PasswordFile = path
		return b, nil
	}
	password, err := set.Password.Resolve(e.Cluster)
	if err != nil {
		return nil, &Refusal{Problem: "backup.password: " + err.Error(), Fix: "set the variable, or name a file, which is generated"}
	}
	b.Repository.Password = password
	return b, nil
}

// prepare makes the password and the repository where they are missing. It makes neither where there were backups before.
func (b *Backups) prepare(ctx context.Context, say func(string, ...any)) error {
	if b.Repository.PasswordFile != "" {
		if err := b.password(ctx, say); err != nil {
			return err
		}
	}
	there, err := b.Repository.Exists(ctx)
	if err != nil || there {
		return err
	}
	if known, err := filepath.Glob(filepath.Join(string(b.records), "*.json")); err != nil || len(known) > 0 {
		return errors.Join(err, &Refusal{Problem: fmt.Sprintf("%s: there is no repository, but %d backups were made to one", b.Repository.Location, len(known)),
			Fix: "see that its disk is mounted and backup.repository names it; to begin anew, remove " + string(b.records)})
	}
	say("making the repository %s; whoever loses the password %s loses the backups: keep a copy of it elsewhere", b.Repository.Location, b.secret)
	return b.Repository.Init(ctx)
}

func (b *Backups) password(ctx context.Context, say func(string, ...any)) error {
	there, err := secretThere(b.secret, b.env.Cluster)
	if err != nil || there {
		return err
	}
	switch _, err := b.blind().Exists(ctx); {
	case errors.Is(err, backup.ErrWrongPassword):
		return &Refusal{Problem: fmt.Sprintf("%s is missing, and the repository %s was made with it", b.Repository.PasswordFile, b.Repository.Location),
			Fix: "bring the file back: without it no backup can be read; or name another repository"}
	case err != nil:
		return err
	}
	say("generating %s (mode 0600)", b.secret)
	return generate(b.secret, b.env.Cluster)
}

// blind is the repository with another password: whether there is one is seen before the password is.
func (b *Backups) blind() backup.Repository {
	blind := b.Repository
	blind.PasswordFile, blind.Password = "", "-"
	return blind
}

// Make makes a backup.
func (b *Backups) Make(ctx context.Context, say func(string, ...any)) (backup.Taken, error) {
	if _, err := os.Stat(b.Home); errors.Is(err, fs.ErrNotExist) {
		return backup.Taken{}, &Refusal{Problem: "there is no home to back up: " + b.Home, Fix: "run `jomctl install`"}
	}
	if err := b.prepare(ctx, say); err != nil {
		return backup.Taken{}, err
	}
	tags := backup.Tags{Cluster: b.env.Cluster.Name, Release: b.env.Release.Name}
	if marker, ok, err := claim.ReadMarker(b.Home); err == nil && ok {
		tags.Epoch = marker.Epoch
	}
	taken, err := b.Repository.Take(ctx, b.Home, tags, func(text string) { say("%s", text) })
	if err != nil {
		return taken, err
	}
	return taken, b.records.Write(backup.Record{ID: taken.ID, Unsettled: taken.Unsettled})
}

// List returns the backups, the newest first.
func (b *Backups) List(ctx context.Context) ([]Backup, error) {
	if !b.known() {
		if there, err := b.blind().Exists(ctx); err == nil && !there {
			return []Backup{}, nil
		}
	}
	snapshots, err := b.Repository.List(ctx, b.env.Cluster.Name)
	if err != nil {
		return nil, err
	}
	slices.Reverse(snapshots)
	all := []Backup{}
	for _, one := range snapshots {
		record, err := b.records.Read(one.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, Backup{one, record})
	}
	return all, nil
}

// known says whether backups were made.
func (b *Backups) known() bool {
	_, err := os.Stat(string(b.records))
	return !errors.Is(err, fs.ErrNotExist)
}

// Choose returns the backup whose ID begins with from; without one it is the newest that counts.
func (b *Backups) Choose(ctx context.Context, from string) (Backup, error) {
	all, err := b.List(ctx)
	if err != nil {
		return Backup{}, err
	}
	if from != "" {
		var snapshots []backup.Snapshot
		for _, one := range all {
			snapshots = append(snapshots, one.Snapshot)
		}
		found, err := backup.Find(snapshots, from)
		if err != nil {
			return Backup{}, err
		}
		return all[slices.IndexFunc(all, func(one Backup) bool { return one.Snapshot.ID == found.ID })], nil
	}
	for _, one := range all {
		if one.Counts() {
			return one, nil
		}
	}
	return Backup{}, &Refusal{Problem: fmt.Sprintf("none of the %d backups counts: a backup counts when a test restore of it was opened and its XML read", len(all)),
		Fix: "`jomctl backups verify` does that for the newest; or choose one with --from"}
}

// Prove restores a backup into a scratch folder, looks into it, and records what it found.
func (b *Backups) Prove(ctx context.Context, id string) (backup.Record, error) {
	record, err := b.records.Read(id)
	if err != nil {
		return record, err
	}
	verdict, err := b.Repository.Verify(ctx, id, b.scratch)
	var cannot *backup.Error
	switch {
	case errors.As(err, &cannot) && cannot.Kind == backup.ErrDamaged:
		verdict.Problems = append(verdict.Problems, err.Error())
	case err != nil:
		return record, err
	}
	record.Proof = &backup.Proof{Time: time.Now().UTC().Truncate(time.Second), Verdict: verdict}
	return record, b.records.Write(record)
}

// Tidy removes the backups that backup.keep does not ask for, but never the newest that counts. It returns which.
func (b *Backups) Tidy(ctx context.Context) ([]string, error) {
	all, err := b.List(ctx)
	if err != nil {
		return nil, err
	}
	spare := ""
	if at := slices.IndexFunc(all, func(one Backup) bool { return one.Counts() }); at >= 0 {
		spare = all[at].Snapshot.ID
	}
	removed, err := b.Repository.Forget(ctx, b.env.Cluster.Name, b.keep.Last, b.keep.Weekly, spare)
	for _, id := range removed {
		err = errors.Join(err, b.records.Remove(id))
	}
	return removed, err
}
