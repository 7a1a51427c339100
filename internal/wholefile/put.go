package wholefile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Put is Write for a file of jomctl's own: its folder is made, for its owner alone, where it is missing.
func Put(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making %s: %w", filepath.Dir(path), err)
	}
	if err := Write(path, data, mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Replace is Put for a file that somebody else made, and that keeps its mode; behind a symbolic link it is the file that the link leads to.
func Replace(path string, data []byte) error {
	mode := fs.FileMode(0o644)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return Put(path, data, mode)
}
