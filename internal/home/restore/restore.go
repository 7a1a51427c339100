// Package restore makes an empty home from a commit of its history, and decides what to do with a home and a history that
// meet: it never overwrites a home that is not empty, and never lets a home write a history that is not its own.
package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// Raise is what is added to each next build number: builds that ran after the last push of the numbers have used some.
const Raise = 100

// Empty says whether a home holds nothing that a history keeps. A home that does not exist is empty.
func Empty(home string) (bool, error) {
	table := keep.NewTable()
	found := errors.New("found")
	err := walk(home, table, func(_, name string) error {
		if table.File(name) {
			return found
		}
		return nil
	})
	switch {
	case errors.Is(err, found):
		return false, nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return true, nil
	}
	return false, fmt.Errorf("looking into the home: %w", err)
}

// Result is what a restore laid down.
type Result struct {
	Files, Numbers int
}

// Into lays the files of a commit down in an empty home, and raises the next build numbers that the history knows. Everything
// is written beside the home's files and compared with the history before the first of it takes its place. The home's
// marker says that it is being restored, and goes on saying so until the caller writes another, when the history is claimed: what a
// restore that came to nothing laid down is taken away by the next one.
func Into(ctx context.Context, repo *git.Repo, commit, numbers git.Hash, home string, marker claim.Marker) (Result, error) {
	result, err := into(ctx, repo, commit, numbers, home, marker)
	if err != nil {
		return result, fmt.Errorf("restoring the home from %s: %w", commit, err)
	}
	return result, nil
}

func into(ctx context.Context, repo *git.Repo, commit, numbers git.Hash, home string, marker claim.Marker) (Result, error) {
	if marker.Restoring != "" {
		if err := removeKept(home); err != nil {
			return Result{}, err
		}
	}
	marker.Restoring = commit.String()
	if err := claim.WriteMarker(home, marker); err != nil {
		return Result{}, err
	}
	aside := filepath.Join(home, ".jomctl", "restore")
	if err := os.RemoveAll(aside); err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(aside)
	result, err := lay(ctx, repo, commit, numbers, aside)
	if err == nil {
		// The marker is to say that the home is whole only when it would be so after a power failure, too.
		err = syncDisk(aside)
	}
	if err == nil {
		err = place(aside, home)
	}
	return result, err
}

// removeKept removes all kept files, which an earlier restore laid down.
func removeKept(home string) error {
	table := keep.NewTable()
	return walk(home, table, func(full, name string) error {
		if _, number := keep.JobOfNumber(name); number || table.File(name) {
			return os.Remove(full)
		}
		return nil
	})
}

// walk calls visit with each file in the folders of a home that may hold kept ones. The home itself may be a link, as to a larger disk. What a
// controller that runs takes away meanwhile is not there.
func walk(home string, table *keep.Table, visit func(full, name string) error) error {
	root, err := filepath.EvalSymlinks(home)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && full != root {
			return nil
		}
		name, relErr := filepath.Rel(root, full)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case !entry.IsDir():
			return visit(full, name)
		case !table.Folder(name):
			return fs.SkipDir
		}
		return nil
	})
}

// place moves what was laid down to where it belongs. Folders that are there already (plugins laid down by others, users)
// are gone into. One may be a disk of its own, as for the jobs: what belongs there is copied.
func place(aside, home string) error {
	entries, err := os.ReadDir(aside)
	if err != nil {
		return err
	}
	copied := false
	for _, entry := range entries {
		from, to := filepath.Join(aside, entry.Name()), filepath.Join(home, entry.Name())
		info, err := os.Lstat(to)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && !entry.IsDir() && info.Mode().IsRegular():
			if err = os.Rename(from, to); errors.Is(err, syscall.EXDEV) {
				copied, err = true, duplicate(from, to)
			}
		case err == nil && entry.IsDir() && info.IsDir():
			err = place(from, to)
		case err == nil:
			err = fmt.Errorf("%s is in the way of what the history has there: move it away", to)
		}
		if err != nil {
			return err
		}
	}
	if copied {
		return syncDisk(home)
	}
	return wholefile.SyncFolder(home)
}

// duplicate copies a file, or a folder with all in it. What a copy that is cut off leaves is taken away when the restore begins anew.
func duplicate(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, info.Mode().Perm())
	})
}

