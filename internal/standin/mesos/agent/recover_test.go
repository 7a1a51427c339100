package agent

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

// again starts the agent anew on the same folders and address.
func (a *program) again(master string, flags ...string) *program {
	a.t.Helper()
	return startAgentIn(a.t, a.work, a.addr, master, flags...)
}

func pidOf(t *testing.T, text string) int {
	t.Helper()
	pid, err := strconv.Atoi(text)
	require.NoError(t, err)
	return pid
}

func TestTasksOutliveTheAgent(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			master := newMaster(t)
			agent := startAgent(t, master.addr())
			master.awaitRegister(1)
			master.run("live", "echo $$; while [ ! -e go ]; do sleep 0.05; done; exit 5")
			pid := pidOf(t, agent.awaitLineOf(master, "live")[0])
			agent.signal(sig)
			<-agent.done
			assert.Equal(t, sig, agent.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
			assert.True(t, alive(pid), "the task lives on")
			second := agent.again(master.addr())
			register := master.awaitRegister(2)
			assert.Equal(t, "M-S0", register.Agent.ID.GetValue())
			require.Len(t, register.Tasks, 1)
			assert.Equal(t, mesos.TASK_RUNNING, register.Tasks[0].Status.GetState())
			assert.Equal(t, "F-0000", register.Tasks[0].Framework.ID.GetValue())
			assert.Len(t, register.Tasks[0].Statuses, 2)
			require.NoError(t, os.WriteFile(filepath.Join(second.sandboxOf("live"), "go"), nil, 0o600))
			assert.Equal(t, "Command exited with status 5", master.await("live", mesos.TASK_FAILED).GetMessage())
		})
	}
}

func TestTaskThatEndsWhileTheAgentIsAway(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("away", "echo $$; while [ ! -e go ]; do sleep 0.05; done")
	pid := pidOf(t, agent.awaitLineOf(master, "away")[0])
	agent.kill()
	require.NoError(t, os.WriteFile(filepath.Join(agent.sandboxOf("away"), "go"), nil, 0o600))
	testkit.Eventually(t, time.Minute, "the task ends", func(context.Context) bool { return !alive(pid) })
	agent.again(master.addr())
	assert.Equal(t, "Command exited with status 0", master.await("away", mesos.TASK_FINISHED).GetMessage())
}

func TestTasksWithoutCheckpointEndWithTheAgent(t *testing.T) {
	master := newMaster(t)
	master.framework.Checkpoint = nil
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("bound", "echo $$; exec sleep 1000")
	lines := agent.awaitLineOf(master, "bound")
	agent.kill()
	agent.awaitDead(lines...)
	agent.again(master.addr())
	assert.Empty(t, master.awaitRegister(2).Tasks)
}

func TestTaskThatIsOverDoesNotTakeTheOthersAlong(t *testing.T) {
	a, over := stillAgent(t, time.Hour)
	last := a.hear(over, mesos.TASK_FINISHED)
	live := &task{framework: over.framework, owner: over.owner, info: mesos.TaskInfo{TaskID: mesos.TaskID{Value: "u"}}, container: "d"}
	a.mu.Lock()
	require.NoError(t, a.store.saveTask("S0", live))
	a.store.appendAck("S0", over, last.UUID)
	a.mu.Unlock()
	again := newAgent(a.cfg, a.log)
	again.info.ID = a.info.ID
	again.recoverTasks("S0")
	require.Contains(t, again.frameworks, "F")
	assert.Contains(t, again.frameworks["F"].tasks, "u")
	assert.NotContains(t, again.frameworks["F"].tasks, "t")
}

