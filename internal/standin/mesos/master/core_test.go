package master

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

func post(t testing.TB, url, contentType, body string) (status int, text string) {
	t.Helper()
	response, err := http.Post(url, contentType, strings.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(data)
}

func show(t testing.TB, url string) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, json.Unmarshal(fetchAll(t, url), &out))
	return out
}

func runTask(t testing.TB, f *goFramework, id string) mesos.Offer {
	t.Helper()
	offer := f.offer()
	f.launch(offer, goTask(id, offer))
	f.state(id, mesos.TASK_RUNNING)
	return offer
}

func TestARestartedMasterLosesNoTask(t *testing.T) {
	work := "--work_dir=" + t.TempDir()
	_, base := startAlone(t, work)
	a := newSimAgent(t, base, 1)
	a.register()
	f := subscribeGo(t, base, "protobuf", goInfo("restart"))
	runTask(t, f, "survivor")

	_, next := startAlone(t, work)
	require.Len(t, show(t, next+"/slaves")["recovered_slaves"], 1)
	again := subscribeGo(t, next, "protobuf", f.info)
	require.Equal(t, f.id, again.id)
	again.call(calls.Reconcile()) // unanswered while the agent is away, so the first update below is the one after its return
	again.call(calls.Reconcile(calls.ReconcileTasks(map[string]string{"survivor": a.info.ID.Value})))
	again.call(calls.Kill("survivor", a.info.ID.Value)) // lost, as with the real one
	first := *a.info.ID
	a.base = next
	a.register()
	require.Equal(t, first, *a.info.ID)
	require.Empty(t, show(t, next+"/slaves")["recovered_slaves"])
	again.call(calls.Reconcile())
	status := again.await(scheduler.Event_UPDATE).Update.Status
	require.Equal(t, mesos.TASK_RUNNING, status.GetState())
	require.Equal(t, mesos.REASON_RECONCILIATION, status.GetReason())
	again.call(calls.Kill("survivor", ""))
	again.state("survivor", mesos.TASK_KILLED)
}

func TestAFrameworkKnownOnlyFromAgents(t *testing.T) {
	_, base := startAlone(t)
	a := newSimAgent(t, base, 1)
	info := goInfo("old")
	info.ID, info.FailoverTimeout = &mesos.FrameworkID{Value: "old-0000"}, ptr(0.0)
	state := mesos.TASK_RUNNING
	a.tasks["t"] = wire.Task{Framework: info, Info: goTask("t", mesos.Offer{AgentID: mesos.AgentID{Value: "a-S0"}}), Status: mesos.TaskStatus{TaskID: mesos.TaskID{Value: "t"}, State: &state}}
	a.info.ID = &mesos.AgentID{Value: "a-S0"}
	a.register()
	require.Equal(t, "a-S0", a.info.ID.Value, "an id of another registry is kept")
	fw := show(t, base+"/frameworks")["frameworks"].([]any)[0].(map[string]any)
	require.Equal(t, []any{true, false, false, 0.0}, []any{fw["recovered"], fw["active"], fw["connected"], fw["registered_time"]})
	require.Len(t, fw["tasks"], 1)
	status, text := post(t, base+"/api/v1/scheduler", typeJSON, `{"type":"REVIVE","framework_id":{"value":"old-0000"}}`)
	require.Equal(t, http.StatusForbidden, status, text)
	f := subscribeGo(t, base, "json", info)
	require.Equal(t, "old-0000", f.id)
	f.call(calls.Kill("t", ""))
	f.state("t", mesos.TASK_KILLED)
}

func TestTasksOfARemovedFrameworkAreShutDown(t *testing.T) {
	_, base := startAlone(t)
	a := newSimAgent(t, base, 1)
	a.register()
	f := subscribeGo(t, base, "protobuf", goInfo("removed"))
	runTask(t, f, "t")
	a.cancel()
	eventually(t, "the agent is disconnected", func() bool { return show(t, base+"/state")["deactivated_slaves"] == 1.0 })
	status, _ := post(t, base+"/teardown", "application/x-www-form-urlencoded", "frameworkId="+f.id)
	require.Equal(t, http.StatusOK, status)
	a.register()
	eventually(t, "the agent is told", func() bool {
		return a.got(func(m wire.ToAgent) bool {
			return m.FrameworkShutdown != nil && m.FrameworkShutdown.FrameworkID.Value == f.id
		})
	})
	require.Empty(t, show(t, base+"/frameworks")["frameworks"])
}

