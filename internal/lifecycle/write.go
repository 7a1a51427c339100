package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// writeHere replaces a file of the state folder as a whole.
func writeHere(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making %s: %w", filepath.Dir(path), err)
	}
	if err := wholefile.Write(path, data, mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// rewrite replaces a file that somebody else made, and that keeps its mode; behind a symbolic link it is the file that the link leads to.
func rewrite(path string, data []byte) error {
	mode := fs.FileMode(0o644)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return writeHere(path, data, mode)
}

// there are the paths at which something is.
func there(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// removals are the lines of a preview that removes the paths.
func removals(paths []string) []string {
	var lines []string
	for _, path := range paths {
		lines = append(lines, "remove "+path)
	}
	return lines
}
