package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/wholefile"
)

// Active is a drill whose faults are not all taken back. It is a file of the state folder, written before the first fault.
type Active struct {
	Scenario string      `json:"scenario"`
	Began    time.Time   `json:"began"`
	Faults   []Injection `json:"faults"`
	// Said are the faults in words, for a status.
	Said []string `json:"said"`
}

func activeFile(state string) string { return lifecycle.DrillFile(state) }

// ReadActive finds a drill that was cut off before it had put everything back; false where there is none.
func ReadActive(state string) (Active, bool, error) {
	var a Active
	data, err := os.ReadFile(activeFile(state))
	if errors.Is(err, fs.ErrNotExist) {
		return a, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return a, true, fmt.Errorf("reading what a drill left behind in %s: %w", activeFile(state), err)
	}
	return a, true, nil
}

// write puts it on the disk for good, or takes the file away where no fault is left.
func (a Active) write(state string) error {
	path := activeFile(state)
	if len(a.Faults) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	a.Said = nil
	for _, fault := range a.Faults {
		a.Said = append(a.Said, fault.String())
	}
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return wholefile.Write(path, append(data, '\n'), 0o600)
}

// Undo takes back what a drill has left in the world, the last fault first. Every fault is tried; those that could not be taken back stay
// written down and are in the error. It returns how many there were.
func Undo(ctx context.Context, world World, state string, say func(string, ...any)) (int, error) {
	active, there, err := ReadActive(state)
	if err != nil || !there {
		return 0, err
	}
	count := len(active.Faults)
	var failed []error
	var left []Injection
	for _, fault := range slices.Backward(active.Faults) {
		say("taking back: %s", fault)
		if err := world.Undo(ctx, fault); err != nil {
			failed = append(failed, fmt.Errorf("taking back %s: %w", fault, err))
			left = append([]Injection{fault}, left...)
		}
	}
	active.Faults = left
	return count, errors.Join(append(failed, active.write(state))...)
}

// String says it in words.
func (i Injection) String() string {
	on := ""
	if i.Host != "" {
		on = " on " + i.Host
	}
	switch i.Kind {
	case KillUnit:
		return "kill -9 " + i.Unit + on
	case StopUnit:
		return "kill -STOP " + i.Unit + on
	case KillController:
		return "kill -9 of the controller" + on
	case StopController:
		return "kill -STOP of the controller" + on
	case KillTask:
		return "kill -9 of task " + i.Task + on
	case PowerOff:
		return "power of " + i.Host + " off"
	case Cut:
		port := ""
		if i.Port != 0 {
			port = fmt.Sprintf(" port %d", i.Port)
		}
		return fmt.Sprintf("no packets between %s and %s%s", i.Host, strings.Join(i.Peers, ", "), port)
	case Move:
		return "move " + i.Path + " to " + i.To + on
	case HomeAway:
		return "take the home " + i.Path + " away" + on
	case FillDisk:
		return "fill the disk of " + i.Path + on
	}
	return "command " + i.Command + on
}
