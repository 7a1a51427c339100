package war

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/fetch"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
)

// Plugins are the plugins of a release, and the folder that has exactly them. The zero set is that of a cluster with plugins of its own.
type Plugins struct {
	// Files are those that the release has locked.
	Files []fetch.File
	// Dir is empty for the zero set.
	Dir string
}

// pluginsOf is what a release has locked, where the cluster takes war and plugins from it. The folder's name changes with the lock.
func pluginsOf(c *config.Cluster, release *bundles.Release) Plugins {
	if c.Jenkins.War != "" || c.Jenkins.Plugins != "" || release.Lock == nil || len(release.Audit()) > 0 {
		return Plugins{}
	}
	var set Plugins
	sum := sha256.New()
	for _, file := range release.Files() {
		if filepath.Ext(file.Name) == ".hpi" {
			set.Files = append(set.Files, file)
			fmt.Fprintln(sum, file.Name, file.SHA256)
		}
	}
	set.Dir = filepath.Join(c.StateDir(), "cache", "plugins", hex.EncodeToString(sum.Sum(nil)[:8]))
	return set
}

// there says whether the folder is complete: it gets its name only then.
func (s Plugins) there() bool {
	if s.Dir == "" {
		return true
	}
	info, err := os.Stat(s.Dir)
	return err == nil && info.IsDir()
}

// fetch fills the folder from the user's store of downloads, which it fills too.
func (s Plugins) fetch(ctx context.Context, say op.Say) error {
	store, err := fetch.UserStore()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.Dir), 0o755); err != nil {
		return fmt.Errorf("making the folder of the plugins: %w", err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(s.Dir), ".plugins-")
	if err != nil {
		return fmt.Errorf("making the folder of the plugins: %w", err)
	}
	defer os.RemoveAll(temp)
	for i, file := range s.Files {
		if _, err := store.Have(file); err != nil {
			say("downloading plugin %s %s (%d of %d)", file.Name, file.Version, i+1, len(s.Files))
		}
		path, err := store.Get(ctx, file)
		if wrong := new(fetch.MismatchError); errors.As(err, &wrong) {
			return &op.Refusal{Problem: err.Error(), Fix: "the address has another file than the release was made with: look at `jomctl release check`, and do not use it"}
		}
		if err == nil {
			err = place(path, filepath.Join(temp, file.Name))
		}
		if err != nil {
			return fmt.Errorf("bringing the plugins of the release: %w", err)
		}
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("making the folder of the plugins: %w", err)
	}
	return os.Rename(temp, s.Dir)
}

// place copies a file with a time that does not depend on when: a plugin with a new time would be deployed anew.
func place(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	long := time.Unix(0, 0)
	return errors.Join(err, out.Sync(), out.Close(), os.Chtimes(to, long, long))
}

// size is how much there is to download, in MiB.
func (s Plugins) size() int64 {
	var total int64
	for _, file := range s.Files {
		total += file.Size
	}
	return total >> 20
}
