// Package progress keeps on the disk how far a run has come whose steps cannot be seen in the world afterwards, so that it can go on after any
// cut.
package progress

import (
	"context"
	"time"

	"github.com/jomctl/jomctl/internal/op"
)

// Times are when the steps of a run were begun and done, by their ids.
type Times struct {
	Begun map[string]time.Time `json:"begun"`
	Ended map[string]time.Time `json:"ended"`
}

// NewTimes are those of a run that has not begun.
func NewTimes() Times {
	return Times{Begun: map[string]time.Time{}, Ended: map[string]time.Time{}}
}

// HasBegun says that the step was begun.
func (t Times) HasBegun(id string) bool { return !t.Begun[id].IsZero() }

// HasEnded says that the step is done.
func (t Times) HasEnded(id string) bool { return !t.Ended[id].IsZero() }

// Recorder notes times and saves them at once.
type Recorder struct {
	Times *Times
	Now   func() time.Time
	Save  func() error
}

// Begin notes, once, that the step is begun. Its error is that of Save.
func (r Recorder) Begin(id string) error { return r.note(r.Times.Begun, id) }

// End notes, once, that the step is done. Its error is that of Save.
func (r Recorder) End(id string) error { return r.note(r.Times.Ended, id) }

func (r Recorder) note(times map[string]time.Time, id string) error {
	if times[id].IsZero() {
		times[id] = r.Now().UTC()
	}
	return r.Save()
}

// Step gives a step the Probe and the Do of one whose being done is what the times say: do is called again after every cut, until it has
// ended once without an error.
func (r Recorder) Step(step op.Step, do func(context.Context, op.Say) error) op.Step {
	step.Probe = func(context.Context) (op.State, error) { return op.NeededUnless(r.Times.HasEnded(step.ID)), nil }
	step.Do = func(ctx context.Context, say op.Say) error {
		if err := r.Begin(step.ID); err != nil {
			return err
		}
		if err := do(ctx, say); err != nil {
			return err
		}
		return r.End(step.ID)
	}
	return step
}
