package machines

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

func TestMachinesAreRemovedWithWhatIsKnownOfThem(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	_, err := publicKey(c)
	require.NoError(t, err)
	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()}.Write(c))
	require.NoError(t, inventory.Complete(c))
	require.NoError(t, os.MkdirAll(terraformDir(c), 0o700))
	f := &cloud{plan: terraform.Plan{Destroy: []string{`terraform_data.host["m1"]`}}}
	var met []string
	m := machinesOf(c, f, nil, &met)
	files := op.Step{ID: "files", Probe: func(context.Context) (op.State, error) { return op.NeededUnless(m.Gone()), nil }, Do: func(context.Context, op.Say) error { return nil }}
	plan := m.End(nil, files)
	preview, err := op.Preview(t.Context(), plan)
	require.NoError(t, err)
	require.NoError(t, preview.Err())
	assert.Equal(t, []string{`destroy 1: terraform_data.host["m1"]`, "the home /var/lib/jomctl/jenkins_home goes with its machine: all jobs, builds and accounts of Jenkins"},
		preview.Stages[0].Steps[0].Changes)

	f.applying = func() error { return errors.New("quota") }
	_, err = op.Run(t.Context(), plan, op.Options{})
	require.ErrorContains(t, err, "quota")
	require.FileExists(t, inventory.File(c), "it can be tried again")
	f.applying = nil
	_, err = op.Run(t.Context(), plan, op.Options{})
	require.NoError(t, err)
	for _, path := range []string{inventory.File(c), inventory.KeyDir(c), terraformDir(c)} {
		assert.NoFileExists(t, path)
		assert.NoDirExists(t, path)
	}
}

func TestStepsOnGoneMachinesAreDone(t *testing.T) {
	asked := 0
	step := op.Step{ID: "host-a1", Probe: func(context.Context) (op.State, error) { asked++; return op.Needed, nil }}
	m := &Machines{cluster: lifecycletest.Written(t, lifecycletest.OnMachines), plan: &terraform.Plan{}}
	plan := m.End([]op.Stage{{Name: "Mesos agents", Steps: []op.Step{step}}})
	require.Len(t, plan.Stages, 3)
	state, err := plan.Stages[0].Steps[0].Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	m.gone = true
	state, err = plan.Stages[0].Steps[0].Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
	require.Equal(t, 1, asked)
}

func TestTheEndOfMachinesIsForTerraformsTargets(t *testing.T) {
	m, err := PlanEnd(t.Context(), lifecycletest.Local(t, ""), inventory.Access{})
	require.NoError(t, err)
	require.Nil(t, m)
	c := lifecycletest.Written(t, lifecycletest.OnMachines+"machines: {terraform: /nonexistent/terraform}\n")
	require.NoError(t, os.MkdirAll(terraformDir(c), 0o700))
	_, err = PlanEnd(t.Context(), c, inventory.Access{})
	require.ErrorContains(t, err, "there is no terraform at")
}
