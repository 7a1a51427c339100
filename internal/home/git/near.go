package git

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// near gives a repository that holds nothing yet the objects of a remote on a path, as `git clone` does: as links where both are on
// one file system, else as copies. git never changes a file of an object. What comes of it only saves the fetch that follows work:
// that one looks whether all is there, and brings what is not.
func (r *Repo) near(ctx context.Context) {
	if !filepath.IsAbs(r.Remote.URL) {
		return
	}
	_, _ = bounded(ctx, func() (bool, error) {
		if held, err := objectFiles(r.Dir); err != nil || len(held) > 0 {
			return false, err
		}
		if plain, err := r.plain(ctx); !plain || err != nil {
			return false, err
		}
		if _, err := os.Lstat(filepath.Join(r.Remote.URL, "objects", "info", "alternates")); !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		names, err := objectFiles(r.Remote.URL)
		if err != nil {
			return false, err
		}
		for _, name := range names {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if err := linkOrCopy(filepath.Join(r.Remote.URL, "objects", name), filepath.Join(r.Dir, "objects", name)); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// objectFiles are the files of a repository's objects below objects/: those of single ones, then packs, the index of each after what it
// leads to, so that no half pack is ever seen.
func objectFiles(repository string) ([]string, error) {
	var loose, packs, indexes []string
	root := filepath.Join(repository, "objects")
	err := filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			return err
		}
		folder, base := filepath.Split(name)
		switch {
		case len(folder) == 3 && len(base) == 38:
			loose = append(loose, name)
		case folder != "pack/" || !strings.HasPrefix(base, "pack-"):
		case strings.HasSuffix(base, ".pack"), strings.HasSuffix(base, ".rev"):
			packs = append(packs, name)
		case strings.HasSuffix(base, ".idx"):
			indexes = append(indexes, name)
		}
		return nil
	})
	return append(append(loose, packs...), indexes...), err
}

func linkOrCopy(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil { // #nosec G301 -- the umask decides
		return err
	}
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	temp := filepath.Join(filepath.Dir(to), "tmp_"+filepath.Base(to))
	target, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o444) // #nosec G302
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if err = errors.Join(err, target.Close()); err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
