package lifecycle

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// fakeAgent is one agent as a leading master knows it.
type fakeAgent struct {
	address   string
	cpus, mem float64
	off, gone bool
	builds    []string
	app       string
	// recovered is one that an earlier leader knew, and that has not come back.
	recovered bool
}

// fakeMaster is a leading master with agents by id.
type fakeMaster struct {
	mu     sync.Mutex
	agents map[string]*fakeAgent
	calls  []string
}

func newMaster(t *testing.T, env *Env, agents map[string]*fakeAgent) *fakeMaster {
	f := &fakeMaster{agents: agents}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	env.Mesos = cluster.Mesos{Masters: []string{server.Listener.Addr().String()}, Patience: time.Millisecond}
	return f
}

func (f *fakeMaster) change(work func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	work()
}

func (f *fakeMaster) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.calls...)
}

// ServeHTTP answers as a master does, after the lock is taken.
func (f *fakeMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/state" {
		_ = json.NewEncoder(w).Encode(f.state())
		return
	}
	var call map[string]json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&call)
	var kind string
	_ = json.Unmarshal(call["type"], &kind)
	var part struct {
		AgentID struct{ Value string } `json:"agent_id"`
	}
	_ = json.Unmarshal(call[strings.ToLower(kind)], &part)
	agent := f.agents[part.AgentID.Value]
	if agent == nil {
		http.Error(w, "unknown", http.StatusBadRequest)
		return
	}
	f.calls = append(f.calls, kind+" "+part.AgentID.Value)
	switch kind {
	case "DEACTIVATE_AGENT":
		agent.off = true
	case "REACTIVATE_AGENT":
		agent.off = false
	case "MARK_AGENT_GONE":
		agent.gone = true
	default:
		http.Error(w, "not known", http.StatusNotImplemented)
	}
}

func (f *fakeMaster) state() map[string]any {
	type object = map[string]any
	agents, recovered, builds, apps := []any{}, []any{}, []any{}, []any{}
	for id, a := range f.agents {
		if a.gone {
			continue
		}
		one := object{"id": id, "hostname": a.address, "pid": "slave(1)@" + a.address + ":5051", "active": !a.off, "deactivated": a.off,
			"resources": object{"cpus": a.cpus, "mem": a.mem}}
		if a.recovered {
			recovered = append(recovered, one)
			continue
		}
		agents = append(agents, one)
		for _, name := range a.builds {
			builds = append(builds, object{"id": name, "slave_id": id, "state": "TASK_RUNNING"})
		}
		if a.app != "" {
			apps = append(apps, object{"id": a.app, "slave_id": id, "state": "TASK_RUNNING"})
		}
	}
	return object{"version": "1.11.0", "slaves": agents, "recovered_slaves": recovered, "frameworks": []any{
		object{"id": "x", "name": "jenkins-ci", "tasks": builds}, object{"id": "m", "name": "marathon", "tasks": apps}}}
}

func twoAgents(t *testing.T) (*Env, *fakeMaster) {
	env := environment(t, lifecycletest.Local(t, ""))
	return env, newMaster(t, env, map[string]*fakeAgent{
		"S1": {address: "127.0.10.21", cpus: 4, mem: 4096, app: "ci_jenkins.1"},
		"S2": {address: "127.0.10.22", cpus: 4, mem: 4096},
	})
}

func TestTheListSaysWhatRunsOnEachAgent(t *testing.T) {
	env, master := twoAgents(t)
	master.change(func() {
		master.agents["S2"].off, master.agents["S2"].builds = true, []string{"jenkins-agent-1"}
		master.agents["S9"] = &fakeAgent{address: "10.9.9.9", cpus: 1}
	})
	agents, err := env.Agents(t.Context())
	require.NoError(t, err)
	require.Len(t, agents, 3)
	require.Equal(t, []any{"a1", AgentActive, true, true, 0}, []any{agents[0].Name, agents[0].State, agents[0].Controller, agents[0].HasHome, agents[0].BuildAgents})
	require.Equal(t, []any{"a2", AgentDraining, false, 1}, []any{agents[1].Name, agents[1].State, agents[1].Controller, agents[1].BuildAgents})
	require.False(t, agents[2].InFile)
	master.change(func() { delete(master.agents, "S2") })
	agents, err = env.Agents(t.Context())
	require.NoError(t, err)
	require.Equal(t, AgentMissing, agents[1].State)
}