func TestWhatTheAgentDoesNotKnowIsDropped(t *testing.T) {
	_, base := startAlone(t)
	a := newSimAgent(t, base, 1)
	a.register()
	f := subscribeGo(t, base, "protobuf", goInfo("forgotten"))
	runTask(t, f, "kept")
	runTask(t, f, "forgotten")
	a.cancel()
	eventually(t, "the agent is disconnected", func() bool { return show(t, base+"/state")["deactivated_slaves"] == 1.0 })
	f.call(calls.Kill("kept", ""))
	delete(a.tasks, "forgotten")
	a.register()
	status := f.state("forgotten", mesos.TASK_DROPPED)
	require.Equal(t, mesos.REASON_RECONCILIATION, status.GetReason())
	f.state("kept", mesos.TASK_KILLED) // the kill is repeated to an agent that was away
}

func TestASilentAgentBecomesUnreachable(t *testing.T) {
	_, base := startAlone(t, "--agent_ping_timeout=200ms", "--max_agent_ping_timeouts=15")
	a := newSimAgent(t, base, 1)
	a.register()
	f := subscribeGo(t, base, "protobuf", goInfo("silent"))
	runTask(t, f, "t")
	eventually(t, "it is pinged again and again", func() bool {
		return a.got(func(m wire.ToAgent) bool { return m.Ping != nil && m.Ping.Seq > 5 })
	})
	require.Len(t, show(t, base+"/slaves")["slaves"], 1)
	a.mute.Store(true)
	require.NotNil(t, f.state("t", mesos.TASK_UNREACHABLE).UnreachableTime)
	require.Equal(t, a.info.ID.Value, f.await(scheduler.Event_FAILURE).Failure.AgentID.Value)
	eventually(t, "its stream is ended so that it registers anew", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.left })
	metrics := show(t, base+"/metrics/snapshot")
	require.Equal(t, []any{1.0, 1.0, 0.0}, []any{metrics["master/slaves_unreachable"], metrics["master/tasks_unreachable"], metrics["master/slaves_connected"]})
	a.mute.Store(false)
	a.register()
	require.Equal(t, mesos.REASON_AGENT_REREGISTERED, f.state("t", mesos.TASK_RUNNING).GetReason())
}

func TestATaskThatIsNowElsewhereIsKilledWhereItReturns(t *testing.T) {
	s, base := startAlone(t)
	a := newSimAgent(t, base, 1)
	a.register()
	f := subscribeGo(t, base, "protobuf", goInfo("twice"))
	runTask(t, f, "t")
	s.mu.Lock()
	s.markUnreachable(s.agents[a.info.ID.Value])
	s.mu.Unlock()
	f.state("t", mesos.TASK_UNREACHABLE)
	other := newSimAgent(t, base, 2)
	other.register()
	offer := f.offer()
	for offer.AgentID.Value != other.info.ID.Value { // one of the first agent may have come before it went
		offer = f.offer()
	}
	f.launch(offer, goTask("t", offer))
	f.state("t", mesos.TASK_RUNNING)
	a.register()
	eventually(t, "the first is told to kill it, and its update ends there", func() bool {
		return a.got(func(m wire.ToAgent) bool { return m.Kill != nil }) && a.got(func(m wire.ToAgent) bool { return m.Ack != nil && m.Ack.TaskID.Value == "t" }) && len(a.waiting("t")) == 0
	})
	require.False(t, other.got(func(m wire.ToAgent) bool { return m.Kill != nil }))
}

