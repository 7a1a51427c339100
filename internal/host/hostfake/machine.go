// Package hostfake is a host that exists in memory only, for tests: its files, its units and the packages of a Debian keep
// their state, so that what has been done is there when it is looked at again.
package hostfake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/host"
)

// Handler answers a command.
type Handler func(argv []string) (host.Output, error)

// Machine is a host.Machine whose commands are answered by handlers.
type Machine struct {
	name, address string
	mu            sync.Mutex
	files         map[string]file
	handlers      map[string]Handler
	ran           []string
	units         *Units
	// Broken, where set, may refuse an operation ("write", "remove", "run") on a path or program.
	Broken func(operation, what string) error
}

type file struct {
	data []byte
	mode fs.FileMode
}

// New returns a host without anything on it but coreutils. Its folder is host.RemoteDir.
func New(name, address string) *Machine {
	m := &Machine{name: name, address: address, files: map[string]file{}, handlers: map[string]Handler{}}
	m.units = &Units{machine: m, units: map[string]*unit{}, Foreign: map[string]string{}}
	m.On("sha256sum", m.sha256sum)
	m.On("stat", m.stat)
	m.On("find", m.find)
	m.On("kill", m.units.kill)
	m.On("systemctl", m.units.systemctl)
	return m
}

// Name is the host's name.
func (m *Machine) Name() string { return m.name }

// Address is the host's address.
func (m *Machine) Address() string { return m.address }

// Dir is host.RemoteDir.
func (m *Machine) Dir() string { return host.RemoteDir }

// Units are the host's units.
func (m *Machine) Units() host.Units { return m.units }

// FakeUnits are the units with what only tests may do.
func (m *Machine) FakeUnits() *Units { return m.units }

// On lets a handler answer a program: its name, or for a shell script `sh NAME`, where NAME is the script's $0.
func (m *Machine) On(program string, h Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlers[program] = h
}

// Put writes a file without any check.
func (m *Machine) Put(path, text string, mode fs.FileMode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mkdirAll(filepath.Dir(path))
	m.files[path] = file{[]byte(text), mode}
}

// Text is the content of a file, "" when it is missing.
func (m *Machine) Text(path string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.files[path].data)
}

// Paths are all paths, in order.
func (m *Machine) Paths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for path := range m.files {
		all = append(all, path)
	}
	slices.Sort(all)
	return all
}

// Ran are the commands that were run since the last call, each in one line.
func (m *Machine) Ran() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ran := m.ran
	m.ran = nil
	return ran
}

func (m *Machine) broken(operation, what string) error {
	if m.Broken == nil {
		return nil
	}
	return m.Broken(operation, what)
}

// ReadFile implements host.Machine.
func (m *Machine) ReadFile(_ context.Context, path string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[path]
	if !ok || f.mode.IsDir() {
		return nil, fmt.Errorf("read %s: %w", path, fs.ErrNotExist)
	}
	return bytes.Clone(f.data), nil
}

// WriteFile implements host.Machine.
func (m *Machine) WriteFile(_ context.Context, path string, data []byte, mode fs.FileMode) (bool, error) {
	if err := m.broken("write", path); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.files[path]; ok && bytes.Equal(old.data, data) && old.mode == mode {
		return false, nil
	}
	m.mkdirAll(filepath.Dir(path))
	m.files[path] = file{bytes.Clone(data), mode}
	return true, nil
}

func (m *Machine) mkdirAll(path string) {
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		if _, ok := m.files[path]; !ok {
			m.files[path] = file{mode: fs.ModeDir | 0o755}
		}
	}
}

// MkdirAll implements host.Machine.
func (m *Machine) MkdirAll(_ context.Context, path string, _ fs.FileMode) error {
	if err := m.broken("write", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mkdirAll(path)
	return nil
}

// Remove implements host.Machine.
func (m *Machine) Remove(_ context.Context, path string) error {
	if err := m.broken("remove", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	link := m.files[path].mode&fs.ModeSymlink != 0
	for known := range m.files {
		if known == path || !link && strings.HasPrefix(known, path+"/") {
			delete(m.files, known)
		}
	}
	return nil
}

// Stat implements host.Machine.
func (m *Machine) Stat(_ context.Context, path string) (host.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[path]
	if !ok {
		return host.Info{}, fmt.Errorf("stat %s: %w", path, fs.ErrNotExist)
	}
	return host.Info{Mode: f.mode, Size: int64(len(f.data))}, nil
}

// Run implements host.Machine. A program without a handler is not there.
func (m *Machine) Run(ctx context.Context, argv ...string) (host.Output, error) {
	if err := ctx.Err(); err != nil {
		return host.Output{Code: -1}, err
	}
	key := filepath.Base(argv[0])
	line := strings.Join(argv, " ")
	if key == "sh" && len(argv) > 3 {
		key = "sh " + argv[3]
		line = strings.Join(append([]string{"sh"}, argv[3:]...), " ")
	}
	if err := m.broken("run", line); err != nil {
		return host.Output{Code: -1}, err
	}
	m.mu.Lock()
	m.ran = append(m.ran, line)
	h := m.handlers[key]
	m.mu.Unlock()
	if h == nil {
		return host.Output{Code: -1}, fmt.Errorf("run %s: %w", key, fs.ErrNotExist)
	}
	return h(argv)
}

// Failed is the answer of a command that ends with a code.
func Failed(code int, stdout, stderr string) (host.Output, error) {
	return host.Output{Code: code, Stdout: stdout, Stderr: stderr}, fmt.Errorf("exit status %d: %s", code, stderr)
}

// Said is the answer of a command that ends well.
func Said(stdout string) (host.Output, error) { return host.Output{Stdout: stdout}, nil }

// answer runs a function over the paths of coreutils' commands, as which they go on after one that is missing.
func (m *Machine) answer(argv []string, line func(path string, f file) string) (host.Output, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out strings.Builder
	missing := ""
	for _, path := range argv {
		if f, ok := m.files[path]; ok {
			out.WriteString(line(path, f) + "\n")
		} else {
			missing += path + ": No such file or directory\n"
		}
	}
	if missing != "" {
		return Failed(1, out.String(), missing)
	}
	return Said(out.String())
}

// sha256sum knows `sha256sum -- PATH...`.
func (m *Machine) sha256sum(argv []string) (host.Output, error) {
	return m.answer(argv[2:], func(path string, f file) string {
		sum := sha256.Sum256(f.data)
		return hex.EncodeToString(sum[:]) + "  " + path
	})
}

// stat knows `stat -c '%a %n' -- PATH...`.
func (m *Machine) stat(argv []string) (host.Output, error) {
	return m.answer(argv[4:], func(path string, f file) string { return fmt.Sprintf("%o %s", f.mode.Perm(), path) })
}

// find knows `find DIR -mindepth 1 -maxdepth 1 -print0`.
func (m *Machine) find(argv []string) (host.Output, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	dir := argv[1]
	if m.files[dir].mode&fs.ModeSymlink == 0 { // it does not go into a link, unless a slash is behind its name
		dir = strings.TrimSuffix(dir, "/")
	} else {
		dir = ""
	}
	for path := range m.files {
		if filepath.Dir(path) == dir {
			names = append(names, path+"\x00")
		}
	}
	slices.Sort(names)
	return Said(strings.Join(names, ""))
}