func run(t *testing.T, plan op.Plan) error {
	t.Helper()
	_, err := op.Run(t.Context(), plan, op.Options{Meta: op.Meta{Verb: plan.Verb}})
	return err
}

func TestADrainWaitsForBuildAgentsAndNeverForTheController(t *testing.T) {
	env, master := twoAgents(t)
	master.change(func() { master.agents["S1"].builds = []string{"jenkins-agent-1"} })
	plan, err := DrainAgents(t.Context(), env, []string{"a1"}, DrainOptions{Timeout: 10 * time.Millisecond})
	require.NoError(t, err)
	lines := plan.Stages[0].Steps[0].Changes(t.Context())
	require.Contains(t, lines[1], "the controller runs there, and goes on")
	err = run(t, plan)
	require.ErrorContains(t, err, "a1 is not empty after 10ms")
	agents, err := env.Agents(t.Context())
	require.NoError(t, err)
	require.Equal(t, AgentDraining, agents[0].State, "nothing new comes to it")
	require.Equal(t, 1, agents[0].BuildAgents)

	master.change(func() { master.agents["S1"].builds = nil })
	plan, err = DrainAgents(t.Context(), env, []string{"a1"}, DrainOptions{Timeout: time.Minute})
	require.NoError(t, err)
	require.Empty(t, func() []op.StepPreview { p, _ := op.Preview(t.Context(), plan); return p.Open() }(), "it is empty by now")

	back, err := UndrainAgents(t.Context(), env, []string{"a1"})
	require.NoError(t, err)
	require.NoError(t, run(t, back))
	require.Equal(t, []string{"DEACTIVATE_AGENT S1", "REACTIVATE_AGENT S1"}, master.called())
}

func TestADrainIsTakenBackByRollback(t *testing.T) {
	env, master := twoAgents(t)
	plan, err := DrainAgents(t.Context(), env, []string{"a2"}, DrainOptions{Timeout: time.Minute})
	require.NoError(t, err)
	require.NoError(t, run(t, plan))
	require.NoError(t, plan.Stages[0].Steps[0].Undo(t.Context(), lifecycletest.Quiet))
	require.Equal(t, []string{"DEACTIVATE_AGENT S2", "REACTIVATE_AGENT S2"}, master.called())
}

func TestWhatCannotBeDrainedIsRefused(t *testing.T) {
	env, master := twoAgents(t)
	_, err := DrainAgents(t.Context(), env, []string{"c1"}, DrainOptions{})
	require.ErrorContains(t, err, "no Mesos agent c1")
	_, err = DrainAgents(t.Context(), env, []string{"a1"}, DrainOptions{MoveController: true})
	require.ErrorContains(t, err, "its home is on that host's disk")
	master.change(func() { delete(master.agents, "S2") })
	_, err = UndrainAgents(t.Context(), env, []string{"a2"})
	require.ErrorContains(t, err, "not registered")
	require.Empty(t, master.called())
}

