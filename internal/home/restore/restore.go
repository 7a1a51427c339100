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

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
)

// Raise is what is added to each next build number: builds that ran after the last push of the numbers have used some.
const Raise = 100

// Empty says whether a home holds nothing that a history keeps. A home that does not exist is empty.
func Empty(home string) (bool, error) {
	table := keep.NewTable()
	found := errors.New("found")
	err := filepath.WalkDir(home, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(home, full)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case entry.IsDir() && !table.Folder(name):
			return fs.SkipDir
		case !entry.IsDir() && table.File(name):
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
	return filepath.WalkDir(home, func(full string, entry fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(home, full)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		_, number := keep.JobOfNumber(name)
		switch {
		case entry.IsDir() && !table.Folder(name):
			return fs.SkipDir
		case !entry.IsDir() && (table.File(name) || number):
			return os.Remove(full)
		}
		return nil
	})
}

// place moves what was laid down to where it belongs. Folders that are there already (plugins laid down by others, users)
// are gone into.
func place(aside, home string) error {
	entries, err := os.ReadDir(aside)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		from, to := filepath.Join(aside, entry.Name()), filepath.Join(home, entry.Name())
		info, err := os.Lstat(to)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && !entry.IsDir() && info.Mode().IsRegular():
			err = os.Rename(from, to)
		case err == nil && entry.IsDir() && info.IsDir():
			err = place(from, to)
		case err == nil:
			err = fmt.Errorf("%s is in the way", to)
		}
		if err != nil {
			return err
		}
	}
	return syncFolder(home)
}

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
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
	in := map[string]git.Hash{}
	if err := repo.Tree(ctx, commit, func(e git.Entry) error { in[e.Path] = e.Hash; return nil }); err != nil {
		return nil, nil, err
	}
	var out []Difference
	refused := map[string]string{}
	table := keep.NewTable()
	err := filepath.WalkDir(home, func(full string, entry fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(home, full)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if !table.Folder(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !table.File(name) {
			return nil
		}
		data, _, err := keep.Read(home, name)
		inHistory := name
		if err == nil {
			inHistory, err = keep.Name(name, data)
		}
		hash, has := in[inHistory]
		delete(in, inHistory)
		var reason *keep.RefusedError
		switch {
		case errors.As(err, &reason):
			if !reason.Silent {
				refused[name] = reason.Reason
			}
		case err != nil:
			refused[name] = err.Error()
		case !has:
			out = append(out, Difference{inHistory, name, Extra})
		case git.BlobHash(keep.Normal(name, data)) != hash:
			out = append(out, Difference{inHistory, name, Changed})
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("comparing the home with its history: %w", err)
	}
	for name := range in {
		if _, broken := refused[name]; table.File(name) && !broken {
			out = append(out, Difference{Name: name, What: Missing})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
	return out, refused, nil
}
