package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeMaster answers like one master: as a standby when leader is set.
type fakeMaster struct {
	*httptest.Server
	leader   atomic.Pointer[string] // address to redirect to
	noLeader atomic.Bool
	state    []byte
	posts    atomic.Int32
}

func newMaster(t *testing.T) *fakeMaster {
	m := &fakeMaster{state: testdata(t, "master-state.json")}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *fakeMaster) addr() string { return m.Listener.Addr().String() }

func (m *fakeMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/master")
	switch path {
	case "/version":
		fmt.Fprint(w, `{"build_user":"root","version":"1.11.0"}`)
		return
	case "/metrics/snapshot":
		elected := 1
		if m.leader.Load() != nil || m.noLeader.Load() {
			elected = 0
		}
		fmt.Fprintf(w, `{"master/elected":%d.0,"registrar/log/recovered":1.0,"master/uptime_secs":3.5}`, elected)
		return
	}
	if m.noLeader.Load() {
		http.Error(w, "No leader elected", http.StatusServiceUnavailable)
		return
	}
	if to := m.leader.Load(); to != nil {
		w.Header().Set("Location", "//"+*to+"/master"+path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	body, _ := io.ReadAll(r.Body)
	switch path {
	case "/state":
		_, _ = w.Write(m.state)
	case "/api/v1":
		if r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost || !strings.Contains(string(body), "GET_HEALTH") {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		fmt.Fprint(w, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`)
	case "/teardown":
		m.posts.Add(1)
		if string(body) != "frameworkId=f-1" {
			http.Error(w, "No framework found with specified ID", http.StatusBadRequest)
		}
	default:
		http.NotFound(w, r)
	}
}

func TestMesosStateOfTheRecordedCluster(t *testing.T) {
	master := newMaster(t)
	state, err := Mesos{Masters: []string{master.addr()}}.State(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "1.11.0", state.Version)
	assert.Equal(t, "127.0.0.1:15050", state.Leader)
	require.Len(t, state.Agents, 2)
	agent := state.Agents[0]
	assert.Equal(t, "127.0.0.1:15052", agent.Addr)
	assert.Equal(t, Resources{CPUs: 2, Mem: 23081, Disk: 252899, Ports: "[31000-32000]"}, agent.Total)
	assert.Equal(t, 0.5, agent.Used.CPUs)
	assert.Equal(t, 22953.0, agent.Free().Mem)
	assert.True(t, agent.Active)
	assert.Equal(t, map[string]string{"rack": "b", "zone": "z1"}, agent.Attributes)

	framework, ok := state.Framework("Jenkins Scheduler")
	require.True(t, ok)
	assert.True(t, framework.Active && framework.Connected)
	assert.Equal(t, []string{"jenkins"}, framework.Roles)
	require.Len(t, framework.Tasks, 1)
	task := framework.Tasks[0]
	assert.Equal(t, "127.0.0.1", task.Host)
	assert.Equal(t, "TASK_RUNNING", task.State)
	assert.Equal(t, 128.0, task.Resources.Mem)
	require.NotNil(t, task.Healthy)
	assert.True(t, *task.Healthy)

	ended, ok := state.Task("b-failed")
	require.True(t, ok)
	assert.Equal(t, "TASK_FAILED", ended.State)
	_, ok = state.Framework("nobody")
	assert.False(t, ok)
	assert.Equal(t, "golden", state.CompletedFrameworks[0].Name)
}

func TestMesosFollowsTheStandbyToTheLeader(t *testing.T) {
	leader, standby := newMaster(t), newMaster(t)
	to := leader.addr()
	standby.leader.Store(&to)
	m := Mesos{Masters: []string{standby.addr()}}
	require.NoError(t, m.Ready(context.Background()))
	require.NoError(t, m.Teardown(context.Background(), "f-1"))
	assert.EqualValues(t, 1, leader.posts.Load(), "the redirected POST kept its body")
	assert.ErrorIs(t, m.Teardown(context.Background(), "f-2"), ErrNotFound)

	health := Mesos{Masters: []string{standby.addr(), leader.addr(), "127.0.0.1:1"}}.Health(context.Background())
	assert.False(t, health[0].Elected)
	assert.True(t, health[1].Elected && health[1].Recovered && !health[1].StandIn)
	assert.ErrorContains(t, health[2].Err, "127.0.0.1:1")
}

func TestMesosEndsARedirectLoop(t *testing.T) {
	one, two := newMaster(t), newMaster(t)
	a, b := one.addr(), two.addr()
	one.leader.Store(&b)
	two.leader.Store(&a)
	_, err := Mesos{Masters: []string{a}, Patience: time.Millisecond}.State(context.Background())
	assert.ErrorIs(t, err, ErrNoLeader)
	one.leader.Store(&a)
	err = Mesos{Masters: []string{a}}.Ready(context.Background())
	assert.ErrorIs(t, err, ErrNoLeader)
	assert.NotEmpty(t, hintOf(err))
}

func TestMesosWaitsForALeader(t *testing.T) {
	master := newMaster(t)
	master.noLeader.Store(true)
	_, err := Mesos{Masters: []string{master.addr()}, Patience: time.Millisecond}.State(context.Background())
	assert.ErrorContains(t, err, "No leader elected")

	asked := make(chan error, 1)
	go func() {
		_, err := Mesos{Masters: []string{"127.0.0.1:1", master.addr()}}.State(context.Background())
		asked <- err
	}()
	master.noLeader.Store(false)
	require.NoError(t, <-asked)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Mesos{Masters: []string{master.addr()}}.State(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestMesosKnowsAStandIn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"build_user":"stand-in","version":"1.11.0"}`)
	}))
	defer server.Close()
	standIn, version, err := Mesos{Masters: []string{server.URL + "/"}}.StandIn(context.Background())
	require.NoError(t, err)
	assert.True(t, standIn)
	assert.Equal(t, "1.11.0", version)
}

// The sandbox: master and agent are one server here, the recorded agent's directory names the file.
func TestTaskLogFindsTheSandboxOfAnEndedTask(t *testing.T) {
	const log = "first line\nno such user: nosuchuser\n"
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/state" {
			_, _ = w.Write(testdata(t, "agent-state.json"))
			return
		}
		q := r.URL.Query()
		if !strings.HasSuffix(q.Get("path"), "/executors/t-nouser/runs/a623ee6b-36ca-42d1-9565-16805ec20cf0/stderr") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		from, size := len(log), 0
		if q.Get("offset") != "-1" {
			_, err := fmt.Sscan(q.Get("offset")+" "+q.Get("length"), &from, &size)
			assert.NoError(t, err)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": log[from : from+size], "offset": from})
	}))
	defer agent.Close()
	master := newMaster(t)
	master.state = []byte(strings.ReplaceAll(string(master.state), "127.0.0.1:15051", agent.Listener.Addr().String()))
	master.state = []byte(strings.ReplaceAll(string(master.state), "127.0.0.1:15052", agent.Listener.Addr().String()))
	// The recorded list was cut; the agent still knows this task.
	master.state = []byte(strings.ReplaceAll(string(master.state), `"t-short"`, `"t-nouser"`))
	master.state = []byte(strings.ReplaceAll(string(master.state), "51a28fc7-1fb7-49bc-ba32-0a9271ac8c39-S1", "51a28fc7-1fb7-49bc-ba32-0a9271ac8c39-S0"))
	m := Mesos{Masters: []string{master.addr()}}

	tail, err := m.TaskLog(context.Background(), "t-nouser", "stderr", 26)
	require.NoError(t, err)
	assert.Equal(t, "no such user: nosuchuser\n", tail[1:])
	whole, err := m.TaskLog(context.Background(), "t-nouser", "stderr", 5000)
	require.NoError(t, err)
	assert.Equal(t, log, whole)
	_, err = m.TaskLog(context.Background(), "t-nouser", "nothing", 10)
	assert.ErrorIs(t, err, ErrNotFound)
	_, err = m.TaskLog(context.Background(), "never-heard-of", "stderr", 10)
	assert.ErrorIs(t, err, ErrNotFound)
}

func TestTheLastStateIsThatOfTheLastAnswer(t *testing.T) {
	master := newMaster(t)
	mesos := Mesos{Masters: []string{master.addr()}, Last: &LastState{}, Patience: time.Millisecond}
	first, err := mesos.State(t.Context())
	require.NoError(t, err)
	same, err := mesos.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, same)
	require.Same(t, &first.Agents[0], &same.Agents[0], "it was not read again")

	recorded := master.state
	master.state = []byte(strings.Replace(string(recorded), `"active": true`, `"active": null`, 1))
	require.Len(t, master.state, len(recorded), "one word in a text of the same length")
	changed, err := mesos.State(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, changed)
	alone, err := Mesos{Masters: mesos.Masters}.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, alone, changed)

	master.state = []byte("<html>")
	_, err = mesos.State(t.Context())
	require.ErrorContains(t, err, "not the JSON that was expected")
	master.noLeader.Store(true)
	_, err = mesos.State(t.Context())
	require.Error(t, err)
	master.noLeader.Store(false)
	master.state = recorded
	again, err := mesos.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, again)
}
