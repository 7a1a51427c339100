package upgrade_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

func TestTimesAreShortenedWhole(t *testing.T) {
	for reserve, want := range map[time.Duration]string{30 * time.Minute: "last 30m are", 90*time.Minute + 30*time.Second: "last 1h30m30s are", 30 * time.Second: "last 30s are"} {
		require.ErrorContains(t, &upgrade.ReserveError{Bound: upgrade.Bound{Reserve: reserve}}, want)
	}
}

func TestTheWindow(t *testing.T) {
	t.Run("refused outside", func(t *testing.T) {
		r := newRig(t)
		r.now = inWindow.Add(-48 * time.Hour)
		var refused *upgrade.RefusedError
		require.ErrorAs(t, r.run(nil), &refused)
		require.Contains(t, refused.Error(), "the next one opens at Sun 2026-11-22 00:00 UTC")
		require.Equal(t, 3, refused.ExitCode())
		require.NotContains(t, r.f.names, "announce")
	})
	t.Run("refused when too little is left", func(t *testing.T) {
		r := newRig(t)
		r.now = inWindow.Add(3*time.Hour - 30*time.Second)
		var refused *upgrade.RefusedError
		require.ErrorAs(t, r.run(nil), &refused)
		require.Contains(t, refused.Error(), "a reserve of 1h")
	})
	t.Run("waited for", func(t *testing.T) {
		r := newRig(t)
		r.opts.Wait = true
		looks := 0
		r.opts.Now = func() time.Time {
			if looks++; looks < 12 {
				return inWindow.Add(-time.Hour - time.Millisecond) // a millisecond before it opens
			}
			return inWindow
		}
		require.NoError(t, r.run(nil))
		r.isNew()
		require.Greater(t, looks, 12)
	})
	t.Run("a check that fails then", func(t *testing.T) {
		r := newRig(t)
		r.f.reasons = []upgrade.Reason{{Subject: "Mesos", Problem: "no leader"}}
		var refused *upgrade.RefusedError
		require.ErrorAs(t, r.run(nil), &refused)
		require.Contains(t, refused.Error(), "no leader")
		r.isOld()
	})
	t.Run("none", func(t *testing.T) {
		r := newRig(t)
		r.opts.Window = upgrade.Window{}
		require.NoError(t, r.run(nil))
		require.Nil(t, r.state().Bound)
	})
}

func TestWhatARunIsExpectedToTake(t *testing.T) {
	require.Equal(t, time.Minute+6*time.Second, upgrade.Expected(nil, upgrade.Rehearsal{Seconds: 2}))
	r := newRig(t)
	require.NoError(t, r.run(nil))
	earlier, err := upgrade.History(r.path("state"))
	require.NoError(t, err)
	earlier[0].Ended["open"] = earlier[0].Ended["drain"].Add(90 * time.Second)
	require.Equal(t, 90*time.Second, upgrade.Expected(earlier, upgrade.Rehearsal{Seconds: 2}))
	require.Equal(t, 4*time.Minute, upgrade.Expected(earlier, upgrade.Rehearsal{Seconds: 120}))
}

// The window follows the clock of its zone: the night in which it goes back is an hour longer, and a start that the clock jumps over is
// the moment of the jump.
func TestTheWindowOfANightInWhichTheClockChanges(t *testing.T) {
	berlin := func(start string) upgrade.Window {
		return upgrade.Window{Reserve: 30 * time.Minute, Windows: []config.Window{{Days: []string{"sun"}, Start: start, Length: config.Duration(2 * time.Hour), Zone: "Europe/Berlin"}}}
	}
	forth := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC) // 02:00 becomes 03:00
	bound, _, reason := berlin("02:30").Bind(forth.Add(time.Minute), time.Minute)
	require.Nil(t, reason)
	require.True(t, bound.Start.Equal(forth))
	require.True(t, bound.End.Equal(forth.Add(2*time.Hour)))
	back := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // 02:30, for the first time
	bound, _, reason = berlin("02:30").Bind(back.Add(80*time.Minute), time.Minute)
	require.Nil(t, reason, "80 minutes later the clock shows 02:50 again")
	require.True(t, bound.Last().Equal(back.Add(90*time.Minute)))
}
