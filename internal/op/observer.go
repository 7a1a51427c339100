package op

import "time"

// Observer hears what a run does. Its methods are called one at a time, from any goroutine, and must not block.
type Observer interface {
	StageStarted(stage Stage)
	StepStarted(step Step)
	// StepSaid passes on one sentence of Say.
	StepSaid(step Step, text string)
	StepEnded(step Step, result StepResult)
	RunEnded(result Result, err error)
}

type silent struct{}

var _ Observer = silent{}

func (silent) StageStarted(Stage)         {}
func (silent) StepStarted(Step)           {}
func (silent) StepSaid(Step, string)      {}
func (silent) StepEnded(Step, StepResult) {}
func (silent) RunEnded(Result, error)     {}

// Outcome is how a step or a run ended.
type Outcome string

// The outcomes. Skipped and Kept are of steps only, RolledBack is of runs and of steps that were undone.
const (
	// OutcomeDone means that everything went well.
	OutcomeDone Outcome = "done"
	// OutcomeSkipped means that the probe found the step done already.
	OutcomeSkipped Outcome = "skipped"
	// OutcomeFailed means that there is an error.
	OutcomeFailed Outcome = "failed"
	// OutcomeStopped means that it was cut off from outside.
	OutcomeStopped Outcome = "stopped"
	// OutcomeRolledBack means that it was taken back.
	OutcomeRolledBack Outcome = "rolled-back"
	// OutcomeKept means that a rollback left the step's effect, because the step has no Undo.
	OutcomeKept Outcome = "kept"
)

// StepResult is how one step ended. Err is set for OutcomeFailed and OutcomeStopped.
type StepResult struct {
	ID      string
	Title   string
	Outcome Outcome
	Elapsed time.Duration
	Err     error
}

// Result is how a run or a rollback ended. Steps has those that were reached, in plan order (reversed for a rollback).
type Result struct {
	RunID   string
	Verb    string
	Outcome Outcome
	Steps   []StepResult
	Elapsed time.Duration
}

// Count says how many steps ended so.
func (r Result) Count(outcome Outcome) int {
	n := 0
	for _, step := range r.Steps {
		if step.Outcome == outcome {
			n++
		}
	}
	return n
}
