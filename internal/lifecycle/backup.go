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
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

// farRepository is a repository that is no folder of this machine, as restic writes it.
var farRepository = regexp.MustCompile(`^(sftp|s3|rest|b2|azure|gs|swift|rclone):`)

// Backups are the backups of a cluster's home.
type Backups struct {
	// Set are they on target local; on hosts of their own, Repository.Location and Home in it are those of the host.
	backup.Set

	env    *Env
	secret config.Secret
}

// Backup is one of them.
type Backup = backup.Backup

// Backups finds the backups of the cluster's home. The error is a *Refusal where there are none to be.
func (e *Env) Backups() (*Backups, error) {
	set := e.Cluster.Backup
	if set == nil {
		return nil, &Refusal{Problem: "the file says nothing of backups", Fix: "name a repository in backup.repository of " + e.Cluster.File}
	}
	state, c := e.Cluster.StateDir(), e.controller()
	b := &Backups{env: e, secret: set.Password, Set: backup.Set{Home: c.home, Last: set.Keep.Last, Weekly: set.Keep.Weekly, KeyElsewhere: c.masterKey() != "",
		Tags:    backup.Tags{Cluster: e.Cluster.Name, Release: e.Release.Name},
		Records: backup.Records(filepath.Join(state, "backups")), Scratch: filepath.Join(state, "scratch"),
		Repository: backup.Repository{Location: set.Repository, Cache: filepath.Join(state, "cache", "restic")}}}
	if e.own != nil {
		return b, b.placeThere()
	}
	if !farRepository.MatchString(set.Repository) {
		b.Repository.Location = e.Cluster.Resolve(set.Repository)
	}
	return b, b.access(set)
}

// access is how this machine gets at the repository.
func (b *Backups) access(set *config.Backup) error {
	c := b.env.Cluster
	for name, one := range map[string]struct {
		secret config.Secret
		file   *string
	}{"backup.key": {set.Key, &b.Repository.KeyFile}, "backup.environment": {set.Environment, &b.Repository.EnvironmentFile}} {
		path, isFile := one.secret.Path(c)
		if one.secret != "" && !isFile {
			return &Refusal{Problem: name + ": restic reads a file, and no variable", Fix: "put it into a file of mode 0600 and say file:PATH"}
		}
		if isFile {
			*one.file = path
		}
	}
	if path, ok := set.Password.Path(c); ok {
		b.Repository.PasswordFile = path
		return nil
	}
	password, err := set.Password.Resolve(c)
	if err != nil {
		return &Refusal{Problem: "backup.password: " + err.Error(), Fix: "set the variable, or name a file, which is generated"}
	}
	b.Repository.Password = password
	return nil
}

