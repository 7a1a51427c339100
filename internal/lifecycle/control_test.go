package lifecycle

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

const threeControl = `apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 10.0.0.1, roles: [control]}
  - {name: m2, address: 10.0.0.2, roles: [control]}
  - {name: m3, address: 10.0.0.3, roles: [control]}
  - {name: a1, address: 10.0.0.5, roles: [mesos-agent]}
ssh: {user: admin}
`

func installedAs(t *testing.T, c *config.Cluster) {
	t.Helper()
	require.NoError(t, os.MkdirAll(c.StateDir(), 0o700))
	require.NoError(t, os.WriteFile(installedFile(c.StateDir()), config.Show(c), 0o600))
}

func ids(steps []op.Step) []string {
	var all []string
	for _, step := range steps {
		all = append(all, step.ID)
	}
	return all
}

func TestOneControlHostBecomesThree(t *testing.T) {
	c := writtenCluster(t, ownHostsFile)
	installedAs(t, c)
	news := []NewHost{{Name: "m2", Address: "10.0.0.8"}, {Name: "m3", Address: "10.0.0.9"}}
	change, err := AddControl(c, news)
	require.NoError(t, err)
	require.Equal(t, "m1, m2, m3", hostNames(change.Cluster))
	require.Contains(t, string(change.text), "# the old box")

	env, err := lookHosts(change.Cluster, Access{})
	require.NoError(t, err)
	findings, err := env.changed()
	require.NoError(t, err)
	require.Len(t, findings, 1, "an install would start all servers in another order")
	require.Contains(t, findings[0].Fix, "jomctl control --help")
	env.Intends("m2", "m3")
	findings, err = env.changed()
	require.NoError(t, err)
	require.Empty(t, findings)

	grow := &controlChange{env: env, before: c, staying: env.Cluster.Hosts[:1], joining: env.Cluster.HostsWith(config.RoleControl)[1:]}
	require.Equal(t, []string{"zookeeper-m2", "zookeeper-m1", "zookeeper-m3"}, ids(grow.zooKeeperSteps()),
		"one empty server alone is no majority, two would be")
	require.Equal(t, []string{"mesos-master-m1", "mesos-master-m2", "mesos-master-m3"}, ids(grow.masterSteps()))
	require.Equal(t, []string{"mesos-agent-a1", "mesos-agent-a2"}, ids(grow.agentSteps()))
	require.Equal(t, []string{"marathon-m2", "marathon-m3", "marathon-m1"}, ids(grow.marathonSteps()))
	require.Len(t, grow.warnings(), 3, "what a real master loses is said")

	require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
	again, err := AddControl(change.Cluster, news)
	require.NoError(t, err, "a run that was cut off goes on")
	require.Empty(t, again.Changed)
	installedAs(t, change.Cluster)
	_, err = AddControl(change.Cluster, news)
	require.ErrorContains(t, err, "there are 3 control hosts")
}

func TestOnlyTheWayFromOneToThreeIsKnown(t *testing.T) {
	c := writtenCluster(t, ownHostsFile)
	_, err := AddControl(c, []NewHost{{Name: "m2", Address: "10.0.0.8"}})
	require.ErrorContains(t, err, "only goes from 1 to 3")
	_, err = AddControl(c, []NewHost{{Name: "a1", Address: "10.0.0.2"}, {Name: "m3", Address: "10.0.0.9"}})
	require.ErrorContains(t, err, "a1 is in")
	require.ErrorContains(t, RemoveControl(c, []string{"m1"}), "is not done by this version")
	local := writtenCluster(t, "apiVersion: jomctl/v1\nname: ci\ntarget: local\n")
	change, err := AddControl(local, []NewHost{{Name: "c2"}, {Name: "c3"}})
	require.NoError(t, err)
	require.Contains(t, string(change.text), "local: {control: 3}")
	_, err = AddControl(local, []NewHost{{Name: "x"}, {Name: "c3"}})
	require.ErrorContains(t, err, "x cannot be a control host")
}

