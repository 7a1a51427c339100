package upgrade

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/progress"
)

// led is a run from one release to another that ended with an outcome.
func led(run, from, outcome, backup string, hour int) State {
	times := progress.NewTimes()
	times.Ended[stepBackup] = time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC)
	return State{Run: run, From: Version{Release: from}, To: Version{Release: "new"}, Outcome: outcome, Backup: backup, Times: times}
}

func TestTheWayBackGoesToTheHomeThatWasLeftLast(t *testing.T) {
	first, second := led("r1", "old", Proven, "b1", 1), led("r2", "old", Proven, "b2", 2)
	for name, c := range map[string]struct {
		earlier []State
		want    *Earlier
	}{
		"nothing was ever upgraded":            {nil, nil},
		"the newest":                           {[]State{first, led("r3", "other", Proven, "b3", 3), second}, &Earlier{Run: "r2", Backup: "b2", Time: second.Ended[stepBackup]}},
		"one that was taken back led nowhere":  {[]State{first, led("r3", "old", RolledBack, "b3", 3)}, &Earlier{Run: "r1", Backup: "b1", Time: first.Ended[stepBackup]}},
		"one that is unfinished led nowhere":   {[]State{led("r3", "old", "", "b3", 3)}, nil},
		"one without a backup has no home":     {[]State{first, led("r3", "old", Proven, "", 3)}, &Earlier{Run: "r1", Backup: "b1", Time: first.Ended[stepBackup]}},
		"the release that it led to is no way": {[]State{led("r3", "other", Proven, "b3", 3)}, nil},
	} {
		require.Equal(t, c.want, Leaving(c.earlier, "old"), name)
	}
}

func TestAHistoryHasEachRunOnce(t *testing.T) {
	s := &Store{Dir: t.TempDir(), State: led("r1", "old", "", "b1", 1)}
	require.NoError(t, s.Save())
	require.NoError(t, s.close(RolledBack))
	s.State.Outcome, s.State.Cause = "", "said later" // as one that was cut off before the state was on the disk
	require.NoError(t, s.close(Proven))
	require.NoError(t, s.close(Proven))
	all, err := History(s.Dir)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, []string{Proven, "said later"}, []string{all[0].Outcome, all[0].Cause})
	again, err := Open(s.Dir)
	require.NoError(t, err)
	require.Equal(t, Proven, again.State.Outcome)
	require.FileExists(t, s.ReportFile())
}
