package backup

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// tries is how often a backup is taken at most until nothing changed meanwhile. Each but the first reads only what changed.
const tries = 5

// Taken is a backup that was made.
type Taken struct {
	// ID is restic's, 64 hexadecimal digits.
	ID string `json:"id"`
	// Files and Bytes are those of the home, Added are the bytes that were new to the repository.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	Added int64 `json:"addedBytes"`
	// Tries says how often it was taken until nothing had changed meanwhile.
	Tries int `json:"tries"`
	// Unsettled are the files that changed in the last try, too: they fit together with the others less surely.
	Unsettled []string `json:"unsettled,omitempty"`
}

// stamp is one state of a file.
type stamp struct {
	size, mtime int64
	inode       uint64
}

// Take makes a backup of a home as a set: while settings, jobs, accounts or secrets change under it, it is taken again.
func (r Repository) Take(ctx context.Context, home string, tags Tags, say func(string)) (Taken, error) {
	return r.take(ctx, home, tags, say, func() {})
}

// take calls taken after each try, before it looks whether something changed.
func (r Repository) take(ctx context.Context, home string, tags Tags, say func(string), taken func()) (Taken, error) {
	home, err := filepath.EvalSymlinks(home)
	if err != nil {
		return Taken{}, fmt.Errorf("looking for the home: %w", err)
	}
	if err := r.apart(home); err != nil {
		return Taken{}, err
	}
	excludes, err := excludeFile(home)
	if err != nil {
		return Taken{}, err
	}
	defer os.Remove(excludes)
	var out Taken
	for try := 1; ; try++ {
		before, err := look(home)
		if err != nil {
			return out, err
		}
		last := out.ID
		added := out.Added
		if out, err = r.one(ctx, home, excludes, tags); err != nil {
			return out, err
		}
		out.Tries, out.Added = try, out.Added+added
		if last != "" {
			if _, err := r.run(ctx, "", "forget", last); err != nil {
				return out, fmt.Errorf("removing the backup that was taken again: %w", err)
			}
		}
		taken()
		after, err := look(home)
		if err != nil {
			return out, err
		}
		out.Unsettled = differing(before, after)
		if len(out.Unsettled) == 0 || try == tries {
			return out, nil
		}
		say(fmt.Sprintf("%d files changed meanwhile (%s): once more", len(out.Unsettled), out.Unsettled[0]))
	}
}

// apart refuses a repository in the home, or around it.
func (r Repository) apart(home string) error {
	for _, pair := range [][2]string{{home, r.Location}, {r.Location, home}} {
		rel, err := filepath.Rel(pair[0], pair[1])
		if filepath.IsAbs(r.Location) && err == nil && filepath.IsLocal(rel) {
			return &Error{Kind: ErrForbidden, Place: r.Location, Problem: "the repository and the home " + home + " lie in one another", Fix: "name another folder in backup.repository"}
		}
	}
	return nil
}

