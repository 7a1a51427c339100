package restore

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncDisk returns when all that was written to the file system of a folder is on the disk: once for many files, where fsync would wait for each.
func syncDisk(below string) error {
	folder, err := os.Open(below)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := unix.Syncfs(int(folder.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: below, Err: err}
	}
	return nil
}
