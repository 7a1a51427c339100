package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// spare is how many bytes must be left on a disk after a restore.
const spare = 64 << 20

// Restore lays a backup down in a folder that is empty or not there, and looks into it. Nothing is written when the disk has no room
// for it. The files' owners come back only for root.
func (r Repository) Restore(ctx context.Context, id, to string) (Verdict, error) {
	entries, err := os.ReadDir(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return Verdict{}, fmt.Errorf("looking into the folder to restore to: %w", err)
	case len(entries) > 0:
		return Verdict{}, &Error{Kind: ErrOccupied, Place: to, Problem: "is not empty, and nothing is ever restored over other files", Fix: "name an empty folder, or one that is not there"}
	}
	size, count, err := r.size(ctx, id)
	if err != nil {
		return Verdict{}, err
	}
	// Small files take a block each.
	if err := room(to, size+int64(count)*4096+spare); err != nil {
		return Verdict{}, err
	}
	// What is restored are secrets, too; restic makes missing folders for everybody to read.
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return Verdict{}, fmt.Errorf("making the folder to restore to: %w", err)
	}
	if err := os.Mkdir(to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Verdict{}, fmt.Errorf("making the folder to restore to: %w", err)
	}
	if _, err := r.run(ctx, "", "restore", id, "--target", to, "--verify"); err != nil {
		// A part of a home looks like one. Of a damaged repository it may be all that is left.
		if ctx.Err() != nil || !errors.Is(err, ErrDamaged) {
			err = errors.Join(err, wholefile.Empty(to))
		}
		return Verdict{}, err
	}
	return Inspect(to)
}

// Verify restores a backup into a new folder below scratch, looks into it, and removes it.
func (r Repository) Verify(ctx context.Context, id, scratch string) (verdict Verdict, err error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return Verdict{}, fmt.Errorf("making a folder for a test restore: %w", err)
	}
	dir, err := os.MkdirTemp(scratch, "restore-*")
	if err != nil {
		return Verdict{}, fmt.Errorf("making a folder for a test restore: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return r.Restore(ctx, id, dir)
}

// room refuses a disk that has less than so many bytes free. The folder need not be there yet.
func room(folder string, need int64) error {
	at := folder
	for {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		return fmt.Errorf("looking at the disk of %s: %w", at, err)
	}
	free := int64(st.Bavail) * int64(st.Bsize) //nolint:unconvert // another type elsewhere
	if free < need {
		return &Error{Kind: ErrNoRoom, Place: folder, Problem: fmt.Sprintf("%d MiB are free there, and the restore needs %d MiB", free>>20, need>>20),
			Fix: "make room, or restore to another disk with `jomctl restore --to DIR`"}
	}
	return nil
}

// Exchange puts a restored home in the place of the home, and returns where the home that was there is now: beside it, under a name
// that says when. Empty means that there was none. Both must be on one file system; at no moment is there no home.
func Exchange(home, restored string, now time.Time) (kept string, err error) {
	kept = home + ".before-restore-" + now.UTC().Format("20060102T150405Z")
	if _, err := os.Lstat(kept); err == nil {
		return "", &Error{Kind: ErrOccupied, Place: kept, Problem: "is there already", Fix: "move it away"}
	}
	info, err := os.Stat(home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.Rename(restored, home); err != nil {
			return "", fmt.Errorf("putting the restored home in place: %w", err)
		}
		return "", nil
	case err != nil:
		return "", fmt.Errorf("looking at the home: %w", err)
	}
	// The same people may look into it as before.
	if err := os.Chmod(restored, info.Mode().Perm()); err != nil {
		return "", fmt.Errorf("putting the restored home in place: %w", err)
	}
	// It takes the other's name first, so that whenever this is cut off, nothing that looks like a restored home is the only one there was.
	if err := os.Rename(restored, kept); err != nil {
		return "", fmt.Errorf("putting the restored home in place: %w", err)
	}
	if err := swap(kept, home); err != nil {
		return "", errors.Join(fmt.Errorf("putting the restored home in place: %w", err), os.Rename(kept, restored))
	}
	return kept, nil
}
