package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeOperator is a leading master with agents, tasks and a maintenance schedule.
type fakeOperator struct {
	*httptest.Server
	mu         sync.Mutex
	version    string
	agents     map[string]bool // id -> deactivated
	tasks      []map[string]any
	schedule   json.RawMessage
	calls      []string
	down       bool
	afterWrite func()
}

func newOperator(t *testing.T) *fakeOperator {
	f := &fakeOperator{version: "1.11.0", agents: map[string]bool{"S0": false, "S1": false}, schedule: json.RawMessage(`{}`)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeOperator) client() Mesos {
	return Mesos{Masters: []string{f.Listener.Addr().String()}, Patience: time.Millisecond}
}

func (f *fakeOperator) change(work func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	work()
}

func (f *fakeOperator) deactivated(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.agents[id]
}

func (f *fakeOperator) task(id, agent, state string) {
	f.change(func() {
		f.tasks = append(f.tasks, map[string]any{"id": id, "slave_id": agent, "state": state})
	})
}

func (f *fakeOperator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		http.Error(w, "No leader elected", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/state":
		_ = json.NewEncoder(w).Encode(f.state())
	case "/api/v1":
		f.v1(w, r)
	case "/maintenance/schedule":
		f.serveSchedule(w, r)
	case "/machine/down", "/machine/up":
		var ids []MachineID
		_ = json.NewDecoder(r.Body).Decode(&ids)
		f.calls = append(f.calls, fmt.Sprint(r.URL.Path, ids))
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeOperator) serveSchedule(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		_, _ = w.Write(f.schedule)
		return
	}
	f.schedule = nil
	_ = json.NewDecoder(r.Body).Decode(&f.schedule)
	f.calls = append(f.calls, "schedule")
	if f.afterWrite != nil {
		f.afterWrite()
	}
}

// state puts tasks of Marathon apart from those of the build agents by their ids.
func (f *fakeOperator) state() map[string]any {
	agents, builds, apps := []any{}, []any{}, []any{}
	for _, id := range []string{"S0", "S1"} {
		if off, there := f.agents[id]; there {
			agents = append(agents, map[string]any{"id": id, "hostname": "Host-" + id, "pid": "slave(1)@10.0.0." + id[1:] + ":5051", "active": !off, "deactivated": off})
		}
	}
	for _, task := range f.tasks {
		if strings.HasPrefix(task["id"].(string), "jenkins-agent") {
			builds = append(builds, task)
		} else {
			apps = append(apps, task)
		}
	}
	return map[string]any{"version": f.version, "slaves": agents, "frameworks": []any{
		map[string]any{"id": "jenkins-ci-e1", "name": "jenkins-ci", "tasks": builds}, map[string]any{"id": "m", "name": "marathon", "tasks": apps}}}
}

func (f *fakeOperator) v1(w http.ResponseWriter, r *http.Request) {
	var call map[string]json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&call)
	var kind string
	_ = json.Unmarshal(call["type"], &kind)
	var part struct {
		AgentID struct{ Value string }    `json:"agent_id"`
		Grace   struct{ Seconds float64 } `json:"max_grace_period"`
		Gone    bool                      `json:"mark_gone"`
	}
	_ = json.Unmarshal(call[strings.ToLower(kind)], &part)
	id := part.AgentID.Value
	off, there := f.agents[id]
	f.calls = append(f.calls, kind+" "+id)
	switch {
	case !there:
		http.Error(w, "Unknown agent", http.StatusBadRequest)
	case kind == "REACTIVATE_AGENT" && !off:
		http.Error(w, "Agent is not deactivated", http.StatusBadRequest)
	case kind == "REACTIVATE_AGENT":
		f.agents[id] = false
	case kind == "DRAIN_AGENT" && (part.Grace.Seconds != 5 || !part.Gone):
		http.Error(w, "bad", http.StatusBadRequest)
	default:
		f.agents[id] = true
	}
}

