package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// localUnits keeps each unit in a folder of its own with one detached supervisor process.
type localUnits struct {
	dir, executable string

	// names, specs and states are what the files have said to those who look.
	names  wholefile.Memo[[]string]
	specs  wholefile.Memo[Unit]
	states wholefile.Memo[state]
}

func (l *localUnits) folder(name string) string { return filepath.Join(l.dir, name) }

// change runs f while no other command changes the unit.
func (l *localUnits) change(name string, f func(dir string) error) error {
	if !unitName.MatchString(name) {
		return fmt.Errorf("unit %q: the name must be made of a-z, 0-9 and -", name)
	}
	dir := l.folder(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := lockFile(filepath.Join(dir, applyLockName), time.Minute)
	if err != nil {
		return fmt.Errorf("unit %s is being changed by another command: %w", name, err)
	}
	defer lock.Close()
	return f(dir)
}

func (l *localUnits) Apply(ctx context.Context, u Unit) (changed bool, err error) {
	if err := u.validate(); err != nil {
		return false, err
	}
	err = l.change(u.Name, func(dir string) error {
		now, err := l.Status(ctx, u.Name)
		if err != nil {
			return err
		}
		if now.Active && now.Digest == u.Digest() {
			return problem(now)
		}
		if now.Active {
			if err := endSupervisor(dir); err != nil {
				return err
			}
		}
		changed = true
		if err := writeJSON(filepath.Join(dir, specName), u); err != nil {
			return fmt.Errorf("write the spec of unit %s: %w", u.Name, err)
		}
		return l.start(ctx, u)
	})
	return changed, err
}

func problem(s Status) error {
	if s.Problem == "" {
		return nil
	}
	return fmt.Errorf("start unit %s: %s", s.Name, s.Problem)
}

// start starts a supervisor that outlives this process and its terminal, and waits until it has started the program once.
func (l *localUnits) start(ctx context.Context, u Unit) error {
	dir := l.folder(u.Name)
	if err := os.MkdirAll(filepath.Dir(u.LogFile), 0o755); err != nil {
		return err
	}
	logPath := filepath.Join(dir, supervisorName)
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(l.executable, "supervise", filepath.Join(dir, specName))
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor of unit %s: %w", u.Name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		s, err := readState(dir)
		if err != nil {
			return err
		}
		if s.Supervisor.PID == cmd.Process.Pid && s.Digest == u.Digest() && (s.Phase == phaseRunning || s.Phase == phaseWaiting) {
			return problem(Status{Name: u.Name, Problem: s.Problem})
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the supervisor of unit %s ended (%w): %s", u.Name, err, tail(logPath))
		case <-ctx.Done():
			return fmt.Errorf("start unit %s: %w", u.Name, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// tail is the end of a log for a message.
func tail(path string) string {
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// endSupervisor asks the supervisor to stop the program and itself. If it does not, it is killed and its program ended.
func endSupervisor(dir string) error {
	deadline := time.Now().Add(10 * time.Second)
	for asked := (process{}); ; time.Sleep(pollEvery) {
		held, err := locked(filepath.Join(dir, lockName))
		if err != nil {
			return err
		}
		s, err := readState(dir) // again and again, as a supervisor may just be starting
		if err != nil {
			return err
		}
		if !held {
			return s.endProgram()
		}
		if s.Supervisor != asked && s.Supervisor.alive() {
			asked = s.Supervisor
			asked.signal(KillProcess, syscall.SIGTERM)
			deadline = time.Now().Add(s.StopTimeout + 10*time.Second)
		}
		if time.Now().After(deadline) {
			asked.signal(KillProcess, syscall.SIGKILL)
		}
		if time.Now().After(deadline.Add(5 * time.Second)) {
			return fmt.Errorf("unit folder %s is still locked by a supervisor", dir)
		}
	}
}

func (l *localUnits) Status(_ context.Context, name string) (Status, error) {
	dir, status := l.folder(name), Status{Name: name}
	spec := filepath.Join(dir, specName)
	u, err := l.specs.Of(spec, func() (u Unit, err error) { return u, readJSON(spec, &u) })
	if errors.Is(err, fs.ErrNotExist) {
		return status, nil
	} else if err != nil {
		return status, fmt.Errorf("look at unit %s: %w", name, err)
	}
	active, err := locked(filepath.Join(dir, lockName))
	if err != nil {
		return status, fmt.Errorf("look at unit %s: %w", name, err)
	}
	s, err := l.states.Of(filepath.Join(dir, stateName), func() (state, error) { return readState(dir) })
	if err != nil {
		return status, fmt.Errorf("look at unit %s: %w", name, err)
	}
	status.Active, status.LogFile = active, u.LogFile
	status.Restarts, status.LastExit = s.Restarts, s.LastExit
	if active && s.Digest != "" {
		status.Digest, status.Problem = s.Digest, s.Problem
	} else {
		status.Digest = u.Digest()
	}
	if p, ok := s.program(); ok {
		status.Running, status.PID, status.Since = true, p.PID, s.Since
	}
	return status, nil
}

func (l *localUnits) Stop(_ context.Context, name string) error {
	if _, err := os.Stat(l.folder(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return l.change(name, endSupervisor)
}

func (l *localUnits) Remove(ctx context.Context, name string) error {
	if err := l.Stop(ctx, name); err != nil {
		return err
	}
	return os.RemoveAll(l.folder(name))
}

func (l *localUnits) List(ctx context.Context) ([]Status, error) {
	names, err := l.names.Of(l.dir, func() ([]string, error) { return namesIn(l.dir) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var all []Status
	for _, name := range names {
		status, err := l.Status(ctx, name)
		if err != nil {
			return nil, err
		}
		if status.Digest != "" {
			all = append(all, status)
		}
	}
	return all, nil
}

func namesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}
