package lifecycle

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/machines"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

// onDeadMachines is a cluster on addresses of this machine at which nobody listens, as it is after an install.
func onDeadMachines(t *testing.T) *config.Cluster {
	t.Helper()
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	var list inventory.Machines
	for i, h := range lifecycletest.ThreeMachines() {
		h.Address, h.Port = []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}[i], 1
		list.Hosts = append(list.Hosts, h)
	}
	require.NoError(t, list.Write(c))
	env, err := Look(c)
	require.NoError(t, err)
	require.NoError(t, env.recordStep().Do(t.Context(), lifecycletest.Quiet))
	return c
}

func TestMachinesThatDoNotAnswerAreRemovedAllTheSame(t *testing.T) {
	c := onDeadMachines(t)
	var said []string
	access := inventory.Access{Say: func(format string, _ ...any) { said = append(said, format) }}
	env, err := lookHosts(c, access)
	require.NoError(t, err)
	stages := onReachable(env.destroyHosts(DestroyOptions{Home: env.KeptHome()}), env.reachable(t.Context()))
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "not every machine can be reached")
	require.Equal(t, []string{"Controller"}, stageNames(stages), "no host can be worked on")

	none, err := machines.PlanEnd(t.Context(), c, access) // they were removed behind its back, Terraform's folder too
	require.NoError(t, err)
	plan, err := DestroyMachines(t.Context(), c, access, none, DestroyOptions{})
	require.NoError(t, err)
	require.Len(t, said, 1, "and are not asked")
	require.Equal(t, []string{"Controller", "Machines", "Clean up"}, stageNames(plan.Stages))
	_, err = op.Run(t.Context(), plan, op.Options{})
	require.NoError(t, err)
	for _, path := range []string{inventory.File(c), record.InstalledFile(c.StateDir())} {
		assert.NoFileExists(t, path)
	}
	fresh := lifecycletest.Written(t, lifecycletest.OnMachines)
	plan, err = DestroyMachines(t.Context(), fresh, access, none, DestroyOptions{})
	require.NoError(t, err)
	preview, err := op.Preview(t.Context(), plan)
	require.NoError(t, err)
	require.True(t, preview.Empty(), "nothing was ever made")
}

func stageNames(stages []op.Stage) (names []string) {
	for _, stage := range stages {
		names = append(names, stage.Name)
	}
	return names
}

func TestOnlyWhatCanBeReachedIsStopped(t *testing.T) {
	plan := op.Plan{Stages: []op.Stage{
		{Name: "Controller", Steps: []op.Step{{ID: "controller-app"}}},
		{Name: "Mesos agents", Steps: []op.Step{{ID: "host-a1"}, {ID: "host-a2"}}},
		{Name: "Clean up", Steps: []op.Step{{ID: "files"}}},
	}}
	stages := onReachable(plan, map[string]bool{"a1": true})
	require.Equal(t, []string{"Controller", "Mesos agents"}, stageNames(stages))
	require.Len(t, stages[1].Steps, 1)
	require.Equal(t, "host-a1", stages[1].Steps[0].ID)
}

// TestASharedHomeIsNotOnTheMachines has no machine left, so that the step that removes files alone says what stays.
func TestASharedHomeIsNotOnTheMachines(t *testing.T) {
	for name, c := range map[string]struct {
		shared bool
		named  string
		stays  bool
	}{"on a machine": {false, "", false}, "shared": {true, "", true}, "shared, and named": {true, "/mnt/home", false}} {
		t.Run(name, func(t *testing.T) {
			cluster := onDeadMachines(t)
			cluster.Jenkins.Home.Path = "/mnt/home"
			if c.shared {
				cluster.Jenkins.Home.Type = config.HomeShared
			}
			password, _ := cluster.Jenkins.Admin.Password.Path(cluster)
			require.NoError(t, os.MkdirAll(filepath.Dir(password), 0o700))
			require.NoError(t, os.WriteFile(password, []byte("x"), 0o600))
			none, err := machines.PlanEnd(t.Context(), cluster, inventory.Access{})
			require.NoError(t, err)
			plan, err := DestroyMachines(t.Context(), cluster, inventory.Access{}, none, DestroyOptions{Home: c.named})
			require.NoError(t, err)
			preview, err := op.Preview(t.Context(), plan)
			require.NoError(t, err)
			var lines []string
			for _, step := range preview.Open() {
				lines = append(lines, step.Changes...)
			}
			require.Equal(t, !c.stays, slices.Contains(lines, "remove "+password), "the password goes with the home, and only with it: %v", lines)
		})
	}
}
