package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Set are the backups of one cluster's home.
type Set struct {
	Repository Repository
	// Home is what they are of.
	Home string
	// Tags are those of the next backup.
	Tags Tags
	// Last and Weekly say what Tidy leaves.
	Last, Weekly int
	Records      Records
	// Scratch is a folder for test restores.
	Scratch string
	// KeyElsewhere says that the home's master key is kept outside of it, so that no backup has to hold it.
	KeyElsewhere bool
}

// Backup is one of them.
type Backup struct {
	Snapshot
	Record
}

// Ensure makes the repository where there is none. Where backups were made before it is an *Error of ErrNoRepository: a disk may not be
// mounted.
func (s Set) Ensure(ctx context.Context, say func(string)) error {
	there, err := s.Repository.Exists(ctx)
	if err != nil || there {
		return err
	}
	if known, err := filepath.Glob(filepath.Join(string(s.Records), "*.json")); err != nil || len(known) > 0 {
		return errors.Join(err, &Error{Kind: ErrNoRepository, Place: s.Repository.Location, Problem: fmt.Sprintf("there is no repository, but %d backups were made to one", len(known)),
			Fix: "see that its disk is mounted and backup.repository names it; to begin anew, remove " + string(s.Records)})
	}
	say(fmt.Sprintf("making the repository %s; whoever loses its password loses the backups: keep a copy of it elsewhere", s.Repository.Location))
	return s.Repository.Init(ctx)
}

// Make makes a backup, and records it.
func (s Set) Make(ctx context.Context, say func(string)) (Taken, error) {
	taken, err := s.Repository.Take(ctx, s.Home, s.Tags, say)
	if err != nil {
		return taken, err
	}
	return taken, s.Records.Write(Record{ID: taken.ID, Unsettled: taken.Unsettled})
}

// List returns the backups, the newest first.
func (s Set) List(ctx context.Context) ([]Backup, error) {
	snapshots, err := s.Repository.List(ctx, s.Tags.Cluster)
	if err != nil {
		return nil, err
	}
	slices.Reverse(snapshots)
	all := []Backup{}
	for _, one := range snapshots {
		record, err := s.Records.Read(one.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, Backup{one, record})
	}
	return all, nil
}

// Prove restores a backup into a scratch folder, looks into it, and records what it found.
func (s Set) Prove(ctx context.Context, id string) (Record, error) {
	record, err := s.Records.Read(id)
	if err != nil {
		return record, err
	}
	verdict, err := s.Repository.Verify(ctx, id, s.Scratch)
	var cannot *Error
	switch {
	case errors.As(err, &cannot) && cannot.Kind == ErrDamaged:
		verdict.Problems = append(verdict.Problems, err.Error())
	case err != nil:
		return record, err
	}
	record.Proof, record.Torn = &Proof{Time: time.Now().UTC().Truncate(time.Second), Verdict: s.judged(verdict)}, ""
	return record, s.Records.Write(record)
}

// judged leaves out what is no trouble for this home.
func (s Set) judged(v Verdict) Verdict {
	if s.KeyElsewhere {
		v.Warnings = slices.DeleteFunc(v.Warnings, func(text string) bool { return text == noMasterKey })
	}
	return v
}

// Restore lays a backup down in an empty folder, and looks into it.
func (s Set) Restore(ctx context.Context, id, to string) (Verdict, error) {
	v, err := s.Repository.Restore(ctx, id, to)
	return s.judged(v), err
}

// Tidy removes the backups that nobody asks for, but never the newest that counts. It returns which. While the newest of all is known
// not to count, none is removed: those that do may be known to another host only.
func (s Set) Tidy(ctx context.Context) ([]string, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	if torn := slices.IndexFunc(all, func(one Backup) bool { return one.Torn != "" }); torn >= 0 {
		return nil, &Error{Kind: ErrDamaged, Place: "record of backup " + all[torn].Snapshot.ID[:8], Problem: all[torn].Torn + "; it may be the last one that counts, so that none is removed",
			Fix: "`jomctl backups verify " + all[torn].Snapshot.ID[:8] + "` writes it anew"}
	}
	if len(all) > 0 && all[0].Proof != nil && !all[0].Counts() {
		return []string{}, nil
	}
	spare := ""
	if at := slices.IndexFunc(all, func(one Backup) bool { return one.Counts() }); at >= 0 {
		spare = all[at].Snapshot.ID
	}
	removed, err := s.Repository.Forget(ctx, s.Tags.Cluster, s.Last, s.Weekly, spare)
	for _, id := range removed {
		err = errors.Join(err, s.Records.Remove(id))
	}
	return removed, err
}
