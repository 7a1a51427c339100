package lifecycle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/source"
)

// installedLockFile says which files and images the hosts of their own were installed from. The lock beside the cluster file says what the
// next installation takes; this one is the way back to what was there before.
func installedLockFile(stateDir string) string { return filepath.Join(stateDir, "installed.lock.yaml") }

// installedLock is what the cluster was installed from. Where that was not kept, it is what the lock beside the cluster file says.
func installedLock(c *config.Cluster) (*source.Lock, error) {
	path := installedLockFile(c.StateDir())
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		path = source.LockFile(c)
	}
	return source.ReadLock(path)
}

// lockOf is the lock beside the cluster file, with what the installed one knows of the sources that the file names (again).
func lockOf(c *config.Cluster) (*source.Lock, error) {
	lock, err := source.ReadLock(source.LockFile(c))
	if err != nil {
		return nil, err
	}
	installed, err := source.ReadLock(installedLockFile(c.StateDir()))
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

// lockKept says whether what the hosts are to be installed from is known as installed.
func (o *ownHosts) lockKept() bool {
	installed, err := source.ReadLock(installedLockFile(o.config.StateDir()))
	return err == nil && !slices.ContainsFunc(o.different(), func(plan source.Plan) bool {
		now, known := o.checker.Lock.Find(plan)
		was, _ := installed.Find(plan)
		return known && now != was
	})
}

// keepLock makes what the hosts are installed from known as installed.
func (o *ownHosts) keepLock() error {
	installed, err := source.ReadLock(installedLockFile(o.config.StateDir()))
	if err != nil {
		return err
	}
	for _, plan := range o.different() {
		if now, known := o.checker.Lock.Find(plan); known {
			installed.Set(now)
		}
	}
	return installed.Write(installedLockFile(o.config.StateDir()))
}