func TestADeadControlHostIsReplacedInItsPlace(t *testing.T) {
	c := writtenCluster(t, threeControl)
	installedAs(t, c)
	change, err := ReplaceControl(c, "m2", NewHost{Name: "m4", Address: "10.0.0.4"})
	require.NoError(t, err)
	require.Equal(t, "m4", change.Cluster.Hosts[1].Name, "its number in the ensemble goes by its place")
	env, err := lookHosts(change.Cluster, Access{})
	require.NoError(t, err)
	h := env.Cluster.Hosts
	swap := &controlChange{env: env, before: c, staying: []config.Host{h[0], h[2]}, joining: h[1:2], gone: &c.Hosts[1], zooKeeperLeader: "10.0.0.1", masterLeader: "10.0.0.3"}
	require.Equal(t, []string{"zookeeper-m4", "zookeeper-m3", "zookeeper-m1"}, ids(swap.zooKeeperSteps()), "the leader goes last")
	require.Equal(t, []string{"mesos-master-m4", "mesos-master-m1", "mesos-master-m3"}, ids(swap.masterSteps()))

	require.NoError(t, os.WriteFile(c.File, change.text, 0o600))
	again, err := ReplaceControl(change.Cluster, "m2", NewHost{Name: "m4", Address: "10.0.0.4"})
	require.NoError(t, err, "a run that was cut off goes on")
	require.Empty(t, again.Changed)

	for name, want := range map[string]string{"m1": "the first control host", "a1": "no control host a1", "m9": "no control host m9"} {
		_, err := ReplaceControl(c, name, NewHost{Name: "m5", Address: "10.0.0.6"})
		require.ErrorContains(t, err, want)
	}
	_, err = ReplaceControl(c, "m2", NewHost{Name: "a1", Address: "10.0.0.5"})
	require.ErrorContains(t, err, "a1 is in")
	one := writtenCluster(t, ownHostsFile)
	_, err = ReplaceControl(one, "m1", NewHost{Name: "m5", Address: "10.0.0.6"})
	require.ErrorContains(t, err, "where there are three")
}

func TestAReplacementNeedsTheOthers(t *testing.T) {
	c := writtenCluster(t, threeControl)
	for i := range c.Hosts { // where nobody listens
		c.Hosts[i].Address = "127.0.99." + c.Hosts[i].Address[len("10.0.0."):]
	}
	now := c.Clone()
	now.Hosts[1] = config.Host{Name: "m4", Address: "127.0.99.4", Roles: []config.Role{config.RoleControl}}
	env, err := lookHosts(now, Access{})
	require.NoError(t, err)
	env.Mesos.Patience = time.Millisecond
	_, err = env.controlChange(t.Context(), c)
	require.ErrorContains(t, err, "only 0 of the two other ZooKeeper servers serve")
}

// TestTheOldLogIsForgottenOnce keeps a log that the masters have begun together.
func TestTheOldLogIsForgottenOnce(t *testing.T) {
	env := environment(t, clusterWith(t, "local: {control: 3, address: 127.0.91.0}\n"))
	control := env.Cluster.HostsWith(config.RoleControl)
	grow := &controlChange{env: env, before: env.Cluster, staying: control[:1], joining: control[1:]}
	log := filepath.Join(env.Fleet.Machine("c1").Dir(), provision.RoleMesosMaster, "work", "replicated_log")
	begin := func() { require.NoError(t, os.MkdirAll(log, 0o755)) }
	begin()
	require.NoError(t, grow.forgetLog(t.Context()))
	require.NoDirExists(t, log)

	begin()
	executable, err := os.Executable()
	require.NoError(t, err)
	other, err := host.NewLocal("c2", "", filepath.Join(env.hostsDir(), "c2"), executable)
	require.NoError(t, err)
	unit := host.Unit{Name: provision.RoleMesosMaster, Argv: []string{"/bin/sleep", "1000"}, Dir: "/", KillMode: host.KillGroup, LogFile: host.Path(other, "log", "x.log")}
	_, err = other.Units().Apply(t.Context(), unit)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Units().Remove(context.Background(), provision.RoleMesosMaster)) })
	require.NoError(t, grow.forgetLog(t.Context()))
	require.DirExists(t, log)
}
