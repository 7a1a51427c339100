package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// standIns are a master, a Mesos agent and a Marathon as processes, over a real ZooKeeper.
type standIns struct {
	t        *testing.T
	dir      string
	zk       *testkit.ZooKeeper
	master   string
	marathon string
	// startMarathon starts a Marathon on the same address as before; leader is the first one.
	startMarathon func(name string) *os.Process
	leader        *os.Process
}

func (s *standIns) run(program, name string, end syscall.Signal, args ...string) *os.Process {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, name+".log"))
	require.NoError(s.t, err)
	cmd := exec.Command(filepath.Join(s.dir, "bin", program), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(s.t, cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(end)
		_ = cmd.Wait()
		_ = log.Close()
		if s.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			s.t.Logf("%s:\n%s", name, text)
		}
	})
	return cmd.Process
}

func startStandIns(t *testing.T) *standIns {
	s := &standIns{t: t, dir: t.TempDir(), zk: testkit.StartZooKeeper(t)}
	bin := filepath.Join(s.dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	text, err := exec.Command("go", "build", "-o", filepath.Join(bin, "standin"), "../../cmd/standin").CombinedOutput()
	require.NoError(t, err, string(text))
	for _, program := range []string{"mesos-master", "mesos-agent", "mesos-executor", "marathon"} {
		require.NoError(t, os.Symlink("standin", filepath.Join(bin, program)))
	}
	const host = "127.0.0.1"
	port := func() string {
		_, port, err := net.SplitHostPort(testkit.FreeAddr(t, host))
		require.NoError(t, err)
		return port
	}
	masterPort, marathonPort := port(), port()
	s.master, s.marathon = net.JoinHostPort(host, masterPort), net.JoinHostPort(host, marathonPort)
	mesos := "zk://" + s.zk.Addr + "/mesos"
	s.run("mesos-master", "master", syscall.SIGTERM, "--ip="+host, "--hostname="+host, "--port="+masterPort, "--zk="+mesos, "--quorum=1",
		"--work_dir="+filepath.Join(s.dir, "master"))
	// SIGUSR1 unregisters the agent and kills its tasks, which outlive a SIGTERM.
	s.run("mesos-agent", "agent", syscall.SIGUSR1, "--ip="+host, "--hostname="+host, "--port="+port(), "--master="+mesos,
		"--work_dir="+filepath.Join(s.dir, "agent"), "--runtime_dir="+filepath.Join(s.dir, "runtime"), "--launcher=posix",
		"--isolation=posix/cpu,posix/mem", "--containerizers=mesos", "--no-systemd_enable_support", "--launcher_dir="+bin,
		"--attributes=rack:r1", "--resources=cpus:2;mem:1000;disk:2000;ports:[31000-31099]")
	s.startMarathon = func(name string) *os.Process {
		return s.run("marathon", name, syscall.SIGTERM, "--master", mesos, "--zk", "zk://"+s.zk.Addr+"/marathon", "--hostname", host,
			"--http_address", host, "--http_port", marathonPort, "--min_revive_offers_interval", "200", "--zk_session_timeout", "6000")
	}
	s.leader = s.startMarathon("marathon")
	return s
}

func TestOnTheStandIns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts the stand-ins")
	}
	s := startStandIns(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	mesos := Mesos{Masters: []string{s.master}}
	testkit.Eventually(t, time.Minute, "the master leads", func(ctx context.Context) bool { return mesos.Ready(ctx) == nil })
	zookeeper := ZooKeeper{Servers: []string{s.zk.Addr}}
	leader, err := zookeeper.MesosLeader(ctx, "/mesos")
	require.NoError(t, err)
	assert.Equal(t, s.master, leader.Addr)
	health := mesos.Health(ctx)[0]
	require.NoError(t, health.Err)
	assert.True(t, health.Elected && health.Recovered && health.StandIn)
	testkit.Eventually(t, time.Minute, "the agent is registered", func(ctx context.Context) bool {
		state, err := mesos.State(ctx)
		return err == nil && len(state.Agents) == 1 && state.Agents[0].Attributes["rack"] == "r1"
	})

	m := Marathon{URLs: []string{s.marathon}, Mesos: &mesos, Tick: 100 * time.Millisecond}
	info, err := m.Info(ctx)
	require.NoError(t, err)
	assert.True(t, info.StandIn)
	assert.Equal(t, s.marathon, info.Leader)
	inZooKeeper, err := zookeeper.MarathonLeader(ctx, "/marathon")
	require.NoError(t, err)
	assert.Equal(t, s.marathon, inZooKeeper)

	t.Run("life of an app", func(t *testing.T) { lifeOfAnApp(ctx, t, m, mesos) })
	t.Run("a failing task", func(t *testing.T) { failingTask(ctx, t, m) })
	t.Run("an app too big", func(t *testing.T) { appTooBig(ctx, t, m) })
	t.Run("a killed leader", func(t *testing.T) { killedLeader(ctx, t, s, m) })
}

