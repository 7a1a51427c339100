package op_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

func runTo(t *testing.T, dir string, plan op.Plan, meta op.Meta) (string, error) {
	t.Helper()
	j, err := op.CreateJournal(dir, plan.Verb)
	require.NoError(t, err)
	defer j.Close()
	_, err = op.Run(context.Background(), plan, op.Options{Journal: j, Meta: meta})
	return j.Path(), err
}

func failing(w world, id string) op.Plan {
	return edit(w.plan(), id, func(s *op.Step) {
		s.Do = func(context.Context, op.Say) error { return errBoom }
	})
}

func TestJournalCanBeReadByOthers(t *testing.T) {
	dir := t.TempDir()
	path, err := runTo(t, dir, world{t.TempDir()}.plan(), op.Meta{RunID: "r1", Args: []string{"install", "--yes"}, User: "ann", Host: "h", PID: 7, Version: "v1", ConfigSHA256: "ab"})
	require.NoError(t, err)
	require.Regexp(t, `^\d{8}T\d{6}\.\d{3}-install\.jsonl$`, filepath.Base(path))
	log, err := op.ReadJournal(path)
	require.NoError(t, err)
	require.Equal(t, op.Meta{RunID: "r1", Verb: "install", Args: []string{"install", "--yes"}, User: "ann", Host: "h", PID: 7, Version: "v1", ConfigSHA256: "ab"}, log.Meta())
	require.Equal(t, sorted(planIDs), sorted(log.Begun()))
	require.False(t, log.Torn)
	require.False(t, log.Time().IsZero())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestTornJournalIsRepaired(t *testing.T) {
	path, err := runTo(t, t.TempDir(), failing(world{t.TempDir()}, "a2"), op.Meta{})
	require.Error(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	complete, err := op.ReadJournal(path)
	require.NoError(t, err)
	for cut := range len(whole) {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		log, err := op.ReadJournal(path)
		require.NoError(t, err, "cut at byte %d", cut)
		lines := bytes.Count(whole[:cut], []byte("\n"))
		require.Equal(t, told(complete)[:len(log.Records)], told(log))
		require.Contains(t, []int{lines, lines + 1}, len(log.Records))

		j, err := op.OpenJournal(path)
		require.NoError(t, err)
		require.NoError(t, j.Close())
		repaired, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(whole, repaired))
		require.Equal(t, len(log.Records), bytes.Count(repaired, []byte("\n")), "cut at byte %d", cut)
	}
}

func TestJournalThatIsBrokenInTheMiddleIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{\"kind\":\"begin-run\"}\nnonsense\n{\"kind\":\"end-run\"}\n"), 0o600))
	_, err := op.ReadJournal(path)
	require.ErrorContains(t, err, "line 2")
	require.Contains(t, hint(t, err), "move it away")
	_, err = op.OpenJournal(path)
	require.ErrorContains(t, err, "line 2")
	require.NoError(t, os.WriteFile(path, append([]byte("{\"kind\":\"begin-run\"}\n"), make([]byte, 512)...), 0o600))
	log, err := op.ReadJournal(path)
	require.NoError(t, err, "a tail of zeros is what a power cut leaves")
	require.True(t, log.Torn)
	require.Len(t, log.Records, 1)
}

func TestJournalsThatAreNotThere(t *testing.T) {
	_, err := op.ReadJournal(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = op.OpenJournal(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = op.LastRun(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, op.ErrNoRun)
}

func TestARunWhoseJournalCannotBeWrittenDoesNothing(t *testing.T) {
	w, j := world{t.TempDir()}, journal(t)
	require.NoError(t, j.Close())
	_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.ErrorContains(t, err, "writing the journal")
	require.Empty(t, w.counts())
}

func TestLastRun(t *testing.T) {
	w, dir := world{t.TempDir()}, t.TempDir()
	failed, err := runTo(t, dir, failing(w, "a2"), op.Meta{})
	require.Error(t, err)
	last := func() string {
		log, err := op.LastRun(dir)
		if err != nil {
			require.ErrorIs(t, err, op.ErrNoRun)
			return ""
		}
		return log.Path
	}
	require.Equal(t, failed, last())

	prove := op.Plan{Verb: "prove", Stages: []op.Stage{{Steps: []op.Step{w.step("p1")}}}}
	_, err = runTo(t, dir, prove, op.Meta{})
	require.NoError(t, err)
	require.Equal(t, failed, last(), "another verb that was done in between does not end an unfinished run")

	_, err = runTo(t, dir, failing(world{t.TempDir()}, "a1"), op.Meta{})
	require.Error(t, err)
	require.NotEqual(t, failed, last())

	_, err = runTo(t, dir, w.plan(), op.Meta{})
	require.NoError(t, err)
	require.Empty(t, last(), "a newer run of the same verb was done")

	upgrade := failing(w, "a1")
	upgrade.Verb = "upgrade"
	require.NoError(t, w.remove("a1"))
	_, err = runTo(t, dir, upgrade, op.Meta{})
	require.Error(t, err)
	require.NotEmpty(t, last())
	_, err = runTo(t, dir, op.Plan{Verb: "destroy"}, op.Meta{Closes: true})
	require.NoError(t, err)
	require.Empty(t, last(), "nothing is left to go on with")
}

func TestLastRunPassesOverARunThatBeganNothing(t *testing.T) {
	dir := t.TempDir()
	plan := edit(world{t.TempDir()}.plan(), "a1", func(s *op.Step) {
		s.Probe = func(context.Context) (op.State, error) { return "", errBoom }
	})
	_, err := runTo(t, dir, plan, op.Meta{})
	require.Error(t, err)
	_, err = op.LastRun(dir)
	require.ErrorIs(t, err, op.ErrNoRun)
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`{"kind":"begin-run","meta":{"run":"r","verb":"install"}}` + "\n" + `{"kind":"begin","step":"a"}` + "\n"))
	f.Add([]byte(`{"kind":"begin","step":"a"}` + "\n" + `{"kind":"en`))
	f.Add([]byte("{\"kind\":\"end-run\",\"outcome\":\"done\"}\n\x00\x00\x00"))
	f.Add([]byte("\n\n{}\nnull\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.jsonl")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		before, err := op.ReadJournal(path)
		j, openErr := op.OpenJournal(path)
		require.Equal(t, err == nil, openErr == nil)
		if err != nil {
			return
		}
		require.NoError(t, j.Close())
		after, err := op.ReadJournal(path)
		require.NoError(t, err)
		require.False(t, after.Torn, "a repaired journal is whole")
		require.Equal(t, before.Records, after.Records)
		for _, id := range before.Begun() {
			require.True(t, slices.ContainsFunc(before.Records, func(r op.Record) bool { return r.Kind == op.KindBegin && r.Step == id }))
		}
		_, _, _ = before.Meta(), before.Last(), before.Pending("a")
	})
}
