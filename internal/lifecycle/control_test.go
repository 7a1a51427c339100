package lifecycle

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

func ids(steps []op.Step) []string {
	var all []string
	for _, step := range steps {
		all = append(all, step.ID)
	}
	return all
}

// compared is a change of an installed cluster, without a look at its hosts.
func compared(t *testing.T, before *config.Cluster, f clusterfile.Change) *controlChange {
	t.Helper()
	env, err := lookHosts(f.Cluster, inventory.Access{})
	require.NoError(t, err)
	c, err := env.compareControl(ControlOptions{Before: before})
	require.NoError(t, err)
	return c
}

func zooKeeperIDs(t *testing.T, c *controlChange) []string {
	t.Helper()
	steps, err := c.zooKeeperSteps()
	require.NoError(t, err)
	return ids(steps)
}

func TestOneControlHostBecomesThree(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(1))
	change, err := clusterfile.AddControl(before, []clusterfile.NewHost{newHost("m2"), newHost("m3")})
	require.NoError(t, err)
	c := compared(t, before, change)
	require.Equal(t, []string{"zookeeper-m2", "zookeeper-m1", "zookeeper-m3"}, zooKeeperIDs(t, c), "one empty server alone is no majority, two would be")
	require.Equal(t, []string{"mesos-master-m1", "mesos-master-m2", "mesos-master-m3"}, ids(c.masterSteps()))
	require.Equal(t, []string{"marathon-m2", "marathon-m3", "marathon-m1", "marathon-leader"}, ids(c.marathonSteps()))
	require.Equal(t, []string{"mesos-agent-a1"}, ids(c.agentSteps()))
	require.Empty(t, c.quietSteps())
	require.Len(t, c.warnings(), 3, "what a real master loses is said")
}

func TestThreeControlHostsBecomeFive(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	change, err := clusterfile.AddControl(before, []clusterfile.NewHost{newHost("m4"), newHost("m5")})
	require.NoError(t, err)
	c := compared(t, before, change)
	c.zooKeeperLeader, c.masterLeader = "10.0.0.1", "10.0.0.2"
	require.Equal(t, []string{"zookeeper-m4-of-4", "zookeeper-m2-of-4", "zookeeper-m3-of-4", "zookeeper-m1-of-4",
		"zookeeper-m5", "zookeeper-m2", "zookeeper-m3", "zookeeper-m1", "zookeeper-m4"}, zooKeeperIDs(t, c), "one server more at a time, the leader last")
	require.Equal(t, []string{"mesos-master-m1", "mesos-master-m3", "mesos-master-m2", "mesos-master-m4", "mesos-master-m5"}, ids(c.masterSteps()),
		"the old ones with the new quorum, then the new ones")

	four, err := c.list(slices.Concat(c.staying, c.joining[:1]))
	require.NoError(t, err)
	require.Len(t, four.zk.Servers, 4)
	cfg := string(four.fleet.ZooKeeper(c.joining[0]).Files[0].Data)
	require.Contains(t, cfg, "server.4=10.0.1.4:")
	require.NotContains(t, cfg, "server.5")
	require.Len(t, c.env.Cluster.HostsWith(config.RoleControl), 5, "the list is a copy")
}

func TestZooKeepersNumbersStay(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	text := strings.Replace(lifecycletest.ControlHosts(3), "  - {name: m2", "  - {name: m4, address: 10.0.1.4, roles: [control]}\n  - {name: m5, address: 10.0.1.5, roles: [control]}\n  - {name: m2", 1)
	require.NoError(t, os.WriteFile(before.File, []byte(text), 0o600))
	now, err := config.Load(before.File)
	require.NoError(t, err)
	env, err := lookHosts(now, inventory.Access{})
	require.NoError(t, err)
	_, err = env.compareControl(ControlOptions{Before: before})
	require.ErrorContains(t, err, "m2 would be number 4 of the control hosts and is number 2")
}

