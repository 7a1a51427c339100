package lifecycle

import (
	"slices"

	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision/source"
)

// lockKept says whether what the hosts are to be installed from is known as installed.
func (o *ownHosts) lockKept() bool {
	installed, err := source.ReadLock(record.InstalledLockFile(o.config.StateDir()))
	return err == nil && !slices.ContainsFunc(o.different(), func(plan source.Plan) bool {
		now, known := o.checker.Lock.Find(plan)
		was, _ := installed.Find(plan)
		return known && now != was
	})
}

// keepLock makes what the hosts are installed from known as installed.
func (o *ownHosts) keepLock() error {
	installed, err := source.ReadLock(record.InstalledLockFile(o.config.StateDir()))
	if err != nil {
		return err
	}
	for _, plan := range o.different() {
		if now, known := o.checker.Lock.Find(plan); known {
			installed.Set(now)
		}
	}
	return installed.Write(record.InstalledLockFile(o.config.StateDir()))
}
