package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Agent asserts what an operator and a framework see of one agent: its endpoints, files and v1 calls, and how tasks run
// there. It runs tasks of its own frameworks on any agent of the target.
func Agent(t *testing.T, target Target) {
	Ready(t, target.leader())
	AgentsActive(t, target.leader(), len(target.Agents))
	for _, base := range target.Agents {
		AgentRegistered(t, base)
		t.Run("Endpoints", func(t *testing.T) { agentEndpoints(t, base) })
		t.Run("EndpointErrors", func(t *testing.T) { agentEndpointErrors(t, base) })
		t.Run("OperatorCalls", func(t *testing.T) { agentCalls(t, base) })
		t.Run("OperatorErrors", func(t *testing.T) { agentCallErrors(t, base) })
	}
	t.Run("Tasks", func(t *testing.T) { agentTasks(t, target) })
	t.Run("FailedLaunches", func(t *testing.T) { agentFailedLaunches(t, target) })
	t.Run("Health", func(t *testing.T) { agentHealth(t, target) })
	t.Run("Sandbox", func(t *testing.T) { agentSandbox(t, target) })
	t.Run("Environment", func(t *testing.T) { agentEnvironment(t, target) })
	for _, base := range target.Agents {
		t.Run("AfterTasks", func(t *testing.T) {
			agentEndpoints(t, base)
			agentCalls(t, base)
		})
	}
}

// agentOptional are fields that an answer may have though no recorded one did: live frameworks were never recorded, and
// some parts of a task were not in the recorded ones.
func agentOptional() []string {
	return []string{"$.frameworks", ".get_frameworks.frameworks", ".health_check", ".labels", ".healthy", ".reason", ".kill_policy", ".user", ".message", ".uris", ".container", ".launched_tasks", ".queued_tasks", ".terminated_tasks", ".executors"}
}

func agentEndpoints(t *testing.T, base string) {
	for name, paths := range map[string][]string{
		"agent-state": {"/state", "/slave(1)/state"}, "agent-flags": {"/flags", "/slave(1)/flags"}, "agent-version": {"/version"},
		"agent-containers": {"/containers"}, "agent-system_stats_json": {"/system/stats.json"},
	} {
		for _, path := range paths {
			r := get(t, base+path)
			require.Equal(t, http.StatusOK, r.status, path)
			assert.Equal(t, "application/json", r.header.Get("Content-Type"), path)
			assert.Empty(t, r.header.Get("Server"), path)
			requireShape(t, name, []byte(r.body), agentOptional()...)
			post := ask(t, http.MethodPost, base+path, nil, "")
			assert.Equal(t, http.StatusOK, post.status, "any method will do for %s", path)
		}
	}
	health := get(t, base+"/health")
	assert.Equal(t, http.StatusOK, health.status)
	assert.Empty(t, health.body)
	assert.Empty(t, health.header.Get("Content-Type"))
	state := fetch(t, base+"/state")
	assert.Equal(t, "slave(1)@"+strings.TrimPrefix(base, "http://"), state.text("pid"))
	assert.NotEmpty(t, state.text("id"))
	assert.NotEmpty(t, state.text("master_hostname"))
	metrics := fetch(t, base+"/metrics/snapshot")
	names, err := recordings.ReadFile("testdata/agent-metrics.names")
	require.NoError(t, err)
	for name := range strings.FieldsSeq(string(names)) {
		assert.Contains(t, metrics, name)
	}
	assert.EqualValues(t, 1, metrics["slave/registered"])
}

func agentEndpointErrors(t *testing.T, base string) {
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 404, "404 Not Found."},
		{"GET", "/nosuchpath", 404, "404 Not Found."},
		{"GET", "/state.json", 404, "404 Not Found."},
		{"GET", "/monitor/statistics.json", 404, "404 Not Found."},
		{"GET", "/api/v1", 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."},
		{"GET", "/api/v1/executor", 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."},
		{"GET", "/files/browse", 400, "Expecting 'path=value' in query.\n"},
		{"GET", "/files/browse?path=/nope", 404, ""},
		{"GET", "/files/read?path=/slave/log&offset=0&length=10", 404, ""},
		{"GET", "/files/read?path=/etc/passwd&offset=0&length=10", 404, ""},
	} {
		r := ask(t, c.method, base+c.path, nil, "")
		assert.Equal(t, c.status, r.status, c.path)
		assert.Equal(t, c.body, r.body, c.path)
		assert.Equal(t, "text/plain; charset=utf-8", r.header.Get("Content-Type"), c.path)
		if c.status == http.StatusMethodNotAllowed {
			assert.Equal(t, "POST", r.header.Get("Allow"), c.path)
		}
	}
}

func agentCalls(t *testing.T, base string) {
	for _, kind := range []string{
		"GET_AGENT", "GET_CONTAINERS", "GET_EXECUTORS", "GET_FLAGS", "GET_FRAMEWORKS", "GET_HEALTH", "GET_LOGGING_LEVEL", "GET_METRICS",
		"GET_OPERATIONS", "GET_RESOURCE_PROVIDERS", "GET_STATE", "GET_TASKS", "GET_VERSION",
	} {
		r := v1(t, base, `{"type":"`+kind+`"}`)
		require.Equal(t, http.StatusOK, r.status, "%s: %s", kind, r.body)
		assert.Equal(t, "application/json", r.header.Get("Content-Type"), kind)
		assert.Equal(t, kind, parse(t, r.body).text("type"))
		requireShape(t, "agent-"+kind, []byte(r.body), agentOptional()...)
	}
}

func agentCallErrors(t *testing.T, base string) {
	for _, c := range []struct {
		contentType, accept, body string
		status                    int
		answer                    string
	}{
		{"application/json", "", `{`, 400, "Failed to parse body into JSON: syntax error at line 1 near: "},
		{"application/json", "", `{"type":"NOPE"}`, 400, "Failed to validate agent::Call: Expecting 'type' to be present"},
		{"", "", `{"type":"GET_HEALTH"}`, 400, "Expecting 'Content-Type' to be present"},
		{"application/json; charset=utf-8", "", `{"type":"GET_HEALTH"}`, 415, ""},
		{"application/json", "text/html", `{"type":"GET_HEALTH"}`, 406, ""},
		{"application/json", "*/*", `{"type":"GET_HEALTH","unknown":true}`, 200, ""},
	} {
		header := map[string]string{}
		if c.contentType != "" {
			header["Content-Type"] = c.contentType
		}
		if c.accept != "" {
			header["Accept"] = c.accept
		}
		r := ask(t, http.MethodPost, base+"/api/v1", header, c.body)
		assert.Equal(t, c.status, r.status, c.body)
		if c.answer != "" {
			assert.Equal(t, c.answer, r.body)
		}
	}
}
