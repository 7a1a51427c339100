package upgrade_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

func TestAGoodUpgrade(t *testing.T) {
	r := newRig(t)
	r.f.running = []upgrade.Build{{Job: "long", Number: 4}, {Job: "pipe", Number: 1, Resumes: true}}
	r.f.at = func() {
		if r.f.names[len(r.f.names)-1] == "push" && len(r.f.queue) == 1 {
			r.f.queue = append(r.f.queue, upgrade.Build{Job: "late", Item: 9})
		}
	}
	require.NoError(t, r.run(nil))
	r.isNew()
	require.ElementsMatch(t, []string{"waits", "late"}, r.f.started[upgrade.New])
	state := r.state()
	require.Equal(t, "night", state.Bound.Name)
	require.True(t, state.Bound.End.Equal(inWindow.Add(4*time.Hour)))
	require.Len(t, state.Work.Queued, 2)
	require.Empty(t, r.f.failed)
	history, err := upgrade.History(r.path("state"))
	require.NoError(t, err)
	require.Len(t, history, 1)
	require.NoError(t, r.run(nil), "once more finds nothing to do")
	page, err := os.ReadFile(r.path("state/run-1/report.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "<title>Jenkins 2.555.3 to 2.568.3: proven</title>")
	require.Contains(t, string(page), "waits P=1")
	require.NotContains(t, string(page), "http", "it needs nothing but itself")
}

func TestAHomeThatWasNotWrittenIsNotRestored(t *testing.T) {
	r := newRig(t)
	r.f.unready, r.f.lazy = true, true
	var back *op.RolledBackError
	require.ErrorAs(t, r.run(nil), &back)
	r.isOld()
	require.NotContains(t, r.f.names, "restore")
	require.NotContains(t, r.f.names, "ahead")
	require.Contains(t, r.f.names, "untouched")
}

func TestAHomeThatWasWrittenIsRestoredAheadOfTheStop(t *testing.T) {
	r := newRig(t)
	r.f.unready = true
	var back *op.RolledBackError
	require.ErrorAs(t, r.run(nil), &back)
	r.isOld()
	deployed := slices.Index(r.f.names, "deploy-new")
	require.Positive(t, deployed)
	after := r.f.names[deployed:]
	ahead, stopped, restored := slices.Index(after, "ahead"), slices.Index(after, "stop"), slices.Index(after, "restore")
	require.Positive(t, ahead)
	require.Less(t, ahead, stopped)
	require.Less(t, stopped, restored)
}

func TestBuildsThatDoNotEnd(t *testing.T) {
	never := []upgrade.Build{{Job: "never", Number: 9}}
	for name, stop := range map[string]bool{"abort": false, "stop-builds": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.f.running, r.f.endless = slices.Clone(never), true
			r.opts.Drain, r.opts.StopBuilds = 0, stop
			err := r.run(nil)
			if stop {
				require.NoError(t, err)
				r.isNew()
				require.Contains(t, r.f.started[upgrade.New], "never", "it is asked for again")
				return
			}
			var back *op.RolledBackError
			require.ErrorAs(t, err, &back)
			require.ErrorContains(t, err, "never #9")
			r.isOld()
			require.NotContains(t, r.f.names, "stop", "the old version was never stopped")
			require.Equal(t, never, r.f.running)
		})
	}
}

func TestABuildThatWasEndedIsAskedForAgainOnTheWayBack(t *testing.T) {
	r := newRig(t)
	r.f.running, r.f.endless, r.f.unready = []upgrade.Build{{Job: "never", Number: 9}}, true, true
	r.opts.Drain, r.opts.StopBuilds = 0, true
	var back *op.RolledBackError
	require.ErrorAs(t, r.run(nil), &back)
	require.ElementsMatch(t, []string{"waits", "never"}, r.f.started[upgrade.Old])
}

func TestCtrlCInTheWindowTakesBack(t *testing.T) {
	r := newRig(t)
	store, journal, plan := r.open()
	defer journal.Close()
	ctx, cancel := context.WithCancel(context.Background())
	r.f.at = func() {
		if r.f.names[len(r.f.names)-1] == "ready-new" {
			cancel()
		}
	}
	_, err := op.Run(ctx, plan, op.Options{Journal: journal})
	require.ErrorIs(t, err, op.ErrStopped)
	require.True(t, upgrade.TakeBack(store, err))
	kept, openErr := upgrade.Open(store.Dir)
	require.NoError(t, openErr)
	require.Equal(t, err.Error(), kept.State.Cause, "another process knows why, too")
	_, err = op.Rollback(context.Background(), plan, op.Options{Journal: journal})
	require.NoError(t, err)
	r.isOld()
}

func TestAStepEndsWhereTheReserveBegins(t *testing.T) {
	r := newRig(t)
	r.opts.Now = func() time.Time { // the clock of somebody whose start takes until shortly before the reserve
		if len(r.f.names) > 0 && r.f.names[len(r.f.names)-1] == "keep" {
			return inWindow.Add(3*time.Hour - 50*time.Millisecond)
		}
		return inWindow
	}
	r.f.hang = "deploy-new"
	err := r.run(nil)
	var back *op.RolledBackError
	require.ErrorAs(t, err, &back)
	var reserve *upgrade.ReserveError
	require.ErrorAs(t, err, &reserve)
	r.isOld()
}

// TestAHistoryThatCannotBePushed is a git server that is down: nobody waits for it for ever, whether or not there is a window.
func TestAHistoryThatCannotBePushed(t *testing.T) {
	r := newRig(t)
	r.opts.Window, r.opts.Push, r.f.hang = upgrade.Window{}, 20*time.Millisecond, "push"
	var back *op.RolledBackError
	require.ErrorAs(t, r.run(nil), &back)
	require.ErrorContains(t, back.Cause, "no success within")
	require.NotContains(t, r.f.names, "stop", "the old version was never stopped")
	r.isOld()
}
