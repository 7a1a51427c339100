package master

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func TestWhatOperatorsSetOutlivesAChangeOfTheLeader(t *testing.T) {
	s, base := startAlone(t)
	s.registry = fileRegistry{t.TempDir()}
	a := newSimAgent(t, base, 1)
	a.register()
	one := machineOf(mesos.MachineID{Hostname: ptr("Other"), IP: ptr("10.0.0.1")})
	status, text := post(t, base+"/maintenance/schedule", typeJSON, `{"windows":[{"machine_ids":[`+one.String()+`],"unavailability":{"start":{"nanoseconds":5}}}]}`)
	require.Equal(t, http.StatusOK, status, text)
	status, text = post(t, base+"/machine/down", typeJSON, "["+one.String()+"]")
	require.Equal(t, http.StatusOK, status, text)
	id := a.info.ID.Value
	status, text = post(t, base+"/api/v1", typeJSON, `{"type":"DEACTIVATE_AGENT","deactivate_agent":{"agent_id":{"value":"`+id+`"}}}`)
	require.Equal(t, http.StatusOK, status, text)

	next := newCore(s.set, s.info, s.registry, s.log)
	require.NoError(t, next.recoverAgents())
	require.True(t, inSchedule(next.schedule, one))
	require.True(t, next.down[one])
	require.True(t, next.wasDeactivated[id], "the agent is not offered when it comes back")
	require.Contains(t, string(next.operatorDoc()), id, "nor by the leader after the next")
}

func TestMaintenanceIsRefusedAsByTheRealMaster(t *testing.T) {
	_, base := startAlone(t)
	for body, want := range map[string]string{
		`[]`: "List of machines is empty", `[{}]`: "Both 'hostname' and 'ip' for a machine are empty",
		`[{"hostname":"A"}]`:                  `Machine '{"hostname":"a","ip":""}' is not part of a maintenance schedule`,
		`[{"hostname":"a"},{"hostname":"A"}]`: `appears more than once`, `{}`: "Failed to parse",
	} {
		for _, path := range []string{"/machine/down", "/machine/up"} {
			status, text := post(t, base+path, typeJSON, body)
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Contains(t, text, want)
		}
	}
	for _, kind := range []string{"UPDATE_MAINTENANCE_SCHEDULE", "START_MAINTENANCE", "STOP_MAINTENANCE"} {
		status, text := post(t, base+"/api/v1", typeJSON, `{"type":"`+kind+`"}`)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, text, "Expecting '"+strings.ToLower(kind)+"' to be present")
	}
}
