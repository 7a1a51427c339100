package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// LeftLock is how old a lock file of a remote on a path is when it counts as left behind, unless a Remote says otherwise. git holds one for
// as long as it takes to write a line; it never removes one that a git process left when its machine lost power.
const LeftLock = 10 * time.Minute

// clearLeftLocks removes from a remote on a path the locks of the history's refs that are older than any that a git process still holds,
// and says whether there were any. Nobody else would: every push of every controller would fail from then on.
func (r *Repo) clearLeftLocks() (bool, error) {
	if !filepath.IsAbs(r.Remote.URL) {
		return false, nil
	}
	now, err := fileTime(r.Remote.URL)
	if err != nil {
		return false, err
	}
	after := r.Remote.LeftLock
	if after == 0 {
		after = LeftLock
	}
	removed := false
	for _, name := range []string{r.Main() + ".lock", Owner + ".lock", Numbers + ".lock", "packed-refs.lock", "HEAD.lock"} {
		file := filepath.Join(r.Remote.URL, name)
		info, err := os.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return removed, err
		}
		age := now.Sub(info.ModTime())
		if age < after {
			continue
		}
		if err := os.Remove(file); err != nil {
			return removed, err
		}
		if r.Remote.Say != nil {
			r.Remote.Say("%s was %s old: a git process that was killed had left it, and it is removed, as it refused every push", file, age.Round(time.Second))
		}
		removed = true
	}
	return removed, nil
}

// fileTime is the time now by the clock that dates the files of a folder, which may be another machine's.
func fileTime(folder string) (time.Time, error) {
	file, err := os.CreateTemp(folder, "jomhome-now-")
	if err != nil {
		return time.Time{}, fmt.Errorf("asking for the time of %s: %w", folder, err)
	}
	info, err := file.Stat()
	if err = errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		return time.Time{}, fmt.Errorf("asking for the time of %s: %w", folder, err)
	}
	return info.ModTime(), nil
}