func TestANewAgentOnTheSameAddressReplacesTheOld(t *testing.T) {
	_, base := startAlone(t)
	old := newSimAgent(t, base, 1)
	old.register()
	f := subscribeGo(t, base, "protobuf", goInfo("replaced"))
	runTask(t, f, "t")
	newSimAgent(t, base, 1).register()
	require.Equal(t, "Agent 127.0.0.1 removed: a new agent registered at the same address", f.state("t", mesos.TASK_LOST).GetMessage())
	agents := show(t, base+"/slaves")["slaves"].([]any)
	require.Len(t, agents, 1)
	require.NotEqual(t, old.info.ID.Value, agents[0].(map[string]any)["id"])
}

func TestDrainAndReactivate(t *testing.T) {
	_, base := startAlone(t)
	a := newSimAgent(t, base, 1)
	a.register()
	f := subscribeGo(t, base, "protobuf", goInfo("drained"))
	runTask(t, f, "t")
	v1 := func(kind, part string) (int, string) {
		return post(t, base+"/api/v1", typeJSON, `{"type":"`+strings.ToUpper(kind)+`","`+kind+`":{"agent_id":{"value":"`+a.info.ID.Value+`"}`+part+`}}`)
	}
	status, text := v1("reactivate_agent", "")
	require.Equal(t, http.StatusBadRequest, status, text)
	status, text = v1("drain_agent", `,"max_grace_period":{"seconds":5}`)
	require.Equal(t, http.StatusOK, status, text)
	require.Empty(t, text)
	f.state("t", mesos.TASK_KILLED)
	eventually(t, "the drain is done", func() bool {
		one := show(t, base+"/slaves")["slaves"].([]any)[0].(map[string]any)
		info := one["drain_info"].(map[string]any)
		return info["state"] == "DRAINED" && one["deactivated"] == true && one["active"] == false
	})
	require.True(t, a.got(func(m wire.ToAgent) bool { return m.Drain != nil && m.Drain.MaxGracePeriod == 5 }))
	status, _ = v1("reactivate_agent", "")
	require.Equal(t, http.StatusOK, status)
	f.call(calls.Revive())
	f.offer()

	status, _ = v1("mark_agent_gone", "")
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, show(t, base+"/slaves")["slaves"])
	require.Equal(t, a.info.ID.Value, f.await(scheduler.Event_FAILURE).Failure.AgentID.Value)
	status, text = v1("drain_agent", "")
	require.Equal(t, http.StatusBadRequest, status, text)
	again, err := json.Marshal(wire.Register{Agent: a.info})
	require.NoError(t, err)
	_, text = post(t, base+wire.PathRegister, typeJSON, string(again))
	require.Contains(t, text, "Agent has been marked gone", "it is not let in again")
}

func TestTwoFrameworksShareFairly(t *testing.T) {
	_, base := startAlone(t)
	first := subscribeGo(t, base, "protobuf", goInfo("first"))
	second := subscribeGo(t, base, "protobuf", goInfo("second"))
	newSimAgent(t, base, 1).register()
	newSimAgent(t, base, 2).register()
	require.Len(t, first.await(scheduler.Event_OFFERS).Offers.Offers, 1)
	require.Len(t, second.await(scheduler.Event_OFFERS).Offers.Offers, 1)
}

func TestReservedResourcesAreForTheirRole(t *testing.T) {
	_, base := startAlone(t)
	info := goInfo("other")
	info.Roles = []string{"other"}
	other := subscribeGo(t, base, "protobuf", info)
	newSimAgent(t, base, 1, scalarOf("cpus", 2, "*"), scalarOf("mem", 64, "*"), scalarOf("cpus", 4, "jenkins"), scalarOf("mem", 64, "jenkins")).register()
	require.InDelta(t, 2.0, newBag(other.offer().Resources).scalar("cpus"), 0)
	jenkins := subscribeGo(t, base, "protobuf", goInfo("jenkins"))
	require.Equal(t, "cpus(jenkins):4; mem(jenkins):64", newBag(jenkins.offer().Resources).text(""))
	one := show(t, base+"/slaves")["slaves"].([]any)[0].(map[string]any)
	require.Contains(t, one["reserved_resources"], "jenkins")
	require.Contains(t, one["reserved_resources_full"], "jenkins")
}

