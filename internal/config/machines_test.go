package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func machinesOf(t *testing.T, text string) (*Cluster, error) {
	t.Helper()
	return Parse([]byte("apiVersion: jomctl/v1\nname: ci\n"+text), "cluster.yaml")
}

func TestMachinesThatTerraformMakes(t *testing.T) {
	c, err := machinesOf(t, "target: docker\nmachines: {control: 3, agents: 1, network: 10.80.0.0/24}\n")
	require.NoError(t, err)
	require.Len(t, c.Hosts, 4)
	assert.Equal(t, Host{Name: "m3", Roles: []Role{RoleControl}}, c.Hosts[2])
	assert.Equal(t, Host{Name: "a1", Roles: []Role{RoleMesosAgent}}, c.Hosts[3])

	c, err = machinesOf(t, "target: docker\nhosts: [{name: m1, roles: [control]}, {name: w1, roles: [mesos-agent], attributes: {rack: r1}}]\n")
	require.NoError(t, err)
	assert.Equal(t, 1, c.Machines.Control)
	assert.Equal(t, 1, c.Machines.Agents)

	c, err = machinesOf(t, "target: aws\n")
	require.NoError(t, err, "three lines are complete")
	assert.Len(t, c.Hosts, 3)
}

func TestMachinesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no majority":       {"target: docker\nmachines: {control: 2}\n", "machines.control: 2: must be 1, 3 or 5"},
		"an address":        {"target: docker\nhosts: [{name: m1, address: 10.0.0.1, roles: [control, mesos-agent]}]\n", "hosts[0].address: 10.0.0.1: must be left out on target docker"},
		"two counts":        {"target: docker\nmachines: {agents: 3}\nhosts: [{name: m1, roles: [control]}, {name: a1, roles: [mesos-agent]}]\n", "machines.agents: 3: hosts lists 1 Mesos agents"},
		"a small network":   {"target: aws\nmachines: {network: 10.0.0.0/28}\n", "machines.network: 10.0.0.0/28: must be an IPv4 network"},
		"an admin address":  {"target: aws\nmachines: {admin: [198.51.100.7]}\n", "machines.admin[0]: 198.51.100.7: must be a network"},
		"a backend":         {"target: aws\nmachines: {backend: {type: \"s 3\"}}\n", "machines.backend.type"},
		"hosts, no address": {"target: hosts\nhosts: [{name: m1, roles: [control, mesos-agent]}]\n", "hosts[0].address: is required"},
		"a jump host":       {"target: hosts\nhosts: [{name: m1, address: m1, roles: [control, mesos-agent]}]\nssh: {jump: \"a b\"}\n", "ssh.jump: a b: must be [USER@]HOST[:PORT]"},
		"hosts and from":    {"target: hosts\nhosts: [{name: m1, address: m1, roles: [control, mesos-agent]}]\nhostsFrom: {terraform: tf, output: hosts}\n", "hostsFrom: hosts are listed already"},
		"no folder":         {"target: hosts\nhostsFrom: {output: hosts}\n", "hostsFrom.terraform: is required"},
		"no output":         {"target: hosts\nhostsFrom: {terraform: tf}\n", "hostsFrom.output: is required"},
		"an output":         {"target: hosts\nhostsFrom: {terraform: tf, output: \"a b\"}\n", "hostsFrom.output: a b: must be the name of an output"},
		"an image":          {"target: aws\njenkins: {image: \"a b\"}\n", "jenkins.image: a b: must be the name of an image"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := machinesOf(t, c.text)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestMachinesHaveNoEffectElsewhere(t *testing.T) {
	c, err := machinesOf(t, "target: local\nmachines: {agents: 2}\njenkins: {image: x}\n")
	require.NoError(t, err)
	notes := Notes(c)
	assert.Contains(t, notes, "machines: has no effect on target local")
	assert.Contains(t, notes, "jenkins.image: has no effect on target local, whose controller is a plain process")
}

func TestHostsMayComeFromTerraformOfOnesOwn(t *testing.T) {
	c, err := machinesOf(t, "target: hosts\nhostsFrom: {terraform: ../infra, output: hosts}\n")
	require.NoError(t, err)
	assert.Equal(t, &HostsFrom{Terraform: "../infra", Output: "hosts"}, c.HostsFrom)
	assert.Equal(t, "root", c.SSH.User)
	assert.Empty(t, c.Hosts)

	c, err = machinesOf(t, "target: docker\nhostsFrom: {terraform: ../infra, output: hosts}\n")
	require.NoError(t, err)
	assert.Contains(t, Notes(c), "hostsFrom: has no effect on target docker")
	assert.Empty(t, c.SSH.User, "the image's own")
}
