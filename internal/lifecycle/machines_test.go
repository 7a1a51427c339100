package lifecycle

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision/terraform"
)

func TestKeptMachinesGiveHostsTheirAddresses(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	_, err := Look(c)
	require.ErrorContains(t, err, "the machines of cluster ci are not known yet")
	var refusal interface{ ExitCode() int }
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, 3, refusal.ExitCode())

	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()[:2]}.Write(c))
	_, err = Look(c)
	require.ErrorContains(t, err, "no machines yet for the hosts [a2]")

	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()}.Write(c))
	info, err := os.Stat(inventory.File(c))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	env, err := Look(c)
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.12", c.Hosts[1].Address)
	assert.Equal(t, "10.0.0.11:5000", c.Registry.Address)
	assert.Equal(t, []string{"10.0.0.11:5050"}, env.Mesos.Masters)

	require.NoError(t, os.WriteFile(inventory.File(c), []byte("{"), 0o600))
	_, err = Look(c)
	require.ErrorContains(t, err, "cannot be read")
}

func TestTheRecordIsAValidFileWithoutWhatTerraformGave(t *testing.T) {
	c := lifecycletest.Written(t, lifecycletest.OnMachines)
	require.NoError(t, inventory.Machines{Hosts: lifecycletest.ThreeMachines()}.Write(c))
	env, err := Look(c)
	require.NoError(t, err)
	require.NoError(t, env.recordStep().Do(t.Context(), lifecycletest.Quiet))
	text, err := os.ReadFile(record.InstalledFile(c.StateDir()))
	require.NoError(t, err)
	require.NotContains(t, string(text), "10.0.0.")
	old, err := record.Installed(c.File)
	require.NoError(t, err)
	require.Equal(t, "10.0.0.13", old.Hosts[2].Address, "it is read with the addresses that are kept")
	changed, err := env.changed()
	require.NoError(t, err)
	require.Empty(t, changed)
}

func TestHostsOfOnesOwnTerraform(t *testing.T) {
	const text = "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhostsFrom: {terraform: infra, output: hosts}\n"
	c := lifecycletest.Written(t, text)
	_, err := Look(c)
	require.ErrorContains(t, err, "not known yet")
	both := lifecycletest.Machine("m1", "10.0.0.11", "control", "mesos-agent")
	require.NoError(t, inventory.Machines{Hosts: []terraform.Host{both}}.Write(c))
	env, err := Look(c)
	require.NoError(t, err)
	assert.Equal(t, 8088, c.Jenkins.App.HTTPPort, "Marathon has the other")
	require.NoError(t, env.recordStep().Do(t.Context(), lifecycletest.Quiet))
	old, err := record.Installed(c.File)
	require.NoError(t, err)
	assert.Equal(t, c.Hosts, old.Hosts)
	assert.NotContains(t, string(config.Show(inventory.Declared(c))), "10.0.0.11")
}
