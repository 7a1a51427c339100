// Package shared tries whether a folder that several hosts call by one name is one folder, on which the locks of one host hold against
// the others. On one host it holds locks while on another it looks at them.
package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Patience is how long one side waits for what the other one writes: network file systems keep what they know of a folder for a while.
const Patience = time.Minute

const look = 100 * time.Millisecond

// place is the folder of one trial; the token is its own.
func place(dir, token string) string { return filepath.Join(dir, ".jomctl", "probe-"+token) }

// Hold writes a file, renames it, and holds two kinds of locks until the other side has tried them, or the context ends.
func Hold(ctx context.Context, dir, token string) (err error) {
	at := place(dir, token)
	if err := os.MkdirAll(at, 0o700); err != nil {
		return fmt.Errorf("it cannot be written to (is root squashed?): %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(at)) }()
	whole, err := os.OpenFile(filepath.Join(at, "flock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("it cannot be written to: %w", err)
	}
	defer whole.Close()
	if err := syscall.Flock(int(whole.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("it knows no flock: %w", err)
	}
	record, err := os.OpenFile(filepath.Join(at, "fcntl"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("it cannot be written to: %w", err)
	}
	defer record.Close()
	if err := fcntl(record); err != nil {
		return fmt.Errorf("it knows no fcntl locks: %w", err)
	}
	if err := say(at, "ready"); err != nil {
		return err
	}
	return await(ctx, at, "tried", "the other host has not tried it")
}

// Try is the other side: it sees what the holder wrote, and gets none of its locks.
func Try(ctx context.Context, dir, token string) error {
	at := place(dir, token)
	if err := await(ctx, at, "ready", "what another host has written there is not seen, so that it is not one folder"); err != nil {
		return err
	}
	whole, err := os.OpenFile(filepath.Join(at, "flock"), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("a file of another host cannot be opened: %w", err)
	}
	defer whole.Close()
	switch err := syscall.Flock(int(whole.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case err == nil:
		return errors.New("a flock of another host does not hold here: two controllers could run on one home")
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("it knows no flock: %w", err)
	}
	record, err := os.OpenFile(filepath.Join(at, "fcntl"), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("a file of another host cannot be opened: %w", err)
	}
	defer record.Close()
	switch err := fcntl(record); {
	case err == nil:
		return errors.New("an fcntl lock of another host does not hold here")
	case !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES):
		return fmt.Errorf("it knows no fcntl locks: %w", err)
	}
	return say(at, "tried")
}

func fcntl(file *os.File) error {
	return syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart})
}

// say writes a file and renames it.
func say(at, name string) error {
	temp := filepath.Join(at, name+".new")
	if err := os.WriteFile(temp, []byte(name), 0o600); err != nil {
		return fmt.Errorf("it cannot be written to: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(at, name)); err != nil {
		return fmt.Errorf("files cannot be renamed there: %w", err)
	}
	return nil
}

func await(ctx context.Context, at, name, problem string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if _, err := os.ReadDir(at); err != nil && !errors.Is(err, fs.ErrNotExist) { // which also makes an NFS client look again
			return err
		}
		if _, err := os.Stat(filepath.Join(at, name)); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New(problem)
		case <-tick.C:
		}
	}
}