// Difference is a file in which a home is not what a commit of its history says.
type Difference struct {
	// Name is the file's name in the history, Path that in the home where it is there and has another one.
	Name string `json:"name"`
	Path string `json:"path,omitempty"`
	What What   `json:"what"`
}

// What is the kind of a difference.
type What string

// The differences: not in the home, not in the commit, or with another content.
const (
	Missing What = "missing"
	Extra   What = "extra"
	Changed What = "changed"
)

// Compare returns in which files a home and a commit differ, and which files of the home must not be kept as they are, with the
// reason; those count as no difference.
func Compare(ctx context.Context, repo *git.Repo, commit git.Hash, home string) ([]Difference, map[string]string, error) {
	c, err := compare(ctx, repo, commit, home)
	return c.differences, c.refused, err
}

// Changes returns what Apply would change: the differences, and files that must not be kept as they are, as one that is damaged, where the commit has
// them.
func Changes(ctx context.Context, repo *git.Repo, commit git.Hash, home string) ([]Difference, error) {
	c, err := compare(ctx, repo, commit, home)
	return sorted(append(c.differences, c.unfit...)), err
}

// comparison is what compare found, sorted by name.
type comparison struct {
	differences []Difference
	// refused are files of the home that must not be kept as they are, by their names there; unfit those of them that are otherwise in the commit.
	refused map[string]string
	unfit   []Difference
}

func compare(ctx context.Context, repo *git.Repo, commit git.Hash, home string) (comparison, error) {
	in := map[string]git.Hash{}
	if err := repo.Tree(ctx, commit, func(e git.Entry) error { in[e.Path] = e.Hash; return nil }); err != nil {
		return comparison{}, err
	}
	c := comparison{refused: map[string]string{}}
	table := keep.NewTable()
	var links []string
	err := walk(home, table, func(full, name string) error {
		if table.File(name) {
			c.file(home, name, in)
		} else if info, err := os.Lstat(full); table.Folder(name) && err == nil && info.Mode()&fs.ModeSymlink != 0 {
			c.refused[name], links = keep.LinkedFolder, append(links, name)
		}
		return nil
	})
	if err != nil {
		return comparison{}, fmt.Errorf("comparing the home with its history: %w", err)
	}
	for name, hash := range in {
		switch {
		case !table.File(name):
		case len(links) == 0 || !Within(name, links):
			c.differences = append(c.differences, Difference{Name: name, What: Missing})
		default: // behind a link, where it counts for a restore alone
			if data, err := os.ReadFile(filepath.Join(home, filepath.FromSlash(name))); err != nil || git.BlobHash(keep.Normal(name, data)) != hash {
				c.unfit = append(c.unfit, Difference{Name: name, What: Changed})
			}
		}
	}
	c.differences = sorted(c.differences)
	return c, nil
}

// file compares one file of the home and takes it out of what the commit has.
func (c *comparison) file(home, name string, in map[string]git.Hash) {
	data, err := read(home, name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	inHistory, nameErr := keep.Name(name, data)
	switch {
	case nameErr != nil && err == nil:
		inHistory, err = name, nameErr
	case nameErr != nil:
		inHistory = name
	}
	hash, has := in[inHistory]
	delete(in, inHistory)
	same := has && git.BlobHash(keep.Normal(name, data)) == hash
	var reason *keep.RefusedError
	silent := errors.As(err, &reason) && reason.Silent
	switch {
	case err != nil && reason == nil:
		c.refused[name] = err.Error()
	case err != nil && !silent:
		c.refused[name] = reason.Reason
	}
	switch {
	case err != nil && has && !same:
		c.unfit = append(c.unfit, Difference{inHistory, name, Changed})
	case err != nil, same:
	case has:
		c.differences = append(c.differences, Difference{inHistory, name, Changed})
	default:
		c.differences = append(c.differences, Difference{inHistory, name, Extra})
	}
}

// read reads a file of a home in which a controller may be writing.
func read(home, name string) (data []byte, err error) {
	for range 5 {
		if data, _, err = keep.Read(home, name); !errors.Is(err, keep.ErrChanging) {
			break
		}
	}
	return data, err
}

func sorted(list []Difference) []Difference {
	slices.SortFunc(list, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return list
}
