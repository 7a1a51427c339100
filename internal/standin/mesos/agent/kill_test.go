package agent

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

func freeAddr(t *testing.T) string { return testkit.FreeAddr(t, "127.0.0.1") }

// awaitLine waits for a line of a task's stdout and gives all lines.
func (a *program) awaitLine(task string, count int) []string {
	a.t.Helper()
	var lines []string
	testkit.Eventually(a.t, time.Minute, "task "+task+" writes", func(context.Context) bool {
		lines = strings.Fields(a.file(task, "stdout"))
		return len(lines) >= count
	})
	return lines
}

func (a *program) awaitDead(pids ...string) {
	a.t.Helper()
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		require.NoError(a.t, err)
		testkit.Eventually(a.t, time.Minute, "process "+text+" is gone", func(context.Context) bool { return !alive(pid) })
	}
}

func TestKill(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	t.Run("the whole tree ends with SIGTERM", func(t *testing.T) {
		master.run("tree", "sleep 1000 & echo $!; (setsid sleep 1000 & echo $!; wait) & wait")
		master.await("tree", mesos.TASK_RUNNING)
		pids := agent.awaitLine("tree", 2)
		master.kill("tree", nil)
		last := master.await("tree", mesos.TASK_KILLED)
		assert.Equal(t, "Command terminated with signal Terminated", last.GetMessage())
		agent.awaitDead(pids...)
	})
	t.Run("who ignores SIGTERM ends after the grace", func(t *testing.T) {
		master.run("stubborn", "trap '' TERM; echo $$; while :; do sleep 1; done")
		pids := agent.awaitLineOf(master, "stubborn")
		grace := 100 * time.Millisecond
		master.kill("stubborn", &grace)
		assert.Equal(t, "Command terminated with signal Killed", master.await("stubborn", mesos.TASK_KILLED).GetMessage())
		agent.awaitDead(pids...)
	})
	t.Run("the task's own policy is used, and a status of its own reported", func(t *testing.T) {
		master.run("polite", "trap 'sleep 0.3; exit 143' TERM; echo $$; while :; do sleep 0.05; done", func(i *mesos.TaskInfo) {
			i.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 60e9}}
		})
		agent.awaitLineOf(master, "polite")
		master.kill("polite", nil)
		assert.Equal(t, "Command exited with status 143", master.await("polite", mesos.TASK_KILLED).GetMessage())
	})
	t.Run("a drain says so", func(t *testing.T) {
		master.run("drained", "echo $$; exec sleep 1000")
		agent.awaitLineOf(master, "drained")
		master.tell(wire.ToAgent{Drain: &wire.Drain{MaxGracePeriod: 1}})
		assert.Equal(t, mesos.REASON_AGENT_DRAINING, master.await("drained", mesos.TASK_KILLED).GetReason())
	})
	t.Run("a framework's shutdown makes no updates", func(t *testing.T) {
		master.run("torn", "echo $$; exec sleep 1000")
		pids := agent.awaitLineOf(master, "torn")
		master.tell(wire.ToAgent{FrameworkShutdown: &wire.FrameworkShutdown{FrameworkID: *master.framework.ID}})
		agent.awaitDead(pids...)
		assert.Equal(t, mesos.TASK_RUNNING, master.updates("torn")[len(master.updates("torn"))-1].GetState())
	})
	t.Run("what a finished task leaves behind goes too", func(t *testing.T) {
		master.run("litter", "sleep 1000 & echo $!")
		master.await("litter", mesos.TASK_FINISHED)
		agent.awaitDead(agent.awaitLine("litter", 1)...)
	})
	t.Run("a task may not take longer than it may", func(t *testing.T) {
		master.run("overtime", "exec sleep 1000", func(i *mesos.TaskInfo) { i.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: 2e8} })
		assert.Equal(t, mesos.REASON_MAX_COMPLETION_TIME_REACHED, master.await("overtime", mesos.TASK_FAILED).GetReason())
	})
}

func (a *program) awaitLineOf(master *fakeMaster, task string) []string {
	a.t.Helper()
	master.await(task, mesos.TASK_RUNNING)
	return a.awaitLine(task, 1)
}

func TestKillWhileFetching(t *testing.T) {
	slow := newSlowServer(t)
	master := newMaster(t)
	startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("fetching", "true", func(i *mesos.TaskInfo) { i.Command.URIs = []mesos.CommandInfo_URI{{Value: slow.url + "/file"}} })
	slow.awaitRequest()
	master.kill("fetching", nil)
	last := master.await("fetching", mesos.TASK_KILLED)
	assert.Equal(t, mesos.REASON_TASK_KILLED_DURING_LAUNCH, last.GetReason())
	slow.release()
}

func TestKillingStateWhereTheFrameworkKnowsIt(t *testing.T) {
	master := newMaster(t)
	master.framework.Capabilities = []mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE}}
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("long", "echo $$; exec sleep 1000")
	agent.awaitLineOf(master, "long")
	master.kill("long", nil)
	master.await("long", mesos.TASK_KILLED)
	assert.Equal(t, mesos.TASK_KILLING, master.updates("long")[2].GetState())
}
