package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/platform"
)

func TestReleasesKnowThePlatform(t *testing.T) {
	dir := t.TempDir()
	runs, err := platformRuns(dir)
	require.NoError(t, err)
	require.Empty(t, runs)
	parts := []platform.Part{{Role: "mesos-master", From: "1.10.0", To: "1.11.0", Hosts: []string{"m1"}}, {Role: "mesos-agent", From: "1.10.0", To: "1.11.0", Hosts: []string{"a1", "a2"}}}
	store := &platform.Store{Dir: dir}
	run := func(id, outcome, cause string, proven ...string) {
		store.Begin(platform.State{Run: id, User: "ann@desk", Began: time.Date(2026, 5, 1, 22, 0, 0, 0, time.Local), Parts: parts})
		store.State.Outcome, store.State.Cause, store.State.Proven = outcome, cause, proven
		require.NoError(t, store.Save())
		require.NoError(t, store.Save(), "a second time it is the same run")
	}
	run("one", "rolled back", "a2 did not come back", "mesos-master")
	run("two", "proven", "", "mesos-master", "mesos-agent")
	store.Begin(platform.State{Run: "three", Began: time.Now(), Parts: parts})
	require.NoError(t, store.Save())
	runs, err = platformRuns(dir)
	require.NoError(t, err)
	require.Len(t, runs, 2, "the third has not touched anything")
	store.State.Begun["mesos-master-m1"] = time.Now()
	require.NoError(t, store.Save())
	runs, err = platformRuns(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"three", "two", "one"}, []string{runs[0].Run, runs[1].Run, runs[2].Run})
	require.Equal(t, "unfinished", runs[0].Outcome)

	var text strings.Builder
	require.NoError(t, platformRunsText(&text, runs[2:]))
	require.Regexp(t, `2026-05-01 22:00 +mesos-master +1\.10\.0 +1\.11\.0 +m1 +proven +ann@desk`, text.String())
	require.Regexp(t, `mesos-agent .* a1, a2 +rolled back`, text.String())
	require.Contains(t, text.String(), "a2 did not come back")
	text.Reset()
	require.NoError(t, platformRunsText(&text, nil))
	require.Empty(t, text.String())
}
