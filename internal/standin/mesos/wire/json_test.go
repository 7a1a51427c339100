package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/master"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

func TestEncodeJSON(t *testing.T) {
	cpus := mesos.SCALAR
	response := master.Response{Type: master.Response_GET_AGENTS, GetAgents: &master.Response_GetAgents{
		Agents: []master.Response_GetAgents_Agent{{
			AgentInfo:      mesos.AgentInfo{Hostname: "h", Resources: []mesos.Resource{{Name: "cpus", Type: &cpus, Scalar: &mesos.Value_Scalar{Value: 2}}}},
			RegisteredTime: &mesos.TimeInfo{Nanoseconds: 17}, Capabilities: []mesos.AgentInfo_Capability{{Type: mesos.AgentInfo_Capability_MULTI_ROLE}, {Type: 99}},
		}},
		RecoveredAgents: []mesos.AgentInfo{},
	}}
	require.Equal(t, `{"type":"GET_AGENTS","get_agents":{"agents":[{"agent_info":{"hostname":"h","resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":2.0}}]},`+
		`"active":false,"version":"","registered_time":{"nanoseconds":17},"capabilities":[{"type":"MULTI_ROLE"},{}]}],"recovered_agents":[]}}`,
		string(EncodeJSON(&response)))
	state := mesos.TASK_RUNNING
	require.Equal(t, `{"task_id":{"value":"a\"b"},"state":"TASK_RUNNING","uuid":"AQI="}`,
		string(EncodeJSON(mesos.TaskStatus{TaskID: mesos.TaskID{Value: `a"b`}, State: &state, UUID: []byte{1, 2}})))
}

func TestDecodeJSON(t *testing.T) {
	var call scheduler.Call
	require.NoError(t, DecodeJSON([]byte(`{"type":"SUBSCRIBE","zzz":1,"framework_id":null,"subscribe":{"framework_info":{"user":"root","name":"v",
		"failover_timeout":"10","checkpoint":true,"capabilities":[{"type":"MULTI_ROLE"},{"type":"NOPE"}],"roles":["a","b"]}}}`), "Call", &call))
	info := call.GetSubscribe().GetFrameworkInfo()
	require.Equal(t, scheduler.Call_SUBSCRIBE, call.Type)
	require.InDelta(t, 10.0, info.GetFailoverTimeout(), 0)
	require.True(t, info.GetCheckpoint())
	require.Equal(t, []string{"a", "b"}, info.Roles)
	require.Equal(t, []mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE}, {}}, info.Capabilities)

	call = scheduler.Call{}
	require.NoError(t, DecodeJSON([]byte(`{"type":"ACCEPT","accept":{"offer_ids":[{"value":"o"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":[
		{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},"resources":[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}]}]}}]}}`), "Call", &call))
	require.Equal(t, mesos.Offer_Operation_LAUNCH, call.Accept.Operations[0].Type)
	require.Equal(t, mesos.RANGES, call.Accept.Operations[0].Launch.TaskInfos[0].Resources[0].GetType())

	call = scheduler.Call{}
	require.NoError(t, DecodeJSON([]byte(`{"type":"NOPE"}`), "Call", &call))
	require.Equal(t, scheduler.Call_UNKNOWN, call.Type)
}

// The texts are those of a real Mesos 1.11.
func TestDecodeJSONErrors(t *testing.T) {
	cases := map[string]string{
		``:           "Failed to parse body into JSON: syntax error at line 1 near: ",
		`{"type":`:   "Failed to parse body into JSON: syntax error at line 1 near: ",
		`[]`:         "Failed to convert JSON into Call protobuf: Expecting a JSON object",
		`{"type":3}`: "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'type'",
		`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"a"},"max_grace_period":"5s"}}`: "Failed to convert JSON into Call protobuf: Not expecting a JSON string for field 'max_grace_period'",
		`{"type":"TEARDOWN","teardown":{}}`:                    "Failed to convert JSON into Call protobuf: Missing required fields: teardown.framework_id",
		`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{}}}`: "Failed to convert JSON into Call protobuf: Missing required fields: drain_agent.agent_id.value",
	}
	for body, want := range cases {
		require.EqualError(t, DecodeJSON([]byte(body), "Call", &master.Call{}), want, body)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"type":"ACKNOWLEDGE","acknowledge":{"uuid":"AQI=","agent_id":{"value":"a"},"task_id":{"value":"t"}}}`, `{"type":3}`, `[]`, `{"subscribe":[]}`, `{"accept":{"filters":{"refuse_seconds":"1e999"}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var call, again scheduler.Call
		if DecodeJSON(body, "Call", &call) != nil {
			return
		}
		written := EncodeJSON(&call)
		if err := DecodeJSON(written, "Call", &again); err != nil {
			t.Fatalf("%s reads, but what is written of it does not: %s: %v", body, written, err)
		}
		if once, twice := string(written), string(EncodeJSON(&again)); once != twice {
			t.Fatalf("%s becomes %s", once, twice)
		}
	})
}
