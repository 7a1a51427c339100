package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	pb "github.com/mesos/mesos-go/api/v1/lib/agent"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestEndpoints(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	for _, c := range []struct {
		method, path string
		code         int
		kind, body   string // body "" is not looked at
	}{
		{"GET", "/health", 200, "", ""},
		{"POST", "/state", 200, "application/json", ""},
		{"GET", "/slave(1)/state", 200, "application/json", ""},
		{"GET", "/slave(1)/health", 200, "", ""},
		{"GET", "/state.json", 404, "text/plain; charset=utf-8", "404 Not Found."},
		{"GET", "/", 404, "text/plain; charset=utf-8", "404 Not Found."},
		{"GET", "/monitor/statistics.json", 404, "text/plain; charset=utf-8", "404 Not Found."},
		{"GET", "/containers", 200, "application/json", "[]"},
		{"GET", "/monitor/statistics", 200, "application/json", "[]"},
		{"GET", "/api/v1", 405, "text/plain; charset=utf-8", "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."},
		{"POST", "/api/v1/executor", 501, "text/plain; charset=utf-8", "The stand-in for mesos-agent leaves out the v1 executor API"},
		{"GET", "/metrics/snapshot?timeout=5", 400, "text/plain; charset=utf-8", ""},
		{"GET", "/metrics/snapshot?timeout=5secs", 200, "application/json", ""},
		{"GET", "/flags?jsonp=cb", 200, "text/javascript", ""},
	} {
		code, body, headers := agent.ask(c.method, c.path, "")
		assert.Equal(t, c.code, code, c.path)
		assert.Equal(t, c.kind, headers.Get("Content-Type"), c.path)
		if c.body != "" {
			assert.Equal(t, c.body, body, c.path)
		}
		assert.Empty(t, headers.Get("Server"))
	}
	_, _, headers := agent.ask("GET", "/api/v1", "")
	assert.Equal(t, "POST", headers.Get("Allow"))
}

func TestOperatorCallsThatFail(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	for _, c := range []struct {
		body, kind, accept string
		code               int
		answer             string
	}{
		{`{`, "application/json", "", 400, "Failed to parse body into JSON: syntax error at line 1 near: "},
		{`{"type":"NOPE"}`, "application/json", "", 400, "Failed to validate agent::Call: Expecting 'type' to be present"},
		{`{}`, "application/json", "", 400, "Failed to validate agent::Call: Expecting 'type' to be present"},
		{`{"type":5}`, "application/json", "", 400, "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'type'"},
		{`{"type":"GET_HEALTH"}`, "application/json; charset=utf-8", "", 415, "Expecting 'Content-Type' of application/json or application/x-protobuf"},
		{`{"type":"GET_HEALTH"}`, "", "", 400, "Expecting 'Content-Type' to be present"},
		{`{"type":"GET_HEALTH"}`, "application/json", "text/html", 406, "Expecting 'Accept' to allow application/json or application/x-protobuf"},
		{`{"type":"PRUNE_IMAGES"}`, "application/json", "", 501, "The stand-in for mesos-agent leaves out PRUNE_IMAGES"},
		{`{"type":"READ_FILE"}`, "application/json", "", 400, "Failed to validate agent::Call: Expecting 'read_file' to be present"},
		{`{"type":"GET_HEALTH","unknown":1}`, "application/json", "*/*", 200, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`},
	} {
		headers := []string{}
		if c.kind != "" {
			headers = append(headers, "Content-Type", c.kind)
		}
		if c.accept != "" {
			headers = append(headers, "Accept", c.accept)
		}
		code, body, _ := agent.ask(http.MethodPost, "/api/v1", c.body, headers...)
		assert.Equal(t, c.code, code, c.body)
		assert.Equal(t, c.answer, body, c.body)
	}
}

func TestOperatorInProtobuf(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	agent.awaitRegistered()
	call, err := proto.Marshal(&pb.Call{Type: pb.Call_GET_AGENT})
	require.NoError(t, err)
	code, body, headers := agent.ask(http.MethodPost, "/api/v1", string(call), "Content-Type", asProtobuf, "Accept", asProtobuf)
	require.Equal(t, 200, code)
	assert.Equal(t, asProtobuf, headers.Get("Content-Type"))
	var response pb.Response
	require.NoError(t, proto.Unmarshal([]byte(body), &response))
	assert.Equal(t, "M-S0", response.GetAgent.AgentInfo.ID.GetValue())
}

func TestStateTellsOfTasks(t *testing.T) {
	master := newMaster(t)
	agent := startAgent(t, master.addr(), "--attributes=rack:a")
	master.awaitRegister(1)
	master.run("done", "true")
	master.await("done", mesos.TASK_FINISHED)
	master.run("live", "echo $$; exec sleep 1000 # with a long comment")
	agent.awaitLineOf(master, "live")
	var body string
	testkit.Eventually(t, time.Minute, "the first executor is a completed one", func(context.Context) bool {
		_, body, _ = agent.ask("GET", "/state", "")
		return strings.Contains(body, `"completed_executors":[{"id":"done"`)
	})
	var state struct {
		Attributes map[string]string
		Allocated  map[string]any `json:"unreserved_resources_allocated"`
		Frameworks []frameworkView
	}
	require.NoError(t, json.Unmarshal([]byte(body), &state))
	assert.Equal(t, map[string]string{"rack": "a"}, state.Attributes)
	assert.EqualValues(t, 0.1, state.Allocated["cpus"])
	assert.Contains(t, body, `"mem":1024.0`)
	require.Len(t, state.Frameworks, 1)
	live := state.Frameworks[0].Executors
	require.Len(t, live, 1)
	assert.Equal(t, "Command Executor (Task: live) (Command: sh -c 'echo $$; exe...')", live[0].Name)
	assert.EqualValues(t, 0.2, live[0].Resources["cpus"])
	assert.EqualValues(t, 64, live[0].Resources["mem"])
	require.Len(t, live[0].Tasks, 1)
	assert.Equal(t, "TASK_RUNNING", live[0].Tasks[0].State)
	_, body, _ = agent.ask("GET", "/containers", "")
	assert.Contains(t, body, `"executor_pid"`)
	assert.NotContains(t, body, `"mem_rss_bytes":0`)
	for kind, wanted := range map[string]string{
		"GET_TASKS": `"launched_tasks":[{`, "GET_EXECUTORS": `"executor_id":{"value":"live"}`, "GET_FRAMEWORKS": `"framework_info":{`,
		"GET_STATE": `"get_executors":{`, "GET_CONTAINERS": `"mem_soft_limit_bytes":67108864`, "GET_METRICS": `{"name":"slave/tasks_running","value":1.0}`,
	} {
		code, body := agent.call(`{"type":"` + kind + `"}`)
		assert.Equal(t, 200, code, kind)
		assert.Contains(t, body, wanted, kind)
		assert.False(t, strings.Contains(body, "null"), kind)
	}
}
