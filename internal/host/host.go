// Package host is one machine: its files, its commands and its units. A unit is a program that is kept running, as a
// systemd service with Restart=always is. Local is a host of target local: a folder on this machine, whose units are
// kept by small supervisor processes (Supervise).
package host

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Machine is one host. Paths are absolute; Path makes them.
type Machine interface {
	Name() string
	// Address is the IP address or name under which the cluster reaches the machine.
	Address() string
	// Dir is the root of the program's own files on the machine.
	Dir() string
	// ReadFile returns an error that is fs.ErrNotExist for a missing file.
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// WriteFile replaces the file as a whole, together with its missing parent folders, and only when its content or
	// mode differs; changed says whether it did.
	WriteFile(ctx context.Context, path string, data []byte, mode fs.FileMode) (changed bool, err error)
	MkdirAll(ctx context.Context, path string, mode fs.FileMode) error
	// Remove removes a file or a whole folder; what is missing is no error.
	Remove(ctx context.Context, path string) error
	// Stat returns an error that is fs.ErrNotExist for a missing path.
	Stat(ctx context.Context, path string) (Info, error)
	// Run runs a command to its end. A command that cannot start or ends with another code than 0 is an error that
	// shows the end of its output; Output is filled as far as there is any.
	Run(ctx context.Context, argv ...string) (Output, error)
	Units() Units
}

// Info is what Stat knows of a path.
type Info struct {
	Mode fs.FileMode // type and permissions
	Size int64       // bytes
}

// IsDir says whether the path is a folder.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// Output is what a command wrote. Code is its exit code, -1 when it did not start or was killed.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Path joins elements to the root of the program's files on the machine.
func Path(m Machine, elem ...string) string {
	return filepath.Join(append([]string{m.Dir()}, elem...)...)
}

// runError says what a failed command was and the last lines it wrote.
func runError(argv []string, out Output, err error) error {
	text := strings.TrimSpace(out.Stderr)
	if text == "" {
		text = strings.TrimSpace(out.Stdout)
	}
	if len(text) > 2000 {
		text = "..." + text[len(text)-2000:]
	}
	if text == "" {
		return fmt.Errorf("run %s: %w", argv[0], err)
	}
	return fmt.Errorf("run %s: %w: %s", argv[0], err, text)
}