func TestUpdateFramework(t *testing.T) {
	_, base := startAlone(t)
	newSimAgent(t, base, 1).register()
	f := subscribeGo(t, base, "protobuf", goInfo("update"))
	offer := f.offer()
	info := f.info
	info.Roles = []string{"other"}
	f.call(calls.UpdateFramework(info))
	require.Equal(t, offer.ID, f.await(scheduler.Event_RESCIND).Rescind.OfferID, "the role has gone")
	require.Equal(t, "other", f.offer().AllocationInfo.GetRole())
	info.Checkpoint = ptr(false)
	require.ErrorContains(t, calls.CallNoData(t.Context(), f.caller, calls.UpdateFramework(info).With(calls.Framework(f.id))), "checkpoint")
}

func TestOffersTimeOut(t *testing.T) {
	_, base := startAlone(t, "--offer_timeout=50ms")
	newSimAgent(t, base, 1).register()
	f := subscribeGo(t, base, "protobuf", goInfo("slow"))
	offer := f.offer()
	require.Equal(t, offer.ID, f.await(scheduler.Event_RESCIND).Rescind.OfferID)
	require.NotEqual(t, offer.ID, f.offer().ID)
}

func TestWhatIsLeftOutSaysSo(t *testing.T) {
	_, base := startAlone(t)
	for _, body := range []string{
		`{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[]}}`, `{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":1}}}`,
		`{"type":"RESERVE_RESOURCES","reserve_resources":{"agent_id":{"value":"x"},"resources":[]}}`, `{"type":"READ_FILE","read_file":{"path":"/x","offset":0}}`,
	} {
		status, text := post(t, base+"/api/v1", typeJSON, body)
		require.Equal(t, http.StatusNotImplemented, status, "%s: %s", body, text)
		require.Contains(t, text, "stand-in")
	}
	for _, path := range []string{"/quota", "/weights", "/reserve", "/files/read?path=/x", "/help"} {
		status, text := post(t, base+path, typeJSON, "x")
		require.Equal(t, http.StatusNotImplemented, status, path)
		require.Contains(t, text, "stand-in")
	}
}

func TestTaskGroupsAndOperationsAreRefused(t *testing.T) {
	_, base := startAlone(t)
	newSimAgent(t, base, 1).register()
	f := subscribeGo(t, base, "protobuf", goInfo("groups"))
	offer := f.offer()
	group := calls.OpLaunchGroup(mesos.ExecutorInfo{ExecutorID: mesos.ExecutorID{Value: "e"}}, goTask("g", offer))
	reserve := calls.OpReserve(scalarOf("cpus", 1, "jenkins"))
	reserve.ID = &mesos.OperationID{Value: "op"}
	f.call(calls.Accept(calls.OfferOperations{group, reserve}.WithOffers(offer.ID)))
	require.Equal(t, mesos.REASON_TASK_GROUP_INVALID, f.state("g", mesos.TASK_ERROR).GetReason())
	require.Equal(t, mesos.OPERATION_DROPPED, f.await(scheduler.Event_UPDATE_OPERATION_STATUS).UpdateOperationStatus.Status.State)
}

func TestNobodyLeadsBeforeTheElection(t *testing.T) {
	s := &server{core: newCore(settings{}, mesos.MasterInfo{}, noRegistry{}, nil), flags: newFlags()}
	for path, want := range map[string]string{"/state": "No leader elected", "/redirect": "No leader elected", "/health": ""} {
		w := newRecorder()
		request, err := http.NewRequest(http.MethodGet, path, nil)
		require.NoError(t, err)
		s.handler().ServeHTTP(w, request)
		require.Equal(t, want, w.body.String(), path)
	}
}

type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder                       { return &recorder{header: http.Header{}} }
func (r *recorder) Header() http.Header            { return r.header }
func (r *recorder) Write(data []byte) (int, error) { return r.body.Write(data) }
func (r *recorder) WriteHeader(int)                {}
