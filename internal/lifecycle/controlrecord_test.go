package lifecycle

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
)

// begun is a change whose file is written and whose record is kept, as it is when it is cut off.
func begun(t *testing.T) (before *config.Cluster, c *controlChange) {
	t.Helper()
	before = installedCluster(t, controlFile(1))
	change, err := AddControl(before, hostsOf("m2", "m3"))
	require.NoError(t, err)
	c = compared(t, before, change)
	c.drained = []string{"a1"}
	step := c.beginStep()
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	require.NoError(t, step.Do(t.Context(), say))
	require.NoError(t, os.WriteFile(before.File, change.text, 0o600))
	return before, c
}

func TestAChangeThatWasCutOffIsRemembered(t *testing.T) {
	before, c := begun(t)
	state, err := c.beginStep().Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
	r, err := readControlRecord(before.File)
	require.NoError(t, err)
	require.Equal(t, "m1, m2, m3", hostNames(r.to))
	require.Equal(t, []string{"a1"}, r.Drained)

	findings, err := c.env.changed()
	require.NoError(t, err)
	require.Len(t, findings, 1, "an install would start all servers in another order")
	require.Contains(t, findings[0].Fix, "jomctl resume")
	c.env.Intends("m2", "m3")
	findings, err = c.env.changed()
	require.NoError(t, err)
	require.Empty(t, findings, "but the command itself goes on")

	old, err := lookHosts(before, Access{})
	require.NoError(t, err)
	findings, err = old.changed()
	require.NoError(t, err)
	require.Len(t, findings, 1, "the file was set back, and programs of the change may run")
	require.Contains(t, findings[0].Problem, "m1, m2, m3 was begun and not finished")

	require.False(t, ControlDone(c.env.Cluster, nil, nil))
	end := c.endStep()
	require.Len(t, end.Changes(t.Context()), 2)
	require.NoError(t, end.Do(t.Context(), say))
	for _, step := range []op.Step{end, c.beginStep()} {
		state, err := step.Probe(t.Context())
		require.NoError(t, err)
		require.Equal(t, op.Done, state, step.ID)
	}
	require.NoFileExists(t, controlRecordFile(before.StateDir()))
	require.True(t, ControlDone(c.env.Cluster, []string{"m2"}, nil))
}

func TestADestroyKnowsTheHostsThatWereToJoin(t *testing.T) {
	before, _ := begun(t)
	installed, err := Installed(before.File)
	require.NoError(t, err)
	all, err := WithJoining(installed)
	require.NoError(t, err)
	require.Len(t, installed.Hosts, 2, "what was given stays as it is")
	env, err := lookHosts(all, Access{})
	require.NoError(t, err)
	plan := Destroy(env, DestroyOptions{})
	require.Equal(t, []string{"host-m1", "host-m2", "host-m3"}, ids(plan.Stages[2].Steps))
	files := plan.Stages[3].Steps[0]
	require.NoError(t, files.Do(t.Context(), say))
	require.NoFileExists(t, controlRecordFile(before.StateDir()))
	all, err = WithJoining(installed)
	require.NoError(t, err)
	require.Same(t, installed, all)
}

func TestADamagedRecordStopsEverything(t *testing.T) {
	before, c := begun(t)
	require.NoError(t, os.WriteFile(controlRecordFile(before.StateDir()), []byte("{"), 0o600))
	for _, err := range []error{
		func() error { _, err := WithJoining(before); return err }(),
		func() error { _, err := c.env.changed(); return err }(),
		func() error { _, err := c.beginStep().Probe(t.Context()); return err }(),
	} {
		require.ErrorContains(t, err, "control-change.json cannot be used")
	}
}

func TestADestroyDoesNotAskAHostThatWasGivenUp(t *testing.T) {
	before := installedCluster(t, controlFile(3))
	change, err := ReplaceControl(before, "m1", hostsOf("m9")[0])
	require.NoError(t, err)
	c := compared(t, before, change)
	c.dead["m1"] = os.ErrDeadlineExceeded
	require.NoError(t, c.beginStep().Do(t.Context(), say))
	all, err := WithJoining(before)
	require.NoError(t, err)
	require.Equal(t, "m2, m3, m9", hostNames(all))
	_, still := before.Host("m1")
	require.True(t, still)
}
