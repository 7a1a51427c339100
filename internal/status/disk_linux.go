package status

import (
	"path/filepath"
	"syscall"
)

// diskHere is what df says of a folder of this machine, without a program for each look; nil where the kernel does not say it.
func diskHere(dir string) *Disk {
	dir, err := filepath.EvalSymlinks(dir)
	var there syscall.Stat_t
	var fs syscall.Statfs_t
	if err != nil || syscall.Stat(dir, &there) != nil || syscall.Statfs(dir, &fs) != nil || fs.Blocks == 0 {
		return nil
	}
	for parent := filepath.Dir(dir); parent != dir; parent = filepath.Dir(dir) { // up to where it is mounted
		var above syscall.Stat_t
		if syscall.Stat(parent, &above) != nil || above.Dev != there.Dev {
			break
		}
		dir = parent
	}
	mib := func(blocks uint64) int64 { return int64(blocks * uint64(fs.Frsize) >> 20) } // #nosec G115 // a disk of 8 ZiB is not here
	return &Disk{Mount: dir, Total: mib(fs.Blocks), Used: mib(fs.Blocks - fs.Bfree), Free: mib(fs.Bavail)}
}
