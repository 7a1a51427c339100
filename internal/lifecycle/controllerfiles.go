package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// secret says that a file is nobody's but the controller's.
func secret(file provision.File) bool { return file.Mode&0o077 == 0 }

// mode is that of a file on the host: what is secret can be read by the user of the image, and changed by nobody.
func (c controller) mode(file provision.File) fs.FileMode {
	if c.owner() != "" && secret(file) {
		return 0o400
	}
	return file.Mode
}

// stale are the files that are missing or different on a host, as HOST:PATH.
func (c controller) stale(ctx context.Context, files []provision.File) ([]string, error) {
	var paths []string
	for _, m := range c.on {
		for _, file := range files {
			data, err := m.ReadFile(ctx, file.Path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			if err != nil || !bytes.Equal(data, file.Data) {
				paths = append(paths, m.Name()+":"+file.Path)
			}
		}
		others, err := c.unreadable(ctx, m, files)
		if err != nil {
			return nil, err
		}
		for _, path := range others {
			paths = append(paths, m.Name()+":"+path)
		}
	}
	return paths, nil
}

// unreadable are the secret files on a host that are not the image's user's.
func (c controller) unreadable(ctx context.Context, m host.Machine, files []provision.File) (paths []string, err error) {
	argv := []string{"stat", "-c", "%u:%g %n", "--"}
	for _, file := range files {
		if secret(file) {
			argv = append(argv, file.Path)
		}
	}
	if c.owner() == "" || len(argv) == 4 {
		return nil, nil
	}
	out, err := host.Ask(ctx, m, argv...)
	if err != nil && out.Code != 1 { // 1: some are missing, which is known
		return nil, fmt.Errorf("look at the controller's files on host %s: %w", m.Name(), err)
	}
	for line := range strings.Lines(out.Stdout) {
		owner, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		if owner != c.owner() {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// write makes the files what they must be on every host.
func (c controller) write(ctx context.Context, files []provision.File) error {
	for _, m := range c.on {
		chown := []string{"chown", c.owner(), "--"}
		for _, file := range files {
			if _, err := m.WriteFile(ctx, file.Path, file.Data, c.mode(file)); err != nil {
				return err
			}
			if secret(file) {
				chown = append(chown, file.Path)
			}
		}
		if c.owner() == "" || len(chown) == 3 {
			continue
		}
		if _, err := m.Run(ctx, chown...); err != nil {
			return fmt.Errorf("give the controller's files on host %s to its user: %w", m.Name(), err)
		}
	}
	return nil
}
