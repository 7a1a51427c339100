package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func recordedApp(t *testing.T, name string) map[string]any {
	t.Helper()
	var wrapper struct {
		App map[string]any `json:"app"`
	}
	require.NoError(t, json.Unmarshal(testdata(t, name), &wrapper))
	return wrapper.App
}

// said collects what a wait says; until the text is heard, then acts once.
type said struct {
	mu    sync.Mutex
	lines []string
	on    string
	act   func()
}

func (s *said) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, text)
	if s.act != nil && strings.Contains(text, s.on) {
		act := s.act
		s.act = nil
		act()
	}
}

func TestWaitDeployedBelievesTheTaskList(t *testing.T) {
	m := newMarathon(t)
	m.app = recordedApp(t, "app-healthy.json")
	m.app["id"] = "/jenkins"
	version := m.app["version"].(string)
	app, err := m.client().WaitDeployed(context.Background(), "/jenkins", version, nil)
	require.NoError(t, err)
	require.Len(t, app.Current(), 1)
	task := app.Current()[0]
	assert.Equal(t, "agent-2", task.Host)
	assert.Equal(t, []int{31929}, task.Ports)
	assert.True(t, *task.Alive)
	assert.True(t, app.HasChecks)
}

func task(app map[string]any) map[string]any { return app["tasks"].([]any)[0].(map[string]any) }

func TestWaitDeployedGoesOnUntilEverythingIsTrue(t *testing.T) {
	healthy := func(t *testing.T) map[string]any {
		app := recordedApp(t, "app-healthy.json")
		app["id"] = "/jenkins"
		return app
	}
	for name, c := range map[string]struct {
		spoil func(app map[string]any)
		want  string
	}{
		"old version shown": {func(app map[string]any) { app["version"] = "2026-11-21T07:00:00.000Z" }, "still shows version 2026-11-21T07:00:00.000Z"},
		"an old task lives": {func(app map[string]any) {
			old := map[string]any{"id": "old", "host": "agent-1", "state": "TASK_RUNNING", "version": "2026-11-20T00:00:00.000Z", "stagedAt": "2026-11-20T00:00:00.000Z"}
			app["tasks"] = append(app["tasks"].([]any), old)
		}, "the old task on agent-1 has not ended"},
		"two instances":             {func(app map[string]any) { app["tasks"] = append(app["tasks"].([]any), task(app)) }, "2 tasks run, want 1"},
		"no tasks at all":           {func(app map[string]any) { app["tasks"] = []any{} }, "0 of 1 tasks run"},
		"staging":                   {func(app map[string]any) { task(app)["state"] = "TASK_STAGING" }, "the task on agent-2 is in TASK_STAGING"},
		"unreachable":               {func(app map[string]any) { task(app)["state"] = "TASK_UNREACHABLE" }, "its Mesos agent is lost"},
		"health not known":          {func(app map[string]any) { task(app)["healthCheckResults"] = []any{} }, "health is not known yet"},
		"health of the task before": {func(app map[string]any) { task(app)["startedAt"] = "2026-11-21T07:20:00.000Z" }, "health is not known yet"},
		"unhealthy": {func(app map[string]any) {
			result := task(app)["healthCheckResults"].([]any)[0].(map[string]any)
			result["alive"], result["lastFailureCause"] = false, "Command returned exit code 7"
		}, "runs but is not healthy: Command returned exit code 7"},
		"locked": {func(app map[string]any) { app["deployments"] = []any{map[string]any{"id": "d-7"}} }, "deployment d-7 is about to end"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMarathon(t)
			m.app = healthy(t)
			version := m.app["version"].(string)
			c.spoil(m.app)
			s := &said{on: c.want, act: func() { m.mu.Lock(); m.app = healthy(t); m.mu.Unlock() }}
			_, err := m.client().WaitDeployed(context.Background(), "/jenkins", version, s.say)
			require.NoError(t, err)
			assert.Contains(t, strings.Join(s.lines, "\n"), c.want)
		})
	}
}

func TestWaitDeployedGoesOnThroughAChangeOfLeader(t *testing.T) {
	m := newMarathon(t)
	m.app = recordedApp(t, "app-healthy.json")
	m.answer(html(t, 502), html(t, 500), html(t, 503))
	s := &said{}
	_, err := m.client().WaitDeployed(context.Background(), "/jenkins", "", s.say)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(s.lines, "\n"), "Connection to leader refused")
}

