package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/status"
)

// DrillVerb is that of the journals and locks of drills, DrillUndoVerb that of the lock while the faults of a killed one are taken back.
const (
	DrillVerb     = "drill run"
	DrillUndoVerb = "drill undo"
)

// DrillFile is where a drill writes down the faults that are in force, before it makes them.
func DrillFile(state string) string { return filepath.Join(state, "drill", "active.json") }

// DrillLeft is what the faults of a drill are to a report: an error where the drill was killed and nobody takes them back, a word while it
// goes on; nil where there are none.
func DrillLeft(state string) *status.Finding {
	data, err := os.ReadFile(DrillFile(state))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var active struct {
		Scenario string
		Began    time.Time
		// Said are the faults in words.
		Said []string
	}
	if err == nil {
		err = json.Unmarshal(data, &active)
	}
	if err != nil {
		return &status.Finding{Severity: status.Error, Subject: "drill", Problem: "what a drill has left behind cannot be read: " + err.Error(),
			Fix: "see what .jomctl/log says of the last drill, take its fault back by hand, then remove " + DrillFile(state)}
	}
	faults := ""
	if len(active.Said) > 0 {
		faults = ": " + strings.Join(active.Said, "; ")
	}
	began := active.Began.UTC().Format("2006-01-02 15:04 MST")
	if owner, held, err := op.ReadLock(state); err == nil && held && (owner.Verb == DrillVerb || owner.Verb == DrillUndoVerb) {
		return &status.Finding{Severity: status.Info, Subject: "drill " + active.Scenario, Problem: "its fault is in force since " + began + faults,
			Fix: "nothing: the drill takes it back itself"}
	}
	return &status.Finding{Severity: status.Error, Subject: "drill " + active.Scenario,
		Problem: fmt.Sprintf("was killed, and its fault of %s is still in force%s", began, faults), Fix: "run `jomctl drill undo`, which takes it back"}
}
