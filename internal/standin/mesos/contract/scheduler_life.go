package contract

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func awaitClosed(t testing.TB, stream *events) {
	t.Helper()
	testkit.Eventually(t, patience, "the stream ends", func(context.Context) bool { return stream.isClosed() })
}

// offers follows one offer through refusals, revival and suppression.
func offers(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("offers", nil))
	offer := f.awaitOffer(0.1)
	agent := offer.text("agent_id", "value")
	again := func() node { return f.awaitOfferOf(agent) }
	other := subscribe(t, base, frameworkInfo("second", nil))

	f.call("DECLINE", info{"offer_ids": idsOf(offer), "filters": info{"refuse_seconds": 3600}})
	taken := other.awaitOfferOf(agent) // the first one has refused, so it is the other one's
	other.call("DECLINE", info{"offer_ids": idsOf(taken), "filters": info{"refuse_seconds": 3600}})
	f.call("REVIVE", nil)
	offer = again()
	require.NotEqual(t, taken["id"], offer["id"])
	other.call("TEARDOWN", nil)

	f.call("ACCEPT", info{"offer_ids": idsOf(offer), "operations": []info{}})
	offer = again()
	f.call("SUPPRESS", nil)
	f.call("DECLINE", info{"offer_ids": idsOf(offer), "filters": info{"refuse_seconds": 0}})
	third := subscribe(t, base, frameworkInfo("third", nil))
	theirs := third.awaitOfferOf(agent) // what the suppressed one has given back
	require.Equal(t, scalar(offer, "cpus"), scalar(theirs, "cpus"))
	third.call("TEARDOWN", nil)
	f.call("REVIVE", nil)
	again()

	r := f.try("UPDATE_FRAMEWORK", info{"framework_info": frameworkInfo("offers", info{"id": info{"value": f.id}, "failover_timeout": 77.0}), "suppressed_roles": []string{"jenkins"}})
	require.Equal(t, http.StatusOK, r.status, r.body)
	awaitShown(t, base, f.id, "the update is in", func(one node, _ string) bool { return one["failover_timeout"] == 77.0 })
}

func resubscribing(t *testing.T, base string) {
	description := frameworkInfo("again", nil)
	f := subscribe(t, base, description)
	f.run("survivor", "sleep 1000")
	description["id"] = info{"value": f.id}
	description["failover_timeout"] = 77.0
	description["checkpoint"] = false
	second := subscribe(t, base, description)
	require.Equal(t, f.id, second.id)
	require.NotEqual(t, f.streamID, second.streamID)
	last := f.awaitEvent("the old stream's end", func(e event) bool { return e.kind() == "ERROR" })
	require.Equal(t, "Framework failed over", last.node.text("error", "message"))
	awaitClosed(t, f.events)
	require.Equal(t, http.StatusBadRequest, f.try("REVIVE", nil).status, "the old stream id is void")
	second.call("RECONCILE", info{"tasks": []info{}})
	second.awaitState("survivor", "TASK_RUNNING")
	one, _ := shown(t, base, f.id)
	require.Equal(t, []any{77.0, true}, []any{one["failover_timeout"], one["checkpoint"]}, "checkpoint stays as first given")
	require.NotNil(t, one["reregistered_time"])

	// An update that was not acknowledged comes again at once.
	offer := second.awaitOffer(0.1)
	second.launch(offer, command("unheard", offer, "sleep 1000"))
	update := second.awaitEvent("the first update", func(e event) bool { return e.node.text("update", "status", "task_id", "value") == "unheard" })
	third := subscribe(t, base, description)
	repeated := third.awaitUpdate("unheard", func(status node) bool { return status["uuid"] != nil })
	require.Equal(t, update.node.at("update", "status")["uuid"], repeated["uuid"])

	third.cancel()
	awaitShown(t, base, f.id, "it is disconnected", func(one node, list string) bool {
		return list == "frameworks" && one["active"] == false && one["connected"] == false && len(one.list("tasks")) == 2
	})
	fourth := subscribe(t, base, description)
	require.Equal(t, f.id, fourth.id)
}

