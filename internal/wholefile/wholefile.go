// Package wholefile replaces files so that a reader, also one after a loss of power, finds the old content or the new and never a part.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write puts data under path with exactly mode, whatever the umask says. The folder must be there. The data is on disk before the name
// changes. The temporary file lies beside path, as a rename does not cross file systems and a secret must not pass through /tmp. Errors
// are those of the os package and name a path.
func Write(path string, data []byte, mode fs.FileMode) error {
	// WriteFile of the library would keep the mode of the file that is replaced.
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode.Perm()))
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}

// SyncFolder returns when the names in a folder are on the disk: after a loss of power, those that were written or removed before stay so.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Empty removes what is in a folder, or in the one that the path is a link to. It goes on after an error; the errors are those of the os package.
func Empty(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, entry.Name())))
	}
	return err
}
