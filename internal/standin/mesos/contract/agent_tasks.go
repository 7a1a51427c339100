package contract

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func agentTasks(t *testing.T, target Target) {
	f := subscribe(t, target.leader(), agentFramework("agent tasks"))
	for _, c := range []struct{ task, shell, state, message string }{
		{"c-ok", "true", "TASK_FINISHED", "Command exited with status 0"},
		{"c-fail", "exit 3", "TASK_FAILED", "Command exited with status 3"},
		{"c-signal", "kill -9 $$", "TASK_FAILED", "Command terminated with signal Killed"},
	} {
		offer := f.awaitOffer(0.1)
		f.launch(offer, command(c.task, offer, c.shell))
		var states []string
		last := f.awaitUpdate(c.task, func(status node) bool {
			states = append(states, status.text("state"))
			return status["state"] == c.state
		})
		assert.Equal(t, []string{"TASK_STARTING", "TASK_RUNNING", c.state}, states)
		assert.Equal(t, c.message, last.text("message"))
		assert.Equal(t, "SOURCE_EXECUTOR", last.text("source"))
		assert.Equal(t, c.task, last.text("executor_id", "value"))
		assert.Nil(t, last["reason"])
	}
	f.run("c-kill", "exec sleep 1000")
	f.call("KILL", info{"task_id": info{"value": "c-kill"}})
	assert.Equal(t, "Command terminated with signal Terminated", f.awaitState("c-kill", "TASK_KILLED").text("message"))
	_, status := f.run("c-stubborn", "trap '' TERM; echo deaf; while :; do sleep 1; done")
	base := agentOf(t, target, status.text("agent_id", "value"))
	awaitOutput(t, base, sandboxOf(t, base, "c-stubborn"), "deaf\n")
	f.call("KILL", info{"task_id": info{"value": "c-stubborn"}, "kill_policy": info{"grace_period": info{"nanoseconds": 200_000_000}}})
	assert.Equal(t, "Command terminated with signal Killed", f.awaitState("c-stubborn", "TASK_KILLED").text("message"))
}

func agentFailedLaunches(t *testing.T, target Target) {
	f := subscribe(t, target.leader(), agentFramework("agent failed launches"))
	for _, c := range []struct {
		task    string
		change  func(info)
		reason  string
		message string
	}{
		{"c-baduri", func(task info) {
			task["command"].(info)["uris"] = []info{{"value": "http://127.0.0.1:1/none.tar.gz", "extract": true}}
		},
			"REASON_CONTAINER_LAUNCH_FAILED", "Failed to launch container: Failed to fetch all URIs for container '"},
		{"c-docker", func(task info) { task["container"] = info{"type": "DOCKER", "docker": info{"image": "busybox"}} },
			"REASON_EXECUTOR_TERMINATED", "Abnormal executor termination: unknown container"},
	} {
		offer := f.awaitOffer(0.1)
		task := command(c.task, offer, "true")
		c.change(task)
		f.launch(offer, task)
		last := f.awaitState(c.task, "TASK_FAILED")
		assert.Equal(t, "SOURCE_AGENT", last.text("source"))
		assert.Equal(t, c.reason, last.text("reason"))
		assert.Contains(t, last.text("message"), c.message)
	}
}

func agentHealth(t *testing.T, target Target) {
	f := subscribe(t, target.leader(), agentFramework("agent health"))
	offer := f.awaitOffer(0.1)
	task := command("c-health", offer, "touch up; exec sleep 1000")
	task["health_check"] = info{
		"type": "COMMAND", "command": info{"shell": true, "value": "rm up"}, "delay_seconds": 0.3, "interval_seconds": 0.2, "grace_period_seconds": 0.0,
		"timeout_seconds": 10.0, "consecutive_failures": 2,
	}
	f.launch(offer, task)
	healthy := f.awaitUpdate("c-health", func(status node) bool { return status["healthy"] == true })
	assert.Equal(t, "TASK_RUNNING", healthy.text("state"))
	assert.Equal(t, "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", healthy.text("reason"))
	f.awaitUpdate("c-health", func(status node) bool { return status["healthy"] == false })
	f.awaitState("c-health", "TASK_KILLED")
}

// agentOf is the base URL of the agent with the id.
func agentOf(t *testing.T, target Target, id string) string {
	t.Helper()
	for _, base := range target.Agents {
		if fetch(t, base+"/state").text("id") == id {
			return base
		}
	}
	require.Fail(t, "no agent of the target has id "+id)
	return ""
}

// sandboxOf is the folder of a task that runs at the agent.
func sandboxOf(t *testing.T, base, task string) string {
	t.Helper()
	for _, framework := range fetch(t, base+"/state").list("frameworks") {
		for _, executor := range framework.list("executors") {
			if executor["id"] == task {
				return executor.text("directory")
			}
		}
	}
	require.Fail(t, "the agent shows no executor of "+task)
	return ""
}

// awaitOutput waits until the task's stdout holds the text, and gives all of it.
func awaitOutput(t *testing.T, base, sandbox, text string) string {
	t.Helper()
	var got string
	testkit.Eventually(t, patience, "the task writes "+text, func(context.Context) bool {
		got = fetch(t, base+"/files/read?offset=0&path="+url.QueryEscape(sandbox+"/stdout")).text("data")
		return strings.Contains(got, text)
	})
	return got
}

