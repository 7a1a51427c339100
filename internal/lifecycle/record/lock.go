package record

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/source"
)

// InstalledLockFile, in the state folder, says which files and images the hosts of their own were installed from. The lock beside the cluster file says what the
// next installation takes; this one is the way back to what was there before.
func InstalledLockFile(stateDir string) string { return filepath.Join(stateDir, "installed.lock.yaml") }

// InstalledLock is what the cluster was installed from. Where that was not kept, it is what the lock beside the cluster file says.
func InstalledLock(c *config.Cluster) (*source.Lock, error) {
	path := InstalledLockFile(c.StateDir())
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		path = source.LockFile(c)
	}
	return source.ReadLock(path)
}

// WantedLock is the lock beside the cluster file, with what the installed one knows of the sources that the file names (again).
func WantedLock(c *config.Cluster) (*source.Lock, error) {
	lock, err := source.ReadLock(source.LockFile(c))
	if err != nil {
		return nil, err
	}
	installed, err := source.ReadLock(InstalledLockFile(c.StateDir()))
	if err != nil {
		return nil, err
	}
	for _, one := range installed.Sources {
		if wanted, err := source.Wanted(c, one.Component); err == nil && wanted.Title() == one.Source && !lock.Has(one) {
			lock.Set(one)
		}
	}
	return lock, nil
}
