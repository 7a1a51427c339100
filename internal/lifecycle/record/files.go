package record

import (
	"errors"
	"io/fs"
	"os"
	"slices"
)

// Present are the paths at which something is.
func Present(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// Removals are the lines of a preview that removes the paths.
func Removals(paths []string) []string {
	var lines []string
	for _, path := range paths {
		lines = append(lines, "remove "+path)
	}
	return lines
}