func excludeFile(home string) (string, error) {
	file, err := os.CreateTemp("", "jomctl-excludes-*")
	if err != nil {
		return "", fmt.Errorf("writing what backups leave out: %w", err)
	}
	_, err = file.WriteString(resticExcludes(home))
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("writing what backups leave out: %w", err), os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// one makes one backup. The home is given as ".", so that its files lie at the root of the backup.
func (r Repository) one(ctx context.Context, home, excludes string, tags Tags) (Taken, error) {
	args := []string{"backup", "--json", "--host", tags.Cluster, "--exclude-file", excludes}
	for _, tag := range tags.list() {
		args = append(args, "--tag", tag)
	}
	out, err := r.run(ctx, home, append(args, ".")...)
	var partial *partialError
	if err != nil && !errors.As(err, &partial) {
		return Taken{}, err
	}
	taken, parseErr := summary(out)
	if parseErr != nil {
		return Taken{}, errors.Join(parseErr, err)
	}
	if partial != nil {
		if err := partial.unreadable(home); err != nil {
			_, forgetErr := r.run(ctx, "", "forget", taken.ID)
			return Taken{}, errors.Join(err, forgetErr)
		}
	}
	taken.ID, err = r.whole(ctx, taken.ID)
	return taken, err
}

// whole is the whole of an ID, of which restic says the beginning only.
func (r Repository) whole(ctx context.Context, id string) (string, error) {
	out, err := r.run(ctx, "", "snapshots", "--json", id)
	if err != nil {
		return id, err
	}
	var raw []rawSnapshot
	if err := json.Unmarshal(out, &raw); err != nil || len(raw) != 1 {
		return id, fmt.Errorf("asking for the backup %s that was just made: %d answers, %v", id, len(raw), err)
	}
	return raw[0].ID, nil
}

// unreadable is an *Error for a file that could not be read and is still there; builds remove theirs at any time. Where restic names none,
// nobody knows what the backup lacks.
func (e *partialError) unreadable(home string) error {
	const fix = "run it as the user that the controller runs as, or as root"
	named := false
	for line := range bytes.Lines([]byte(e.text)) {
		var one struct {
			Type string `json:"message_type"`
			Item string `json:"item"`
		}
		if json.Unmarshal(line, &one) != nil || one.Type != "error" || one.Item == "" {
			continue
		}
		named = true
		name := one.Item
		if !filepath.IsAbs(name) {
			name = filepath.Join(home, name)
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return &Error{Kind: ErrForbidden, Place: name, Problem: "cannot be read, so that the backup would lack it", Fix: fix}
		}
	}
	if !named {
		return &Error{Kind: ErrForbidden, Place: home, Problem: "has files that cannot be read, and restic does not say which: " + lastLines(e.text, ""), Fix: fix}
	}
	return nil
}

// summary reads what `restic backup --json` ends with.
func summary(out []byte) (Taken, error) {
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var one struct {
			Type  string `json:"message_type"`
			ID    string `json:"snapshot_id"`
			Files int    `json:"total_files_processed"`
			Bytes int64  `json:"total_bytes_processed"`
			Added int64  `json:"data_added"`
		}
		if json.Unmarshal(scanner.Bytes(), &one) == nil && one.Type == "summary" && one.ID != "" {
			return Taken{ID: one.ID, Files: one.Files, Bytes: one.Bytes, Added: one.Added}, nil
		}
	}
	return Taken{}, errors.New("restic backup: it has not said which backup it made")
}

// look returns the state of all files that must not change while a backup is taken.
func look(home string) (map[string]stamp, error) {
	all, patterns := map[string]stamp{}, LeftOut()
	err := filepath.WalkDir(home, func(full string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && full != home {
			return nil // removed meanwhile, which the second look sees
		}
		name, relErr := filepath.Rel(home, full)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		switch {
		case entry.IsDir() && (leftOut(patterns, name) || moves(name)):
			return fs.SkipDir
		case !entry.Type().IsRegular() || !still(name) || leftOut(patterns, name):
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		one := stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			one.inode = sys.Ino
		}
		all[name] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking at the files of the home: %w", err)
	}
	if len(all) == 0 {
		return nil, &Error{Kind: ErrNoBackup, Place: home, Problem: "there is nothing of a home that could be backed up", Fix: "run `jomctl install`"}
	}
	return all, nil
}

func differing(a, b map[string]stamp) []string {
	var names []string
	for name, one := range a {
		if other, ok := b[name]; !ok || other != one {
			names = append(names, name)
		}
	}
	for name := range maps.Keys(b) {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Tags say what a backup is of.
type Tags struct {
	// Cluster is the cluster's name, under which the repository keeps its backups apart from others.
	Cluster string `json:"cluster"`
	Release string `json:"release,omitempty"`
	// Epoch is that of the controller that owned the home, 0 where nobody counts.
	Epoch int64 `json:"epoch,omitempty"`
}

// Snapshot is one backup in the repository.
type Snapshot struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	Home string    `json:"home"`
	Tags
}
