package op_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

func TestPreviewAsksProbesOnly(t *testing.T) {
	w := world{t.TempDir()}
	require.NoError(t, w.make("a1"))
	plan := edit(w.plan(), "c1", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { return op.Later, nil }
	})
	preview, err := op.Preview(context.Background(), plan)
	require.NoError(t, err)
	require.NoError(t, preview.Err())
	require.False(t, preview.Empty())
	require.Len(t, preview.Open(), 5)
	require.Equal(t, map[string]int{"a1": 1}, w.counts())
	require.JSONEq(t, `{"name":"first","steps":[
		{"id":"a1","title":"make a1","state":"done"},
		{"id":"a2","title":"make a2","state":"needed","changes":["+ a2"]}]}`, asJSON(t, preview.Stages[0]))
	require.Equal(t, op.Later, preview.Stages[2].Steps[0].State)
}

func TestPreviewKeepsTheErrorsOfProbes(t *testing.T) {
	w := world{t.TempDir()}
	plan := edit(w.plan(), "b2", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { return "", errBoom }
	})
	plan = edit(plan, "b3", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { panic("probe fell over") }
	})
	plan = edit(plan, "c1", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { return "perhaps", nil }
	})
	preview, err := op.Preview(context.Background(), plan)
	require.NoError(t, err)
	require.ErrorIs(t, preview.Err(), errBoom)
	require.ErrorContains(t, preview.Err(), "step b2: looking at its state: boom")
	require.ErrorContains(t, preview.Err(), "step b3: looking at its state: panic: probe fell over")
	require.ErrorContains(t, preview.Err(), `the probe answered "perhaps"`)
	require.Contains(t, asJSON(t, preview), `"error":"looking at its state: boom"`)
}

func TestPlansThatCannotRunAreRefused(t *testing.T) {
	w := world{t.TempDir()}
	for name, test := range map[string]struct {
		plan op.Plan
		want string
	}{
		"no verb":   {op.Plan{}, "no verb"},
		"no id":     {edit(w.plan(), "a1", func(s *op.Step) { s.ID = "" }), "has no id"},
		"same id":   {edit(w.plan(), "b1", func(s *op.Step) { s.ID = "a1" }), `two steps are called "a1"`},
		"no probe":  {edit(w.plan(), "a1", func(s *op.Step) { s.Probe = nil }), "lacks Probe or Do"},
		"no action": {edit(w.plan(), "a1", func(s *op.Step) { s.Do = nil }), "lacks Probe or Do"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := op.Preview(context.Background(), test.plan)
			require.ErrorContains(t, err, test.want)
			_, err = op.Run(context.Background(), test.plan, op.Options{})
			require.ErrorContains(t, err, test.want)
			require.Empty(t, w.counts())
		})
	}
}

func TestRunMakesEverythingOnceAndThenNothing(t *testing.T) {
	w, j, seen := world{t.TempDir()}, journal(t), &events{}
	result, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j, Observer: seen, Meta: op.Meta{RunID: "r1"}})
	require.NoError(t, err)
	require.Equal(t, onceEach(), w.counts())
	require.Equal(t, op.OutcomeDone, result.Outcome)
	require.Equal(t, "r1", result.RunID)
	require.Equal(t, 6, result.Count(op.OutcomeDone))
	require.Equal(t, "a1", result.Steps[0].ID)
	require.True(t, j.Log().Finished())
	require.Equal(t, "install", j.Log().Meta().Verb)
	require.Equal(t, []string{"begin-run", "begin a1", "end a1", "begin a2", "end a2"}, told(j.Log())[:5])
	require.Equal(t, []string{"stage first", "start a1", "end a1: done", "start a2", "end a2: done", "stage agents"}, seen.lines[:6])
	require.Equal(t, "ended: done", seen.lines[len(seen.lines)-1])

	preview, err := op.Preview(context.Background(), w.plan())
	require.NoError(t, err)
	require.True(t, preview.Empty())
	again, err := op.Run(context.Background(), w.plan(), op.Options{})
	require.NoError(t, err)
	require.Equal(t, 6, again.Count(op.OutcomeSkipped))
	require.Equal(t, onceEach(), w.counts())
}