func TestExecutorDies(t *testing.T) {
	for _, c := range []struct {
		name    string
		restart bool
	}{{"under the agent", false}, {"while the agent is away", true}} {
		t.Run(c.name, func(t *testing.T) {
			master := newMaster(t)
			agent := startAgent(t, master.addr())
			master.awaitRegister(1)
			master.run("orphan", "echo $$; exec sleep 1000")
			lines := agent.awaitLineOf(master, "orphan")
			executor := int(master.await("orphan", mesos.TASK_RUNNING).ContainerStatus.GetExecutorPID())
			if c.restart {
				agent.kill()
			}
			require.NoError(t, syscall.Kill(executor, syscall.SIGKILL))
			if c.restart {
				testkit.Eventually(t, time.Minute, "the executor is gone", func(context.Context) bool { return !alive(executor) })
				agent.again(master.addr())
			}
			last := master.await("orphan", mesos.TASK_FAILED)
			assert.Equal(t, mesos.REASON_EXECUTOR_TERMINATED, last.GetReason())
			assert.Equal(t, "Executor terminated", last.GetMessage())
			assert.Equal(t, mesos.SOURCE_AGENT, last.GetSource())
			agent.awaitDead(lines...)
		})
	}
}

func TestDeepFoldersDoNotBreakSockets(t *testing.T) {
	master := newMaster(t)
	deep := filepath.Join(t.TempDir(), strings.Repeat("a-very-long-name/", 12))
	agent := startAgentIn(t, deep, freeAddr(t), master.addr())
	master.awaitRegister(1)
	master.run("deep", "echo $$; exec sleep 1000")
	agent.awaitLineOf(master, "deep")
	agent.kill()
	agent.again(master.addr())
	require.Len(t, master.awaitRegister(2).Tasks, 1)
	master.kill("deep", nil)
	master.await("deep", mesos.TASK_KILLED)
}

// awaitKept waits until the agent has written down its id.
func (a *program) awaitKept() {
	a.t.Helper()
	testkit.Eventually(a.t, time.Minute, "the agent keeps its id", func(context.Context) bool {
		return strings.Contains(a.log(), "egistered with master") && exists(a.work+"/work/meta/slaves/latest")
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestChangedDescription(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr(), "--attributes=rack:a")
	master.awaitRegister(1)
	agent.awaitKept()
	agent.kill()
	changed := agent.again(master.addr(), "--attributes=rack:b")
	assert.Equal(t, 1, changed.code())
	assert.Contains(t, changed.log(), "EXIT with status 1: Failed to perform recovery: Incompatible agent info detected.")
	assert.Contains(t, changed.log(), "rm -f "+agent.work+"/work/meta/slaves/latest")
	refused := agent.again(master.addr(), "--attributes=rack:b", "--reconfiguration_policy=additive")
	assert.Equal(t, 1, refused.code())
	assert.Contains(t, refused.log(), "Value of text attribute 'rack' changed from a to b")
	agent.again(master.addr(), "--attributes=rack:a;zone:z", "--reconfiguration_policy=additive")
	assert.Equal(t, "M-S0", master.awaitRegister(2).Agent.ID.GetValue())
}

func TestReboot(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr(), "--attributes=rack:a")
	master.awaitRegister(1)
	agent.awaitKept()
	agent.kill()
	require.NoError(t, os.WriteFile(agent.work+"/work/meta/boot_id", []byte("another\n"), 0o600))
	second := agent.again(master.addr(), "--attributes=rack:a")
	assert.Equal(t, "M-S0", master.awaitRegister(2).Agent.ID.GetValue(), "the same description keeps its id")
	second.awaitKept()
	second.kill()
	require.NoError(t, os.WriteFile(agent.work+"/work/meta/boot_id", []byte("a third\n"), 0o600))
	agent.again(master.addr(), "--attributes=rack:b")
	assert.Nil(t, master.awaitRegister(3).Agent.ID, "a changed description after a reboot is a new agent")
}

func TestForgottenAgentIsANewOne(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr(), `--domain={"fault_domain":{"region":{"name":"here"},"zone":{"name":"z"}}}`)
	assert.Equal(t, "here", master.awaitRegister(1).Agent.Domain.FaultDomain.Region.Name)
	master.run("orphan", "echo $$; exec sleep 1000")
	lines := agent.awaitLineOf(master, "orphan")
	agent.kill()
	require.NoError(t, os.Remove(agent.work+"/work/meta/slaves/latest"))
	agent.again(master.addr())
	assert.Nil(t, master.awaitRegister(2).Agent.ID)
	agent.awaitDead(lines...)
}

