package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// timers are those of the backups on the hosts that have, or may get, the home.
func (c controller) timers() []provision.Item {
	calendar, _, _ := c.env.Cluster.Backup.Calendar() // which validation has read
	var items []provision.Item
	for _, m := range c.on {
		items = append(items, hosts.NewTimer(hosts.Timer{Host: m, Name: backupUnit, Description: "Backup of the Jenkins home of cluster " + c.env.Cluster.Name,
			Argv: []string{hosts.BinPath("jomhome"), "backup", c.backupFile()}, OnCalendar: calendar}, c.env.own.keeper))
	}
	return items
}

// backupSteps set the backups of hosts of their own up: their files and secrets, the repository, the timers.
func (e *Env) backupSteps() []op.Step {
	if e.own == nil {
		return nil
	}
	if e.Cluster.Backup == nil {
		return []op.Step{e.strayTimersStep()}
	}
	s := backupSetup{env: e, c: e.controller()}
	steps := []op.Step{
		{ID: "backup-repository", Title: "Backups of the home: secrets, repository " + e.Cluster.Backup.Repository, Budget: 10 * time.Minute,
			Probe:   s.probe,
			Changes: func(ctx context.Context) []string { return s.changes(ctx) },
			Do:      s.do},
		e.strayTimersStep(),
	}
	for i, item := range s.c.timers() {
		steps = append(steps, itemStep("backup-timer-"+s.c.on[i].Name(), item, time.Minute))
	}
	return steps
}

// strayTimersStep takes the timers from hosts that are not to have the home any more: what is left of a home there is no backup of this one.
func (e *Env) strayTimersStep() op.Step {
	wanted := map[string]bool{}
	if e.Cluster.Backup != nil {
		for _, m := range e.controller().on {
			wanted[m.Name()] = true
		}
	}
	stray := func(ctx context.Context) (all []host.Machine, err error) {
		for _, m := range e.own.machines() {
			if wanted[m.Name()] {
				continue
			}
			_, err := m.Stat(ctx, hosts.TimerFile(backupUnit))
			switch {
			case err == nil:
				all = append(all, m)
			case !errors.Is(err, fs.ErrNotExist):
				return nil, err
			}
		}
		return all, nil
	}
	return op.Step{ID: "backup-strays", Title: "No other host backs a home up", Budget: time.Minute,
		Probe: func(ctx context.Context) (op.State, error) {
			all, err := stray(ctx)
			return op.NeededUnless(len(all) == 0), err
		},
		Changes: func(ctx context.Context) (lines []string) {
			all, _ := stray(ctx)
			for _, m := range all {
				lines = append(lines, m.Name()+": remove the timer of the backups")
			}
			return lines
		},
		Do: func(ctx context.Context, _ op.Say) error {
			all, err := stray(ctx)
			for _, m := range all {
				err = errors.Join(err, hosts.RemoveTimer(ctx, m, e.own.keeper, backupUnit))
			}
			return err
		},
	}
}

type backupSetup struct {
	env *Env
	c   controller
}

// stampFile says for which password and repository a host has looked that they fit.
func (s backupSetup) stampFile() string { return filepath.Join(s.c.backupDir(), "checked") }

func (s backupSetup) stamp(files []provision.File) string {
	sum := sha256.New()
	for _, file := range files[1:] { // without the settings, of which the repository is all that matters
		sum.Write(file.Data)
	}
	fmt.Fprintf(sum, "%s", s.env.Cluster.Backup.Repository)
	return hex.EncodeToString(sum.Sum(nil)) + "\n"
}

func (s backupSetup) probe(ctx context.Context) (op.State, error) {
	if there, err := secretThere(s.env.Cluster.Backup.Password, s.env.Cluster); err != nil || !there {
		return op.Needed, err
	}
	files, err := s.c.backupFiles()
	if err != nil {
		return op.Needed, err
	}
	same, err := s.laid(ctx, append(files, provision.File{Path: s.stampFile(), Data: []byte(s.stamp(files))}))
	return op.NeededUnless(same), err
}

