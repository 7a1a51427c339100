package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sandboxOf is the folder of a task's only run.
func (a *program) sandboxOf(task string) string {
	a.t.Helper()
	link, err := filepath.Glob(filepath.Join(a.work, "work", "slaves", "*", "frameworks", "*", "executors", task, "runs", "latest"))
	require.NoError(a.t, err)
	require.Len(a.t, link, 1)
	real, err := filepath.EvalSymlinks(link[0])
	require.NoError(a.t, err)
	return real
}

func (a *program) file(task, name string) string {
	content, _ := os.ReadFile(filepath.Join(a.sandboxOf(task), name))
	return string(content)
}

func TestTasksEndAsTheirCommandsDo(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	for _, c := range []struct {
		name, command string
		state         mesos.TaskState
		message       string
	}{
		{"finished", "echo out; echo err >&2", mesos.TASK_FINISHED, "Command exited with status 0"},
		{"failed", "exit 3", mesos.TASK_FAILED, "Command exited with status 3"},
		{"killed-itself", "kill -9 $$", mesos.TASK_FAILED, "Command terminated with signal Killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			master.run(c.name, c.command)
			last := master.await(c.name, c.state)
			assert.Equal(t, c.message, last.GetMessage())
			assert.Equal(t, mesos.SOURCE_EXECUTOR, last.GetSource())
			assert.Equal(t, c.name, last.ExecutorID.GetValue())
			assert.Equal(t, "M-S0", last.AgentID.GetValue())
			assert.Equal(t, "127.0.0.1", *last.ContainerStatus.NetworkInfos[0].IPAddresses[0].IPAddress)
			assert.Positive(t, last.ContainerStatus.GetExecutorPID())
			var states []mesos.TaskState
			for _, one := range master.updates(c.name) {
				states = append(states, one.GetState())
			}
			assert.Equal(t, []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING, c.state}, states)
		})
	}
	assert.Equal(t, "out\n", agent.file("finished", "stdout"))
	assert.True(t, strings.HasSuffix(agent.file("finished", "stderr"), "err\n") || strings.Contains(agent.file("finished", "stderr"), "\nerr\n"))
}
