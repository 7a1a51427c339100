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

func TestTaskSeesNothingOfTheAgentsEnvironment(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr(), `--executor_environment_variables={"PATH":"/opt/java/bin:/usr/bin:/bin","EXTRA":"1"}`)
	master.awaitRegister(1)
	master.run("env", "/usr/bin/env", func(info *mesos.TaskInfo) {
		info.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "HOST", Value: p("127.0.0.1")}, {Name: "EXTRA", Value: p("2")}}}
		info.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 30e9}}
	})
	master.await("env", mesos.TASK_FINISHED)
	sandbox := agent.sandboxOf("env")
	got := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(agent.file("env", "stdout")), "\n") {
		name, value, _ := strings.Cut(line, "=")
		got[name] = value
	}
	delete(got, "PWD") // set by the shell
	assert.Equal(t, map[string]string{
		"PATH": "/opt/java/bin:/usr/bin:/bin", "EXTRA": "2", "HOST": "127.0.0.1",
		"LIBPROCESS_IP": "127.0.0.1", "LIBPROCESS_PORT": "0", "MESOS_AGENT_ENDPOINT": agent.addr, "MESOS_SLAVE_PID": "slave(1)@" + agent.addr,
		"MESOS_SLAVE_ID": "M-S0", "MESOS_FRAMEWORK_ID": "F-0000", "MESOS_EXECUTOR_ID": "env", "MESOS_DIRECTORY": sandbox, "MESOS_SANDBOX": sandbox,
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "32secs", "MESOS_HTTP_COMMAND_EXECUTOR": "0", "MESOS_CHECKPOINT": "1",
		"MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs", "MESOS_ALLOCATION_ROLE": "*",
	}, got)
}

func TestCommandWithoutShell(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	noShell := func(arguments ...string) func(*mesos.TaskInfo) {
		return func(info *mesos.TaskInfo) { info.Command.Shell, info.Command.Arguments = p(false), arguments }
	}
	master.run("args", "printf", noShell("printf", "%s|%s", "a b", "$HOME"))
	master.await("args", mesos.TASK_FINISHED)
	assert.Equal(t, "a b|$HOME", agent.file("args", "stdout"))
	master.run("missing", "/no/such/program", noShell("x"))
	assert.Equal(t, "Command exited with status 1", master.await("missing", mesos.TASK_FAILED).GetMessage())
}

func TestLaunchesThatCannotBe(t *testing.T) {
	master := newMaster(t)
	startAgent(t, master.addr())
	master.awaitRegister(1)
	docker := mesos.ContainerInfo_DOCKER
	for _, c := range []struct {
		name    string
		change  func(*mesos.TaskInfo)
		reason  mesos.TaskStatus_Reason
		message string
	}{
		{"no-uri", func(i *mesos.TaskInfo) { i.Command.URIs = []mesos.CommandInfo_URI{{Value: "/no/such/file"}} },
			mesos.REASON_CONTAINER_LAUNCH_FAILED, "Failed to launch container: Failed to fetch all URIs for container '"},
		{"no-docker", func(i *mesos.TaskInfo) {
			i.Container = &mesos.ContainerInfo{Type: &docker, Docker: &mesos.ContainerInfo_DockerInfo{Image: "x"}}
		}, mesos.REASON_EXECUTOR_TERMINATED, "Abnormal executor termination: unknown container"},
		{"no-image", func(i *mesos.TaskInfo) {
			i.Container = &mesos.ContainerInfo{Type: p(mesos.ContainerInfo_MESOS), Mesos: &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{}}}
		}, mesos.REASON_CONTAINER_LAUNCH_FAILED, "Failed to launch container: the stand-in agent has no image provisioner"},
		{"own-executor", func(i *mesos.TaskInfo) { i.Executor, i.Command = &mesos.ExecutorInfo{}, nil },
			mesos.REASON_CONTAINER_LAUNCH_FAILED, "Failed to launch container: the stand-in agent runs command tasks only"},
		{"../../outside", func(*mesos.TaskInfo) {}, mesos.REASON_CONTAINER_LAUNCH_FAILED, "Failed to launch container: id '../../outside' cannot be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			master.run(c.name, "true", c.change)
			last := master.await(c.name, mesos.TASK_FAILED)
			assert.Equal(t, c.reason, last.GetReason())
			assert.Contains(t, last.GetMessage(), c.message)
			assert.Equal(t, mesos.SOURCE_AGENT, last.GetSource())
			assert.Len(t, master.updates(c.name), 1)
		})
	}
}

func TestUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can switch users")
	}
	master := newMaster(t)
	dir, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) // `nobody` must reach its sandbox
	agent := startAgentIn(t, dir, freeAddr(t), master.addr())
	master.awaitRegister(1)
	user := func(name string) func(*mesos.TaskInfo) {
		return func(info *mesos.TaskInfo) { info.Command.User = &name }
	}
	master.run("nobody", "id -un; touch mine", user("nobody"))
	master.await("nobody", mesos.TASK_FINISHED)
	assert.Equal(t, "nobody\n", agent.file("nobody", "stdout"))
	master.run("stranger", "id", user("nosuchuser"))
	last := master.await("stranger", mesos.TASK_FAILED)
	assert.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED, last.GetReason())
	assert.Equal(t, "Failed to launch container: Failed to chown '"+agent.sandboxOf("stranger")+"/stdout' to user 'nosuchuser' : No such user 'nosuchuser'", last.GetMessage())
}
