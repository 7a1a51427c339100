package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// Run is one run that was to make a backup.
type Run struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Host is where it ran.
	Host string `json:"host,omitempty"`
	// ID is the backup that it made; empty where it made none.
	ID string `json:"id,omitempty"`
	// Counts says that a test restore of it was good.
	Counts bool `json:"counts,omitempty"`
	// Skipped says why none was needed, Error why there is none, or why it does not count.
	Skipped string `json:"skipped,omitempty"`
	Error   string `json:"error,omitempty"`
}

// State is what the runs have left behind. It is read without asking the repository.
type State struct {
	// Last is the last run that made a backup or failed, Good the last whose backup counts.
	Last *Run `json:"last,omitempty"`
	Good *Run `json:"good,omitempty"`
	// Failures is how many runs have failed since Good.
	Failures int `json:"failures,omitempty"`
	// Checked is when a run of the schedule looked last whether a backup was due.
	Checked time.Time `json:"checked,omitzero"`
}

// StateFile is where the state of the runs is, beside records.
func (r Records) StateFile() string { return filepath.Join(string(r), "runs") }

// State reads it; where no run has ended it is empty.
func (r Records) State() (State, error) {
	var s State
	data, err := os.ReadFile(r.StateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading what became of the last backups (%s): %w", r.StateFile(), err)
	}
	return s, nil
}

// Note adds a run to the state, and rewrites the metrics beside it.
func (r Records) Note(run Run) error {
	s, err := r.State()
	if err != nil {
		s = State{} // a torn one is worth less than a new one
	}
	s.Checked = run.Ended
	if run.Skipped == "" {
		s.Last = &run
		switch {
		case run.Counts:
			s.Good, s.Failures = &run, 0
		case run.Error != "":
			s.Failures++
		}
	}
	return r.put(s)
}

func (r Records) put(s State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.MkdirAll(string(r), 0o700)
	}
	if err == nil {
		err = wholefile.Write(r.StateFile(), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing down what became of a backup: %w", err)
	}
	return nil
}

// Merge takes over what is later in a state that was read elsewhere: the last run and the last good one may be of different hosts.
func (r Records) Merge(other State) error {
	mine, err := r.State()
	if err != nil {
		return r.put(other)
	}
	merged := mine
	if later(other.Last, mine.Last) {
		merged = other
		merged.Good = mine.Good
	}
	if later(other.Good, mine.Good) {
		merged.Good = other.Good
	}
	if merged.Good != nil && !later(merged.Last, merged.Good) {
		merged.Failures = 0 // those were before it
	}
	if merged == mine {
		return nil
	}
	return r.put(merged)
}

// later says whether one run ended after another; none is the earliest.
func later(one, other *Run) bool {
	return one != nil && (other == nil || one.Ended.After(other.Ended))
}

// Metrics is the state in Prometheus' text format.
func (s State) Metrics(cluster string) string {
	var text strings.Builder
	metric := func(name, help string, value any) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n%s{cluster=%q} %v\n", name, help, name, name, cluster, value)
	}
	if s.Good != nil {
		metric("jomctl_backup_last_good_timestamp_seconds", "When the last backup began whose test restore was good.", s.Good.Began.Unix())
	}
	if s.Last != nil {
		metric("jomctl_backup_last_run_timestamp_seconds", "When the last run ended that made a backup or failed.", s.Last.Ended.Unix())
	}
	metric("jomctl_backup_failures", "How many runs have failed since the last good backup.", s.Failures)
	return text.String()
}
