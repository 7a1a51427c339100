package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Scheduler asserts what a framework sees of a leading master with at least one agent that has 2 cpus, 512 MB and runs
// commands: events and their order, calls and their errors, offers, launches, kills, reconciliation.
func Scheduler(t *testing.T, target Target) {
	base := target.leader()
	Ready(t, base)
	AgentsActive(t, base, len(target.Agents))
	t.Run("Subscribe", func(t *testing.T) { subscribing(t, base) })
	t.Run("SubscribeRefused", func(t *testing.T) { subscribeRefused(t, base) })
	t.Run("CallErrors", func(t *testing.T) { callErrors(t, base) })
	t.Run("Task", func(t *testing.T) { oneTask(t, base) })
	t.Run("TaskEnds", func(t *testing.T) { taskEnds(t, base) })
	t.Run("InvalidLaunch", func(t *testing.T) { invalidLaunch(t, base) })
	t.Run("Reconcile", func(t *testing.T) { reconciling(t, base) })
	t.Run("Offers", func(t *testing.T) { offers(t, base) })
	t.Run("Resubscribe", func(t *testing.T) { resubscribing(t, base) })
	t.Run("Teardown", func(t *testing.T) { tearingDown(t, base) })
	t.Run("FailoverTimeout", func(t *testing.T) { failoverTimeout(t, base) })
	t.Run("Operators", func(t *testing.T) { watched(t, base) })
}

func subscribing(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("golden", nil))
	require.Equal(t, "application/json", f.header.Get("Content-Type"))
	f.awaitEvent("HEARTBEAT", func(e event) bool { return e.kind() == "HEARTBEAT" })
	f.awaitOffer(0.1)
	kinds := f.kinds()
	require.Equal(t, "SUBSCRIBED", kinds[0])
	for _, one := range f.seen() {
		requireShape(t, "scheduler-"+one.kind(), one.raw)
	}
	one, list := shown(t, base, f.id)
	require.Equal(t, "frameworks", list)
	require.Equal(t, []any{true, true, false}, []any{one["active"], one["connected"], one["recovered"]})

	// A framework without MULTI_ROLE gets offers without allocation_info.
	old := subscribe(t, base, frameworkInfo("old", info{"roles": nil, "capabilities": nil}))
	f.call("TEARDOWN", nil)
	offer := old.awaitOffer(0.1)
	require.NotContains(t, offer, "allocation_info")
	old.call("TEARDOWN", nil)

	// MULTI_ROLE without roles: no offers, nor with the role suppressed.
	mute := subscribe(t, base, frameworkInfo("mute", info{"roles": []string{}}))
	quiet := subscribe(t, base, frameworkInfo("quiet", nil), "jenkins")
	loud := subscribe(t, base, frameworkInfo("loud", nil))
	loud.awaitOffer(0.1)
	require.NotContains(t, mute.kinds(), "OFFERS")
	require.NotContains(t, quiet.kinds(), "OFFERS")
}

func subscribeRefused(t *testing.T, base string) {
	// These are accepted with 200 and refused by an event.
	for text, changes := range map[string]info{
		"'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable":                          {"capabilities": nil},
		"'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable":                               {"role": "jenkins", "roles": nil},
		"'FrameworkInfo.roles' contains duplicate items: { a }":                                                       {"roles": []string{"a", "a"}},
		"'FrameworkInfo.roles' contains invalid role: Role component '-bad' is invalid because it starts with a dash": {"roles": []string{"-bad"}},
		"The framework failover_timeout (1e+12) is invalid":                                                           {"failover_timeout": 1e12},
	} {
		stream := open(t, base+"/api/v1/scheduler", subscribeBody(t, frameworkInfo("v", changes)))
		require.NotEmpty(t, stream.header.Get("Mesos-Stream-Id"))
		first, _ := stream.await(t, 0, "ERROR", func(event) bool { return true })
		require.Equal(t, text, first.node.text("error", "message"))
		requireShape(t, "scheduler-ERROR", first.raw)
		awaitClosed(t, stream)
	}
	for text, body := range map[string]string{
		"Failed to convert JSON into Call protobuf: Missing required fields: subscribe.framework_info":      `{"type":"SUBSCRIBE","subscribe":{}}`,
		"Failed to convert JSON into Call protobuf: Missing required fields: subscribe.framework_info.user": `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"v"}}}`,
		"Failed to convert JSON into Call protobuf: Missing required fields: subscribe.framework_info.name": `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root"}}}`,
		"Failed to validate scheduler::Call: 'framework_id' differs from 'subscribe.framework_info.id'":     `{"type":"SUBSCRIBE","framework_id":{"value":"x"},"subscribe":{"framework_info":{"user":"root","name":"v"}}}`,
	} {
		r := ask(t, http.MethodPost, base+"/api/v1/scheduler", jsonHeaders(), body)
		require.Equal(t, http.StatusBadRequest, r.status)
		require.Equal(t, text, r.body)
	}
	// What looks wrong but is taken: unknown fields and capabilities, numbers as text, an empty user, a negative time.
	for _, changes := range []info{{"zzz": 1}, {"failover_timeout": "10"}, {"user": ""}, {"failover_timeout": -1}, {"roles": []string{"ci/jenkins"}},
		{"roles": nil, "capabilities": []info{{"type": "NOPE"}}}, {"id": info{"value": "an-id-of-ours"}}} {
		f := subscribe(t, base, frameworkInfo("v", changes))
		f.call("TEARDOWN", nil)
	}
}