func TestWaitDeployedAfterScalingKeepsTheOldTasks(t *testing.T) {
	m := newMarathon(t)
	m.app = recordedApp(t, "app-healthy.json")
	// Scaling gave a new version, the tasks and lastConfigChangeAt are from before.
	m.app["version"] = "2026-11-21T08:00:00.000Z"
	app, err := m.client().WaitDeployed(context.Background(), "/jenkins", "2026-11-21T08:00:00.000Z", nil)
	require.NoError(t, err)
	assert.Len(t, app.Current(), 1)
}

// The failing app and its queue are recordings; the sandbox is a fake.
func TestWaitDeployedTellsWhyATaskFails(t *testing.T) {
	m := newMarathon(t)
	m.app = recordedApp(t, "app-failing.json")
	m.app["id"] = "/jenkins"
	m.queue = []byte(strings.ReplaceAll(string(testdata(t, "queue-backoff.json")), `"/fail"`, `"/jenkins"`))
	failed := task(m.app)["id"].(string)
	mesos := fakeSandbox(t, failed, "starting\nRunning with Java 17, older than the minimum\nI1121 07:10:46.691000 4711 executor.cpp:1042] Command exited with status 3 (pid: 4712)\n")
	c := m.client()
	c.Mesos = &mesos
	ctx, cancel := context.WithCancelCause(context.Background())
	outOfTime := errors.New("the budget of 10m is used up")
	s := &said{on: "backing off", act: func() { cancel(outOfTime) }}
	_, err := c.WaitDeployed(ctx, "/jenkins", "", s.say)
	var waited *WaitError
	require.ErrorAs(t, err, &waited)
	assert.ErrorIs(t, err, outOfTime)
	assert.Contains(t, waited.Verdict, "the last task ended on agent-1 with TASK_FAILED: Command exited with status 3 (stderr: Running with Java 17, older than the minimum); backing off, next try within 5 s")
	assert.Contains(t, err.Error(), "starting\nRunning with Java 17")
	assert.NotEmpty(t, hintOf(err))
}

func fakeSandbox(t *testing.T, taskID, log string) Mesos {
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/files/read" && r.URL.Query().Get("offset") == "-1":
			_ = json.NewEncoder(w).Encode(map[string]any{"data": "", "offset": len(log)})
		case r.URL.Path == "/files/read":
			_ = json.NewEncoder(w).Encode(map[string]any{"data": log, "offset": 0})
		default:
			fmt.Fprintf(w, `{"slaves":[{"id":"S0","hostname":"agent-1","active":true,"pid":"slave(1)@%s"}],
				"frameworks":[{"id":"F","completed_tasks":[{"id":%q,"framework_id":"F","slave_id":"S0"}],
				"completed_executors":[{"id":%q,"directory":"/sandbox"}]}]}`, server.Listener.Addr(), taskID, taskID)
		}
	}))
	t.Cleanup(server.Close)
	return Mesos{Masters: []string{server.URL}}
}

func TestWaitDeployedTellsWhyNoOfferFits(t *testing.T) {
	m := newMarathon(t)
	m.app = recordedApp(t, "app-healthy.json")
	m.app["tasks"] = []any{}
	m.queue = []byte(strings.ReplaceAll(string(testdata(t, "queue-mem.json")), `"/q/mem"`, `"/jenkins"`))
	ctx, cancel := context.WithCancel(context.Background())
	s := &said{on: "offers", act: cancel}
	_, err := m.client().WaitDeployed(ctx, "/jenkins", "", s.say)
	assert.ErrorContains(t, err, "wait for app /jenkins: 3 offers: all lack 97.66 GiB memory, largest has 4 GiB")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWaitDeployedWithoutAnyOffer(t *testing.T) {
	item := &queueItem{App: queuedApp{CPUs: 1, Mem: 2048}}
	w := &wait{}
	assert.Equal(t, "waiting for an offer with 1 cpus and 2 GiB memory", w.offers(context.Background(), item))
	nobody := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"slaves":[{"id":"S0","active":false}]}`)
	}))
	defer nobody.Close()
	w.m.Mesos = &Mesos{Masters: []string{nobody.URL}}
	assert.Equal(t, "no offers: none of 1 Mesos agents is active", w.offers(context.Background(), item))
}

func TestWaitDeployedOfAnAppThatIsGone(t *testing.T) {
	m := newMarathon(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := m.client().WaitDeployed(ctx, "/jenkins", "", nil)
	assert.ErrorIs(t, err, ErrNotFound)
}
