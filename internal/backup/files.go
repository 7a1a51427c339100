package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Mark is one state of a file, good to see that it changed.
type Mark struct {
	Size  int64 `json:"size"`
	Mtime int64 `json:"mtimeNanoseconds"`
}

// Files are the regular files of a home that a backup holds, but for jomctl's own, by their paths in it.
func Files(home string) (map[string]Mark, error) {
	all, patterns := map[string]Mark{}, LeftOut()
	err := filepath.WalkDir(home, func(full string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && full != home {
			return nil
		}
		name, relErr := filepath.Rel(home, full)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		own := name == ".jomctl" || strings.HasPrefix(name, ".jomctl/")
		switch {
		case entry.IsDir() && (own || leftOut(patterns, name)):
			return fs.SkipDir
		case !entry.Type().IsRegular() || leftOut(patterns, name):
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			all[name] = Mark{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking at the files of the home: %w", err)
	}
	return all, nil
}

// Room is an *Error when the disk of a folder, which need not be there yet, has less than so many bytes free.
func Room(folder string, need int64) error { return room(folder, need+spare) }
