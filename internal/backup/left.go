package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// The files of Left's folder: what the home was when the last backup began, and when its controller had ended; what changed in between.
const (
	listingFile = "listing.json"
	leftFile    = "left.json"
	deltaFolder = "delta"
	asideFolder = "aside"
	// aheadFile has the backup that Ahead has restored.
	aheadFile = "ahead"
)

const queueFile = "queue.xml"

// Left is a home as its controller has left it, so that it can be put in place again: the last backup, and in Folder what that lacks. Each
// method copes with having been cut off half-way, and with being called again.
type Left struct {
	Home string
	// Folder is for this one time that the home is left, on the machine of the home.
	Folder string
	// Own takes a home as a controller does.
	Own func(home string) (release func(), err error)
}

func (l Left) file(name string) string { return filepath.Join(l.Folder, name) }

// Paths are what the methods have put into Folder, or may have.
func (l Left) Paths() []string {
	return []string{l.file(listingFile), l.file(leftFile), l.file(deltaFolder), l.file(asideFolder), l.file(aheadFile)}
}

// Note lists the files that the last backup is about to be made of.
func (l Left) Note() error {
	files, err := Files(l.Home)
	if err != nil {
		return err
	}
	return l.write(listingFile, files)
}

// Keep copies what the controller, which must be gone, has written since, and the two files that a bad boot destroys. It returns how many
// files have changed.
func (l Left) Keep() (count int, err error) {
	release, err := l.Own(l.Home)
	if err != nil {
		return 0, err
	}
	defer release()
	before, err := l.read(listingFile)
	if err != nil {
		return 0, err
	}
	now, err := Files(l.Home)
	if err != nil {
		return 0, err
	}
	if err := os.RemoveAll(l.file(deltaFolder)); err != nil {
		return 0, fmt.Errorf("removing what an earlier try has kept: %w", err)
	}
	for name, mark := range now {
		if before[name] == mark {
			continue
		}
		count++
		if err := copyKept(l.Home, l.file(deltaFolder), name); err != nil {
			return 0, err
		}
	}
	for _, name := range []string{queueFile, "config.xml"} {
		if err := copyKept(l.Home, l.file(asideFolder), name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	return count, l.write(leftFile, now)
}

// Touched says whether the home is another one than Keep has seen, but for the queue, which Shut takes away.
func (l Left) Touched() (bool, error) {
	left, err := l.read(leftFile)
	if err != nil {
		return false, err
	}
	now, err := Files(l.Home)
	if err != nil {
		return false, err
	}
	delete(left, queueFile)
	delete(now, queueFile)
	return !maps.Equal(left, now), nil
}

// Shut takes the queue out of the home. Keep has a copy.
func (l Left) Shut() error {
	if err := os.Remove(filepath.Join(l.Home, queueFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Untouched puts the queue back into a home that was not written to.
func (l Left) Untouched() error {
	if err := copyKept(l.file(asideFolder), l.Home, queueFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Back puts the home in place that Keep has seen: a backup, and what changed after it. The home that is there is kept beside it, under a
// name with the word and the time; kept is empty where there was none. finish is called with the restored home before it takes the other's place.
func (l Left) Back(ctx context.Context, set Set, id, word string, finish func(beside string) error) (kept string, err error) {
	release, err := l.Own(l.Home)
	if err != nil {
		return "", err
	}
	defer release()
	beside := l.beside(id)
	if !l.isAhead(id) || l.overlay(beside) != nil {
		if err := l.restore(ctx, set, id); err != nil {
			return "", err
		}
	}
	// From here on it is another one.
	if err = os.Remove(l.file(aheadFile)); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = finish(beside)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(beside))
	}
	now := time.Now()
	before, err := Exchange(l.Home, beside, now)
	if err != nil || before == "" { // there was no home
		return "", err
	}
	kept = l.Home + "." + word + "-" + now.UTC().Format("20060102T150405Z")
	if err := os.Rename(before, kept); err != nil {
		return before, fmt.Errorf("naming the home that was there: %w", err)
	}
	return kept, nil
}

func (l Left) beside(id string) string { return l.Home + ".restoring-" + id[:min(8, len(id))] }

// Ahead restores the home that Keep has seen beside the one that is there, which a controller may still have: Back then only proves it and
// exchanges both.
func (l Left) Ahead(ctx context.Context, set Set, id string) error {
	if l.isAhead(id) {
		return nil
	}
	if err := l.restore(ctx, set, id); err != nil {
		return err
	}
	if err := wholefile.Write(l.file(aheadFile), []byte(id), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", l.file(aheadFile), err)
	}
	return nil
}

// isAhead says that a backup is restored beside the home.
func (l Left) isAhead(id string) bool {
	known, err := os.ReadFile(l.file(aheadFile))
	return err == nil && string(known) == id
}

// restore makes the home that Keep has seen, beside the one that is there.
func (l Left) restore(ctx context.Context, set Set, id string) error {
	beside := l.beside(id)
	if err := errors.Join(os.RemoveAll(l.file(aheadFile)), os.RemoveAll(beside)); err != nil {
		return fmt.Errorf("removing what an earlier restore has left: %w", err)
	}
	verdict, err := set.Restore(ctx, id, beside)
	if err == nil && !verdict.Counts() {
		err = fmt.Errorf("backup %s is not whole: %s", id[:min(8, len(id))], verdict.Problems[0])
	}
	if err == nil {
		err = l.overlay(beside)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(beside))
	}
	return nil
}

// overlay makes a restored backup what the controller left, and proves it.
func (l Left) overlay(beside string) error {
	left, err := l.read(leftFile)
	if err != nil {
		return err
	}
	restored, err := Files(beside)
	if err != nil {
		return err
	}
	for name := range restored {
		if _, stayed := left[name]; !stayed {
			if err := os.Remove(filepath.Join(beside, name)); err != nil {
				return fmt.Errorf("restoring the home: %w", err)
			}
		}
	}
	delta := l.file(deltaFolder)
	err = filepath.WalkDir(delta, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(delta, path)
		if err != nil {
			return err
		}
		return copyKept(delta, beside, name)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if restored, err = Files(beside); err != nil {
		return err
	}
	for name, mark := range left {
		if restored[name] != mark {
			return fmt.Errorf("the restored home is not what the old version left: %s is another file", name)
		}
	}
	return nil
}

// Known says whether Keep has ended once, so that Back can work.
func (l Left) Known() bool {
	_, err := os.Stat(l.file(leftFile))
	return err == nil
}

// Space is an *Error where the way back could not work: too little room for a backup, its test restore or rehearsal, and for the restored home beside
// the failed one, or a home that nothing can be put in the place of.
func (l Left) Space(set Set) error {
	files, err := Files(l.Home)
	if err != nil {
		return err
	}
	var need int64
	for _, mark := range files {
		need += mark.Size + 4096
	}
	return errors.Join(movable(l.Home), l.roomFor(set, need))
}

// movable refuses a home that is a mount of its own.
func movable(home string) error {
	var is, above syscall.Stat_t
	if err := errors.Join(syscall.Stat(home, &is), syscall.Stat(filepath.Dir(home), &above)); err != nil {
		return fmt.Errorf("looking at the home %s: %w", home, err)
	}
	if is.Dev != above.Dev {
		return &Error{Kind: ErrForbidden, Place: home, Problem: "is a disk of its own, and no restored home can take the place of a mounted disk", Fix: "mount the disk one folder above, and name a folder on it in jenkins.home.path"}
	}
	return nil
}

func (l Left) write(name string, files map[string]Mark) error {
	data, err := json.Marshal(files)
	if err == nil {
		err = os.MkdirAll(l.Folder, 0o700)
	}
	if err == nil {
		err = wholefile.Write(l.file(name), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", l.file(name), err)
	}
	return nil
}

func (l Left) read(name string) (files map[string]Mark, err error) {
	data, err := os.ReadFile(l.file(name))
	if err == nil {
		err = json.Unmarshal(data, &files)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", l.file(name), err)
	}
	return files, nil
}
