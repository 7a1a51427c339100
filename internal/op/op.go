// Package op is the engine: a plan is a literal list of stages of steps; it can be previewed, run with a journal, run
// again after any interruption, and rolled back.
package op

import (
	"context"
	"time"
)

// State is what a probe found.
type State string

// The states of a step before it acts.
const (
	// Done means that the world is already as the step wants it.
	Done State = "done"
	// Needed means that Do has to be called.
	Needed State = "needed"
	// Later means that this cannot be known before earlier steps are done.
	Later State = "later"
)

// NeededUnless is Done where that is so, else Needed.
func NeededUnless(done bool) State {
	if done {
		return Done
	}
	return Needed
}

// Say reports what a running step is doing or waiting for, one short sentence at a time.
type Say func(format string, args ...any)

// Step is one idempotent piece of work. ID is stable over versions of the program (it is what the journal knows), Title
// is for people. Probe changes nothing. Do makes it so and may be called again after it failed or was cut off half-way.
type Step struct {
	ID    string
	Title string
	Probe func(ctx context.Context) (State, error)
	Do    func(ctx context.Context, say Say) error
	// Undo, where set, takes back what Do did; it must cope with a Do that was cut off.
	Undo func(ctx context.Context, say Say) error
	// Verify, where set, proves the effect after Do, and is part of the step's success.
	Verify func(ctx context.Context, say Say) error
	// Changes, where set, are the lines the preview shows below the title.
	Changes func(ctx context.Context) []string
	// Budget, where not zero, ends Do and Verify together when it is used up.
	Budget time.Duration
}

// Stage is a named group of steps. The steps of a parallel stage do not depend on each other and run at the same time.
type Stage struct {
	Name     string
	Parallel bool
	Steps    []Step
}

// Plan is a whole operation.
type Plan struct {
	// Verb is the command that the plan carries out: install, destroy, ...
	Verb   string
	Stages []Stage
}
