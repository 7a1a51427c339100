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

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
)

// Within says whether a file is one of those that are named, or lies below one; without names every file is.
func Within(name string, only []string) bool {
	return len(only) == 0 || slices.ContainsFunc(only, func(one string) bool {
		one = strings.Trim(one, "/")
		return name == one || strings.HasPrefix(name, one+"/")
	})
}

// Apply gives the files of a home that no controller runs on (or only those that are named, and what lies below them) the state of a
// commit: files that the commit does not have are removed. One that no history can keep as it is, as it is damaged or holds a secret, is moved to
// Aside in the home. It returns how many files it wrote and removed, when all of that is on the disk.
func Apply(ctx context.Context, repo *git.Repo, commit git.Hash, home string, only []string) (written, removed int, err error) {
	c, err := compare(ctx, repo, commit, home)
	if err != nil {
		return 0, 0, err
	}
	todo := map[string]bool{}
	for _, d := range c.differences {
		if !Within(d.Name, only) && !Within(d.Path, only) {
			continue
		}
		if d.What != Extra {
			todo[d.Name] = true
			continue
		}
		if err := os.Remove(filepath.Join(home, d.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return written, removed, fmt.Errorf("restoring %s: %w", d.Path, err)
		}
		removed++
	}
	places, err := users(home)
	if err != nil {
		return written, removed, err
	}
	for _, d := range c.unfit {
		if Within(d.Name, only) || Within(d.Path, only) {
			todo[d.Name] = true
			if err := moveAside(home, d.Path); err != nil {
				return written, removed, fmt.Errorf("restoring %s: %w", d.Name, err)
			}
		}
	}
	err = each(ctx, repo, commit, todo, func(e git.Entry, data []byte) error {
		name := e.Path
		if hashed, ok := places[name]; ok {
			name = hashed
		}
		written++
		return replace(filepath.Join(home, filepath.FromSlash(name)), data, modeOf(e))
	})
	if err == nil {
		err = syncDisk(home)
	}
	if err != nil {
		return written, removed, fmt.Errorf("restoring files of the home from %s: %w", commit, err)
	}
	return written, removed, nil
}

// Aside is where, in a home, files are that a restore replaced and that no history has. Those of a second restore have ".2" behind their names.
const Aside = ".jomctl/before-restore"

func moveAside(home, name string) error {
	if name == "" { // behind a link, on another disk
		return nil
	}
	to := filepath.Join(home, Aside, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	free := to
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return move(filepath.Join(home, name), free)
		} else if err != nil {
			return err
		}
		free = fmt.Sprintf("%s.%d", to, n)
	}
}

// move renames a file, or copies it where it comes from another disk.
func move(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	if target, linkErr := os.Readlink(from); linkErr == nil {
		err = os.Symlink(target, to)
	} else {
		err = duplicate(from, to)
	}
	if err != nil {
		return err
	}
	return os.Remove(from)
}

// each calls visit with the files of a commit that are named.
func each(ctx context.Context, repo *git.Repo, commit git.Hash, names map[string]bool, visit func(git.Entry, []byte) error) error {
	var entries []git.Entry
	var hashes []git.Hash
	err := repo.Tree(ctx, commit, func(e git.Entry) error {
		if names[e.Path] && filepath.IsLocal(e.Path) {
			entries, hashes = append(entries, e), append(hashes, e.Hash)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return repo.Blobs(ctx, hashes, func(i int, data []byte) error { return visit(entries[i], data) })
}

// users are the files of accounts in a home whose folders Jenkins has named, by their names in the history.
func users(home string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(home, "users", "*", "config.xml"))
	if err != nil {
		return nil, err
	}
	places := map[string]string{}
	for _, file := range files {
		name, err := filepath.Rel(home, file)
		if err != nil || !keep.Hashed(filepath.ToSlash(name)) {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if inHistory, err := keep.Name(filepath.ToSlash(name), data); err == nil {
			places[inHistory] = filepath.ToSlash(name)
		}
	}
	return places, nil
}

// replace writes a file as a whole. Folders that its name has meanwhile make way when no file is left in them.
func replace(name string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := removeFolders(name); err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(name), "restore-atomic0tmp") // a name that no history keeps
	if err := os.WriteFile(temp, data, mode); err != nil {
		_ = os.Remove(temp) // as of a full disk
		return err
	}
	return os.Rename(temp, name)
}

// removeFolders removes a folder that holds nothing but folders.
func removeFolders(name string) error {
	info, err := os.Lstat(name)
	if err != nil || !info.IsDir() {
		return nil // what is wrong is seen when the file is written
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			return fmt.Errorf("%s is in the way, which no history keeps: move it away", filepath.Join(name, entry.Name()))
		}
		if err := removeFolders(filepath.Join(name, entry.Name())); err != nil {
			return err
		}
	}
	return os.Remove(name)
}