func callErrors(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("errors", nil))
	with := func(key, value string) map[string]string {
		header := jsonHeaders()
		header["Mesos-Stream-Id"] = f.streamID
		header[key] = value
		return header
	}
	revive := `{"type":"REVIVE","framework_id":{"value":"` + f.id + `"}}`
	same := with("X", "")
	cases := []struct {
		name   string
		header map[string]string
		body   string
		status int
		text   string
	}{
		{"no stream id", jsonHeaders(), revive, 400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header"},
		{"other stream id", with("Mesos-Stream-Id", "e36697ef-e8df-4b26-b743-2b978d3f3713"), revive, 400,
			"The stream ID 'e36697ef-e8df-4b26-b743-2b978d3f3713' included in this request didn't match the stream ID currently associated with framework ID " + f.id},
		{"no framework", same, `{"type":"REVIVE"}`, 400, "Failed to validate scheduler::Call: Expecting 'framework_id' to be present"},
		{"unknown framework", same, `{"type":"REVIVE","framework_id":{"value":"nope"}}`, 400, "Framework cannot be found"},
		{"unknown type", same, strings.Replace(revive, "REVIVE", "NOPE", 1), 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"},
		{"no part", same, strings.Replace(revive, "REVIVE", "ACCEPT", 1), 400, "Failed to validate scheduler::Call: Expecting 'accept' to be present"},
		{"no JSON", same, `{"type":`, 400, "Failed to parse body into JSON: syntax error at line 1 near: "},
		{"form", with("Content-Type", "text/plain"), revive, 415, "Expecting 'Content-Type' of application/json or application/x-protobuf"},
		{"html is fine here", with("Accept", "text/html"), revive, 202, ""},
		{"unknown offer", same, strings.Replace(revive, `"REVIVE"`, `"DECLINE","decline":{"offer_ids":[{"value":"nope"}]}`, 1), 202, ""},
		{"unknown executor", same, strings.Replace(revive, `"REVIVE"`, `"SHUTDOWN","shutdown":{"agent_id":{"value":"a"},"executor_id":{"value":"x"}}`, 1), 202, ""},
	}
	for _, c := range cases {
		r := ask(t, http.MethodPost, base+"/api/v1/scheduler", c.header, c.body)
		require.Equal(t, c.status, r.status, "%s: %s", c.name, r.body)
		require.Equal(t, c.text, r.body, c.name)
	}
	r := ask(t, http.MethodPost, base+"/api/v1/scheduler", map[string]string{"Content-Type": "application/json", "Accept": "text/html"}, subscribeBody(t, frameworkInfo("v", nil)))
	require.Equal(t, http.StatusNotAcceptable, r.status)

	f.cancel()
	awaitShown(t, base, f.id, "the framework is inactive", func(one node, _ string) bool { return one["active"] == false })
	r = f.try("REVIVE", nil)
	require.Equal(t, http.StatusForbidden, r.status)
	require.Equal(t, "Framework is not subscribed", r.body)
}

// oneTask follows a task from the offer to its place among the completed ones.
func oneTask(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("task", nil))
	offer := f.awaitOffer(0.1)
	require.Equal(t, "jenkins", offer.text("allocation_info", "role"))
	task := command("t1", offer, "sleep 1000")
	task["labels"] = info{"labels": []info{{"key": "a", "value": "b"}}}
	f.launch(offer, task)
	starting := f.awaitState("t1", "TASK_STARTING")
	require.Equal(t, "SOURCE_EXECUTOR", starting["source"])
	running := f.awaitState("t1", "TASK_RUNNING")
	require.NotEqual(t, starting["uuid"], running["uuid"])
	require.Equal(t, "t1", running.text("executor_id", "value"))

	one, _ := shown(t, base, f.id)
	tasks := one.list("tasks")
	require.Len(t, tasks, 1)
	require.Equal(t, []any{"t1", "TASK_RUNNING", ""}, []any{tasks[0]["id"], tasks[0]["state"], tasks[0]["executor_id"]})
	require.Equal(t, []any{map[string]any{"key": "a", "value": "b"}}, tasks[0]["labels"])
	require.InDelta(t, 0.1, one.at("used_resources")["cpus"], 1e-9)
	rest := f.awaitOfferOf(offer.text("agent_id", "value"))
	require.InDelta(t, scalar(offer, "mem")-32, scalar(rest, "mem"), 1e-9, "the rest is offered")
	endpoints(t, base)
	operatorCalls(t, base)

	f.call("KILL", info{"task_id": info{"value": "t1"}, "agent_id": offer["agent_id"]})
	killed := f.awaitState("t1", "TASK_KILLED")
	require.Equal(t, "Command terminated with signal Terminated", killed["message"])
	awaitShown(t, base, f.id, "the task is completed", func(one node, _ string) bool {
		return len(one.list("tasks")) == 0 && len(one.list("completed_tasks")) == 1
	})
	endpoints(t, base)
	operatorCalls(t, base)
	for _, e := range f.seen() {
		requireShape(t, "scheduler-"+e.kind(), e.raw)
	}
}

