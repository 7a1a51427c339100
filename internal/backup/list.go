package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mark is the tag of every backup that was made here: a repository may hold others.
const mark = "jomctl"

func (t Tags) list() []string {
	// restic splits tags at commas.
	clean := func(text string) string { return strings.ReplaceAll(text, ",", "_") }
	tags := []string{mark, "cluster=" + clean(t.Cluster)}
	if t.Release != "" {
		tags = append(tags, "release="+clean(t.Release))
	}
	if t.Epoch > 0 {
		tags = append(tags, "epoch="+strconv.FormatInt(t.Epoch, 10))
	}
	return tags
}

// List returns the backups of a cluster, the oldest first.
func (r Repository) List(ctx context.Context, cluster string) ([]Snapshot, error) {
	out, err := r.run(ctx, "", "snapshots", "--json", "--host", cluster, "--tag", mark)
	if err != nil {
		return nil, err
	}
	var raw []rawSnapshot
	if err := json.Unmarshal(out, &raw); err != nil {
		return nil, fmt.Errorf("reading the list of backups: %w", err)
	}
	all := []Snapshot{}
	for _, one := range raw {
		all = append(all, one.read())
	}
	slices.SortFunc(all, func(a, b Snapshot) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// rawSnapshot is a snapshot as restic writes it.
type rawSnapshot struct {
	ID    string    `json:"id"`
	Time  time.Time `json:"time"`
	Host  string    `json:"hostname"`
	Paths []string  `json:"paths"`
	Tags  []string  `json:"tags"`
}

func (s rawSnapshot) read() Snapshot {
	out := Snapshot{ID: s.ID, Time: s.Time, Tags: Tags{Cluster: s.Host}}
	if len(s.Paths) > 0 {
		out.Home = s.Paths[0]
	}
	for _, tag := range s.Tags {
		if value, ok := strings.CutPrefix(tag, "release="); ok {
			out.Release = value
		}
		if value, ok := strings.CutPrefix(tag, "epoch="); ok {
			out.Epoch, _ = strconv.ParseInt(value, 10, 64) // a tag of somebody else's says nothing
		}
	}
	return out
}

// Find returns the backup whose ID begins with id.
func Find(all []Snapshot, id string) (Snapshot, error) {
	var found []Snapshot
	for _, one := range all {
		if id != "" && strings.HasPrefix(one.ID, id) {
			found = append(found, one)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Snapshot{}, &Error{Kind: ErrNoBackup, Place: id, Problem: "there is no such backup of this cluster", Fix: "`jomctl backups` lists them"}
	}
	return Snapshot{}, &Error{Kind: ErrNoBackup, Place: id, Problem: fmt.Sprintf("%d backups begin so", len(found)), Fix: "give more of the ID"}
}

// Forget removes the backups of a cluster that nobody asked to keep: last are the latest, weekly the latest of each of so many weeks.
// spare is one that stays in any case, as the last that was proven. It returns which were removed.
func (r Repository) Forget(ctx context.Context, cluster string, last, weekly int, spare string) ([]string, error) {
	out, err := r.run(ctx, "", "forget", "--dry-run", "--json", "--host", cluster, "--tag", mark, "--group-by", "host",
		"--keep-last", strconv.Itoa(last), "--keep-weekly", strconv.Itoa(weekly))
	if err != nil {
		return nil, err
	}
	var groups []struct {
		Remove []rawSnapshot `json:"remove"`
	}
	if len(bytes.TrimSpace(out)) == 0 { // what it says where there is no backup
		return []string{}, nil
	}
	if err := json.Unmarshal(out, &groups); err != nil {
		return nil, fmt.Errorf("reading which backups are too old: %w", err)
	}
	removed := []string{}
	for _, group := range groups {
		for _, one := range group.Remove {
			if one.ID != spare {
				removed = append(removed, one.ID)
			}
		}
	}
	if len(removed) == 0 {
		return removed, nil
	}
	if _, err := r.run(ctx, "", append([]string{"forget", "--prune"}, removed...)...); err != nil {
		return nil, err
	}
	return removed, nil
}

// size is how many bytes a backup takes on a disk, and how many files and folders it holds.
func (r Repository) size(ctx context.Context, id string) (size int64, entries int, err error) {
	out, err := r.run(ctx, "", "stats", "--json", "--mode", "restore-size", id)
	if err != nil {
		return 0, 0, err
	}
	var stats struct {
		Size  int64 `json:"total_size"`
		Count int   `json:"total_file_count"`
	}
	if err := json.Unmarshal(out, &stats); err != nil {
		return 0, 0, fmt.Errorf("reading the size of backup %s: %w", id, err)
	}
	return stats.Size, stats.Count, nil
}
