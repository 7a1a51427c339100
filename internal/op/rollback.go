package op

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rollback takes back, in reverse plan order, the steps that opts.Journal knows as begun, ended or not. A step without
// Undo keeps its effect and is reported as kept. The first failure ends it, because an earlier step's effect may be
// what a later one still stands on; calling it again goes on from there. The plan has to be the one that was run: a
// journal with steps that it lacks is refused before anything is undone.
func Rollback(ctx context.Context, plan Plan, opts Options) (Result, error) {
	opts.Meta.Verb = VerbRollback
	if opts.Journal == nil {
		return Result{Verb: VerbRollback, Outcome: OutcomeFailed}, errors.New("rolling back: there is no journal")
	}
	undo, err := toUndo(plan, opts.Journal.Log())
	if err != nil {
		return Result{Verb: VerbRollback, Outcome: OutcomeFailed}, err
	}
	r := newRunner(plan, opts)
	return r.run(ctx, func() error {
		r.mu.Lock()
		r.opts.Observer.StageStarted(Stage{Name: VerbRollback, Steps: undo})
		r.mu.Unlock()
		for _, step := range undo {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := r.step(ctx, step, r.undo); err != nil {
				return err
			}
		}
		return nil
	}, OutcomeRolledBack)
}

func (r *runner) undo(ctx context.Context, step Step) (Outcome, error) {
	if step.Undo == nil {
		return OutcomeKept, nil
	}
	err := r.within(ctx, step, step.Undo)
	if err != nil {
		return "", fmt.Errorf("undoing: %w", err)
	}
	return OutcomeRolledBack, r.record(Record{Kind: KindUndone, Step: step.ID})
}

func toUndo(plan Plan, log Log) ([]Step, error) {
	begun := log.Begun()
	var undo []Step
	for _, stage := range plan.Stages {
		for _, step := range stage.Steps {
			if at := slices.Index(begun, step.ID); at >= 0 {
				undo = append(undo, step)
				begun = slices.Delete(begun, at, at+1)
			}
		}
	}
	if len(begun) > 0 {
		return nil, fmt.Errorf("rolling back %s: the journal has steps that the plan does not know: %s (was cluster.yaml or the program changed since?)",
			plan.Verb, strings.Join(begun, ", "))
	}
	slices.Reverse(undo)
	return undo, nil
}