func taskEnds(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("ends", nil))
	for id, c := range map[string]struct{ shell, state, text string }{
		"ok":     {"exit 0", "TASK_FINISHED", "Command exited with status 0"},
		"failed": {"exit 3", "TASK_FAILED", "Command exited with status 3"},
		"signal": {"kill -9 $$", "TASK_FAILED", "Command terminated with signal Killed"},
	} {
		offer := f.awaitOffer(0.1)
		f.launch(offer, command(id, offer, c.shell))
		require.Equal(t, c.text, f.awaitState(id, c.state)["message"])
	}
}

func invalidLaunch(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("invalid", nil))
	offer := f.awaitOffer(0.1)
	big := command("big", offer, "true")
	big["resources"].([]info)[0]["scalar"] = info{"value": 100000}
	f.launch(offer, big)
	status := f.awaitState("big", "TASK_ERROR")
	require.Equal(t, []any{"REASON_TASK_INVALID", "SOURCE_MASTER", nil}, []any{status["reason"], status["source"], status["uuid"]})
	require.Regexp(t, `^Total resources cpus\(allocated: jenkins\):100000; mem\(allocated: jenkins\):32 required by task and its executor is more than available .*cpus\(allocated: jenkins\):`, status["message"])

	f.launch(offer, command("stale", offer, "true"))
	status = f.awaitState("stale", "TASK_DROPPED")
	require.Equal(t, "REASON_INVALID_OFFERS", status["reason"])
	require.Equal(t, "Task launched with invalid offers: Offer "+offer.text("id", "value")+" is no longer valid", status["message"])

	f.run("twin", "sleep 1000")
	offer = f.awaitOffer(0.1)
	f.launch(offer, command("twin", offer, "true"))
	require.Equal(t, "Task has duplicate ID: twin", f.awaitState("twin", "TASK_ERROR")["message"])
	f.call("KILL", info{"task_id": info{"value": "nobody"}})
	require.Equal(t, "REASON_RECONCILIATION", f.awaitState("nobody", "TASK_UNKNOWN")["reason"])
}

func reconciling(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("reconcile", nil))
	offer, _ := f.run("alive", "sleep 1000")
	rest := f.awaitOffer(0.1)
	f.launch(rest, command("ended", rest, "true"))
	f.awaitState("ended", "TASK_FINISHED")
	awaitShown(t, base, f.id, "the acknowledgement is in", func(one node, _ string) bool { return len(one.list("completed_tasks")) == 1 })
	for _, c := range []struct{ task, agent, state, text string }{
		{"alive", offer.text("agent_id", "value"), "TASK_RUNNING", "Reconciliation: Latest task state"},
		{"ended", rest.text("agent_id", "value"), "TASK_GONE", "Reconciliation: Task is unknown to the agent"},
		{"never", "", "TASK_UNKNOWN", "Reconciliation: Task is unknown"},
		{"never", "00000000-S9", "TASK_UNKNOWN", "Reconciliation: Task is unknown"},
	} {
		task := info{"task_id": info{"value": c.task}}
		if c.agent != "" {
			task["agent_id"] = info{"value": c.agent}
		}
		f.call("RECONCILE", info{"tasks": []info{task}})
		status := f.awaitUpdate(c.task, func(status node) bool { return status["reason"] == "REASON_RECONCILIATION" })
		require.Equal(t, []any{c.state, c.text, "SOURCE_MASTER", nil}, []any{status["state"], status["message"], status["source"], status["uuid"]})
	}
	f.call("RECONCILE", info{"tasks": []info{}})
	status := f.awaitUpdate("alive", func(status node) bool { return status["reason"] == "REASON_RECONCILIATION" })
	require.Equal(t, "TASK_RUNNING", status["state"])
}
