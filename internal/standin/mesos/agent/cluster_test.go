package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// startMaster runs the stand-in master on its own work_dir, electing in ZooKeeper where zk is given.
func startMaster(t *testing.T, work, addr, zk string, more ...string) *program {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	args := append([]string{"--ip=" + host, "--hostname=" + host, "--port=" + port, "--work_dir=" + work, "--zk_session_timeout=6secs"}, more...)
	if zk != "" {
		args = append(args, "--zk=zk://"+zk+"/mesos", "--quorum=1")
	}
	return startNamed(t, "mesos-master", work, addr, args...)
}

func body(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	content, _ := io.ReadAll(response.Body)
	return string(content)
}

func awaitBody(t *testing.T, url, text string) {
	t.Helper()
	testkit.Eventually(t, time.Minute, url+" shows "+text, func(context.Context) bool { return strings.Contains(body(url), text) })
}

func TestWithTheStandInMaster(t *testing.T) {
	leader := startMaster(t, t.TempDir(), freeAddr(t), "")
	agent := startAgent(t, leader.addr)
	framework := newFramework(t, true, leader.addr)
	framework.run("short", "echo hello")
	assert.Equal(t, "Command exited with status 0", *framework.await("short", mesos.TASK_FINISHED).Message)
	assert.Equal(t, "TASK_STARTING TASK_RUNNING TASK_FINISHED", framework.heard("short"))
	assert.Equal(t, "hello\n", agent.file("short", "stdout"))

	framework.run("killed", "exec sleep 1000")
	framework.await("killed", mesos.TASK_RUNNING)
	framework.kill("killed")
	assert.Equal(t, "Command terminated with signal Terminated", *framework.await("killed", mesos.TASK_KILLED).Message)

	framework.run("live", "echo $$; exec sleep 1000")
	framework.await("live", mesos.TASK_RUNNING)
	pid := pidOf(t, agent.awaitLine("live", 1)[0])
	agent.kill()
	second := agent.again(leader.addr)
	second.awaitRegistered()
	assert.True(t, alive(pid))
	assert.Equal(t, "TASK_STARTING TASK_RUNNING", framework.heard("live"), "a quick restart makes no update")

	executor := framework.await("live", mesos.TASK_RUNNING).ContainerStatus.GetExecutorPID()
	require.NoError(t, syscall.Kill(int(executor), syscall.SIGKILL))
	assert.Equal(t, mesos.REASON_EXECUTOR_TERMINATED, *framework.await("live", mesos.TASK_FAILED).Reason)
	testkit.Eventually(t, time.Minute, "the task is gone too", func(context.Context) bool { return !alive(pid) })

	framework.run("doomed", "exec sleep 1000")
	framework.await("doomed", mesos.TASK_RUNNING)
	second.signal(syscall.SIGUSR1)
	assert.Equal(t, 0, second.code())
	testkit.Eventually(t, time.Minute, "the framework hears that the agent is gone", func(context.Context) bool {
		return strings.Count(framework.heard("doomed"), " ") == 2
	})
}

func TestTasksWithoutCheckpointAreLostAtOnce(t *testing.T) {
	leader := startMaster(t, t.TempDir(), freeAddr(t), "")
	agent := startAgent(t, leader.addr)
	framework := newFramework(t, false, leader.addr)
	framework.run("bound", "echo $$; exec sleep 1000")
	framework.await("bound", mesos.TASK_RUNNING)
	lines := agent.awaitLine("bound", 1)
	agent.kill()
	assert.Equal(t, mesos.REASON_AGENT_DISCONNECTED, *framework.await("bound", mesos.TASK_LOST).Reason)
	agent.awaitDead(lines...)
}

func TestMasterIsKilledAndComesBack(t *testing.T) {
	zookeeper := testkit.StartZooKeeper(t)
	work, addr := t.TempDir(), freeAddr(t)
	leader := startMaster(t, work, addr, zookeeper.Addr)
	agent := startAgent(t, "zk://"+zookeeper.Addr+"/mesos")
	framework := newFramework(t, true, addr)
	framework.run("kept", "echo $$; while [ ! -e go ]; do sleep 0.05; done")
	framework.await("kept", mesos.TASK_RUNNING)
	pid, was := pidOf(t, agent.awaitLine("kept", 1)[0]), framework.id()
	leader.kill()
	startMaster(t, work, addr, zookeeper.Addr)
	awaitBody(t, "http://"+addr+"/slaves", `"active":true`)
	assert.True(t, alive(pid))
	require.NoError(t, os.WriteFile(filepath.Join(agent.sandboxOf("kept"), "go"), nil, 0o600))
	framework.await("kept", mesos.TASK_FINISHED)
	assert.Equal(t, was, framework.id())
	framework.run("after", "true")
	framework.await("after", mesos.TASK_FINISHED)
}

func TestManyTasks(t *testing.T) {
	leader := newMaster(t)
	agent := startAgent(t, leader.addr(), "--resources=cpus:100;mem:10000;disk:1000")
	leader.awaitRegister(1)
	const count = 60
	for i := range count {
		leader.run("many-"+string(rune('a'+i/26))+string(rune('a'+i%26)), "exec sleep 1000")
	}
	for i := range count {
		leader.await("many-"+string(rune('a'+i/26))+string(rune('a'+i%26)), mesos.TASK_RUNNING)
	}
	agent.kill()
	agent.again(leader.addr(), "--resources=cpus:100;mem:10000;disk:1000")
	assert.Len(t, leader.awaitRegister(2).Tasks, count)
}