func owners() Owners { return Owners{Builds: []string{"jenkins-ci"}, App: "/ci/jenkins"} }

func TestMethodFor(t *testing.T) {
	for version, want := range map[string]DrainMethod{
		"1.11.0": DrainDeactivate, "1.9.0": DrainDeactivate, "2.0.0": DrainDeactivate, "1.8.1": DrainSchedule, "0.28.2": DrainSchedule, "": DrainSchedule,
	} {
		assert.Equal(t, want, MethodFor(version), version)
	}
}

func TestLoadOfAnAgent(t *testing.T) {
	f := newOperator(t)
	f.task("jenkins-agent-a-1", "S0", "TASK_RUNNING")
	f.task("jenkins-agent-a-2", "S0", "TASK_FINISHED")
	f.task("jenkins-agent-a-3", "S1", "TASK_RUNNING")
	f.task("ci_jenkins.instance-1._app.1", "S0", "TASK_RUNNING")
	f.task("ci_jenkins-old.instance-1._app.1", "S0", "TASK_RUNNING")
	state, err := f.client().State(context.Background())
	require.NoError(t, err)
	load := state.LoadOf("S0", owners())
	ids := func(tasks []Task) (all []string) {
		for _, task := range tasks {
			all = append(all, task.ID)
		}
		return all
	}
	assert.Equal(t, []string{"jenkins-agent-a-1"}, ids(load.BuildAgents), "those that ended do not count")
	assert.Equal(t, []string{"ci_jenkins.instance-1._app.1"}, ids(load.Controller))
	assert.Equal(t, []string{"ci_jenkins-old.instance-1._app.1"}, ids(load.Others))
	assert.Equal(t, "Host-S0", load.Agent.Hostname)
	for _, name := range []string{"S0", "Host-S0", "10.0.0.0", "10.0.0.0:5051"} {
		assert.Len(t, state.AgentsOn(name), 1, name)
	}
	assert.Empty(t, state.AgentsOn("nobody"))
}

func TestARecordedDrainedAgentIsOutOfService(t *testing.T) {
	var raw rawState
	require.NoError(t, json.Unmarshal(testdata(t, "slaves-drained.json"), &raw))
	state := raw.state()
	require.Len(t, state.Agents, 2)
	require.False(t, state.Agents[0].Deactivated)
	drained := state.Agents[1]
	require.Equal(t, []any{false, true}, []any{drained.Active, drained.Deactivated})
	require.Equal(t, MachineID{"127.0.0.1", "127.0.0.1"}, drained.Machine())
}

func TestAgentCalls(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	m := f.client()
	require.NoError(t, m.ReactivateAgent(ctx, "S0"), "an active one is no error")
	require.NoError(t, m.DeactivateAgent(ctx, "S0"))
	require.True(t, f.deactivated("S0"))
	require.NoError(t, m.ReactivateAgent(ctx, "S0"))
	require.False(t, f.deactivated("S0"))
	require.NoError(t, m.KillOnAgent(ctx, "S0", 5*time.Second, true))
	require.NoError(t, m.MarkAgentGone(ctx, "S1"))
	for _, err := range []error{m.DeactivateAgent(ctx, "S9"), m.ReactivateAgent(ctx, "S9"), m.MarkAgentGone(ctx, "S9")} {
		require.ErrorIs(t, err, ErrNotFound)
	}
}

