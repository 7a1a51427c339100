package contract

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// Maintenance asserts how operators take agents out of service: deactivated, which leaves tasks alone; drained, which
// kills them; and whole machines by the maintenance schedule. The deactivation and the drain were recorded; what is said
// of the schedule is what Mesos documents, as only empty ones were recorded.
func Maintenance(t *testing.T, launcher Launcher) {
	master := launcher.StartMaster(t)
	Ready(t, master.URL)
	agent := launcher.StartAgent(t, "--master="+address(master), "--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31099]")
	AgentsActive(t, master.URL, 1)
	t.Run("Deactivated", func(t *testing.T) { agentDeactivated(t, master.URL) })
	t.Run("Drained", func(t *testing.T) { agentDrained(t, master.URL) })
	t.Run("Schedule", func(t *testing.T) { machineScheduled(t, master.URL) })
	t.Run("Down", func(t *testing.T) { machineDown(t, master.URL, agent) })
}

func operate(t *testing.T, base, kind, part string) reply {
	t.Helper()
	return v1(t, base, fmt.Sprintf(`{"type":"%s","%s":{%s}}`, kind, lowered(kind), part))
}

func onlyAgent(t *testing.T, base string) node {
	t.Helper()
	all := fetch(t, base+"/slaves").list("slaves")
	require.Len(t, all, 1)
	return all[0]
}

func eventuallyAgent(t *testing.T, base, what string, fits func(agent node) bool) {
	t.Helper()
	testkit.Eventually(t, patience, what, func(context.Context) bool {
		all := fetch(t, base+"/slaves").list("slaves")
		return len(all) == 1 && fits(all[0])
	})
}

func agentDeactivated(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("deactivated", nil))
	f.run("survivor", "sleep 1000")
	held := f.awaitOffer(0.1)
	id := `"agent_id":{"value":"` + held.text("agent_id", "value") + `"}`
	r := operate(t, base, "DEACTIVATE_AGENT", id)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Empty(t, r.body)
	f.awaitEvent("RESCIND", func(e event) bool { return e.node.text("rescind", "offer_id", "value") == held.text("id", "value") })
	agent := onlyAgent(t, base)
	require.Equal(t, []any{false, true}, []any{agent["active"], agent["deactivated"]})
	framework, _ := shown(t, base, f.id)
	require.Equal(t, "TASK_RUNNING", framework.list("tasks")[0]["state"], "what runs goes on")

	r = operate(t, base, "REACTIVATE_AGENT", id)
	require.Equal(t, http.StatusOK, r.status, r.body)
	f.call("REVIVE", nil)
	f.awaitOffer(0.1)
	agent = onlyAgent(t, base)
	require.Equal(t, []any{true, false}, []any{agent["active"], agent["deactivated"]})
	require.Equal(t, http.StatusBadRequest, operate(t, base, "REACTIVATE_AGENT", id).status, "an active agent cannot be reactivated")
	for _, kind := range []string{"DEACTIVATE_AGENT", "REACTIVATE_AGENT", "DRAIN_AGENT"} {
		require.Equal(t, http.StatusBadRequest, operate(t, base, kind, `"agent_id":{"value":"nobody-S0"}`).status, kind)
		require.Equal(t, http.StatusBadRequest, v1(t, base, `{"type":"`+kind+`"}`).status, kind)
	}
	f.call("TEARDOWN", nil)
}

func agentDrained(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("drained", nil))
	f.run("drained", "sleep 1000")
	id := `"agent_id":{"value":"` + onlyAgent(t, base).text("id") + `"}`
	r := operate(t, base, "DRAIN_AGENT", id+`,"max_grace_period":"5s"`)
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "Failed to convert JSON into Call protobuf: Not expecting a JSON string for field 'max_grace_period'", r.body)
	r = operate(t, base, "DRAIN_AGENT", id+`,"max_grace_period":{"seconds":5}`)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Empty(t, r.body)
	killed := f.awaitState("drained", "TASK_KILLED")
	require.Equal(t, "REASON_AGENT_DRAINING", killed["reason"])
	eventuallyAgent(t, base, "the drain is done", func(agent node) bool {
		return agent.text("drain_info", "state") == "DRAINED" && agent["deactivated"] == true && agent["active"] == false
	})
	require.Equal(t, http.StatusOK, operate(t, base, "REACTIVATE_AGENT", id).status)
	eventuallyAgent(t, base, "the agent is back", func(agent node) bool { return agent["active"] == true && agent["drain_info"] == nil })
	f.call("TEARDOWN", nil)
}

