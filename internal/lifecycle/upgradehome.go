package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/home/claim"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/op"
)

// The files of a run's folder: what the home was when the last backup began, and when the old version had ended; what changed in between.
const (
	listingFile = "listing.json"
	leftFile    = "left.json"
	deltaFolder = "delta"
	asideFolder = "aside"
)

func (u *Upgrade) home() string { return u.backups.Home }

func (u *Upgrade) file(name string) string { return filepath.Join(u.Store.Folder(), name) }

// BackUp makes a backup; a proven one was restored and read.
func (u *Upgrade) BackUp(ctx context.Context, proven bool, say op.Say) (string, error) {
	taken, err := u.backups.Make(ctx, say)
	if err != nil || !proven {
		return taken.ID, err
	}
	say("backup %s is made; restoring it to a scratch folder", taken.ID[:8])
	record, err := u.backups.Prove(ctx, taken.ID)
	if err == nil && !record.Counts() {
		err = &Refusal{Problem: "the backup does not count: " + record.Proof.Problems[0], Fix: "mend the home, and see docs/backup.md"}
	}
	return taken.ID, err
}

// Push waits until the history has everything.
func (u *Upgrade) Push(ctx context.Context, say op.Say) error {
	history := u.Old.controller().history()
	if history == nil {
		return nil
	}
	return wait(ctx, say, func(context.Context) error {
		status, err := homesync.ReadStatus(history.StatusFile())
		switch {
		case err != nil:
			return err
		case status.PushError != "":
			return fmt.Errorf("the home's history cannot be pushed: %s", status.PushError)
		case status.OldestUnpushed(time.Now()) > 0:
			return errors.New("changes of the home are still to be pushed")
		}
		return nil
	})
}

// Listing notes the files that the last backup is made of.
func (u *Upgrade) Listing(context.Context) error {
	files, err := backup.Files(u.home())
	if err != nil {
		return err
	}
	return writeJSON(u.file(listingFile), files)
}

