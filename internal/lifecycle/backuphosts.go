package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// backupUnit is the unit that hosts back the home up with, without jomctl-.
const backupUnit = "backup"

// backupDir is where the hosts of the controller have what their backups need.
func (c controller) backupDir() string { return filepath.Join(filepath.Dir(c.dir), "backup") }

func (c controller) backupFile() string { return filepath.Join(c.backupDir(), "backup.json") }

// placeThere refuses a repository that only this machine could mean.
func (b *Backups) placeThere() error {
	if place := b.Repository.Location; !farRepository.MatchString(place) && !filepath.IsAbs(place) {
		return &Refusal{Problem: fmt.Sprintf("backup.repository %s is a path of this machine, and the home is on %s", place, b.Where()), Fix: "name the whole path on that host, or a repository on a server"}
	}
	return nil
}

// backupConfig is what jomhome is told of the backups.
func (c controller) backupConfig() (backup.Config, error) {
	set := c.env.Cluster.Backup
	_, period, err := set.Calendar()
	if err != nil {
		return backup.Config{}, err
	}
	out := backup.Config{Cluster: c.env.Cluster.Name, Release: c.env.Release.Name, Home: c.home, Shared: c.shared(), Location: set.Repository,
		PasswordFile: filepath.Join(c.backupDir(), "password"), State: filepath.Join(c.backupDir(), "state"), Last: set.Keep.Last, Weekly: set.Keep.Weekly,
		PeriodSeconds: int(period.Seconds()), KeyElsewhere: c.masterKey() != "", History: c.env.Cluster.Jenkins.SCM != nil,
		Account: filepath.Join(c.dir, "seed", "users", c.env.Cluster.Jenkins.Admin.User, "config.xml")}
	if set.Environment != "" {
		out.EnvironmentFile = filepath.Join(c.backupDir(), "environment")
	}
	if set.Key != "" {
		out.KeyFile = filepath.Join(c.backupDir(), "key")
	}
	if _, _, overSSH := backup.SFTPServer(set.Repository); overSSH {
		out.KnownHosts = filepath.Join(c.backupDir(), "known_hosts")
	}
	return out, nil
}

// backupFiles are the files of the backups on the hosts of the controller. The secrets among them are for root alone.
func (c controller) backupFiles() ([]provision.File, error) {
	set := c.env.Cluster.Backup
	config, err := c.backupConfig()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the file of the backups: %w", err)
	}
	files := []provision.File{{Path: c.backupFile(), Data: append(text, '\n'), Mode: 0o600}}
	add := func(path string, value func() (string, error)) {
		if path == "" || err != nil {
			return
		}
		var data string
		if data, err = value(); err == nil {
			files = append(files, provision.File{Path: path, Data: []byte(data + "\n"), Mode: 0o600})
		}
	}
	add(config.PasswordFile, func() (string, error) { return set.Password.Resolve(c.env.Cluster) })
	add(config.KeyFile, func() (string, error) { return set.Key.Resolve(c.env.Cluster) })
	add(config.EnvironmentFile, func() (string, error) { return set.Environment.Resolve(c.env.Cluster) })
	if err != nil {
		return nil, fmt.Errorf("reading the secrets of the backups: %w", err)
	}
	if config.KnownHosts != "" {
		name, port, _ := backup.SFTPServer(set.Repository)
		lines, err := knownKeysOf(name, port)
		if err != nil {
			return nil, err
		}
		files = append(files, provision.File{Path: config.KnownHosts, Data: lines, Mode: 0o644})
	}
	return files, nil
}

// ask asks the host that has the home. The records that it sends are kept here, too, as that host may be lost.
func (b *Backups) ask(ctx context.Context, q backup.Request) (backup.Reply, error) {
	m, err := b.env.homeMachine(ctx)
	if err != nil {
		return backup.Reply{}, err
	}
	return b.env.askBackup(ctx, m, q)
}

func (e *Env) askBackup(ctx context.Context, m host.Machine, q backup.Request) (backup.Reply, error) {
	question, err := json.Marshal(q)
	if err != nil {
		return backup.Reply{}, err
	}
	out, err := m.Run(ctx, hosts.BinPath("jomhome"), "backup", e.controller().backupFile(), string(question))
	if err != nil {
		return backup.Reply{}, fmt.Errorf("asking %s for its backups (`jomctl install` brings what it needs there): %w", m.Name(), err)
	}
	reply, err := backup.Decode(out.Stdout)
	var known *backup.Error
	if err != nil && !errors.As(err, &known) {
		err = fmt.Errorf("%s: %w", m.Name(), err)
	}
	return reply, err
}

func (b *Backups) runThere(ctx context.Context, verify bool, say func(string, ...any)) (Result, error) {
	reply, err := b.ask(ctx, backup.Request{Verb: backup.VerbRun, Verify: verify})
	for _, text := range reply.Said {
		say("%s", text)
	}
	r := Result{Removed: reply.Removed}
	if reply.Taken != nil {
		r.Taken = *reply.Taken
	}
	if reply.Record != nil {
		r.Record = *reply.Record
		r.Record.ID = r.Taken.ID
		err = errors.Join(err, b.Records.Write(r.Record))
	}
	_, stateErr := b.State(ctx)
	return r, errors.Join(err, stateErr)
}

// listThere lists what the repository has, with what that host and this machine know of it.
func (b *Backups) listThere(ctx context.Context) ([]Backup, error) {
	reply, err := b.ask(ctx, backup.Request{Verb: backup.VerbList})
	if err != nil {
		return nil, err
	}
	all := append([]Backup{}, reply.Backups...)
	for i, one := range all {
		if one.Proof != nil {
			err = errors.Join(err, b.Records.Write(one.Record))
			continue
		}
		if all[i].Record, err = b.Records.Read(one.Snapshot.ID); err != nil {
			return nil, err
		}
	}
	return all, err
}

// State is what became of the last runs: on hosts of their own the latest of what the hosts and this machine know. A host that cannot be
// asked is an error beside what is known.
func (b *Backups) State(ctx context.Context) (backup.State, error) {
	var faults []error
	if b.env.own != nil {
		for _, m := range b.env.controller().on {
			limited, cancel := context.WithTimeout(ctx, connecting)
			reply, err := b.env.askBackup(limited, m, backup.Request{Verb: backup.VerbState})
			cancel()
			if err == nil && reply.State != nil {
				err = b.Records.Merge(*reply.State)
			}
			faults = append(faults, err)
		}
	}
	state, err := b.Records.State()
	return state, errors.Join(append(faults, err)...)
}

// recordFiles are the records of this machine, for a host that takes over.
func (b *Backups) recordFiles() ([]provision.File, error) {
	config, err := b.env.controller().backupConfig()
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(string(b.Records), "*.json"))
	if err != nil {
		return nil, err
	}
	var files []provision.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the records of the backups: %w", err)
		}
		files = append(files, provision.File{Path: filepath.Join(config.State, "records", filepath.Base(name)), Data: data, Mode: 0o600})
	}
	return files, nil
}