// prepare makes the password and the repository where they are missing. It makes neither where there were backups before.
func (b *Backups) prepare(ctx context.Context, say func(string, ...any)) error {
	if b.Repository.PasswordFile != "" {
		if err := b.password(ctx, say); err != nil {
			return err
		}
	}
	err := b.Ensure(ctx, func(text string) { say("%s", text) })
	var missing *backup.Error
	if errors.As(err, &missing) && missing.Kind == backup.ErrNoRepository {
		return &Refusal{Problem: missing.Error(), Fix: missing.Fix}
	}
	return err
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

// Result is what came of a run that was to make a backup.
type Result struct {
	backup.Taken
	Record  backup.Record
	Removed []string
}

// Run makes a backup, restores it to a scratch folder where that is wanted, and removes those that backup.keep does not ask for. What
// became of it is written down.
func (b *Backups) Run(ctx context.Context, verify bool, say func(string, ...any)) (Result, error) {
	if b.env.own != nil {
		return b.runThere(ctx, verify, say)
	}
	begun := backup.Run{Began: time.Now().UTC().Truncate(time.Second)}
	r, err := b.runHere(ctx, verify, say)
	var refused *Refusal
	if errors.As(err, &refused) {
		return r, err // nothing was begun
	}
	begun.ID, begun.Counts, begun.Ended = r.ID, r.Record.Counts(), time.Now().UTC().Truncate(time.Second)
	if err != nil {
		begun.Error = err.Error()
	} else if verify && !begun.Counts {
		begun.Error = "the backup does not count: " + r.Record.Proof.Problems[0]
	}
	return r, errors.Join(err, b.Records.Note(begun))
}

func (b *Backups) runHere(ctx context.Context, verify bool, say func(string, ...any)) (r Result, err error) {
	if r.Taken, err = b.Make(ctx, say); err != nil {
		return r, err
	}
	id := r.Taken.ID
	r.Record = backup.Record{ID: id, Unsettled: r.Unsettled}
	if verify {
		say("backup %s is made; restoring it to a scratch folder", id[:8])
		if r.Record, err = b.Prove(ctx, id); err != nil {
			return r, fmt.Errorf("backup %s is made, and does not count yet: %w", id[:8], err)
		}
	}
	if b.leaving() {
		say("an upgrade is half-way, whose way back may need an older backup: none is removed")
		return r, nil
	}
	if r.Removed, err = b.Tidy(ctx); err != nil {
		return r, fmt.Errorf("backup %s is made; removing those that are too old: %w", id[:8], err)
	}
	return r, nil
}

// leaving says that the home of target local is being left for another version, or that nobody can tell. Hosts of their own know it themselves.
func (b *Backups) leaving() bool {
	store, err := upgrade.Open(UpgradeDir(b.env.Cluster))
	return err != nil || store.State.Windowed()
}

// Make makes a backup on target local.
func (b *Backups) Make(ctx context.Context, say func(string, ...any)) (backup.Taken, error) {
	if _, err := os.Stat(b.Home); errors.Is(err, fs.ErrNotExist) {
		return backup.Taken{}, &Refusal{Problem: "there is no home to back up: " + b.Home, Fix: "run `jomctl install`"}
	}
	if err := b.prepare(ctx, say); err != nil {
		return backup.Taken{}, err
	}
	set := b.Set
	if marker, ok, err := claim.ReadMarker(b.Home); err == nil && ok {
		set.Tags.Epoch = marker.Epoch
	}
	return set.Make(ctx, func(text string) { say("%s", text) })
}

// List returns the backups, the newest first.
func (b *Backups) List(ctx context.Context) ([]Backup, error) {
	if b.env.own != nil {
		return b.listThere(ctx)
	}
	if !b.known() {
		if there, err := b.blind().Exists(ctx); err == nil && !there {
			return []Backup{}, nil
		}
	}
	return b.Set.List(ctx)
}

// Prove restores a backup into a scratch folder, looks into it, and records what it found.
func (b *Backups) Prove(ctx context.Context, id string) (backup.Record, error) {
	if b.env.own == nil {
		return b.Set.Prove(ctx, id)
	}
	reply, err := b.ask(ctx, backup.Request{Verb: backup.VerbVerify, ID: id})
	if err != nil {
		return backup.Record{ID: id}, err
	}
	reply.Record.ID = id
	return *reply.Record, b.Records.Write(*reply.Record)
}

// Restore lays a backup down in an empty folder, on hosts of their own of the host that has the home, and looks into it.
func (b *Backups) Restore(ctx context.Context, id, to string) (backup.Verdict, error) {
	if b.env.own == nil {
		return b.Set.Restore(ctx, id, to)
	}
	reply, err := b.ask(ctx, backup.Request{Verb: backup.VerbRestore, ID: id, To: to})
	if err != nil {
		return backup.Verdict{}, err
	}
	return *reply.Verdict, nil
}

// Check lets restic check the repository; all reads every byte of it.
func (b *Backups) Check(ctx context.Context, all bool) error {
	if b.env.own == nil {
		return b.Repository.Check(ctx, all)
	}
	_, err := b.ask(ctx, backup.Request{Verb: backup.VerbCheck, All: all})
	return err
}

// Where is the host that has the home and works on it, empty on target local.
func (b *Backups) Where() string {
	if b.env.own == nil {
		return ""
	}
	return b.env.controller().names()
}

// known says whether backups were made.
func (b *Backups) known() bool {
	_, err := os.Stat(string(b.Records))
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
