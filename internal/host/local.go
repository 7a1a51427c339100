package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// Local is a host of target local: a loopback address and a folder on this machine.
type Local struct {
	name, address, dir string
	units              *localUnits
}

// NewLocal returns the host with its files under dir. executable is the program that answers to `supervise SPECFILE`
// by Supervise; empty means the running program itself.
func NewLocal(name, address, dir, executable string) (*Local, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve the folder of host %s: %w", name, err)
	}
	if executable == "" {
		if executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the running program: %w", err)
		}
	}
	return &Local{name: name, address: address, dir: dir,
		units: &localUnits{dir: filepath.Join(dir, "units"), executable: executable}}, nil
}

// Name is the host's name.
func (l *Local) Name() string { return l.name }

// Address is the host's loopback address.
func (l *Local) Address() string { return l.address }

// Dir is the host's folder.
func (l *Local) Dir() string { return l.dir }

// Units are the host's units.
func (l *Local) Units() Units { return l.units }

// ReadFile reads a file.
func (l *Local) ReadFile(_ context.Context, path string) ([]byte, error) { return os.ReadFile(path) }

// MkdirAll makes a folder and its parents.
func (l *Local) MkdirAll(_ context.Context, path string, mode fs.FileMode) error {
	return os.MkdirAll(path, mode)
}

// Remove removes a file or folder.
func (l *Local) Remove(_ context.Context, path string) error { return os.RemoveAll(path) }

// Stat looks at a path.
func (l *Local) Stat(_ context.Context, path string) (Info, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Info{}, err
	}
	return Info{Mode: info.Mode(), Size: info.Size()}, nil
}

// WriteFile replaces a file where it differs.
func (l *Local) WriteFile(_ context.Context, path string, data []byte, mode fs.FileMode) (bool, error) {
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, data) {
		info, err := os.Stat(path)
		if err != nil {
			return false, err
		}
		if info.Mode().Perm() == mode.Perm() {
			return false, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	return true, wholefile.Write(path, data, mode)
}

// Run runs a command on this machine with this program's environment.
func (l *Local) Run(ctx context.Context, argv ...string) (Output, error) {
	if len(argv) == 0 {
		return Output{Code: -1}, errors.New("run: no command")
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String(), Code: -1}
	if cmd.ProcessState != nil {
		out.Code = cmd.ProcessState.ExitCode()
	}
	if err != nil {
		return out, runError(argv, out, err)
	}
	return out, nil
}
