package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

// Verb is that of the journals of drills.
const Verb = lifecycle.DrillVerb

// Execute runs drills one after the other as one journaled run. Whatever ends it, the faults are taken back before it returns; the results
// so far come with every error. Errors: *RefusedError, *FailedError, *InterruptedError, those of injecting, and a *LeftError around each of
// them where something could not be taken back.
func Execute(ctx context.Context, world World, scenarios []Scenario, facts Facts, opts Options, with op.Options) ([]Result, error) {
	plan, runs := plan(world, scenarios, facts, opts)
	with.Meta.RunID = opts.RunID
	_, err := op.Run(ctx, plan, with)
	// An interrupt has ended the run, and must not end the taking back.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.Pace.filled().Undo)
	defer cancel()
	if err != nil {
		err = plainly(err)
		if left := takenBack(after, world, plan, opts, with); left != nil {
			err = &LeftError{Cause: err, Undo: ofStep(left)}
		}
	}
	var results []Result
	for _, r := range runs {
		r.end(err)
		if r.recorded {
			results = append(results, r.result)
		}
	}
	if removeErr := world.Canary().Remove(after); removeErr != nil && err == nil {
		err = fmt.Errorf("removing the canary job: %w", removeErr)
	}
	return results, err
}

// takenBack takes back what a run that has not gone through has left, and closes its journal.
func takenBack(ctx context.Context, world World, plan op.Plan, opts Options, with op.Options) error {
	if with.Journal != nil && len(with.Journal.Log().Begun()) > 0 {
		if _, err := op.Rollback(ctx, plan, with); err != nil {
			return err
		}
	}
	_, err := Undo(ctx, world, opts.State, func(string, ...any) {})
	return err
}

func plan(world World, scenarios []Scenario, facts Facts, opts Options) (op.Plan, []*run) {
	p := op.Plan{Verb: Verb}
	var runs []*run
	for _, s := range scenarios {
		r := newRun(world, s, opts)
		runs = append(runs, r)
		p.Stages = append(p.Stages, op.Stage{Name: "Drill " + s.Name, Steps: r.steps(facts)})
	}
	return p, runs
}

// Plan is what Execute would do.
func Plan(world World, scenarios []Scenario, facts Facts, opts Options) op.Plan {
	p, _ := plan(world, scenarios, facts, opts)
	return p
}

// UndoPlan is a plan with the steps that a journal of drills knows, whose undoing is Undo: to close the journal of a run that was killed.
func UndoPlan(world World, state string, log op.Log) op.Plan {
	var steps []op.Step
	for _, id := range log.Begun() {
		step := op.Step{ID: id, Title: id, Probe: func(context.Context) (op.State, error) { return op.Needed, nil },
			Do: func(context.Context, op.Say) error { return errors.New("a drill that was cut off is not gone on with") }}
		if strings.HasSuffix(id, "-fault") {
			step.Undo = func(ctx context.Context, say op.Say) error {
				_, err := Undo(ctx, world, state, say)
				return err
			}
		}
		steps = append(steps, step)
	}
	return op.Plan{Verb: Verb, Stages: []op.Stage{{Name: "Drill", Steps: steps}}}
}
