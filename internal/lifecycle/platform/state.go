package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/jsonlines"
	"github.com/jomctl/jomctl/internal/lifecycle/progress"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/provision"
)

// Part is one role that gets other programs.
type Part struct {
	Role      string `json:"role"`
	Component string `json:"component"`
	// From and To are versions as the programs or packages tell them.
	From string `json:"from"`
	To   string `json:"to"`
	// Hosts are those whose instances change, in order: the one that led comes last.
	Hosts []string `json:"hosts"`
	// Stays is why the old version cannot be put back, empty where it can.
	Stays string `json:"stays,omitempty"`
}

// NewPart is a part with what its rules say of the way back.
func NewPart(role, component, from, to string, hosts []string) (Part, error) {
	rules, err := Rules()
	if err != nil {
		return Part{}, err
	}
	_, stays := rules[component].backable(from, to)
	return Part{Role: role, Component: component, From: from, To: to, Hosts: hosts, Stays: stays}, nil
}

// migrates says that Marathon's storage is migrated, for which all but one instance must be down.
func (p Part) migrates() bool { return p.Role == provision.RoleMarathon && !Same(p.From, p.To) }

// State is everything that a run has to know again after it was cut off.
type State struct {
	Run   string    `json:"run"`
	User  string    `json:"user"`
	Began time.Time `json:"began"`
	Parts []Part    `json:"parts"`
	// Bound is the window that the run began in, nil where it may take any time.
	Bound *upgrade.Bound `json:"bound,omitempty"`
	progress.Times
	// Proven are the roles whose instances have all changed and serve: they stay, whatever comes after.
	Proven []string `json:"proven,omitempty"`
	// Drained are the hosts that somebody had drained before: they stay so.
	Drained []string `json:"drained,omitempty"`
	// Backup is the file with Marathon's state of before.
	Backup string `json:"backup,omitempty"`
	// Outcome is empty while the run is unfinished; Cause is why it was taken back.
	Outcome string `json:"outcome,omitempty"`
	Cause   string `json:"cause,omitempty"`
}

// Disturbed says that something was changed, so that the run has to be gone on with or taken back.
func (s State) Disturbed() bool {
	return s.Outcome == "" && slices.ContainsFunc(s.Parts, s.begun)
}

// begun says that an instance of the part was touched.
func (s State) begun(part Part) bool {
	return slices.ContainsFunc(part.Hosts, func(host string) bool { return s.HasBegun(stepOf(part.Role, host)) }) || s.HasBegun(stepStop)
}

// half says that a part is between its versions.
func (s State) half(part Part) bool {
	return slices.ContainsFunc(part.Hosts, func(host string) bool { return s.HasBegun(stepOf(part.Role, host)) }) && !slices.Contains(s.Proven, part.Role)
}

// Changed are the components of which every part is proven.
func (s State) Changed() []string {
	var all []string
	for _, part := range s.Parts {
		unproven := func(other Part) bool {
			return other.Component == part.Component && !slices.Contains(s.Proven, other.Role)
		}
		if !slices.Contains(all, part.Component) && !slices.ContainsFunc(s.Parts, unproven) {
			all = append(all, part.Component)
		}
	}
	return all
}

func stepOf(role, host string) string { return role + "-" + host }

// Store keeps the state of the newest run of a cluster in a folder.
type Store struct {
	Dir   string
	State State
}

// Open reads the state of the last run; one that never was is the zero State.
func Open(dir string) (*Store, error) {
	state, err := progress.Read[State](dir)
	if err != nil {
		return nil, fmt.Errorf("reading the state of the last upgrade of the platform: %w", err)
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
	err := os.MkdirAll(s.Folder(), 0o700)
	if err == nil {
		err = progress.Write(s.Dir, s.State)
	}
	if err == nil && s.State.Outcome != "" {
		err = s.remember()
	}
	if err != nil {
		return fmt.Errorf("writing the state of the upgrade of the platform: %w", err)
	}
	return nil
}

func historyPath(dir string) string { return filepath.Join(dir, "history.jsonl") }

// remember adds the run that has ended to the history, once.
func (s *Store) remember() error {
	return jsonlines.Append(historyPath(s.Dir), s.State, func(one State) bool { return one.Run == s.State.Run })
}

// History is the runs of a folder that have ended, the oldest first.
func History(dir string) ([]State, error) {
	all, err := jsonlines.Read[State](historyPath(dir))
	if err != nil {
		return nil, fmt.Errorf("reading the history of upgrades of the platform: %w", err)
	}
	return all, nil
}
