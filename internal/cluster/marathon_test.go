package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeMarathon keeps one app. next, where set, answers one request before the app does.
type fakeMarathon struct {
	*httptest.Server
	mu       sync.Mutex
	app      map[string]any // nil: does not exist
	queue    []byte
	next     []http.HandlerFunc
	requests []string
	version  int
}

func newMarathon(t *testing.T) *fakeMarathon {
	m := &fakeMarathon{queue: []byte(`{"queue":[]}`)}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *fakeMarathon) client() Marathon {
	return Marathon{URLs: []string{m.URL}, Tick: time.Millisecond}
}

func (m *fakeMarathon) answer(next ...http.HandlerFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = next
}

func (m *fakeMarathon) set(change func(app map[string]any)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.app)
}

func (m *fakeMarathon) seen(prefix string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func (m *fakeMarathon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, r.Method+" "+r.URL.RequestURI())
	if len(m.next) > 0 {
		next := m.next[0]
		m.next = m.next[1:]
		next(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/v2/queue":
		_, _ = w.Write(m.queue)
	case r.URL.Path == "/ping":
		fmt.Fprint(w, "pong")
	case r.URL.Path == "/v2/leader":
		fmt.Fprint(w, `{"leader":"127.0.0.1:28080"}`)
	case r.URL.Path == "/v2/deployments":
		fmt.Fprint(w, `[{"id":"d1","version":"v","affectedApps":["/jenkins"],"steps":[{"actions":[{"action":"RestartApplication","app":"/jenkins"}]}],"currentActions":[{"action":"RestartApplication","app":"/jenkins"}],"currentStep":1,"totalSteps":1}]`)
	case r.URL.Path == "/v2/tasks/delete":
		fmt.Fprint(w, `{"tasks":[]}`)
	case strings.HasPrefix(r.URL.Path, "/v2/apps/jenkins"):
		m.serveApp(w, r)
	default:
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"message":"URI not found"}`)
	}
}

func (m *fakeMarathon) serveApp(w http.ResponseWriter, r *http.Request) {
	if m.app == nil && r.Method != http.MethodPut {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"App '/jenkins' does not exist","details":[]}`)
		return
	}
	switch r.Method {
	case http.MethodGet:
		_ = json.NewEncoder(w).Encode(map[string]any{"app": m.app})
		return
	case http.MethodPut:
		m.put(r)
	case http.MethodDelete:
		m.app = nil
	case http.MethodPost:
		m.change()
	}
	fmt.Fprintf(w, `{"version":"%s","deploymentId":"d-%d"}`, m.now(), m.version)
}

// put replaces the app, or merges into it as Marathon does when it is not told otherwise.
func (m *fakeMarathon) put(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if m.app == nil || r.URL.Query().Get("partialUpdate") == "false" {
		m.app = map[string]any{}
	}
	_ = json.Unmarshal(body, &m.app)
	m.app["id"] = "/jenkins"
	m.change()
}

func (m *fakeMarathon) change() {
	m.version++
	m.app["version"] = m.now()
}

func (m *fakeMarathon) now() string { return fmt.Sprintf("2026-11-21T07:00:%02d.000Z", m.version) }

func html(t *testing.T, code int) http.HandlerFunc {
	page := testdata(t, "502.html")
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = w.Write(page)
	}
}

const document = `{"id":"/jenkins","cmd":"x","cpus":0,"mem":1400,"instances":1,"env":{},
 "healthChecks":[{"protocol":"COMMAND","delaySeconds":1,"command":{"value":"true"}}]}`

