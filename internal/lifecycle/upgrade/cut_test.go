package upgrade_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

func TestKilledAnywhereAndResumed(t *testing.T) {
	r := newRig(t)
	all := snapshots(t, r)
	require.Greater(t, len(all), 60)
	for i, cut := range all {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			cut.t = t
			require.NoError(t, cut.run(nil))
			cut.isNew()
		})
	}
}

func TestKilledAnywhereAndRolledBack(t *testing.T) {
	r := newRig(t)
	opened := 0
	for i, cut := range snapshots(t, r) {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			cut.t = t
			state := cut.state()
			err := cut.rollback()
			var refused *upgrade.OpenedError
			if errors.As(err, &refused) {
				opened++
				require.True(t, state.Opened())
				require.NoError(t, cut.run(nil))
				cut.isNew()
				return
			}
			require.NoError(t, err)
			if state.Outcome == upgrade.Proven {
				return
			}
			cut.isOld()
			if state.Windowed() {
				require.Equal(t, upgrade.RolledBack, cut.state().Outcome)
			}
		})
	}
	require.Positive(t, opened)
}

func TestKilledAnywhereAndResumedAfterTheWindow(t *testing.T) {
	r := newRig(t)
	for i, cut := range snapshots(t, r) {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			cut.t = t
			state := cut.state()
			cut.now = inWindow.Add(3*time.Hour + time.Second)
			err := cut.run(nil)
			var back *op.RolledBackError
			switch {
			case state.Opened():
				require.NoError(t, err)
				cut.isNew()
			case state.Windowed():
				require.ErrorAs(t, err, &back)
				var reserve *upgrade.ReserveError
				require.ErrorAs(t, err, &reserve)
				cut.isOld()
				require.Contains(t, cut.state().Cause, "kept for the way back")
			default:
				require.Error(t, err)
				cut.isOld()
			}
		})
	}
}

func TestEveryCallFails(t *testing.T) {
	calls := newRig(t)
	require.NoError(t, calls.run(nil))
	for n := 1; n <= calls.f.calls; n++ {
		for _, late := range []bool{false, true} {
			t.Run(strconv.Itoa(n)+" "+calls.f.names[n-1], func(t *testing.T) {
				r := newRig(t)
				r.f.fail, r.f.late = n, late
				err := r.run(nil)
				require.ErrorIs(t, err, errInjected)
				state := r.state()
				var back *op.RolledBackError
				switch {
				case errors.As(err, &back):
					r.isOld()
					require.Equal(t, upgrade.RolledBack, state.Outcome)
					require.NotEmpty(t, state.Cause)
				case state.Opened():
					require.NoError(t, r.run(nil))
					r.isNew()
				default:
					require.False(t, state.Windowed())
					r.isOld()
					require.NoError(t, r.run(nil))
					r.isNew()
				}
			})
		}
	}
}

func TestTheWayBackFailsAnywhereAndIsGoneOnWith(t *testing.T) {
	calls := newRig(t)
	calls.f.unready = true
	require.Error(t, calls.run(nil))
	calls.isOld()
	require.Len(t, calls.f.failed, 1, "the failed home is kept")
	for n := 1; n <= calls.f.calls; n++ {
		for _, late := range []bool{false, true} {
			t.Run(strconv.Itoa(n)+" "+calls.f.names[n-1], func(t *testing.T) {
				r := newRig(t)
				r.f.unready, r.f.fail, r.f.late = true, n, late
				err := r.run(nil)
				if errors.Is(err, errBack) {
					require.NoError(t, r.rollback())
				}
				r.isOld()
			})
		}
	}
}

func TestKilledOnTheWayBack(t *testing.T) {
	r := newRig(t)
	r.f.unready = true
	for i, cut := range snapshots(t, r) {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			cut.t = t
			require.NoError(t, cut.rollback())
			cut.isOld()
		})
	}
}
