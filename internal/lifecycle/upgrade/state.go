package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/jsonlines"
	"github.com/jomctl/jomctl/internal/lifecycle/progress"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// Version is what one side runs.
type Version struct {
	// Release is its name or folder as the cluster file has it.
	Release string `json:"release"`
	Core    string `json:"core"`
	// Image is the digest or name of the controller's image, empty for a plain process. Lock is the checksum of the plugins' lock.
	Image   string `json:"image,omitempty"`
	Lock    string `json:"lock,omitempty"`
	Plugins int    `json:"plugins,omitempty"`
}

// State is everything that a run has to know again after it was cut off.
type State struct {
	Run   string    `json:"run"`
	From  Version   `json:"from"`
	To    Version   `json:"to"`
	User  string    `json:"user"`
	Began time.Time `json:"began"`
	// Bound is the window that the run began in, nil where it may take any time.
	Bound *Bound `json:"bound,omitempty"`
	progress.Times
	// FirstBackup was rehearsed on, Backup is the last one before the stop.
	FirstBackup string    `json:"firstBackup,omitempty"`
	Backup      string    `json:"backup,omitempty"`
	Rehearsal   Rehearsal `json:"rehearsal"`
	// HomeOf is set for a way back to an earlier release: the run that left it, and the backup of its home. HomeBack says that it is in place.
	HomeOf   *Earlier `json:"homeOf,omitempty"`
	HomeBack bool     `json:"homeBack,omitempty"`
	// Message is what was announced before, nil while that is not known.
	Message *string `json:"message,omitempty"`
	// Work is what ran and waited when the queue was shut, Stopped those that were ended for it, Left what nobody can ask for again.
	Work    Work     `json:"work"`
	Stopped []Build  `json:"stopped,omitempty"`
	Left    []string `json:"left,omitempty"`
	// Asked is how many of them were asked for again.
	Asked int `json:"asked,omitempty"`
	// Restored says that the home is the old one again, FailedHome where the failed one is kept.
	Restored   bool   `json:"restored,omitempty"`
	FailedHome string `json:"failedHome,omitempty"`
	// Outcome is empty while the run is unfinished; Cause is why it was taken back.
	Outcome string `json:"outcome,omitempty"`
	Cause   string `json:"cause,omitempty"`
}

// Earlier is a home as a run has left it behind.
type Earlier struct {
	Run    string    `json:"run"`
	Backup string    `json:"backup"`
	Time   time.Time `json:"time"`
}

// Leaving finds the newest run that led away from a release, nil where none did or where it has no backup.
func Leaving(earlier []State, release string) *Earlier {
	for _, one := range slices.Backward(earlier) {
		if one.Outcome == Proven && one.From.Release == release && one.Backup != "" {
			return &Earlier{Run: one.Run, Backup: one.Backup, Time: one.Ended[stepBackup]}
		}
	}
	return nil
}

// The outcomes of a run.
const (
	Proven     = "proven"
	RolledBack = "rolled back"
)

// Windowed says that the old version was disturbed, so that the run has to be gone on with or taken back.
func (s State) Windowed() bool { return s.Outcome == "" && s.HasBegun(stepAnnounce) }

// Opened says that builds run on the new version: there is no way back but a downgrade.
func (s State) Opened() bool { return s.HasBegun(opened) }

// Down is how long there was no controller, 0 where that is not known.
func (s State) Down() time.Duration {
	from, to := s.Begun[stepStop], s.Ended[stepReady]
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from)
}

// Store keeps the state of the run of a cluster in a folder, and what earlier runs have left.
type Store struct {
	Dir   string
	State State
}

const historyFile = "history.jsonl"

// Open reads the state of the last run; one that never was is the zero State.
func Open(dir string) (*Store, error) {
	state, err := progress.Read[State](dir)
	if err != nil {
		return nil, fmt.Errorf("reading the state of the last upgrade: %w", err)
	}
	return &Store{Dir: dir, State: state}, nil
}

// Begin starts a new run. The first step's record writes it.
func (s *Store) Begin(state State) {
	state.Times = progress.NewTimes()
	s.State = state
}

// Folder is where the run keeps what it needs for the way back.
func (s *Store) Folder() string { return filepath.Join(s.Dir, s.State.Run) }

// Save puts the state on the disk.
func (s *Store) Save() error {
	if err := progress.Write(s.Dir, s.State); err != nil {
		return fmt.Errorf("writing the state of the upgrade: %w", err)
	}
	return nil
}

// write replaces a file, whose folder it makes.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return wholefile.Write(path, data, 0o600)
}

// close ends the run and adds it to the history.
func (s *Store) close(outcome string) error {
	if s.State.Outcome == outcome {
		return nil
	}
	s.State.Outcome = outcome
	s.State.Ended["run"] = time.Now().UTC()
	page, err := Report(s.State)
	if err == nil {
		if err = write(s.ReportFile(), page); err != nil {
			err = fmt.Errorf("writing the report: %w", err)
		}
	}
	if err == nil {
		err = s.remember()
	}
	if err != nil {
		s.State.Outcome = ""
		return err
	}
	return s.Save()
}

// remember adds the run to the history, once.
func (s *Store) remember() error {
	if err := jsonlines.Append(filepath.Join(s.Dir, historyFile), s.State, func(one State) bool { return one.Run == s.State.Run }); err != nil {
		return fmt.Errorf("writing the history of releases: %w", err)
	}
	return nil
}

// History is the runs that ended, the oldest first.
func History(dir string) ([]State, error) {
	all, err := jsonlines.Read[State](filepath.Join(dir, historyFile))
	if err != nil {
		return nil, fmt.Errorf("reading the history of releases: %w", err)
	}
	return all, nil
}