func TestDeploySendsTheDocumentAsItIs(t *testing.T) {
	m := newMarathon(t)
	deployed, err := m.client().Deploy(context.Background(), []byte(document))
	require.NoError(t, err)
	assert.Equal(t, Deployed{Deployment: "d-1", Version: "2026-11-21T07:00:01.000Z"}, deployed)
	assert.Equal(t, 1, m.seen("PUT /v2/apps/jenkins?partialUpdate=false"))
	m.set(func(app map[string]any) {
		assert.Equal(t, 0.0, app["cpus"], "the library would leave it out")
		assert.Equal(t, 1.0, app["healthChecks"].([]any)[0].(map[string]any)["delaySeconds"], "the library does not know it")
	})

	again, err := m.client().Deploy(context.Background(), []byte(document))
	require.NoError(t, err)
	assert.Equal(t, Deployed{Version: "2026-11-21T07:00:01.000Z"}, again)
	assert.Equal(t, 1, m.seen("PUT"), "an unchanged app is not deployed again")

	changed := strings.Replace(document, `,"env":{}`, `,"env":{"A":"1"}`, 1)
	_, err = m.client().Deploy(context.Background(), []byte(changed))
	require.NoError(t, err)
	back, err := m.client().Deploy(context.Background(), []byte(document))
	require.NoError(t, err)
	assert.NotEmpty(t, back.Deployment)
	m.set(func(app map[string]any) { assert.Empty(t, app["env"], "what the document drops is gone") })

	_, err = m.client().DeployForced(context.Background(), []byte(changed))
	require.NoError(t, err)
	assert.Equal(t, 1, m.seen("PUT /v2/apps/jenkins?force=true&partialUpdate=false"))
	_, err = m.client().Deploy(context.Background(), []byte(`{"cmd":"x"}`))
	assert.ErrorContains(t, err, "no id")
}

func TestDeployAfterALostAnswerIsNotMadeTwice(t *testing.T) {
	m := newMarathon(t)
	pass := func(w http.ResponseWriter, r *http.Request) { m.serveApp(w, r) }
	lost := func(w http.ResponseWriter, r *http.Request) {
		m.put(r)
		html(t, http.StatusBadGateway)(w, r)
	}
	m.answer(pass, lost)
	deployed, err := m.client().Deploy(context.Background(), []byte(document))
	require.NoError(t, err)
	assert.Equal(t, "2026-11-21T07:00:01.000Z", deployed.Version)
	assert.Equal(t, 1, m.seen("PUT"))
}

func TestRestartAfterALostAnswerIsNotMadeTwice(t *testing.T) {
	m := newMarathon(t)
	m.app = map[string]any{"id": "/jenkins", "version": "2026-11-21T07:00:00.000Z"}
	pass := func(w http.ResponseWriter, r *http.Request) { m.serveApp(w, r) }
	m.answer(pass, func(w http.ResponseWriter, r *http.Request) {
		m.change()
		html(t, http.StatusBadGateway)(w, r)
	})
	_, err := m.client().Restart(context.Background(), "/jenkins", false)
	require.NoError(t, err)
	assert.Equal(t, 1, m.seen("POST"))
}

func TestMarathonDownHasItsTrueReasonAndIsTriedAgain(t *testing.T) {
	m := newMarathon(t)
	m.app = map[string]any{"id": "/jenkins", "version": "v"}
	// One 502 puts a client of the library out of action for 5 s; here the next try is a new client.
	m.answer(html(t, 502), html(t, 502))
	app, err := m.client().App(context.Background(), "/jenkins")
	require.NoError(t, err)
	assert.Equal(t, "v", app.Version)

	m.answer(html(t, 502), html(t, 502), html(t, 502), html(t, 502))
	c := m.client()
	c.Patience = time.Millisecond
	_, err = c.App(context.Background(), "/jenkins")
	assert.ErrorContains(t, err, "Error 502 Connection to leader refused.")
	assert.ErrorContains(t, err, "read the app on /jenkins")
	assert.NotContains(t, err.Error(), "presently down")
	assert.NotEmpty(t, hintOf(err))
	m.answer()

	dead := Marathon{URLs: []string{"http://127.0.0.1:1"}, Patience: time.Millisecond}
	_, err = dead.Info(context.Background())
	assert.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error(), "down for", "nobody has waited")
	both := Marathon{URLs: []string{"127.0.0.1:1", m.URL}}
	_, err = both.App(context.Background(), "/jenkins")
	assert.NoError(t, err)
	assert.Error(t, dead.Ping(context.Background()))
	assert.NoError(t, both.Ping(context.Background()))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = both.App(ctx, "/jenkins")
	assert.ErrorIs(t, err, context.Canceled)
	_, err = Marathon{}.Leader(context.Background())
	assert.ErrorContains(t, err, "no Marathon is known")
}

