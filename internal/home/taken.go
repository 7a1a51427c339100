package home

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrTaken is the reason of a controller that must end because another one has taken its home.
var ErrTaken = errors.New("another controller has taken the home")

// ownerText is what the owner file says while this process owns the home.
func ownerText() string {
	return fmt.Sprintf("pid %d, task %s\n", os.Getpid(), os.Getenv("MESOS_TASK_ID"))
}

// taken waits until the owner file names another process, or the context ends. That happens only on a file system where locks do
// not reach from host to host, as on some NFS: each of two controllers holds "the" lock there, and the one that came last has
// written the file. A file that is empty (it is being written) or cannot be read says nothing.
func taken(ctx context.Context, home string, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(filepath.Join(home, ".jomctl", "owner")); err == nil && strings.HasSuffix(string(text), "\n") && string(text) != ownerText() {
			return fmt.Errorf("%w %s: %s", ErrTaken, home, strings.TrimSpace(string(text)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
