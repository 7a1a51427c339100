package lifecycle

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

// onDeadMachines is a cluster on addresses of this machine at which nobody listens, as it is after an install.
func onDeadMachines(t *testing.T) *config.Cluster {
	t.Helper()
	c := onMachines(t, threeMachines)
	_, err := publicKey(c)
	require.NoError(t, err)
	var list inventory.Machines
	for i, h := range m1a1a2() {
		h.Address, h.Port = []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}[i], 1
		list.Hosts = append(list.Hosts, h)
	}
	require.NoError(t, list.Write(c))
	env, err := Look(c)
	require.NoError(t, err)
	require.NoError(t, env.recordStep().Do(t.Context(), say))
	require.NoError(t, os.MkdirAll(terraformDir(c), 0o700))
	return c
}

func TestMachinesThatDoNotAnswerAreRemovedAllTheSame(t *testing.T) {
	c := onDeadMachines(t)
	f := &cloud{plan: terraform.Plan{Destroy: []string{`terraform_data.host["m1"]`}}}
	var met, said []string
	m := machinesOf(c, f, nil, &met)
	m.access.Say = func(format string, _ ...any) { said = append(said, format) }
	plan, err := m.Destroy(t.Context())
	require.NoError(t, err)
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "not every machine can be reached")
	var stages []string
	for _, stage := range plan.Stages {
		stages = append(stages, stage.Name)
	}
	assert.Equal(t, []string{"Controller", "Machines", "Clean up"}, stages, "no host can be worked on")
	preview, err := op.Preview(t.Context(), plan)
	require.NoError(t, err)
	require.NoError(t, preview.Err())
	assert.Equal(t, []string{`destroy 1: terraform_data.host["m1"]`, "the home /var/lib/jomctl/jenkins_home goes with its machine: all jobs, builds and accounts of Jenkins"},
		preview.Stages[1].Steps[0].Changes)

	f.applying = func() error { return errors.New("quota") }
	_, err = op.Run(t.Context(), plan, op.Options{})
	require.ErrorContains(t, err, "quota")
	require.FileExists(t, inventory.File(c), "it can be tried again")
	f.applying = nil
	_, err = op.Run(t.Context(), plan, op.Options{})
	require.NoError(t, err)
	for _, path := range []string{inventory.File(c), inventory.KeyDir(c), terraformDir(c), record.InstalledFile(c.StateDir())} {
		assert.NoFileExists(t, path)
		assert.NoDirExists(t, path)
	}
	again, err := PlanMachinesEnd(t.Context(), onMachines(t, threeMachines), inventory.Access{})
	require.NoError(t, err)
	plan, err = again.Destroy(t.Context())
	require.NoError(t, err)
	preview, err = op.Preview(t.Context(), plan)
	require.NoError(t, err)
	require.True(t, preview.Empty(), "nothing was ever made")
}

func TestStepsOnGoneMachinesAreDone(t *testing.T) {
	asked := 0
	step := func(id string) op.Step {
		return op.Step{ID: id, Probe: func(context.Context) (op.State, error) { asked++; return op.Needed, nil }}
	}
	m := &Machines{}
	stages := m.services(op.Plan{Stages: []op.Stage{
		{Name: "Controller", Steps: []op.Step{step("controller-app")}},
		{Name: "Mesos agents", Steps: []op.Step{step("host-a1"), step("host-a2")}},
		{Name: "Clean up", Steps: []op.Step{step("files")}},
	}}, map[string]bool{"a1": true})
	require.Len(t, stages, 2)
	require.Len(t, stages[1].Steps, 1)
	require.Equal(t, "host-a1", stages[1].Steps[0].ID)
	state, err := stages[1].Steps[0].Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	m.gone = true
	state, err = stages[0].Steps[0].Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
	require.Equal(t, 1, asked)
}

func TestTheEndOfMachinesIsForTerraformsTargets(t *testing.T) {
	m, err := PlanMachinesEnd(t.Context(), clusterWith(t, ""), inventory.Access{})
	require.NoError(t, err)
	require.Nil(t, m)
	c := onMachines(t, threeMachines+"machines: {terraform: /nonexistent/terraform}\n")
	require.NoError(t, os.MkdirAll(terraformDir(c), 0o700))
	_, err = PlanMachinesEnd(t.Context(), c, inventory.Access{})
	require.ErrorContains(t, err, "there is no terraform at")
}