func TestUnacknowledgedUpdates(t *testing.T) {
	master := newMaster(t)
	master.mute = true
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("quick", "true")
	first := master.await("quick", mesos.TASK_STARTING)
	t.Run("come again at once after a registration, one at a time", func(t *testing.T) {
		master.cut()
		register := master.awaitRegister(2)
		require.Len(t, register.Tasks, 1)
		testkit.Eventually(t, time.Minute, "the update comes again", func(context.Context) bool { return len(master.updates("quick")) >= 2 })
		assert.Equal(t, first.UUID, master.updates("quick")[1].UUID)
	})
	t.Run("and after a restart, up to the last", func(t *testing.T) {
		agent.awaitMeta("quick", "Command exited with status 0")
		agent.kill()
		master.mu.Lock()
		master.mute = false
		master.mu.Unlock()
		second := agent.again(master.addr())
		register := master.awaitRegister(3)
		require.Len(t, register.Tasks, 1)
		assert.Equal(t, mesos.TASK_FINISHED, register.Tasks[0].Status.GetState())
		master.await("quick", mesos.TASK_FINISHED)
		testkit.Eventually(t, time.Minute, "nothing is kept of an acknowledged task", func(context.Context) bool {
			left, _ := filepath.Glob(filepath.Join(second.work, "work", "meta", "slaves", "M-S0", "frameworks", "*"))
			return len(left) == 0
		})
	})
}

// awaitMeta waits until the kept updates of a task hold the text.
func (a *program) awaitMeta(task, text string) {
	a.t.Helper()
	testkit.Eventually(a.t, time.Minute, task+" is kept with "+text, func(context.Context) bool {
		names, _ := filepath.Glob(filepath.Join(a.work, "work", "meta", "slaves", "M-S0", "frameworks", "*", "executors", task, "runs", "*", "tasks", task, "task.updates"))
		if len(names) != 1 {
			return false
		}
		content, _ := os.ReadFile(names[0])
		return strings.Contains(string(content), text)
	})
}

func TestLeaving(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func(*fakeMaster, *program)
		code int
	}{
		{"SIGUSR1 unregisters", func(_ *fakeMaster, a *program) { a.signal(syscall.SIGUSR1) }, 0},
		{"the master's word", func(m *fakeMaster, _ *program) { m.tell(wire.ToAgent{Shutdown: &wire.Shutdown{Message: "removed"}}) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			master := newMaster(t)
			agent := startAgent(t, master.addr())
			master.awaitRegister(1)
			master.run("doomed", "echo $$; exec sleep 1000")
			lines := agent.awaitLineOf(master, "doomed")
			c.ask(master, agent)
			assert.Equal(t, c.code, agent.code())
			agent.awaitDead(lines...)
			if c.code == 0 {
				master.mu.Lock()
				defer master.mu.Unlock()
				assert.NotNil(t, master.from[len(master.from)-1].Unregister)
			}
		})
	}
}

func TestCleanup(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	master.run("old", "echo $$; exec sleep 1000")
	lines := agent.awaitLineOf(master, "old")
	agent.kill()
	cleaner := agent.again(master.addr(), "--recover=cleanup")
	assert.Equal(t, 0, cleaner.code())
	agent.awaitDead(lines...)
}

func TestBrokenState(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	agent.awaitKept()
	agent.kill()
	require.NoError(t, os.WriteFile(agent.work+"/work/meta/slaves/M-S0/slave.info", []byte("{"), 0o600))
	second := agent.again(master.addr())
	assert.Equal(t, 1, second.code())
	assert.Contains(t, second.log(), "EXIT with status 1: Failed to perform recovery: Failed to recover agent state: read ")
	assert.Contains(t, second.log(), "rm -f ")
}
