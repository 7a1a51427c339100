package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/restore"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// Order asks the next start of the controller to give its home, or some files of it, the state of an earlier commit.
type Order struct {
	Commit string `json:"commit"`
	// Only are files and folders, as jobs/a; without them it is everything.
	Only []string `json:"only,omitempty"`
}

// OrderFile is where an order waits.
func (c Config) OrderFile() string { return filepath.Join(c.beside(), "restore.json") }

// Give leaves an order.
func (c Config) Give(o Order) error {
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	if err := wholefile.Write(c.OrderFile(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("ordering a restore: %w", err)
	}
	// The controller may run as another user than who orders.
	info, err := os.Stat(filepath.Dir(c.OrderFile()))
	if err != nil {
		return fmt.Errorf("ordering a restore: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := os.Chown(c.OrderFile(), int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("giving the order to the controller: %w", err)
		}
	}
	return nil
}

// carryOut does what is ordered. What the home holds until then is committed first: no controller may have come to it.
func (r *Run) carryOut(ctx context.Context) error {
	file := r.Config.OrderFile()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var order Order
	if err == nil {
		err = json.Unmarshal(data, &order)
	}
	var commit git.Hash
	if err == nil {
		commit, err = git.ParseHash(order.Commit)
	}
	if err == nil {
		err = r.commitAll(ctx, "What the home held before the restore of "+order.Commit)
	}
	written, removed := 0, 0
	if err == nil {
		written, removed, err = restore.Apply(ctx, r.repo, commit, r.Home, order.Only)
	}
	if err != nil {
		return fmt.Errorf("carrying out the order to restore %s: %w (remove that file to start without it, and see `jomctl home history` for the commits that there are)", file, err)
	}
	r.Say("as ordered, %d files have the state of %s again, and %d that it does not have are removed", written, commit, removed)
	if err := os.Remove(file); err != nil {
		return err
	}
	return wholefile.SyncFolder(filepath.Dir(file))
}

// commitAll commits what differs from the last commit here.
func (r *Run) commitAll(ctx context.Context, title string) error {
	refs, err := r.repo.Refs(ctx)
	if err != nil {
		return err
	}
	_, err = homesync.Snapshot(ctx, r.repo, r.Home, r.repo.Main(), refs[r.repo.Main()], title, r.me)
	return err
}