func TestParallelStageIsBoundedAndParallel(t *testing.T) {
	var running, most atomic.Int32
	full := make(chan struct{})
	w := world{t.TempDir()}
	plan := op.Plan{Verb: "install", Stages: []op.Stage{{Name: "agents", Parallel: true}}}
	for _, id := range []string{"s1", "s2", "s3", "s4", "s5", "s6", "s7"} {
		step := w.step(id)
		step.Do = func(context.Context, op.Say) error {
			n := running.Add(1)
			defer running.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if n == 3 {
				select {
				case <-full:
				default:
					close(full)
				}
			}
			<-full
			return w.make(id)
		}
		plan.Stages[0].Steps = append(plan.Stages[0].Steps, step)
	}
	_, err := op.Run(context.Background(), plan, op.Options{Parallel: 3})
	require.NoError(t, err)
	require.EqualValues(t, 3, most.Load())
}

func TestFailureNamesStepAndNextCommand(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	plan := edit(w.plan(), "a2", func(s *op.Step) {
		s.Do = func(context.Context, op.Say) error { return errBoom }
	})
	result, err := op.Run(context.Background(), plan, op.Options{Journal: j})
	require.EqualError(t, err, "step a2: boom")
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, 1, exitCode(t, err))
	require.Contains(t, hint(t, err), "`jomctl resume`")
	require.Contains(t, hint(t, err), "`jomctl install`")
	require.Equal(t, map[string]op.Outcome{"a1": op.OutcomeDone, "a2": op.OutcomeFailed}, outcomes(result))
	require.Equal(t, op.OutcomeFailed, result.Outcome)
	require.Equal(t, []string{"begin-run", "begin a1", "end a1", "begin a2", "failed a2", "end-run failed"}, told(j.Log()))
	require.Equal(t, map[string]int{"a1": 1}, w.counts())

	_, err = op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	require.Equal(t, onceEach(), w.counts())
}

type refused struct{}

func (refused) Error() string { return "no" }
func (refused) ExitCode() int { return 3 }
func (refused) Hint() string  { return "say yes" }

func TestACauseKeepsItsExitCodeAndHint(t *testing.T) {
	w := world{t.TempDir()}
	plan := edit(w.plan(), "a1", func(s *op.Step) {
		s.Do = func(context.Context, op.Say) error { return refused{} }
	})
	plan = edit(plan, "a1", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { return "", refused{} }
	})
	_, err := op.Run(context.Background(), plan, op.Options{Journal: journal(t)})
	require.Equal(t, 3, exitCode(t, err))
	require.Equal(t, "say yes\nnothing was changed; when that is put right: `jomctl install` again", hint(t, err))
}

// watcher calls ended when a step has ended.
type watcher struct {
	events
	ended func(id string)
}

func (w *watcher) StepEnded(step op.Step, _ op.StepResult) { w.ended(step.ID) }

func TestFailureInAParallelStageLetsTheOthersFinish(t *testing.T) {
	w := world{t.TempDir()}
	started, failed := make(chan struct{}), make(chan struct{})
	plan := edit(w.plan(), "b1", func(s *op.Step) {
		s.Do = func(ctx context.Context, _ op.Say) error {
			<-failed
			return errors.Join(ctx.Err(), w.make("b1"))
		}
	})
	plan = edit(plan, "b2", func(s *op.Step) {
		s.Do = func(context.Context, op.Say) error { <-started; return errBoom }
	})
	plan = edit(plan, "b3", func(s *op.Step) {
		s.Do = func(context.Context, op.Say) error { close(started); return errBoom }
	})
	result, err := op.Run(context.Background(), plan, op.Options{Observer: &watcher{ended: func(id string) {
		if id == "b2" {
			close(failed)
		}
	}}})
	require.ErrorContains(t, err, "step b2: boom")
	require.ErrorContains(t, err, "step b3: boom")
	require.Equal(t, 1, w.count("b1"))
	require.NotContains(t, outcomes(result), "c1")
}

func TestPanicsBecomeErrors(t *testing.T) {
	w := world{t.TempDir()}
	plan := edit(w.plan(), "a1", func(s *op.Step) {
		s.Do = func(context.Context, op.Say) error { panic("fell over") }
	})
	_, err := op.Run(context.Background(), plan, op.Options{})
	require.EqualError(t, err, "step a1: panic: fell over")
	var panicked *op.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Contains(t, string(panicked.Stack), "run_test.go")
}