func tearingDown(t *testing.T, base string) {
	description := frameworkInfo("teardown", nil)
	f := subscribe(t, base, description)
	f.run("victim", "sleep 1000")
	f.call("TEARDOWN", nil)
	awaitClosed(t, f.events)
	awaitShown(t, base, f.id, "it is completed", func(one node, list string) bool {
		tasks := one.list("completed_tasks")
		return list == "completed_frameworks" && len(tasks) == 1 && tasks[0]["state"] == "TASK_KILLED"
	})
	r := f.try("REVIVE", nil)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "Framework cannot be found", r.body)
	description["id"] = info{"value": f.id}
	stream := open(t, base+"/api/v1/scheduler", subscribeBody(t, description))
	first, _ := stream.await(t, 0, "the refusal", func(event) bool { return true })
	require.Equal(t, "Framework has been removed", first.node.text("error", "message"))
	awaitClosed(t, stream)

	for _, body := range []string{"teardown", "TEARDOWN"} {
		f = subscribe(t, base, frameworkInfo("by operator", nil))
		if body == "teardown" {
			r = ask(t, http.MethodPost, base+"/teardown", nil, "frameworkId="+f.id)
		} else {
			r = v1(t, base, `{"type":"TEARDOWN","teardown":{"framework_id":{"value":"`+f.id+`"}}}`)
		}
		require.Equal(t, http.StatusOK, r.status)
		require.Empty(t, r.body)
		awaitClosed(t, f.events)
	}
}

// failoverTimeout: 0 ends the framework with its connection, more keeps its tasks so long.
func failoverTimeout(t *testing.T, base string) {
	at0 := subscribe(t, base, frameworkInfo("at once", info{"failover_timeout": 0.0}))
	at0.run("f0", "sleep 1000")
	at0.cancel()
	awaitShown(t, base, at0.id, "it is completed at once", func(one node, list string) bool {
		return list == "completed_frameworks" && one["connected"] == false
	})
	at1 := subscribe(t, base, frameworkInfo("later", info{"failover_timeout": 1.0}))
	at1.run("f1", "sleep 1000")
	at1.cancel()
	awaitShown(t, base, at1.id, "it is disconnected", func(one node, _ string) bool { return one["connected"] == false })
	awaitShown(t, base, at1.id, "it is completed", func(_ node, list string) bool { return list == "completed_frameworks" })
}

// watched compares what an operator's stream tells with what happened.
func watched(t *testing.T, base string) {
	stream := open(t, base+"/api/v1", `{"type":"SUBSCRIBE"}`)
	_, next := stream.await(t, 0, "SUBSCRIBED", func(e event) bool { return e.kind() == "SUBSCRIBED" })
	f := subscribe(t, base, frameworkInfo("watched", nil))
	offer := f.awaitOffer(0.1)
	f.launch(offer, command("seen", offer, "true"))
	f.awaitState("seen", "TASK_FINISHED")
	f.call("TEARDOWN", nil)
	for _, step := range []struct{ kind, state string }{
		{"FRAMEWORK_ADDED", ""}, {"TASK_ADDED", ""}, {"TASK_UPDATED", "TASK_STARTING"}, {"TASK_UPDATED", "TASK_RUNNING"},
		{"TASK_UPDATED", "TASK_FINISHED"}, {"FRAMEWORK_REMOVED", ""},
	} {
		var e event
		e, next = stream.await(t, next, step.kind+" "+step.state, func(e event) bool {
			return e.kind() == step.kind && (step.state == "" || e.node.text("task_updated", "status", "state") == step.state)
		})
		requireShape(t, "operator-"+e.kind(), e.raw, operatorOptional()...)
	}
}
