package lifecycle

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

// begun is a change whose file is written and whose record is kept, as it is when it is cut off.
func begun(t *testing.T) (before *config.Cluster, c *controlChange) {
	t.Helper()
	before = lifecycletest.Installed(t, lifecycletest.ControlHosts(1))
	change, err := clusterfile.AddControl(before, []clusterfile.NewHost{newHost("m2"), newHost("m3")})
	require.NoError(t, err)
	c = compared(t, before, change)
	c.drained = []string{"a1"}
	step := c.beginStep()
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	require.NoError(t, change.Step().Do(t.Context(), lifecycletest.Quiet))
	return before, c
}

func TestAChangeThatWasCutOffIsRemembered(t *testing.T) {
	before, c := begun(t)
	state, err := c.beginStep().Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
	r, err := record.ReadControlChange(before.File)
	require.NoError(t, err)
	require.Equal(t, "m1, m2, m3", record.ControlNames(r.To))
	require.Equal(t, []string{"a1"}, r.Drained)

	findings, err := c.env.changed()
	require.NoError(t, err)
	require.Len(t, findings, 1, "an install would start all servers in another order")
	require.Contains(t, findings[0].Fix, "jomctl resume")
	c.env.Intends("m2", "m3")
	findings, err = c.env.changed()
	require.NoError(t, err)
	require.Empty(t, findings, "but the command itself goes on")

	old, err := lookHosts(before, inventory.Access{})
	require.NoError(t, err)
	findings, err = old.changed()
	require.NoError(t, err)
	require.Len(t, findings, 1, "the file was set back, and programs of the change may run")
	require.Contains(t, findings[0].Problem, "m1, m2, m3 was begun and not finished")

	require.False(t, ControlDone(c.env.Cluster, nil, nil))
	end := c.endStep()
	require.Len(t, end.Changes(t.Context()), 2)
	require.NoError(t, end.Do(t.Context(), lifecycletest.Quiet))
	for _, step := range []op.Step{end, c.beginStep()} {
		state, err := step.Probe(t.Context())
		require.NoError(t, err)
		require.Equal(t, op.Done, state, step.ID)
	}
	require.NoFileExists(t, record.ControlChangeFile(before.StateDir()))
	require.True(t, ControlDone(c.env.Cluster, []string{"m2"}, nil))
}

func TestADestroyKnowsTheHostsThatWereToJoin(t *testing.T) {
	before, _ := begun(t)
	installed, err := record.Installed(before.File)
	require.NoError(t, err)
	all, err := record.WithJoining(installed)
	require.NoError(t, err)
	require.Len(t, installed.Hosts, 2, "what was given stays as it is")
	env, err := lookHosts(all, inventory.Access{})
	require.NoError(t, err)
	plan := Destroy(env, DestroyOptions{})
	require.Equal(t, []string{"host-m1", "host-m2", "host-m3"}, ids(plan.Stages[2].Steps))
	files := plan.Stages[3].Steps[0]
	require.NoError(t, files.Do(t.Context(), lifecycletest.Quiet))
	require.NoFileExists(t, record.ControlChangeFile(before.StateDir()))
	all, err = record.WithJoining(installed)
	require.NoError(t, err)
	require.Same(t, installed, all)
}

func TestADamagedRecordStopsEverything(t *testing.T) {
	before, c := begun(t)
	require.NoError(t, os.WriteFile(record.ControlChangeFile(before.StateDir()), []byte("{"), 0o600))
	for _, err := range []error{
		func() error { _, err := record.WithJoining(before); return err }(),
		func() error { _, err := c.env.changed(); return err }(),
		func() error { _, err := c.beginStep().Probe(t.Context()); return err }(),
	} {
		require.ErrorContains(t, err, "control-change.json cannot be used")
	}
}

func TestADestroyDoesNotAskAHostThatWasGivenUp(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	change, err := clusterfile.ReplaceControl(before, "m1", newHost("m9"))
	require.NoError(t, err)
	c := compared(t, before, change)
	c.dead["m1"] = os.ErrDeadlineExceeded
	require.NoError(t, c.beginStep().Do(t.Context(), lifecycletest.Quiet))
	all, err := record.WithJoining(before)
	require.NoError(t, err)
	require.Equal(t, "m2, m3, m9", record.ControlNames(all))
	_, still := before.Host("m1")
	require.True(t, still)
}

// TestThePlanOfAChange is made of one that was cut off, for which nothing needs to run.
func TestThePlanOfAChange(t *testing.T) {
	local := func(count string) *config.Cluster {
		return lifecycletest.Local(t, "local: {control: "+count+", address: 127.0.93.0}\n")
	}
	for _, way := range []struct{ from, to, first, gone string }{
		{"1", "3", "zookeeper-c2", ""},
		{"3", "5", "zookeeper-c4-of-4", ""},
		{"5", "3", "zookeeper-gone-c4", "No longer in the file"},
	} {
		before, now := local(way.from), local(way.to)
		now.File = before.File
		env := environment(t, now)
		c, err := env.compareControl(ControlOptions{Before: before})
		require.NoError(t, err)
		require.NoError(t, c.beginStep().Do(t.Context(), lifecycletest.Quiet))
		if way.gone != "" {
			require.NoError(t, os.MkdirAll(env.hostsDir()+"/c4", 0o700))
		}
		plan, warnings, err := env.ControlPlan(t.Context(), clusterfile.Change{Cluster: now}, ControlOptions{Before: before,
			Install: InstallOptions{LeaseHeld: func() bool { return false }}})
		require.NoError(t, err)
		require.NotEmpty(t, warnings)
		var names []string
		for _, stage := range plan.Stages {
			names = append(names, stage.Name)
		}
		want := []string{"Cluster file", "Fetched", "ZooKeeper", "Coordination", "Mesos masters, one by one", "Mesos leader", "Marathon, one by one", "Edge, registry",
			"Mesos agents, one by one", "Controller"}
		if way.gone != "" {
			want = append(want, way.gone)
		}
		require.Equal(t, append(want, "Proof", "Record"), names, "nothing is taken away, and nothing is the installed cluster, before the rest works")
		require.Equal(t, way.first, plan.Stages[2].Steps[0].ID)
	}
}

func TestAControllerThatWasMovedRegistersWithItsFirstBuild(t *testing.T) {
	before := lifecycletest.Installed(t, strings.ReplaceAll(lifecycletest.ControlHosts(3), "10.0.0.", "127.0.99.")) // where nobody listens
	for name, want := range map[string]string{"m1": "Proof", "m2": "Controller"} {
		change, err := clusterfile.ReplaceControl(before, name, clusterfile.NewHost{Name: "m9", Address: "127.0.99.9"})
		require.NoError(t, err)
		env, err := lookHosts(change.Cluster, inventory.Access{})
		require.NoError(t, err)
		require.NoError(t, (&controlChange{env: env}).beginStep().Do(t.Context(), lifecycletest.Quiet))
		opts := ControlOptions{Before: before, Install: InstallOptions{LeaseHeld: func() bool { return false }}}
		_, _, err = env.ControlPlan(t.Context(), change, opts)
		require.ErrorContains(t, err, "cannot be reached")
		opts.Force = true
		plan, warnings, err := env.ControlPlan(t.Context(), change, opts)
		require.NoError(t, err)
		require.Contains(t, strings.Join(warnings, "\n"), name+" cannot be reached")
		for _, stage := range plan.Stages {
			if slices.Contains(ids(stage.Steps), "framework") {
				require.Equal(t, want, stage.Name, name)
			}
		}
	}
}
