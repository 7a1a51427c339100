// Package record reads what the state folder keeps of a cluster between two commands: what was installed and from which files, and the change
// of its control hosts that is under way. It asks no host.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// InstalledFile, in the state folder, is the copy of the cluster file, with all defaults, that the running cluster was made from. It knows what
// has to be found again when the user's file says something else, or is gone.
func InstalledFile(stateDir string) string { return filepath.Join(stateDir, "installed.yaml") }

// Installed is the cluster that was last installed beside the cluster file, with the addresses that are known of its machines. The error is
// fs.ErrNotExist when there is none.
func Installed(file string) (*config.Cluster, error) { return (&Reader{}).Installed(file) }

// Reader is for those who read the record beside one cluster file again and again: it is parsed anew when it has changed. The zero Reader is ready.
type Reader struct {
	parsed wholefile.Memo[*config.Cluster]
}

// Installed is what the function of that name gives.
func (r *Reader) Installed(file string) (*config.Cluster, error) {
	path := InstalledFile((&config.Cluster{File: file}).StateDir())
	kept, err := r.parsed.Of(path, func() (*config.Cluster, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading what is installed: %w", err)
		}
		c, err := config.Parse(data, file) // relative paths are those of the user's file
		if err != nil {
			return nil, fmt.Errorf("reading what is installed: %s cannot be used (mend it, or remove it): %w", path, err)
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	c := kept.Clone()
	var unknown *inventory.NotMadeError
	if err := inventory.Complete(c); err != nil && !errors.As(err, &unknown) {
		return nil, err
	}
	return c, nil
}

// InstalledText is what is written down of a cluster that is installed.
func InstalledText(c *config.Cluster) []byte { return config.Show(inventory.Declared(c)) }

// WriteInstalled makes the cluster the installed one.
func WriteInstalled(c *config.Cluster) error {
	return wholefile.Put(InstalledFile(c.StateDir()), InstalledText(c), 0o600)
}

// InstalledOr is the cluster as it is installed, or the one of the file where nothing is recorded.
func InstalledOr(c *config.Cluster) (*config.Cluster, error) {
	old, err := Installed(c.File)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	return old, err
}

// IDFile keeps the cluster's id, so that the folder may be moved.
func IDFile(c *config.Cluster) string { return filepath.Join(c.StateDir(), "id") }

// ClusterID tells two clusters of one name apart. As long as none is kept it is made of where the cluster's folder is.
func ClusterID(c *config.Cluster) string {
	if kept, err := os.ReadFile(IDFile(c)); err == nil {
		return strings.TrimSpace(string(kept))
	}
	machine, _ := os.Hostname()
	sum := sha256.Sum256([]byte(machine + ":" + c.Dir()))
	return hex.EncodeToString(sum[:8])
}