func TestFewerControlHosts(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(5))
	change, err := clusterfile.RemoveControl(before, []string{"m2", "m5"})
	require.NoError(t, err)
	c := compared(t, before, change)
	require.Equal(t, []string{"zookeeper-gone-m2", "zookeeper-gone-m5", "zookeeper-smaller"}, zooKeeperIDs(t, c))
	require.Equal(t, []string{"mesos-leader-stays", "mesos-master-gone-m2", "mesos-master-gone-m5", "mesos-master-m1", "mesos-master-m3", "mesos-master-m4"}, ids(c.masterSteps()),
		"those that go end before the quorum becomes smaller")
	require.Equal(t, []string{"marathon-gone-m2", "marathon-gone-m5", "marathon-m1", "marathon-m3", "marathon-m4", "marathon-leader"}, ids(c.marathonSteps()))
	require.Equal(t, []string{"host-m2", "host-m5"}, ids(c.leavingStages()[0].Steps))
	require.Contains(t, c.warnings()[0], "with three control hosts one may fail")

	c.dead["m5"] = context.DeadlineExceeded
	require.Equal(t, []string{"zookeeper-gone-m2", "zookeeper-smaller"}, zooKeeperIDs(t, c), "nothing is asked of a dead host")
	require.Equal(t, []string{"host-m2"}, ids(c.leavingStages()[0].Steps))
	require.Contains(t, strings.Join(c.warnings(), "\n"), "m5 cannot be reached")

	one := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	change, err = clusterfile.RemoveControl(one, []string{"m2", "m3"})
	require.NoError(t, err)
	require.Contains(t, compared(t, one, change).warnings()[0], "nothing bears its loss: while m1 is away")
}

func TestAReplacedControlHostMakesRoomFirst(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	change, err := clusterfile.ReplaceControl(before, "m2", newHost("m9"))
	require.NoError(t, err)
	c := compared(t, before, change)
	c.zooKeeperLeader, c.masterLeader = "10.0.0.1", "10.0.0.3"
	require.Equal(t, []string{"host-m2"}, ids(c.replacedStages()[0].Steps))
	require.Equal(t, []string{"zookeeper-m9", "zookeeper-m3", "zookeeper-m1"}, zooKeeperIDs(t, c), "the leader goes last")
	require.Equal(t, []string{"mesos-master-m9", "mesos-master-m1", "mesos-master-m3"}, ids(c.masterSteps()))
	require.Empty(t, c.leavingStages())
	require.False(t, c.moved())
}

func TestTheFirstControlHostTakesTheAddressWithIt(t *testing.T) {
	before := lifecycletest.Installed(t, lifecycletest.ControlHosts(3))
	change, err := clusterfile.ReplaceControl(before, "m1", newHost("m9"))
	require.NoError(t, err)
	c := compared(t, before, change)
	require.True(t, c.moved())
	require.Equal(t, []string{"controller-quiet"}, ids(c.quietSteps()))
	said := strings.Join(c.warnings(), "\n")
	require.Contains(t, said, "goes from http://10.0.0.1:8080 to http://10.0.1.9:8080")
	require.Contains(t, said, "the registry goes from 10.0.0.1:5000 to 10.0.1.9:5000")

	for want, more := range map[string]string{
		"registry.address in": "registry: {address: 10.0.0.1:5000}\n",
		"image 10.0.0.1:5000/jenkins is in the registry of a control host that goes": "jenkins: {image: 10.0.0.1:5000/jenkins}\n",
	} {
		before := lifecycletest.Installed(t, lifecycletest.ControlHosts(3)+more)
		change, err := clusterfile.ReplaceControl(before, "m1", newHost("m9"))
		require.NoError(t, err)
		env, err := lookHosts(change.Cluster, inventory.Access{})
		require.NoError(t, err)
		_, err = env.compareControl(ControlOptions{Before: before})
		require.ErrorContains(t, err, want)
	}
}

func TestAChangeNeedsTheOthers(t *testing.T) {
	before := lifecycletest.Installed(t, strings.ReplaceAll(lifecycletest.ControlHosts(3), "10.0.0.", "127.0.99.")) // where nobody listens
	change, err := clusterfile.AddControl(before, []clusterfile.NewHost{{Name: "m4", Address: "127.0.99.4"}, {Name: "m5", Address: "127.0.99.5"}})
	require.NoError(t, err)
	env, err := lookHosts(change.Cluster, inventory.Access{})
	require.NoError(t, err)
	_, err = env.controlChange(t.Context(), ControlOptions{Before: before})
	require.ErrorContains(t, err, "that on m1 does not serve")

	require.NoError(t, (&controlChange{env: env}).beginStep().Do(t.Context(), lifecycletest.Quiet))
	c, err := env.controlChange(t.Context(), ControlOptions{Before: before})
	require.NoError(t, err, "a change that has begun is on its way, and its steps wait by themselves")
	require.Len(t, c.joining, 2)

	change, err = clusterfile.RemoveControl(before, []string{"m1", "m2"})
	require.NoError(t, err)
	env, err = lookHosts(change.Cluster, inventory.Access{})
	require.NoError(t, err)
	_, err = env.controlChange(t.Context(), ControlOptions{Before: before})
	require.ErrorContains(t, err, "was begun and not finished")
}

