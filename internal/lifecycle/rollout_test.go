package lifecycle

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

// marathon is a Marathon with the one app that a deployment of 0/0 is stuck on, until it is restarted by force.
type marathon struct {
	mu       sync.Mutex
	version  string            // of the app
	task     map[string]string // id, state, version; health: "", "true" or "false"
	held     bool              // by a deployment
	begun    []string          // what was asked for, in order
	lookedAt int
	looked   func(m *marathon)
}

func (m *marathon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := strings.ReplaceAll(r.URL.Path, "//", "/")
	switch {
	case r.Method == http.MethodGet && path == "/v2/apps/ci/jenkins":
		if m.lookedAt++; m.looked != nil {
			m.looked(m)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"app": m.app()})
	case r.Method == http.MethodGet:
		fmt.Fprint(w, `{"queue":[]}`)
	case m.held && r.URL.Query().Get("force") != "true":
		m.begun = append(m.begun, "refused")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"message":"App is locked by one or more deployments.","deployments":[{"id":"d-old"}]}`)
	default:
		m.begun = append(m.begun, r.Method+" "+path)
		m.version, m.held = "2026-01-01T00:00:03.000Z", false
		m.task = map[string]string{"id": "new", "state": "TASK_RUNNING", "version": m.version, "health": "true"}
		fmt.Fprintf(w, `{"version":%q,"deploymentId":"d-new"}`, m.version)
	}
}

func (m *marathon) app() map[string]any {
	task := map[string]any{"id": m.task["id"], "appId": "/ci/jenkins", "host": "127.0.10.21", "state": m.task["state"], "version": m.task["version"],
		"stagedAt": "2026-01-01T00:00:00.000Z", "startedAt": "2026-01-01T00:00:00.000Z", "ports": []int{8080}}
	if m.task["health"] != "" {
		task["healthCheckResults"] = []map[string]any{{"alive": m.task["health"] == "true", "instanceId": m.task["id"]}}
	}
	app := map[string]any{"id": "/ci/jenkins", "cmd": "old", "instances": 1, "version": m.version, "tasks": []any{task}, "tasksRunning": 1,
		"healthChecks": []any{map[string]any{"protocol": "COMMAND"}}, "versionInfo": map[string]any{"lastConfigChangeAt": m.version}, "deployments": []any{}}
	if m.held {
		app["deployments"] = []any{map[string]any{"id": "d-old"}}
	}
	return app
}

func rolling(t *testing.T, m *marathon) *Env {
	t.Helper()
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	env := environment(t, lifecycletest.Local(t, ""))
	env.Marathon = cluster.Marathon{URLs: []string{server.URL}}
	return env
}

func TestARolloutReplacesADeploymentThatAnEarlierRunLeft(t *testing.T) {
	m := &marathon{version: "2026-01-01T00:00:01.000Z", held: true, task: map[string]string{"id": "old", "state": "TASK_RUNNING", "version": "2026-01-01T00:00:01.000Z", "health": "true"}}
	env := rolling(t, m)
	require.NoError(t, env.rollOut(t.Context(), []byte(`{"id":"/ci/jenkins","cmd":"new"}`), lifecycletest.Quiet))
	require.Equal(t, []string{"refused", "PUT /v2/apps/ci/jenkins"}, m.begun)
}

func TestARolloutBeginsWhenTheLastTaskHasStarted(t *testing.T) {
	m := &marathon{version: "2026-01-01T00:00:01.000Z", task: map[string]string{"id": "old", "state": "TASK_STARTING", "version": "2026-01-01T00:00:01.000Z"}}
	m.looked = func(m *marathon) {
		switch m.lookedAt {
		case 2:
			m.task["state"] = "TASK_RUNNING"
		case 3:
			m.task["health"] = "true"
		}
		if m.lookedAt < 3 {
			assert.Empty(t, m.begun, "too early")
		}
	}
	var said []string
	env := rolling(t, m)
	require.NoError(t, env.rollOut(t.Context(), []byte(`{"id":"/ci/jenkins","cmd":"new"}`), func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }))
	require.Equal(t, []string{"PUT /v2/apps/ci/jenkins"}, m.begun)
	require.Contains(t, said, "the controller's last task is still starting")
}

func TestADeploymentThatDoesNotEndTheOldTaskIsBegunAnew(t *testing.T) {
	m := &marathon{version: "2026-01-01T00:00:02.000Z", held: true, task: map[string]string{"id": "old", "state": "TASK_RUNNING", "version": "2026-01-01T00:00:01.000Z", "health": "true"}}
	env := rolling(t, m)
	require.NoError(t, env.awaitDeployed(t.Context(), m.version, time.Second, t.Logf))
	require.Equal(t, []string{"POST /v2/apps/ci/jenkins/restart"}, m.begun)
}