const sleeper = `{"id":"/sleeper","cmd":"echo awake >&2; exec sleep 1000","cpus":0.1,"mem":64,"disk":0,"instances":1,
 "labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},"upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":0},
 "requirePorts":true,"portDefinitions":[{"port":31005,"protocol":"tcp","name":"http"}],"backoffSeconds":1,
 "constraints":[["rack","IS","r1"]],"unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0},
 "healthChecks":[{"protocol":"COMMAND","command":{"value":"true"},"gracePeriodSeconds":5,"intervalSeconds":1,"delaySeconds":0}],
 "env":{"GENERATION":"1"}}`

func lifeOfAnApp(ctx context.Context, t *testing.T, m Marathon, mesos Mesos) {
	deployed, err := m.Deploy(ctx, []byte(sleeper))
	require.NoError(t, err)
	require.NotEmpty(t, deployed.Deployment)
	app, err := m.WaitDeployed(ctx, "/sleeper", deployed.Version, func(text string) { t.Log(text) })
	require.NoError(t, err)
	first := app.Current()[0]
	assert.Equal(t, []int{31005}, first.Ports)
	log, err := mesos.TaskLog(ctx, first.ID, "stderr", 1000)
	require.NoError(t, err)
	assert.Contains(t, log, "awake")
	diff, err := Diff([]byte(sleeper), app.Raw)
	require.NoError(t, err)
	assert.Empty(t, diff)
	again, err := m.Deploy(ctx, []byte(sleeper))
	require.NoError(t, err)
	assert.Empty(t, again.Deployment)

	changed, err := m.Deploy(ctx, []byte(strings.Replace(sleeper, `"GENERATION":"1"`, `"GENERATION":"2"`, 1)))
	require.NoError(t, err)
	app, err = m.WaitDeployed(ctx, "/sleeper", changed.Version, func(text string) { t.Log(text) })
	require.NoError(t, err)
	second := app.Current()[0]
	assert.NotEqual(t, first.ID, second.ID)

	require.NoError(t, m.KillTasks(ctx, second.ID))
	testkit.Eventually(t, time.Minute, "another task takes its place", func(ctx context.Context) bool {
		app, err := m.App(ctx, "/sleeper")
		return err == nil && len(app.Current()) == 1 && app.Current()[0].ID != second.ID
	})
	_, err = m.WaitDeployed(ctx, "/sleeper", "", nil)
	require.NoError(t, err)
	restarted, err := m.Restart(ctx, "/sleeper", false)
	require.NoError(t, err)
	_, err = m.WaitDeployed(ctx, "/sleeper", restarted.Version, nil)
	require.NoError(t, err)
	scaled, err := m.Scale(ctx, "/sleeper", 0, false)
	require.NoError(t, err)
	app, err = m.WaitDeployed(ctx, "/sleeper", scaled.Version, nil)
	require.NoError(t, err)
	assert.Empty(t, app.Current())
	require.NoError(t, m.Delete(ctx, "/sleeper"))
	require.NoError(t, m.Delete(ctx, "/sleeper"))
	_, err = m.App(ctx, "/sleeper")
	assert.ErrorIs(t, err, ErrNotFound)
}