// supervised is a unit of a host of this machine that runs until it is ended.
func supervised(t *testing.T, env *Env, name, role string) host.Machine {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	m, err := host.NewLocal(name, "", filepath.Join(env.hostsDir(), name), executable)
	require.NoError(t, err)
	unit := host.Unit{Name: role, Argv: []string{"/bin/sleep", "1000"}, Dir: "/", KillMode: host.KillGroup, LogFile: host.Path(m, "log", "x.log")}
	_, err = m.Units().Apply(t.Context(), unit)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Units().Remove(context.Background(), role)) })
	return m
}

// TestTheOldLogIsForgottenOnce keeps a log that the masters have begun together.
func TestTheOldLogIsForgottenOnce(t *testing.T) {
	env := environment(t, lifecycletest.Local(t, "local: {control: 3, address: 127.0.91.0}\n"))
	control := env.Cluster.HostsWith(config.RoleControl)
	grow := &controlChange{env: env, staying: control[:1], joining: control[1:]}
	log := filepath.Join(env.Fleet.Machine("c1").Dir(), provision.RoleMesosMaster, "work", "replicated_log")
	begin := func() { require.NoError(t, os.MkdirAll(log, 0o755)) }
	begin()
	require.NoError(t, grow.forgetLog(t.Context()))
	require.NoDirExists(t, log)

	begin()
	supervised(t, env, "c2", provision.RoleMesosMaster)
	require.NoError(t, grow.forgetLog(t.Context()))
	require.DirExists(t, log)
}

// TestAProgramThatGoesWaitsForTheOthersAndNeverComesBack also goes on where it has ended already.
func TestAProgramThatGoesWaitsForTheOthersAndNeverComesBack(t *testing.T) {
	env := environment(t, lifecycletest.Local(t, "local: {control: 3, address: 127.0.92.0}\n"))
	c3, _ := env.Cluster.Host("c3")
	shrink := &controlChange{env: env, was: env, leaving: []config.Host{c3}}
	m := supervised(t, env, "c3", provision.RoleZooKeeper)
	asked := 0
	first := func(context.Context) error {
		if asked++; asked < 3 {
			return context.DeadlineExceeded
		}
		return nil
	}
	step := shrink.goneStep(provision.RoleZooKeeper, c3, first, nil)
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	require.Equal(t, 3, asked)
	units, err := m.Units().List(t.Context())
	require.NoError(t, err)
	require.Empty(t, units)
	state, err = step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	require.Equal(t, 3, asked, "what has ended is missed already")
}

// TestAnAgentThatWasOutOfServiceStaysSo is about a second try, too, for which our own drain must not look like somebody else's.
func TestAnAgentThatWasOutOfServiceStaysSo(t *testing.T) {
	env, master := twoAgents(t)
	master.change(func() { master.agents["S2"].off = true })
	require.Equal(t, []string{"a2"}, env.outOfService(t.Context()))
	applied := 0
	parts := []op.Step{{Probe: func(context.Context) (op.State, error) { return op.Needed, nil },
		Do: func(context.Context, op.Say) error { applied++; return nil }}}
	c := &controlChange{env: env, drained: []string{"a2"}, drain: DrainOptions{Timeout: time.Minute}}
	for range 2 {
		for _, name := range []string{"a1", "a2"} {
			h, _ := env.Cluster.Host(name)
			require.NoError(t, c.restartAgent(t.Context(), h, parts, lifecycletest.Quiet))
		}
		master.change(func() { master.agents["S1"].off = true }) // as a run leaves it that is cut off between drain and restart
	}
	require.Equal(t, 4, applied)
	agents, err := env.Agents(t.Context())
	require.NoError(t, err)
	require.Equal(t, AgentDrained, agents[1].State)
	require.Equal(t, []string{"DEACTIVATE_AGENT S1", "REACTIVATE_AGENT S1", "REACTIVATE_AGENT S1"}, master.called())
}

func TestAChangeThatHasEndedIsSeen(t *testing.T) {
	c := lifecycletest.Installed(t, lifecycletest.ControlHosts(1))
	change, err := clusterfile.AddControl(c, []clusterfile.NewHost{newHost("m8"), newHost("m9")})
	require.NoError(t, err)
	require.NoError(t, change.Step().Do(t.Context(), lifecycletest.Quiet))
	require.NoError(t, record.WriteInstalled(change.Cluster))
	require.True(t, ControlDone(change.Cluster, []string{"m8", "m9"}, nil))
	require.False(t, ControlDone(change.Cluster, nil, []string{"m9"}))
	require.False(t, ControlDone(c, []string{"m8"}, nil), "the file says something else")
}

func newHost(name string) clusterfile.NewHost {
	return clusterfile.NewHost{Name: name, Address: "10.0.1." + name[1:]}
}
