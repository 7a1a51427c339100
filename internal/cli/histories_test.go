package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/probe"
)

func TestDrillsAreOnTheTimeline(t *testing.T) {
	state := t.TempDir()
	entries, err := drillEntries(&drill.Reader{}, state)
	require.NoError(t, err)
	require.Empty(t, entries)
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	result := drill.Result{Name: "controller-killed", Title: "Controller killed", Passed: true, Recovery: drill.Recovery{Seconds: 7.5}, Began: began, Ended: began.Add(time.Minute),
		Phases: []probe.Part{{Phase: probe.Detection, From: began, To: began.Add(2 * time.Second)}}}
	require.NoError(t, drill.Save(state, result))
	result.Passed, result.Recovery.Seconds, result.Reasons, result.Began = false, -1, []string{"it did not come back", "1 build is lost"}, began.Add(time.Hour)
	require.NoError(t, drill.Save(state, result))
	entries, err = drillEntries(&drill.Reader{}, state)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, []any{"passed", false, "recovered in 7.5 s", "Controller killed"}, []any{entries[0].Outcome, entries[0].Bad, entries[0].Note, entries[0].Title})
	require.Equal(t, "detection", entries[0].Spans[0].Name)
	require.Equal(t, []any{"missed", true, "it did not come back; 1 build is lost"}, []any{entries[1].Outcome, entries[1].Bad, entries[1].Note})
	require.NotEqual(t, entries[0].ID, entries[1].ID)
}

func TestReleasesAreOnTheTimeline(t *testing.T) {
	dir := t.TempDir()
	entries, err := releaseEntries(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	store, err := upgrade.Open(dir)
	require.NoError(t, err)
	store.Begin(upgrade.State{Run: "r1", From: upgrade.Version{Core: "2.500"}, To: upgrade.Version{Core: "2.568.2"}, Began: began})
	store.State.Begun["b"], store.State.Begun["a"] = began.Add(time.Minute), began
	store.State.Ended["a"] = began.Add(time.Minute)
	require.NoError(t, store.Save())
	entries, err = releaseEntries(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, []any{"Jenkins 2.500 to 2.568.2", "unfinished", true}, []any{entries[0].Title, entries[0].Outcome, entries[0].End.IsZero()})
	require.Equal(t, []any{"a", "done", "b", "running"}, []any{entries[0].Spans[0].Name, entries[0].Spans[0].Outcome, entries[0].Spans[1].Name, entries[0].Spans[1].Outcome})
}
