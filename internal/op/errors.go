package op

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// ErrStopped is what every *StoppedError is, whatever stopped the run.
var ErrStopped = errors.New("stopped")

// ErrLeaseLost is the cause of a run's context when its lock could not be kept.
var ErrLeaseLost = errors.New("the lock was lost")

// coder and hinter are how the command line finds exit codes and hints; every error of this package is checked against
// them, because a method with another name would compile and never be found.
type (
	coder  interface{ ExitCode() int }
	hinter interface{ Hint() string }
)

var (
	_ coder  = (*StepError)(nil)
	_ hinter = (*StepError)(nil)
	_ coder  = (*NotConvergedError)(nil)
	_ hinter = (*NotConvergedError)(nil)
	_ coder  = (*StoppedError)(nil)
	_ hinter = (*StoppedError)(nil)
	_ coder  = (*RolledBackError)(nil)
	_ hinter = (*RolledBackError)(nil)
	_ coder  = (*LockedError)(nil)
	_ hinter = (*LockedError)(nil)
)

// StepError is the failure of one step of a run. Its exit code is that of the cause where the cause has one, else 1.
type StepError struct {
	Verb string
	Step string
	// Begun says that the journal has something to resume or to take back.
	Begun bool
	Err   error
}

// Error names the step and what it failed on.
func (e *StepError) Error() string { return fmt.Sprintf("step %s: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// ExitCode is the cause's own, else 1.
func (e *StepError) ExitCode() int {
	var inner coder
	if errors.As(e.Err, &inner) {
		return inner.ExitCode()
	}
	return 1
}

// Hint is the cause's own, followed by the command that goes on from here.
func (e *StepError) Hint() string {
	next := fmt.Sprintf("nothing was changed; when that is put right: `jomctl %s` again", e.Verb)
	if e.Begun {
		next = goOn(e.Verb)
	}
	var inner hinter
	if errors.As(e.Err, &inner) && inner.Hint() != "" {
		return inner.Hint() + "\n" + next
	}
	return next
}

func goOn(verb string) string {
	if verb == VerbRollback {
		return "go on with `jomctl rollback`: what is undone already stays undone"
	}
	again := "`jomctl " + verb + "` again"
	if strings.Contains(verb, " ") { // as `agents add`, which is nothing without its arguments
		again = "the same command again"
	}
	return fmt.Sprintf("go on with `jomctl resume` (or %s): finished steps are skipped", again)
}

// BudgetError says that a step used up its time, and what it was waiting for at the end.
type BudgetError struct {
	Budget   time.Duration
	LastSaid string
	Err      error
}

// Error says how long was waited, for what, and what came back at the end.
func (e *BudgetError) Error() string {
	text := "no success within " + shortDuration(e.Budget)
	if e.LastSaid != "" {
		text += ", last: " + e.LastSaid
	}
	if e.Err != nil && !errors.Is(e.Err, context.DeadlineExceeded) {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what the step returned when its time was up.
func (e *BudgetError) Unwrap() error { return e.Err }

// PanicError is a panic of a step. Stack is for the log.
type PanicError struct {
	Value any
	Stack []byte
}

// Error gives the value of the panic.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// NotConvergedError says that the preview after the run was not empty.
type NotConvergedError struct {
	Verb  string
	Steps []StepPreview
}

// Error names every step that is not done, and why that is known.
func (e *NotConvergedError) Error() string {
	names := make([]string, len(e.Steps))
	for i, step := range e.Steps {
		names[i] = fmt.Sprintf("%s (%s)", step.ID, step.State)
		if step.Err != nil {
			names[i] = fmt.Sprintf("%s (%v)", step.ID, step.Err)
		}
	}
	return fmt.Sprintf("%s went through, but these steps are not done: %s", e.Verb, strings.Join(names, ", "))
}

// ExitCode is 1.
func (e *NotConvergedError) ExitCode() int { return 1 }

// Hint is the command that tries again.
func (e *NotConvergedError) Hint() string { return goOn(e.Verb) }

// StoppedError says that the run was ended from outside. Begun is false when nothing had been begun yet.
type StoppedError struct {
	Verb  string
	Begun bool
	// At lists the steps that were cut off.
	At []string
	// Cause is the cause of the context: context.Canceled or a signal for an interrupt, ErrLeaseLost, or a deadline.
	Cause error
}

// Error says what was stopped, where, and by what.
func (e *StoppedError) Error() string {
	text := e.Verb + " stopped"
	if len(e.At) > 0 {
		text += " in " + strings.Join(e.At, ", ")
	}
	if !e.Begun {
		text += " before anything was begun"
	}
	if e.Cause != nil && !errors.Is(e.Cause, context.Canceled) {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Is makes errors.Is(err, ErrStopped) true.
func (e *StoppedError) Is(target error) bool { return target == ErrStopped }

// Unwrap returns what stopped the run.
func (e *StoppedError) Unwrap() error { return e.Cause }

// ExitCode is 6 where there is something to resume, and 130 for an interrupt before that.
func (e *StoppedError) ExitCode() int {
	if e.Begun || errors.Is(e.Cause, ErrLeaseLost) || errors.Is(e.Cause, context.DeadlineExceeded) {
		return 6
	}
	return 130
}

// Hint is the command that resumes.
func (e *StoppedError) Hint() string {
	if e.ExitCode() == 130 {
		return ""
	}
	return goOn(e.Verb)
}

// RolledBackError says that a run failed and was then taken back completely; commands return it for exit code 7.
type RolledBackError struct {
	Verb string
	// Cause is why; nil where the user asked for it.
	Cause error
}

// Error says what was rolled back and why.
func (e *RolledBackError) Error() string {
	if e.Cause == nil {
		return e.Verb + " rolled back"
	}
	return fmt.Sprintf("%s rolled back: %v", e.Verb, e.Cause)
}

// Unwrap returns why.
func (e *RolledBackError) Unwrap() error { return e.Cause }

// ExitCode is 7.
func (e *RolledBackError) ExitCode() int { return 7 }

// Hint is empty: there is nothing to go on with.
func (e *RolledBackError) Hint() string { return "" }

// guard turns a panic of a step's function into an error, so that the journal still gets its record.
func guard(call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return call()
}

// shortDuration is Duration.String without the zero parts: 2m instead of 2m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
