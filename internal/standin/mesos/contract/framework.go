package contract

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// framework is a scheduler of the suite.
type framework struct {
	*events
	t        testing.TB
	base     string
	id       string
	streamID string
	next     int // events before it have been dealt with by awaitEvent
	used     map[string]bool
}

// info is a FrameworkInfo.
type info map[string]any

// frameworkInfo is a MULTI_ROLE, PARTITION_AWARE framework with changes; a change to nil takes the field out.
func frameworkInfo(name string, changes info) info {
	out := info{
		"user": "root", "name": name, "roles": []string{"jenkins"}, "failover_timeout": 60.0, "checkpoint": true,
		"capabilities": []info{{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}},
	}
	for key, value := range changes {
		if value == nil {
			delete(out, key)
			continue
		}
		out[key] = value
	}
	return out
}

func subscribeBody(t testing.TB, description info, suppressed ...string) string {
	t.Helper()
	call := info{"type": "SUBSCRIBE", "subscribe": info{"framework_info": description}}
	if len(suppressed) > 0 {
		call["subscribe"].(info)["suppressed_roles"] = suppressed
	}
	if id, ok := description["id"]; ok {
		call["framework_id"] = id
	}
	body, err := json.Marshal(call)
	require.NoError(t, err)
	return string(body)
}

// subscribe opens a framework's stream, takes its SUBSCRIBED, and tears the framework down at the end of the test.
func subscribe(t testing.TB, base string, description info, suppressed ...string) *framework {
	t.Helper()
	f := &framework{t: t, base: base, used: map[string]bool{}, events: open(t, base+"/api/v1/scheduler", subscribeBody(t, description, suppressed...))}
	f.streamID = f.header.Get("Mesos-Stream-Id")
	require.NotEmpty(t, f.streamID)
	first := f.awaitEvent("SUBSCRIBED", func(event) bool { return true })
	require.Equal(t, "SUBSCRIBED", first.kind(), "%s", first.raw)
	f.id = first.node.text("subscribed", "framework_id", "value")
	require.NotEmpty(t, f.id)
	t.Cleanup(func() { _, _ = tryAsk(http.MethodPost, base+"/teardown", nil, "frameworkId="+f.id) })
	return f
}

func (f *framework) awaitEvent(what string, fits func(event) bool) event {
	f.t.Helper()
	found, next := f.await(f.t, f.next, what, fits)
	f.next = next
	return found
}

// call sends a call with the framework's id and stream id, and requires 202.
func (f *framework) call(kind string, part info) {
	f.t.Helper()
	r := f.try(kind, part)
	require.Equal(f.t, http.StatusAccepted, r.status, "%s: %s", kind, r.body)
	require.Empty(f.t, r.body)
}

func (f *framework) try(kind string, part info) reply {
	f.t.Helper()
	if ids, ok := part["offer_ids"].([]any); ok {
		for _, id := range ids {
			f.used[node(id.(map[string]any)).text("value")] = true
		}
	}
	call := info{"type": kind, "framework_id": info{"value": f.id}}
	if part != nil {
		call[lowered(kind)] = part
	}
	body, err := json.Marshal(call)
	require.NoError(f.t, err)
	header := jsonHeaders()
	header["Mesos-Stream-Id"] = f.streamID
	return ask(f.t, http.MethodPost, f.base+"/api/v1/scheduler", header, string(body))
}

func lowered(kind string) string {
	out := []byte(kind)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}

// awaitOffer waits for an offer with at least so many cpus that is not used or rescinded.
func (f *framework) awaitOffer(cpus float64) node {
	f.t.Helper()
	return f.awaitOfferWhere("an offer", func(offer node) bool { return scalar(offer, "cpus") >= cpus })
}

// awaitOfferOf does the same for an agent.
func (f *framework) awaitOfferOf(agent string) node {
	f.t.Helper()
	return f.awaitOfferWhere("an offer of "+agent, func(offer node) bool { return offer.text("agent_id", "value") == agent })
}

func (f *framework) awaitOfferWhere(what string, fits func(node) bool) node {
	f.t.Helper()
	var found node
	testkit.Eventually(f.t, patience, what, func(context.Context) bool {
		for _, e := range f.seen() {
			if e.kind() == "RESCIND" {
				f.used[e.node.text("rescind", "offer_id", "value")] = true
			}
		}
		for _, e := range f.seen() {
			for _, offer := range e.node.at("offers").list("offers") {
				if !f.used[offer.text("id", "value")] && fits(offer) {
					found = offer
					return true
				}
			}
		}
		return false
	})
	return found
}

func scalar(offer node, name string) float64 {
	var sum float64
	for _, r := range offer.list("resources") {
		if r["name"] == name {
			value, _ := r.at("scalar")["value"].(float64)
			sum += value
		}
	}
	return sum
}

func idsOf(offers ...node) []any {
	var ids []any
	for _, offer := range offers {
		ids = append(ids, offer["id"])
	}
	return ids
}

// command is a TaskInfo of a shell command with 0.1 cpus and 32 MB.
func command(id string, offer node, shell string) info {
	return info{
		"name": id, "task_id": info{"value": id}, "agent_id": offer["agent_id"], "command": info{"shell": true, "value": shell},
		"resources": []info{
			{"name": "cpus", "type": "SCALAR", "scalar": info{"value": 0.1}},
			{"name": "mem", "type": "SCALAR", "scalar": info{"value": 32}},
		},
	}
}

// launch accepts the offer with tasks and gives the rest back at once.
func (f *framework) launch(offer node, tasks ...info) {
	f.t.Helper()
	f.call("ACCEPT", info{
		"offer_ids": idsOf(offer), "filters": info{"refuse_seconds": 0.0},
		"operations": []info{{"type": "LAUNCH", "launch": info{"task_infos": tasks}}},
	})
}

// awaitState waits for an update of the task, acknowledges everything on the way, and returns the status.
func (f *framework) awaitState(task, state string) node {
	f.t.Helper()
	status := f.awaitUpdate(task, func(status node) bool { return status["state"] == state })
	return status
}

func (f *framework) awaitUpdate(task string, fits func(node) bool) node {
	f.t.Helper()
	var found node
	f.awaitEvent("an update of "+task, func(e event) bool {
		status := e.node.at("update", "status")
		if e.kind() != "UPDATE" {
			return false
		}
		f.acknowledge(status)
		if status.text("task_id", "value") == task && fits(status) {
			found = status
			return true
		}
		return false
	})
	return found
}

func (f *framework) acknowledge(status node) {
	f.t.Helper()
	if status["uuid"] == nil {
		return
	}
	f.call("ACKNOWLEDGE", info{"agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"]})
}

// run launches a task and waits until it runs; the offer is the first one big enough.
func (f *framework) run(task, shell string) (offer, status node) {
	f.t.Helper()
	offer = f.awaitOffer(0.1)
	f.launch(offer, command(task, offer, shell))
	return offer, f.awaitState(task, "TASK_RUNNING")
}

// shown is the framework as /frameworks has it, and the list that it is in.
func shown(t testing.TB, base, id string) (one node, list string) {
	t.Helper()
	all := fetch(t, base+"/frameworks")
	for _, list := range []string{"frameworks", "completed_frameworks"} {
		for _, one := range all.list(list) {
			if one["id"] == id {
				return one, list
			}
		}
	}
	return nil, ""
}

func awaitShown(t testing.TB, base, id, what string, fits func(one node, list string) bool) {
	t.Helper()
	testkit.Eventually(t, patience, what, func(context.Context) bool { return fits(shown(t, base, id)) })
}