func failingTask(ctx context.Context, t *testing.T, m Marathon) {
	deployed, err := m.Deploy(ctx, []byte(`{"id":"/fails","cmd":"echo cannot work >&2; exit 3","cpus":0.1,"mem":32,"backoffSeconds":1}`))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	_, err = m.WaitDeployed(ctx, "/fails", deployed.Version, func(text string) {
		t.Log(text)
		if strings.Contains(text, "(stderr: ") {
			cancel()
		}
	})
	assert.ErrorContains(t, err, "Command exited with status 3 (stderr: cannot work)")
	var waited *WaitError
	require.ErrorAs(t, err, &waited)
	assert.Contains(t, waited.Stderr, "cannot work")
	require.NoError(t, m.Delete(context.WithoutCancel(ctx), "/fails"))
}

func appTooBig(ctx context.Context, t *testing.T, m Marathon) {
	deployed, err := m.Deploy(ctx, []byte(`{"id":"/big","cmd":"sleep 9","cpus":0.1,"mem":1536}`))
	require.NoError(t, err)
	held, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	_, err = m.WaitDeployed(held, "/big", deployed.Version, func(text string) {
		t.Log(text)
		if strings.Contains(text, "lacks") {
			cancel()
		}
	})
	assert.ErrorContains(t, err, "it lacks 1.5 GiB memory, largest has 1000 MiB")
	_, err = m.Deploy(ctx, []byte(`{"id":"/big","cmd":"sleep 9","cpus":0.1,"mem":32}`))
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, []string{deployed.Deployment}, locked.Deployments)
	forced, err := m.DeployForced(ctx, []byte(`{"id":"/big","cmd":"exec sleep 9","cpus":0.1,"mem":32}`))
	require.NoError(t, err)
	_, err = m.WaitDeployed(ctx, "/big", forced.Version, func(text string) { t.Log(text) })
	require.NoError(t, err)
	require.NoError(t, m.DropDeployment(ctx, deployed.Deployment, false))
	require.NoError(t, m.Delete(ctx, "/big"))
}

// Marathon is killed while an app waits for its first offer, and comes back when its session is over.
func killedLeader(ctx context.Context, t *testing.T, s *standIns, m Marathon) {
	doc := []byte(`{"id":"/survivor","cmd":"exec sleep 1000","cpus":0.1,"mem":64}`)
	deployed, err := m.Deploy(ctx, doc)
	require.NoError(t, err)
	require.NoError(t, s.leader.Kill())
	testkit.Eventually(t, time.Minute, "the leader is dead", func(ctx context.Context) bool { return m.Ping(ctx) != nil })
	var said []string
	back := false
	app, err := m.WaitDeployed(ctx, "/survivor", deployed.Version, func(text string) {
		said = append(said, text)
		if back {
			return
		}
		back = true
		testkit.Eventually(t, time.Minute, "the dead leader's session is over", func(ctx context.Context) bool {
			_, err := ZooKeeper{Servers: []string{s.zk.Addr}}.MarathonLeader(ctx, "/marathon")
			return errors.Is(err, ErrNoLeader)
		})
		s.startMarathon("marathon-2")
	})
	require.NoError(t, err)
	assert.Len(t, app.Current(), 1)
	assert.Contains(t, said[0], "Marathon does not answer")
	again, err := m.Deploy(ctx, doc)
	require.NoError(t, err)
	assert.Empty(t, again.Deployment)
	require.NoError(t, m.Delete(ctx, "/survivor"))
}