// laid says whether all hosts have the files. They are root's whatever user the controller runs as.
func (s backupSetup) laid(ctx context.Context, files []provision.File) (bool, error) {
	for _, m := range s.c.on {
		for _, file := range files {
			data, err := m.ReadFile(ctx, file.Path)
			if errors.Is(err, fs.ErrNotExist) || err == nil && string(data) != string(file.Data) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

func (s backupSetup) changes(context.Context) []string {
	var lines []string
	if there, err := secretThere(s.env.Cluster.Backup.Password, s.env.Cluster); err == nil && !there {
		lines = append(lines, "generate "+string(s.env.Cluster.Backup.Password)+" (mode 0600): whoever loses it loses the backups, so keep a copy of it elsewhere")
	}
	return append(lines, "write "+s.c.backupDir()+" on "+s.c.names(), "make the repository "+s.env.Cluster.Backup.Repository+" where there is none")
}

func (s backupSetup) do(ctx context.Context, say op.Say) error {
	secret, c := s.env.Cluster.Backup.Password, s.env.Cluster
	there, err := secretThere(secret, c)
	if err != nil {
		return err
	}
	if !there {
		if err := generate(secret, c); err != nil {
			return err
		}
		say("generated %s: keep a copy of it elsewhere, as nobody can read the backups without it", secret)
	}
	err = s.lay(ctx, say)
	var wrong *backup.Error
	if path, isFile := secret.Path(c); !there && isFile && errors.As(err, &wrong) && wrong.Kind == backup.ErrWrongPassword {
		return errors.Join(&Refusal{Problem: fmt.Sprintf("%s was missing, and the repository %s was made with it", path, c.Backup.Repository),
			Fix: "bring the file back: without it no backup can be read; or name another repository"}, os.Remove(path))
	}
	return err
}

func (s backupSetup) lay(ctx context.Context, say op.Say) error {
	files, err := s.c.backupFiles()
	if err != nil {
		return err
	}
	b, err := s.env.Backups()
	if err != nil {
		return err
	}
	records, err := b.recordFiles()
	if err != nil {
		return err
	}
	for _, m := range s.c.on {
		if err := writeAll(ctx, m, files); err != nil {
			return err
		}
		for _, record := range records { // what that host knows is newer
			if _, err := m.Stat(ctx, record.Path); errors.Is(err, fs.ErrNotExist) {
				_, err = m.WriteFile(ctx, record.Path, record.Data, record.Mode)
				if err != nil {
					return err
				}
			}
		}
		reply, err := s.env.askBackup(ctx, m, backup.Request{Verb: backup.VerbInit})
		for _, text := range reply.Said {
			say("%s", text)
		}
		if err != nil {
			return err
		}
		if _, err := m.WriteFile(ctx, s.stampFile(), []byte(s.stamp(files)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func writeAll(ctx context.Context, m host.Machine, files []provision.File) error {
	for _, file := range files {
		if _, err := m.WriteFile(ctx, file.Path, file.Data, file.Mode); err != nil {
			return err
		}
	}
	return nil
}

// backupFindings say what speaks against the backups of hosts of their own before anything is put there.
func (c controller) backupFindings() []provision.Finding {
	set := c.env.Cluster.Backup
	if set == nil || c.env.own == nil {
		return nil
	}
	var findings []provision.Finding
	add := func(subject, problem, fix string) {
		findings = append(findings, provision.Finding{Subject: subject, Problem: problem, Fix: fix})
	}
	var refused *Refusal
	if _, err := c.env.Backups(); errors.As(err, &refused) {
		add("backup", refused.Problem, refused.Fix)
	}
	if _, err := secretThere(set.Password, c.env.Cluster); err != nil {
		add("backup.password", err.Error(), "set the variable, or name a file, which is generated")
	}
	if _, err := set.Key.Resolve(c.env.Cluster); err != nil {
		add("backup.key", err.Error(), "put the private key there; the hosts that have the home get a copy that only root can read")
	}
	text, err := set.Environment.Resolve(c.env.Cluster)
	if err == nil {
		_, err = backup.Variables(text)
	}
	if err != nil {
		add("backup.environment", err.Error(), "write lines NAME=VALUE")
	}
	name, port, overSSH := backup.SFTPServer(set.Repository)
	if !overSSH {
		return findings
	}
	if set.Key == "" {
		add("backup.key", "is missing, and root of "+c.names()+" has to log in at "+name+" without being asked", "name a private SSH key: file:PATH")
	}
	if _, err := knownKeysOf(name, port); err != nil {
		add("backup.repository", err.Error(), "compare the host's key with what its owner says, and accept it once on this machine: ssh -p "+port+" "+name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyCheck)
	defer cancel()
	for _, m := range c.reached() {
		if err := reaches(ctx, m, name, port); err != nil {
			add("backup.repository", fmt.Sprintf("%s does not reach %s: %v", m.Name(), net.JoinHostPort(name, port), err), "see that the hosts of the home can resolve and reach it")
		}
	}
	return findings
}

// reaches says whether a port answers a host.
func reaches(ctx context.Context, m host.Machine, name, port string) error {
	_, err := m.Run(ctx, "timeout", "10", "bash", "-c", `exec 3<>"/dev/tcp/$0/$1"`, name, port)
	return err
}