func TestBudgetSaysWhatItWaitedFor(t *testing.T) {
	w, seen := world{t.TempDir()}, &events{}
	plan := edit(w.plan(), "a1", func(s *op.Step) {
		s.Budget = 5 * time.Millisecond
		s.Verify = func(ctx context.Context, say op.Say) error {
			say("%d of %d masters answer", 1, 3)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	_, err := op.Run(context.Background(), plan, op.Options{Observer: seen})
	require.EqualError(t, err, "step a1: no success within 5ms, last: 1 of 3 masters answer")
	var budget *op.BudgetError
	require.ErrorAs(t, err, &budget)
	require.Equal(t, 1, exitCode(t, err))
	require.Contains(t, seen.lines, "said a1: 1 of 3 masters answer")
}

func TestABudgetThatIsLargeEnoughDoesNotHideTheError(t *testing.T) {
	w := world{t.TempDir()}
	plan := edit(w.plan(), "a1", func(s *op.Step) {
		s.Budget = 2 * time.Minute
		s.Verify = func(context.Context, op.Say) error { return errBoom }
	})
	_, err := op.Run(context.Background(), plan, op.Options{})
	require.EqualError(t, err, "step a1: verifying: boom")
	require.Equal(t, "no success within 2m: boom", (&op.BudgetError{Budget: 2 * time.Minute, Err: errBoom}).Error())
}

func TestAStepThatIsStillNeededAfterItsDoHasFailed(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	plan := edit(w.plan(), "b1", func(s *op.Step) {
		s.Do, s.Verify = func(context.Context, op.Say) error { return nil }, nil
	})
	plan = edit(plan, "c1", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { return op.Later, nil }
	})
	result, err := op.Run(context.Background(), plan, op.Options{Journal: j})
	require.EqualError(t, err, "install went through, but these steps are not done: b1 (needed), c1 (later)")
	require.Equal(t, 1, exitCode(t, err))
	require.Contains(t, hint(t, err), "jomctl resume")
	require.Equal(t, op.OutcomeFailed, outcomes(result)["b1"])
	require.Equal(t, op.OutcomeFailed, outcomes(result)["c1"])
	require.Equal(t, []string{"failed b1", "failed c1", "end-run failed"}, told(j.Log())[len(j.Log().Records)-3:])
}

func TestStopIsJournalledAndResumable(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	ctx, cancel := context.WithCancel(context.Background())
	plan := edit(w.plan(), "a2", func(s *op.Step) {
		s.Do = func(ctx context.Context, _ op.Say) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}
	})
	result, err := op.Run(ctx, plan, op.Options{Journal: j})
	require.ErrorIs(t, err, op.ErrStopped)
	require.EqualError(t, err, "install stopped in a2")
	require.Equal(t, 6, exitCode(t, err))
	require.Contains(t, hint(t, err), "jomctl resume")
	require.Equal(t, op.OutcomeStopped, result.Outcome)
	require.Equal(t, op.OutcomeStopped, outcomes(result)["a2"])
	require.Equal(t, []string{"failed a2", "end-run stopped"}, told(j.Log())[len(j.Log().Records)-2:])
	require.False(t, j.Log().Finished())
	_, err = op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	require.True(t, j.Log().Finished())
	require.Equal(t, onceEach(), w.counts())
}

func TestInterruptBeforeAnythingWasBegun(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := op.Run(ctx, w.plan(), op.Options{Journal: j})
	require.ErrorIs(t, err, op.ErrStopped)
	require.Equal(t, 130, exitCode(t, err))
	require.Empty(t, hint(t, err))
	require.Empty(t, w.counts())
	_, err = op.Preview(ctx, w.plan())
	require.ErrorIs(t, err, context.Canceled)
}

func TestALostLeaseStopsTheRun(t *testing.T) {
	w := world{t.TempDir()}
	ctx, cancel := context.WithCancelCause(context.Background())
	plan := edit(w.plan(), "a1", func(s *op.Step) {
		s.Do = func(ctx context.Context, _ op.Say) error {
			cancel(op.ErrLeaseLost)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	_, err := op.Run(ctx, plan, op.Options{})
	require.ErrorIs(t, err, op.ErrLeaseLost)
	require.ErrorIs(t, err, op.ErrStopped)
	require.Equal(t, 6, exitCode(t, err))
	require.EqualError(t, err, "install stopped in a1: the lock was lost")
}