func agentSandbox(t *testing.T, target Target) {
	f := subscribe(t, target.leader(), agentFramework("agent sandbox"))
	_, status := f.run("c-files", "echo out-line; echo err-line >&2; exec sleep 1000")
	base := agentOf(t, target, status.text("agent_id", "value"))
	sandbox := sandboxOf(t, base, "c-files")
	container := status.text("container_status", "container_id", "value")
	assert.Equal(t, path.Join("frameworks", f.id, "executors", "c-files", "runs", container), sandbox[strings.Index(sandbox, "/frameworks/")+1:])
	assert.Equal(t, "out-line\n", awaitOutput(t, base, sandbox, "out-line"))
	browse := get(t, base+"/files/browse?path="+url.QueryEscape(sandbox))
	requireShapeOfArray(t, "agent-files_browse", browse.body)
	read := get(t, base+"/files/read?path="+url.QueryEscape(sandbox+"/stdout"))
	assert.JSONEq(t, `{"data":"","offset":9}`, read.body, "without an offset: the size")
	virtual := "/frameworks/" + f.id + "/executors/c-files/runs/latest/stderr"
	assert.Contains(t, fetch(t, base+"/files/read?offset=0&path="+url.QueryEscape(virtual)).text("data"), "err-line\n")
	download := get(t, base+"/files/download?path="+url.QueryEscape(sandbox+"/stdout"))
	assert.Equal(t, "out-line\n", download.body)
	assert.Equal(t, "attachment; filename=stdout", download.header.Get("Content-Disposition"))
	assert.Equal(t, "application/octet-stream", download.header.Get("Content-Type"))
	assert.Equal(t, sandbox, fetch(t, base+"/files/debug").text(sandbox))
	list := v1(t, base, `{"type":"LIST_FILES","list_files":{"path":"`+sandbox+`"}}`)
	requireShape(t, "agent-LIST_FILES", []byte(list.body))
	part := v1(t, base, `{"type":"READ_FILE","read_file":{"path":"`+sandbox+`/stdout","offset":0,"length":3}}`)
	requireShape(t, "agent-READ_FILE", []byte(part.body))
	assert.Equal(t, "b3V0", parse(t, part.body).text("read_file", "data"))
	containers := get(t, base+"/containers")
	require.Equal(t, http.StatusOK, containers.status)
	requireShapeOfArray(t, "agent-containers", containers.body)
	requireShape(t, "agent-GET_CONTAINERS", []byte(v1(t, base, `{"type":"GET_CONTAINERS"}`).body))
}

// requireShapeOfArray wants at least one element besides the field set.
func requireShapeOfArray(t *testing.T, name, body string) {
	t.Helper()
	require.NotEqual(t, "[]", body)
	requireShape(t, name, []byte(body))
}

// agentEnvironment: a task sees these names and no others, whatever the agent's own environment is.
func agentEnvironment(t *testing.T, target Target) {
	f := subscribe(t, target.leader(), agentFramework("agent environment"))
	offer := f.awaitOffer(0.1)
	task := command("c-env", offer, "/usr/bin/env; echo end-of-list; exec sleep 1000")
	task["command"].(info)["environment"] = info{"variables": []info{{"name": "HOST", "value": "here"}}}
	f.launch(offer, task)
	status := f.awaitState("c-env", "TASK_RUNNING")
	base := agentOf(t, target, status.text("agent_id", "value"))
	sandbox := sandboxOf(t, base, "c-env")
	values := map[string]string{}
	var names []string
	for line := range strings.Lines(awaitOutput(t, base, sandbox, "end-of-list\n")) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || slices.Contains([]string{"PWD", "OLDPWD", "SHLVL", "_", "MESOS_NATIVE_LIBRARY", "MESOS_NATIVE_JAVA_LIBRARY"}, name) {
			continue // from the shell, or of an installed libmesos
		}
		values[name] = value
		names = append(names, name)
	}
	slices.Sort(names)
	assert.Equal(t, []string{
		"HOST", "LIBPROCESS_IP", "LIBPROCESS_PORT", "MESOS_AGENT_ENDPOINT", "MESOS_ALLOCATION_ROLE", "MESOS_CHECKPOINT", "MESOS_DIRECTORY", "MESOS_EXECUTOR_ID",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_FRAMEWORK_ID", "MESOS_HTTP_COMMAND_EXECUTOR", "MESOS_RECOVERY_TIMEOUT", "MESOS_SANDBOX",
		"MESOS_SLAVE_ID", "MESOS_SLAVE_PID", "MESOS_SUBSCRIPTION_BACKOFF_MAX", "PATH",
	}, names)
	assert.Equal(t, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", values["PATH"])
	assert.Equal(t, sandbox, values["MESOS_SANDBOX"])
	assert.Equal(t, "5secs", values["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"])
	assert.Equal(t, "jenkins", values["MESOS_ALLOCATION_ROLE"])
	assert.Equal(t, strings.TrimPrefix(base, "http://"), values["MESOS_AGENT_ENDPOINT"])
}

// agentFramework has what the recorded frameworks had, so that the field sets can be compared.
func agentFramework(name string) info {
	return frameworkInfo(name, info{"principal": "jenkins", "webui_url": "http://127.0.0.1:8080/"})
}
