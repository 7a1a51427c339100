package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// PowerOff ends everything of the host at once, as a pulled plug does: the supervisors, their programs, and what those have started, such as
// the tasks of a Mesos agent. Its files stay.
func (l *Local) PowerOff(context.Context) error {
	entries, err := os.ReadDir(l.units.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The supervisors first, as they start again what ends.
	for _, entry := range entries {
		if s, err := readState(l.units.folder(entry.Name())); err == nil {
			s.Supervisor.signal(KillProcess, syscall.SIGKILL)
		}
	}
	for range 3 { // a process may start another one meanwhile
		found, err := withEnvironment(func(name, value string) bool { return l.owns(name, value) })
		if err != nil || len(found) == 0 {
			return err
		}
		for _, p := range found {
			p.signal(KillProcess, syscall.SIGKILL)
		}
	}
	return nil
}

// owns says that a variable marks a process of this host: that of a unit's program, or of a task.
func (l *Local) owns(name, value string) bool {
	switch name {
	case "HOME", "MESOS_SANDBOX", "MESOS_DIRECTORY":
		return value == l.dir || strings.HasPrefix(value, l.dir+"/")
	}
	return false
}

// PowerOn starts all units of the host, as a boot does.
func (l *Local) PowerOn(ctx context.Context) error {
	entries, err := os.ReadDir(l.units.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		var u Unit
		if err := readJSON(filepath.Join(l.units.folder(entry.Name()), specName), &u); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if _, err := l.units.Apply(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
