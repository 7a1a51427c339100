package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// Proof is the result of a test restore.
type Proof struct {
	Time time.Time `json:"time"`
	Verdict
}

// Record is what is known of a backup beside what the repository says.
type Record struct {
	// ID is the backup's.
	ID        string   `json:"-"`
	Unsettled []string `json:"unsettled,omitempty"`
	// Proof is the last test restore, nil where there was none.
	Proof *Proof `json:"proof,omitempty"`
	// Torn says why what was noted cannot be read; then nothing is known.
	Torn string `json:"-"`
}

// Counts says whether a test restore was opened, and nothing was wrong with it.
func (r Record) Counts() bool { return r.Proof != nil && r.Proof.Counts() }

// Records is the folder in which records are kept, one file each. They are notes: without them backups are proven again.
type Records string

func (r Records) file(id string) string { return filepath.Join(string(r), id+".json") }

// Read returns the record of a backup; an empty one where there is none. One that cannot be read is Torn, which keeps nobody from his
// backups.
func (r Records) Read(id string) (Record, error) {
	record := Record{ID: id}
	data, err := os.ReadFile(r.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return record, nil
	}
	if err != nil {
		return record, fmt.Errorf("reading the record of a backup: %w", err)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return Record{ID: id, Torn: fmt.Sprintf("%s cannot be read: %v", r.file(id), err)}, nil
	}
	return record, nil
}

// Write replaces the record of a backup.
func (r Records) Write(record Record) error {
	data, err := json.MarshalIndent(record, "", "  ")
	if err == nil {
		err = os.MkdirAll(string(r), 0o700)
	}
	if err == nil {
		err = wholefile.Write(r.file(record.ID), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the record of a backup: %w", err)
	}
	return nil
}

// Remove removes the record of a backup that is gone.
func (r Records) Remove(id string) error {
	if err := os.Remove(r.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the record of a backup: %w", err)
	}
	return nil
}