// Keep copies what the old version has written since, and the two files that a bad boot destroys.
func (u *Upgrade) Keep(_ context.Context, say op.Say) error {
	release, err := u.backups.own()
	if err != nil {
		return err
	}
	defer release()
	var before map[string]backup.Mark
	if err := readJSON(u.file(listingFile), &before); err != nil {
		return err
	}
	now, err := backup.Files(u.home())
	if err != nil {
		return err
	}
	if err := os.RemoveAll(u.file(deltaFolder)); err != nil {
		return fmt.Errorf("removing what an earlier try has kept: %w", err)
	}
	count := 0
	for name, mark := range now {
		if before[name] == mark {
			continue
		}
		count++
		if err := copyKept(filepath.Join(u.home(), name), filepath.Join(u.file(deltaFolder), name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"queue.xml", "config.xml"} {
		err := copyKept(filepath.Join(u.home(), name), filepath.Join(u.file(asideFolder), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if count > 0 {
		say("%d files that changed after the backup are kept, too", count)
	}
	return writeJSON(u.file(leftFile), now)
}

// Touched compares the home with what Keep saw.
func (u *Upgrade) Touched(context.Context) (bool, error) {
	left, now, err := u.compare()
	if err != nil {
		return false, err
	}
	delete(left, "queue.xml") // it was put aside before the start
	delete(now, "queue.xml")
	return !maps.Equal(left, now), nil
}

func (u *Upgrade) compare() (left, now map[string]backup.Mark, err error) {
	if err := readJSON(u.file(leftFile), &left); err != nil {
		return nil, nil, err
	}
	now, err = backup.Files(u.home())
	return left, now, err
}

// Untouched puts the queue back.
func (u *Upgrade) Untouched(context.Context) error {
	err := copyKept(filepath.Join(u.file(asideFolder), "queue.xml"), filepath.Join(u.home(), "queue.xml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// shutQueue takes the queue out of the home. Keep has a copy.
func (u *Upgrade) shutQueue() error {
	err := os.Remove(filepath.Join(u.home(), "queue.xml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Restore puts the home in place that the old version left: the backup, and what changed after it.
func (u *Upgrade) Restore(ctx context.Context, id string, say op.Say) (string, error) {
	return u.putBack(ctx, u.Store.Folder(), id, "failed-upgrade", say)
}

// earlierHome puts the home of an earlier run in place, once.
func (u *Upgrade) earlierHome(ctx context.Context, say op.Say) error {
	then := u.Store.State.HomeOf
	if then == nil || u.Store.State.HomeBack {
		return nil
	}
	if _, err := u.putBack(ctx, filepath.Join(u.Store.Dir, then.Run), then.Backup, "before-rollback", say); err != nil {
		return err
	}
	u.Store.State.HomeBack = true
	return u.Store.Save()
}

// putBack restores a backup, and what a run's folder has of changes after it, in the place of the home. The home that was there is kept under a
// name with the word.
func (u *Upgrade) putBack(ctx context.Context, folder, id, word string, say op.Say) (string, error) {
	release, err := u.backups.own()
	if err != nil {
		return "", err
	}
	defer release()
	beside := u.home() + ".restoring-" + id[:8]
	if err := os.RemoveAll(beside); err != nil {
		return "", fmt.Errorf("removing what an earlier restore has left: %w", err)
	}
	say("restoring backup %s", id[:8])
	verdict, err := u.backups.Repository.Restore(ctx, id, beside)
	if err == nil && !verdict.Counts() {
		err = fmt.Errorf("backup %s is not whole: %s", id[:8], verdict.Problems[0])
	}
	if err == nil {
		err = overlay(folder, beside)
	}
	if err == nil {
		err = keepAdmin(beside, u.Old.Cluster, say)
	}
	if err == nil {
		err = u.carryMarker(beside)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(beside))
	}
	now := time.Now()
	kept, err := backup.Exchange(u.home(), beside, now)
	if err != nil {
		return "", err
	}
	failed := u.home() + "." + word + "-" + now.UTC().Format("20060102T150405Z")
	if err := os.Rename(kept, failed); err != nil {
		return kept, fmt.Errorf("naming the failed home: %w", err)
	}
	say("the home is restored; the one that was there is kept as %s", failed)
	return failed, nil
}

// overlay makes a restored backup what the old version left, and proves it.
func overlay(folder, beside string) error {
	var left map[string]backup.Mark
	if err := readJSON(filepath.Join(folder, leftFile), &left); err != nil {
		return err
	}
	restored, err := backup.Files(beside)
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
	delta := filepath.Join(folder, deltaFolder)
	err = filepath.WalkDir(delta, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(delta, path)
		if err != nil {
			return err
		}
		return copyKept(path, filepath.Join(beside, name))
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if restored, err = backup.Files(beside); err != nil {
		return err
	}
	for name, mark := range left {
		if restored[name] != mark {
			return fmt.Errorf("the restored home is not what the old version left: %s is another file", name)
		}
	}
	return nil
}

// carryMarker lets the home's history go on from the home that is there.
func (u *Upgrade) carryMarker(beside string) error {
	if u.Old.Cluster.Jenkins.SCM == nil {
		return nil
	}
	marker, ok, err := claim.ReadMarker(u.home())
	if err != nil || !ok {
		return err
	}
	return claim.WriteMarker(beside, marker)
}

// copyKept copies a file with its mode and its time.
func copyKept(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("keeping %s: %w", from, err)
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return fmt.Errorf("keeping %s: %w", from, err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("keeping %s: %w", from, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(to), ".keep-*")
	if err != nil {
		return fmt.Errorf("keeping %s: %w", from, err)
	}
	defer os.Remove(temp.Name())
	_, err = io.Copy(temp, source)
	err = errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Chtimes(temp.Name(), info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = os.Rename(temp.Name(), to)
	}
	if err != nil {
		return fmt.Errorf("keeping %s: %w", from, err)
	}
	return nil
}

func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return writeHere(path, data, 0o600)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