// machineJSON is the machine of the suite's agents.
const machineJSON = `{"hostname":"127.0.0.1","ip":"127.0.0.1"}`

func writeSchedule(t *testing.T, base, windows string) reply {
	t.Helper()
	return ask(t, http.MethodPost, base+"/maintenance/schedule", jsonHeaders(), `{"windows":[`+windows+`]}`)
}

func window(machines string) string {
	return `{"machine_ids":[` + machines + `],"unavailability":{"start":{"nanoseconds":4000000000000000000},"duration":{"nanoseconds":3600000000000}}}`
}

func machineScheduled(t *testing.T, base string) {
	f := subscribe(t, base, frameworkInfo("scheduled", nil))
	require.NotContains(t, f.awaitOffer(0.1), "unavailability")
	for _, bad := range []string{window(""), window(`{}`), window(machineJSON + "," + machineJSON), window(machineJSON) + "," + window(machineJSON)} {
		r := writeSchedule(t, base, bad)
		require.Equal(t, http.StatusBadRequest, r.status, "%s", bad)
		require.NotEmpty(t, r.body)
	}
	r := ask(t, http.MethodPost, base+"/machine/down", jsonHeaders(), "["+machineJSON+"]")
	require.Equal(t, http.StatusBadRequest, r.status, "a machine that is not scheduled cannot be brought down")

	other := `{"hostname":"other","ip":"10.9.9.9"}`
	r = writeSchedule(t, base, window(`{"hostname":"127.0.0.1","ip":"127.0.0.1"}`)+","+window(other))
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Empty(t, r.body)
	windows := fetch(t, base+"/maintenance/schedule").list("windows")
	require.Len(t, windows, 2)
	require.Equal(t, "127.0.0.1", windows[0].list("machine_ids")[0]["hostname"])
	require.InDelta(t, 4e18, windows[0].at("unavailability", "start")["nanoseconds"], 1e3)
	require.Len(t, fetch(t, base+"/maintenance/status").list("draining_machines"), 2)
	require.Len(t, parse(t, v1(t, base, `{"type":"GET_MAINTENANCE_SCHEDULE"}`).body).at("get_maintenance_schedule", "schedule").list("windows"), 2)
	offer := f.awaitOfferWhere("an offer that says when the machine is away", func(offer node) bool { return offer["unavailability"] != nil })
	require.InDelta(t, 4e18, offer.at("unavailability", "start")["nanoseconds"], 1e3)

	require.Equal(t, http.StatusOK, writeSchedule(t, base, "").status)
	require.Empty(t, fetch(t, base+"/maintenance/schedule").list("windows"))
	f.awaitOfferWhere("an offer without it", func(offer node) bool { return offer["unavailability"] == nil })
	f.call("TEARDOWN", nil)
}

func machineDown(t *testing.T, base string, agent *Process) {
	f := subscribe(t, base, frameworkInfo("down", nil))
	f.run("lost", "sleep 1000")
	require.Equal(t, http.StatusOK, writeSchedule(t, base, window(machineJSON)).status)
	r := ask(t, http.MethodPost, base+"/machine/down", jsonHeaders(), "["+machineJSON+"]")
	require.Equal(t, http.StatusOK, r.status, r.body)
	lost := f.awaitState("lost", "TASK_LOST")
	require.Equal(t, "REASON_AGENT_REMOVED", lost["reason"])
	require.Empty(t, fetch(t, base+"/slaves").list("slaves"))
	<-agent.ended
	require.Len(t, fetch(t, base+"/maintenance/status").list("down_machines"), 1)
	require.Equal(t, http.StatusBadRequest, writeSchedule(t, base, "").status, "a machine that is down stays in the schedule")

	r = ask(t, http.MethodPost, base+"/machine/up", jsonHeaders(), "["+machineJSON+"]")
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Empty(t, fetch(t, base+"/maintenance/schedule").list("windows"))
	require.Equal(t, http.StatusBadRequest, ask(t, http.MethodPost, base+"/machine/up", jsonHeaders(), "["+machineJSON+"]").status)
	agent.Start()
	AgentsActive(t, base, 1)
}
