package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

// takenBackError is a run whose failure could not be taken back either.
type takenBackError struct{ cause, err error }

// Error says why the run ended and what stands against the way back.
func (e *takenBackError) Error() string {
	return fmt.Sprintf("taking it back has failed: %v\nit was taken back because of this: %v", e.err, e.cause)
}

// Unwrap returns what stands against the way back.
func (e *takenBackError) Unwrap() error { return e.err }

// ExitCode is 1, whatever it failed on.
func (*takenBackError) ExitCode() int { return exitFailed }

// Hint is the next command.
func (e *takenBackError) Hint() string { return hintOf(e.err) }

// takeBack takes back a run that has failed, was stopped, or has lost its lock. What stopped it does not stop this; a second Ctrl-C ends
// the process at once, and `jomctl rollback` goes on.
func (m *mutator) takeBack(ctx context.Context, change mutation, path string, cause error) error {
	m.app.say("%v", cause)
	m.app.say("taking it back")
	m.app.logger().Error("run failed, taking it back", "error", cause)
	ctx = context.WithoutCancel(ctx)
	journal, err := op.OpenJournal(path)
	if err != nil {
		return &takenBackError{cause, err}
	}
	defer journal.Close()
	result, err := m.back(ctx, change, path, journal)
	if err != nil {
		return &takenBackError{cause, err}
	}
	m.app.say("%s taken back: %d steps", m.verb(), result.Count(op.OutcomeRolledBack))
	return &op.RolledBackError{Verb: m.verb(), Cause: cause}
}

// back takes the steps of the journal back, the last one first, while people see how far it is.
func (m *mutator) back(ctx context.Context, change mutation, path string, journal *op.Journal) (op.Result, error) {
	change.Closes = false
	opts, undraw := m.options(ctx, journal, change)
	defer undraw()
	result, err := op.Rollback(ctx, change.Plan, opts)
	m.app.lines.note(m.app.resultData(result, path, nil))
	return result, err
}

// halfWay refuses other changes while an upgrade has to be ended: they would start the old version on the home of the new one.
func (m *mutator) halfWay() error {
	if m.verb() == "destroy" {
		return nil
	}
	if err := m.platformHalfWay(); err != nil || m.verb() == upgrade.Verb {
		return err
	}
	store, err := upgrade.Open(lifecycle.UpgradeDir(m.session.Cluster))
	if err != nil || !store.State.Windowed() {
		return err
	}
	return &refusedError{fmt.Errorf("an upgrade from %s to %s is half-way", store.State.From.Release, store.State.To.Release),
		"go on with `jomctl resume`, or take it back with `jomctl rollback`"}
}

// platformHalfWay refuses other changes while instances run in two versions: an install would change all that are left at once.
func (m *mutator) platformHalfWay() error {
	if m.verb() == platform.Verb {
		return nil
	}
	store, err := platform.Open(lifecycle.PlatformDir(m.session.Cluster))
	if err != nil || !store.State.Disturbed() {
		return err
	}
	return &refusedError{errors.New("an upgrade of ZooKeeper, Mesos or Marathon is half-way"), "go on with `jomctl resume`, or take it back with `jomctl rollback`"}
}

// wayBack prepares what is to be taken back. A change of the control hosts may end just because a new host cannot be used, so its way back
// is not made of a look at all of them.
func (m *mutator) wayBack(journal string) prepare {
	if !strings.HasPrefix(m.verb(), "control ") {
		return m.prepare
	}
	return func(_ context.Context, s *session) (mutation, error) {
		log, err := op.ReadJournal(journal)
		if err != nil {
			return mutation{}, err
		}
		plan, err := lifecycle.ControlWayBack(s.Cluster, log.Begun(), inventory.Access{Version: currentBuild().Version, Say: s.Say})
		return mutation{Plan: plan}, err
	}
}

// advisedError is a failure of a run with what else can be done.
type advisedError struct {
	error
	advice string
}

// Unwrap returns the failure.
func (e *advisedError) Unwrap() error { return e.error }

// Hint is the failure's own, and the advice.
func (e *advisedError) Hint() string { return hintOf(e.error) + "\n" + e.advice }

// advise adds the advice where the run has begun something.
func (c mutation) advise(err error) error {
	var step *op.StepError
	if c.Advice == "" || hintOf(err) == "" || errors.As(err, &step) && !step.Begun {
		return err
	}
	return &advisedError{err, c.Advice}
}

// rollBack takes back what the journal says was begun.
func (m *mutator) rollBack(ctx context.Context, path string) error {
	change, err := m.wayBack(path)(ctx, m.session)
	if err != nil {
		return err
	}
	defer change.discard()
	journal, err := op.OpenJournal(path)
	if err != nil {
		return err
	}
	defer journal.Close()
	begun := journal.Log().Begun()
	if change.Next != nil && !knows(change.Plan, begun) {
		next, err := change.Next(ctx, m.session)
		if err != nil {
			return err
		}
		change.Plan.Stages = append(change.Plan.Stages, next.Plan.Stages...)
	}
	change.Plan.Verb = m.verb()
	text := fmt.Sprintf("rollback of %s: %d steps to take back\n", m.verb(), len(begun))
	for _, id := range begun {
		text += "  " + id + "\n"
	}
	if err := m.confirm(ctx, text, "Take these steps back, the last one first"); err != nil {
		return err
	}
	result, err := m.back(ctx, change, path, journal)
	if err != nil {
		return err
	}
	if m.app.global.Output == formatJSON {
		err = m.app.writeResult(result, path, nil)
	}
	m.app.say("%s rolled back: %d steps taken back, %d kept", m.verb(), result.Count(op.OutcomeRolledBack), result.Count(op.OutcomeKept))
	return errors.Join(err, &reported{exitRolledBack})
}

// knows says that a plan has all the steps.
func knows(plan op.Plan, steps []string) bool {
	ids := map[string]bool{}
	for _, stage := range plan.Stages {
		for _, step := range stage.Steps {
			ids[step.ID] = true
		}
	}
	return !slices.ContainsFunc(steps, func(id string) bool { return !ids[id] })
}