func TestDrainWaitsForBuildsAndReleasesTheIdle(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	f.task("jenkins-agent-a-1", "S0", "TASK_RUNNING")
	f.task("jenkins-agent-a-2", "S0", "TASK_RUNNING")
	f.task("ci_jenkins.instance-1._app.1", "S0", "TASK_RUNNING")
	looks, said := 0, []string{}
	d := Drain{Mesos: f.client(), AgentID: "S0", Owners: owners(), Tick: time.Millisecond,
		Work: func(context.Context) (map[string]string, error) {
			looks++
			switch {
			case looks == 1:
				return nil, errors.New("Jenkins is away")
			case looks < 4:
				return map[string]string{"jenkins-agent-a-1": "backup #7"}, nil
			}
			return map[string]string{}, nil
		},
		Release: func(_ context.Context, task Task) error {
			f.change(func() {
				f.tasks = slices.DeleteFunc(f.tasks, func(one map[string]any) bool { return one["id"] == task.ID })
			})
			return nil
		}}
	method, err := d.Begin(ctx)
	require.NoError(t, err)
	require.Equal(t, DrainDeactivate, method)
	load, err := d.Wait(ctx, func(text string) { said = append(said, text) })
	require.NoError(t, err)
	require.Len(t, load.Controller, 1, "the controller stays")
	require.True(t, f.deactivated("S0"), "the agent stays out of the offers")
	require.Equal(t, []string{
		"waiting for 2 build agents on Host-S0 to end; what they build cannot be asked: Jenkins is away",
		"waiting for 1 build on Host-S0: backup #7; waiting for 1 build agent without work on Host-S0 to end",
		"waiting for 1 build on Host-S0: backup #7",
		"waiting for 1 build agent without work on Host-S0 to end",
	}, said)
	require.NoError(t, d.Undo(ctx, nil))
	require.False(t, f.deactivated("S0"))
}

func TestDrainHasADeadline(t *testing.T) {
	f := newOperator(t)
	f.task("jenkins-agent-a-1", "S0", "TASK_RUNNING")
	d := Drain{Mesos: f.client(), AgentID: "S0", Owners: owners(), Tick: time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := d.Begin(ctx)
	require.NoError(t, err)
	_, err = d.Wait(ctx, func(text string) {
		assert.Equal(t, "waiting for 1 build agent on Host-S0 to end", text)
		cancel()
	})
	var late *DrainError
	require.ErrorAs(t, err, &late)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "Host-S0", late.Agent)
	require.Contains(t, err.Error(), "waiting for 1 build agent on Host-S0 to end")
	require.Contains(t, (&DrainError{Cause: context.DeadlineExceeded}).Hint(), "would kill them")
}

func TestDrainOverrulesWhoOffersTheAgentAgain(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	d := Drain{Mesos: f.client(), AgentID: "S0", Owners: owners(), Tick: time.Millisecond}
	said := ""
	_, err := d.Wait(ctx, func(text string) { said = text })
	require.NoError(t, err)
	require.Contains(t, said, "offered again meanwhile")
	require.True(t, f.deactivated("S0"))
}

func TestDrainWaitsForTheMasterAndGivesUpOnALostAgent(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	f.down = true
	d := Drain{Mesos: f.client(), AgentID: "S0", Owners: owners(), Tick: time.Millisecond}
	said := ""
	_, err := d.Wait(ctx, func(text string) {
		said = text
		f.change(func() { f.down = false; delete(f.agents, "S0") })
	})
	require.Contains(t, said, "Mesos cannot be asked")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = d.Begin(ctx)
	require.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, d.Undo(ctx, nil), "what is gone has nothing to undo")
}

func TestDrainOfAnOldMesosSchedules(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	f.version = "1.8.1"
	d := Drain{Mesos: f.client(), AgentID: "S1", Owners: owners(), Tick: time.Millisecond}
	method, err := d.Begin(ctx)
	require.NoError(t, err)
	require.Equal(t, DrainSchedule, method)
	windows, err := d.Mesos.Windows(ctx)
	require.NoError(t, err)
	require.Len(t, windows, 1)
	require.Equal(t, []MachineID{{"host-s1", "10.0.0.1"}}, windows[0].Machines)
	_, err = d.Wait(ctx, func(string) {})
	require.NoError(t, err)
	f.change(func() { delete(f.agents, "S1") })
	require.NoError(t, d.Undo(ctx, &MachineID{"host-s1", "10.0.0.1"}))
	windows, err = d.Mesos.Windows(ctx)
	require.NoError(t, err)
	require.Empty(t, windows)
}
