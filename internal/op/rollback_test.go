package op_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

func TestRollbackTakesBackWhatWasBegunInReverse(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	require.NoError(t, w.make("a1"))
	_, err := op.Run(context.Background(), failing(w, "c1"), op.Options{Journal: j})
	require.Error(t, err)
	plan := edit(w.plan(), "c1", func(s *op.Step) { s.Undo = nil })
	seen := &events{}
	result, err := op.Rollback(context.Background(), plan, op.Options{Journal: j, Observer: seen})
	require.NoError(t, err)
	require.Equal(t, op.OutcomeRolledBack, result.Outcome)
	require.Equal(t, map[string]int{"a1": 1}, w.counts(), "what was there before is not taken back")
	ids := []string{}
	for _, step := range result.Steps {
		ids = append(ids, step.ID)
	}
	require.Equal(t, []string{"c1", "b3", "b2", "b1", "a2"}, ids)
	require.Equal(t, op.OutcomeKept, result.Steps[0].Outcome)
	require.Equal(t, op.OutcomeRolledBack, result.Steps[1].Outcome)
	require.True(t, j.Log().Finished())
	require.Equal(t, "end-run rolled-back", told(j.Log())[len(j.Log().Records)-1])
	require.Equal(t, []string{"stage rollback", "start c1", "end c1: kept", "start b3"}, seen.lines[:4])

	_, err = op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err, "and it can be run again")
	require.Equal(t, onceEach(), w.counts())
}

func TestRollbackThatFailsGoesOn(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	broken := edit(w.plan(), "b2", func(s *op.Step) {
		s.Undo = func(context.Context, op.Say) error { return errBoom }
	})
	_, err = op.Rollback(context.Background(), broken, op.Options{Journal: j})
	require.EqualError(t, err, "step b2: undoing: boom")
	require.Contains(t, hint(t, err), "`jomctl rollback`")
	require.Equal(t, map[string]int{"a1": 1, "a2": 1, "b1": 1, "b2": 1}, w.counts())
	require.False(t, j.Log().Finished())
	_, err = op.Rollback(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	require.Empty(t, w.counts())
}

func TestRollbackOfAnUnknownStepIsRefused(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	plan := w.plan()
	plan.Stages = plan.Stages[:2]
	_, err = op.Rollback(context.Background(), plan, op.Options{Journal: j})
	require.ErrorContains(t, err, "does not know: c1")
	require.Equal(t, onceEach(), w.counts())
	_, err = op.Rollback(context.Background(), plan, op.Options{})
	require.ErrorContains(t, err, "no journal")
}

func TestRollbackCanBeStopped(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	plan := edit(w.plan(), "b3", func(s *op.Step) {
		undo := s.Undo
		s.Undo = func(ctx context.Context, say op.Say) error { cancel(); return undo(ctx, say) }
	})
	_, err = op.Rollback(ctx, plan, op.Options{Journal: j})
	require.ErrorIs(t, err, op.ErrStopped)
	require.Equal(t, 6, exitCode(t, err))
	require.Equal(t, 0, w.count("b3"))
	require.Equal(t, 1, w.count("b2"))
}

func TestRolledBackError(t *testing.T) {
	require.EqualError(t, &op.RolledBackError{Verb: "upgrade"}, "upgrade rolled back")
	err := &op.RolledBackError{Verb: "upgrade", Cause: errBoom}
	require.EqualError(t, err, "upgrade rolled back: boom")
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, 7, exitCode(t, err))
	require.Empty(t, hint(t, err))
}
