package contract

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// AgentLoss asserts what a master makes of an agent that dies, comes back, is given up, or says goodbye, by the
// framework's checkpoint flag and PARTITION_AWARE.
func AgentLoss(t *testing.T, launcher Launcher) {
	master := launcher.StartMaster(t, "--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=6")
	Ready(t, master.URL)
	agent := launcher.StartAgent(t, "--master="+address(master), "--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31099]")
	AgentsActive(t, master.URL, 1)
	t.Run("Unreachable", func(t *testing.T) { agentGivenUp(t, master, agent) })
	t.Run("Unregistered", func(t *testing.T) { agentUnregistered(t, master, agent) })
}

func agentGivenUp(t *testing.T, master, agent *Process) {
	aware := subscribe(t, master.URL, frameworkInfo("aware", nil))
	aware.run("aware", "sleep 1000")
	aware.giveUpOffers()
	unaware := subscribe(t, master.URL, frameworkInfo("unaware", info{"roles": nil, "capabilities": nil}))
	unaware.run("unaware", "sleep 1000")
	unaware.giveUpOffers()
	fleeting := subscribe(t, master.URL, frameworkInfo("fleeting", info{"checkpoint": false}))
	fleeting.run("fleeting", "sleep 1000")
	held := fleeting.awaitOffer(0.1)
	id := held.text("agent_id", "value")

	agent.Kill()
	lost := fleeting.awaitState("fleeting", "TASK_LOST")
	require.Equal(t, []any{"REASON_AGENT_DISCONNECTED", "Agent 127.0.0.1 disconnected", "SOURCE_MASTER"}, []any{lost["reason"], lost["message"], lost["source"]})
	testkit.Eventually(t, patience, "the offer is rescinded", func(context.Context) bool {
		for _, e := range fleeting.seen() {
			if e.node.text("rescind", "offer_id", "value") == held.text("id", "value") {
				return true
			}
		}
		return false
	})
	one := fetch(t, master.URL+"/slaves").list("slaves")
	require.Len(t, one, 1)
	require.Equal(t, false, one[0]["active"])

	gone := aware.awaitState("aware", "TASK_UNREACHABLE")
	require.Equal(t, []any{"Agent 127.0.0.1 unreachable: health check timed out", "SOURCE_MASTER", nil}, []any{gone["message"], gone["source"], gone["uuid"]})
	require.NotNil(t, gone["unreachable_time"])
	unaware.awaitState("unaware", "TASK_LOST")
	failure := aware.awaitEvent("FAILURE", func(e event) bool { return e.kind() == "FAILURE" })
	require.Equal(t, id, failure.node.text("failure", "agent_id", "value"))
	require.Empty(t, fetch(t, master.URL+"/slaves").list("slaves"))
	shownAware, _ := shown(t, master.URL, aware.id)
	require.Len(t, shownAware.list("unreachable_tasks"), 1)
	aware.call("RECONCILE", info{"tasks": []info{{"task_id": info{"value": "aware"}, "agent_id": info{"value": id}}}})
	require.Equal(t, "Reconciliation: Task is unreachable", aware.awaitState("aware", "TASK_UNREACHABLE")["message"])

	agent.Start()
	for name, f := range map[string]*framework{"aware": aware, "unaware": unaware} {
		back := f.awaitState(name, "TASK_RUNNING")
		require.Equal(t, []any{"REASON_AGENT_REREGISTERED", "Unreachable agent re-reregistered"}, []any{back["reason"], back["message"]})
	}
	AgentsActive(t, master.URL, 1)
	require.Equal(t, id, fetch(t, master.URL+"/slaves").list("slaves")[0]["id"], "the agent keeps its id")
	shownAware, _ = shown(t, master.URL, aware.id)
	require.Len(t, shownAware.list("tasks"), 1)
	require.Empty(t, shownAware.list("unreachable_tasks"))
}

// giveUpOffers leaves everything to other frameworks.
func (f *framework) giveUpOffers() {
	f.t.Helper()
	f.call("DECLINE", info{"offer_ids": idsOf(f.awaitOffer(0.1)), "filters": info{"refuse_seconds": 3600}})
	f.call("SUPPRESS", nil)
}

func agentUnregistered(t *testing.T, master, agent *Process) {
	stream := open(t, master.URL+"/api/v1", `{"type":"SUBSCRIBE"}`)
	f := subscribe(t, master.URL, frameworkInfo("goodbye", nil))
	f.run("goodbye", "sleep 1000")
	agent.Signal(syscall.SIGUSR1)
	lost := f.awaitState("goodbye", "TASK_LOST")
	require.Equal(t, []any{"REASON_AGENT_REMOVED", "Agent 127.0.0.1 removed: the agent unregistered"}, []any{lost["reason"], lost["message"]})
	require.Empty(t, fetch(t, master.URL+"/slaves").list("slaves"))
	for _, kind := range []string{"AGENT_REMOVED", "AGENT_ADDED"} {
		if kind == "AGENT_ADDED" {
			<-agent.ended
			agent.Start()
		}
		e, _ := stream.await(t, 0, kind, func(e event) bool { return e.kind() == kind })
		requireShape(t, "operator-"+kind, e.raw, operatorOptional()...)
	}
}