func TestMarathonErrorsKeepTheirDetails(t *testing.T) {
	m := newMarathon(t)
	say := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	ctx := context.Background()
	_, err := m.client().App(ctx, "/jenkins")
	assert.ErrorIs(t, err, ErrNotFound)
	assert.NoError(t, m.client().Delete(ctx, "/jenkins"), "gone is gone")

	m.answer(say(404, `{"message":"x"}`), say(409, `{"message":"App is locked by one or more deployments.","deployments":[{"id":"5967e58e"}]}`))
	_, err = m.client().Deploy(ctx, []byte(document))
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, []string{"5967e58e"}, locked.Deployments)
	assert.ErrorContains(t, err, "deploy the app on /jenkins: the app is locked by deployment 5967e58e")
	assert.NotEmpty(t, hintOf(err))

	m.answer(say(404, `{"message":"x"}`), say(400, `{"message":"Invalid JSON","details":"Unexpected end-of-input"}`))
	_, err = m.client().Deploy(ctx, []byte(document))
	assert.ErrorContains(t, err, "Unexpected end-of-input", "the library drops it")
	m.answer(say(404, `{"message":"x"}`), say(422, `{"message":"Object is not valid","details":[{"path":"/mem","errors":["error.min"]}]}`))
	_, err = m.client().Deploy(ctx, []byte(document))
	assert.ErrorContains(t, err, "error.min")
	m.answer(say(401, "<html><title>Error 401 Unauthorized</title></html>"))
	_, err = m.client().Info(ctx)
	assert.ErrorContains(t, err, "Error 401 Unauthorized")
	m.answer(say(404, `{"message":"There is no leader"}`), say(200, `{"leader":"a:1"}`))
	leader, err := m.client().Leader(ctx)
	require.NoError(t, err, "no leader is worth another try")
	assert.Equal(t, "a:1", leader)
	m.answer(say(200, `not json`))
	_, err = m.client().Info(ctx)
	assert.ErrorContains(t, err, "failed to unmarshal")
}

func TestMarathonInfoAndTheRest(t *testing.T) {
	m := newMarathon(t)
	ctx := context.Background()
	m.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(testdata(t, "info.json")) })
	info, err := m.client().Info(ctx)
	require.NoError(t, err)
	assert.Equal(t, MarathonInfo{Name: "marathon", Version: "1.11.26", FrameworkID: "f9e780dd-dab7-4a7c-acf1-99ad1c65d7ab-0000", Leader: "127.0.0.1:28080"}, info)

	deployments, err := m.client().Deployments(ctx)
	require.NoError(t, err)
	assert.Equal(t, []Deployment{{ID: "d1", Version: "v", Apps: []string{"/jenkins"}, Step: 1, Steps: 1, Doing: []string{"RestartApplication /jenkins"}}}, deployments)

	m.app = map[string]any{"id": "/jenkins", "version": "v", "instances": 1}
	same, err := m.client().Scale(ctx, "/jenkins", 1, false)
	require.NoError(t, err)
	assert.Empty(t, same.Deployment)
	scaled, err := m.client().Scale(ctx, "/jenkins", 0, true)
	require.NoError(t, err)
	assert.NotEmpty(t, scaled.Deployment)
	require.NoError(t, m.client().KillTasks(ctx, "jenkins.instance-1._app.1"))
	assert.Equal(t, 1, m.seen("POST /v2/tasks/delete"))
	require.NoError(t, m.client().Delete(ctx, "/jenkins"))
	assert.Nil(t, m.app)

	say := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	m.answer(say(204), say(404))
	require.NoError(t, m.client().ResetDelay(ctx, "/jenkins"))
	require.NoError(t, m.client().ResetDelay(ctx, "/jenkins"), "nothing waits")
	assert.Equal(t, 2, m.seen("DELETE /v2/queue/jenkins/delay"))
	m.answer(say(404))
	require.NoError(t, m.client().DropDeployment(ctx, "d-1", true), "it has ended")
	assert.Equal(t, 1, m.seen("DELETE /v2/deployments/d-1"))
}
