package drill

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/op"
)

// RefusedError says that a drill may not begin; its exit code is that of a refused preflight.
type RefusedError struct {
	Scenario, Problem, Fix string
}

// Error says why.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("drill %s is refused: %s", e.Scenario, e.Problem)
}

// ExitCode is 3.
func (e *RefusedError) ExitCode() int { return 3 }

// Hint is the way out.
func (e *RefusedError) Hint() string { return e.Fix }

// FailedError says that the cluster has not recovered, or that a drill was ended early.
type FailedError struct{ Scenario, Problem string }

// Error says what has not come back.
func (e *FailedError) Error() string { return fmt.Sprintf("drill %s: %s", e.Scenario, e.Problem) }

// ExitCode is 1.
func (e *FailedError) ExitCode() int { return 1 }

// Hint says where to look.
func (e *FailedError) Hint() string {
	return "what the drill did is taken back; `jomctl status` shows what is left"
}

// InterruptedError is a drill that was ended from outside, and is taken back.
type InterruptedError struct{ Cause error }

// Error says that nothing is left.
func (e *InterruptedError) Error() string {
	return "the drill was interrupted; its faults are taken back"
}

// Unwrap returns what ended it.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// ExitCode is that of an interrupt, as there is nothing to go on with.
func (e *InterruptedError) ExitCode() int { return 130 }

// plainly leaves out that a run can be resumed, which a drill cannot.
func plainly(err error) error {
	var refused *RefusedError
	var failed *FailedError
	switch {
	case errors.Is(err, op.ErrStopped):
		return &InterruptedError{err}
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &failed):
		return failed
	}
	return ofStep(err)
}

// ofStep is what a step has failed with.
func ofStep(err error) error {
	var step *op.StepError
	if errors.As(err, &step) {
		return step.Err
	}
	return err
}

// LeftError says that a drill has ended and that faults of it are still in force.
type LeftError struct {
	// Cause is what has ended the drill, Undo why its faults could not be taken back.
	Cause, Undo error
}

// Error says what is left and why, and nothing of the cause that would say otherwise.
func (e *LeftError) Error() string {
	why := "drill " + e.Cause.Error()
	var interrupted *InterruptedError
	switch {
	case errors.As(e.Cause, &interrupted):
		why = "the drill was interrupted"
	case errors.As(e.Cause, new(*RefusedError)), errors.As(e.Cause, new(*FailedError)):
		why = e.Cause.Error()
	case strings.HasSuffix(e.Undo.Error(), e.Cause.Error()): // it was the taking back that has failed
		why = "the drill has ended"
	}
	return why + "; its faults are NOT all taken back: " + e.Undo.Error()
}

// Unwrap returns both.
func (e *LeftError) Unwrap() []error { return []error{e.Cause, e.Undo} }

// ExitCode is 1, whatever has ended the drill.
func (e *LeftError) ExitCode() int { return 1 }

// Hint says how to go on.
func (e *LeftError) Hint() string {
	return "`jomctl drill undo` tries again, and so does the next command that changes anything; until then `jomctl status` shows what is left"
}
