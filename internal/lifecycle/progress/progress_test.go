package progress

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

type state struct {
	Run string `json:"run"`
	Times
}

func TestAStepIsDoneAgainUntilItHasEndedOnce(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	times, saved, broken := NewTimes(), 0, errors.New("broken")
	r := Recorder{Times: &times, Now: func() time.Time { now = now.Add(time.Minute); return now }, Save: func() error { saved++; return nil }}
	calls, fails := 0, broken
	step := r.Step(op.Step{ID: "push", Title: "Pushed"}, func(context.Context, op.Say) error { calls++; return fails })
	require.Equal(t, "Pushed", step.Title)
	probed := func() op.State {
		found, err := step.Probe(t.Context())
		require.NoError(t, err)
		return found
	}
	require.Equal(t, op.Needed, probed())
	require.False(t, times.HasBegun("push"))

	require.ErrorIs(t, step.Do(t.Context(), lifecycletest.Quiet), broken)
	require.Equal(t, op.Needed, probed())
	require.True(t, times.HasBegun("push"))
	require.False(t, times.HasEnded("push"))
	require.Equal(t, 1, saved, "that it has begun is on the disk before it does anything")
	began := times.Begun["push"]
	require.Equal(t, time.UTC, began.Location())

	fails = nil
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	require.Equal(t, 2, calls)
	require.Equal(t, op.Done, probed())
	require.Equal(t, began, times.Begun["push"], "it began when it began first")
	require.True(t, times.Ended["push"].After(began))
}

func TestAStepThatCannotBeNotedDoesNothing(t *testing.T) {
	times, full := NewTimes(), errors.New("disk full")
	r := Recorder{Times: &times, Now: time.Now, Save: func() error { return full }}
	step := r.Step(op.Step{ID: "stop"}, func(context.Context, op.Say) error {
		t.Error("nobody could take it back")
		return nil
	})
	require.ErrorIs(t, step.Do(t.Context(), lifecycletest.Quiet), full)
}

func TestTheStateIsReadAsItWasWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "upgrades")
	none, err := Read[state](dir)
	require.NoError(t, err)
	require.Zero(t, none, "no run is no error")

	times := NewTimes()
	times.Begun["stop"] = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, Write(dir, state{Run: "r1", Times: times}))
	text, err := os.ReadFile(filepath.Join(dir, "run.json"))
	require.NoError(t, err)
	require.JSONEq(t, `{"run": "r1", "begun": {"stop": "2026-03-01T12:00:00Z"}, "ended": {}}`, string(text))
	got, err := Read[state](dir)
	require.NoError(t, err)
	require.Equal(t, state{Run: "r1", Times: times}, got)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.json"), []byte(`{"run":`), 0o600))
	_, err = Read[state](dir)
	require.Error(t, err, "half a state is not taken for none")
}