func TestARemovalKeepsTheHomeAndWhatIsNeeded(t *testing.T) {
	c := lifecycletest.Local(t, "local: {agents: 3}\n")
	change, err := clusterfile.RemoveAgents(c, []string{"a3"})
	require.NoError(t, err)
	env := environment(t, change.Cluster)
	master := newMaster(t, env, map[string]*fakeAgent{
		"S1": {address: "127.0.10.21", cpus: 4, mem: 4096, app: "ci_jenkins.1"}, "S2": {address: "127.0.10.22", cpus: 4, mem: 4096}})
	_, _, err = env.RemoveStages(t.Context(), c, []string{"a1"}, RemoveOptions{})
	require.ErrorContains(t, err, "the home of the controller, with all jobs, is on its disk")

	_, _, err = env.RemoveStages(t.Context(), change.Cluster, []string{"a3"}, RemoveOptions{})
	require.ErrorContains(t, err, "there is no Mesos agent a3", "a host of no address is not drained")

	state, err := env.Mesos.State(t.Context())
	require.NoError(t, err)
	require.NoError(t, carriesError(env, state))
	master.change(func() { master.agents["S1"].mem, master.agents["S2"].mem = 1100, 100 })
	state, err = env.Mesos.State(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, carriesError(env, state), "cannot carry the controller")
	master.change(func() { master.agents["S1"].mem = 4096; master.agents["S1"].off = true })
	state, err = env.Mesos.State(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, carriesError(env, state), "are in service", "a drained one carries nothing new")
}

func carriesError(env *Env, state cluster.State) error { return env.carries(state) }

func TestADeadHostIsGivenUp(t *testing.T) {
	env, master := twoAgents(t)
	h, _ := env.Cluster.Host("a2")
	step := env.goneStep(h)
	require.Contains(t, step.Changes(t.Context())[0], "S2 as gone")
	require.NoError(t, run(t, op.Plan{Verb: "x", Stages: []op.Stage{{Name: "x", Steps: []op.Step{step}}}}))
	require.Equal(t, []string{"MARK_AGENT_GONE S2"}, master.called())
}

func TestTheRemovedHostIsWhatTheInstallMayLack(t *testing.T) {
	c := lifecycletest.Installed(t, lifecycletest.OwnHosts)
	change, err := clusterfile.RemoveAgents(c, []string{"a2"})
	require.NoError(t, err)
	env, err := lookHosts(change.Cluster, inventory.Access{})
	require.NoError(t, err)
	findings, err := env.changed()
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Fix, "agents remove a2")
	env.Intends("a2")
	findings, err = env.changed()
	require.NoError(t, err)
	require.Empty(t, findings)

	require.NoError(t, change.Step().Do(t.Context(), lifecycletest.Quiet))
	again, err := clusterfile.RemoveAgents(change.Cluster, []string{"a2"})
	require.NoError(t, err, "a removal that was cut off after the file was written goes on")
	require.Empty(t, again.Changed)
}

func TestWhatEndsWithTheTasksOfAnAgentIsNamed(t *testing.T) {
	env, master := twoAgents(t)
	a1, _ := env.Cluster.Host("a1")
	a2, _ := env.Cluster.Host("a2")
	require.Empty(t, env.running(t.Context(), a2, true))
	require.Equal(t, []string{"the controller runs on a1: it is restarted on the same home, and builds that are no Pipelines end"}, env.running(t.Context(), a1, true))
	require.Empty(t, env.running(t.Context(), a1, false), "Marathon's tasks outlive a restart")
	master.change(func() { master.agents["S2"].builds = []string{"jenkins-agent-2", "jenkins-agent-1"} })
	require.Equal(t, []string{"lost on a2: a build agent (jenkins-agent-1)", "lost on a2: a build agent (jenkins-agent-2)",
		"`jomctl agents drain a2` before lets builds end by themselves"}, env.running(t.Context(), a2, true))
	master.change(func() { master.agents["S2"].builds, master.agents["S2"].off = nil, true })
	require.Empty(t, env.running(t.Context(), a2, false))
	require.Equal(t, []string{"a2 is drained, and comes back into service"}, env.running(t.Context(), a2, true))
	require.Empty(t, env.lost(t.Context(), a2, provision.Service{}), "only what a Mesos agent offers ends anything")
	env.Mesos.Masters = []string{"127.0.0.1:1"}
	require.Contains(t, env.running(t.Context(), a2, true)[0], "what runs on a2 cannot be told")
}
