package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const threeLines = "apiVersion: jomctl/v1\nname: ci\ntarget: local\n"

func TestThreeLinesAreComplete(t *testing.T) {
	c, err := Parse([]byte(threeLines), "cluster.yaml")
	require.NoError(t, err)
	require.Len(t, c.Hosts, 3)
	require.Equal(t, Host{Name: "c1", Address: "127.0.10.10", Roles: []Role{RoleControl}}, c.Hosts[0])
	require.Equal(t, Host{Name: "a2", Address: "127.0.10.22", Roles: []Role{RoleMesosAgent}}, c.Hosts[2])
	require.Equal(t, Local{Address: "127.0.10.0", Control: 1, Agents: 2, Resources: Resources{CPUs: 4, Mem: 2432 * MiB, Disk: 20 * GiB}}, *c.Local)
	require.Equal(t, "standin", c.Jenkins.War)
	require.True(t, c.Components.Mesos.Source.Standin)
	require.Equal(t, "zookeeper", c.Components.ZooKeeper.Source.Apt)
}
