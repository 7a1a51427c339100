// Package contract holds the assertions that a mesos-master and a mesos-agent must meet, real ones and stand-ins alike.
// They were written from recordings of a real Mesos 1.11.0.
package contract

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Target is a running cluster.
type Target struct {
	// Masters are base URLs (http://host:port), the leader first.
	Masters []string
	// Agents are base URLs of registered agents.
	Agents []string
}

func (target Target) leader() string { return target.Masters[0] }

// Master asserts what an operator sees of a leading master: the endpoints, the v1 operator calls, errors and headers.
// It changes nothing.
func Master(t *testing.T, target Target) {
	Ready(t, target.leader())
	AgentsActive(t, target.leader(), len(target.Agents))
	t.Run("Endpoints", func(t *testing.T) { endpoints(t, target.leader()) })
	t.Run("EndpointErrors", func(t *testing.T) { endpointErrors(t, target.leader()) })
	t.Run("Redirect", func(t *testing.T) { redirectToSelf(t, target.leader()) })
	t.Run("Encodings", func(t *testing.T) { encodings(t, target.leader()) })
	t.Run("Metrics", func(t *testing.T) { metrics(t, target.leader()) })
	t.Run("OperatorCalls", func(t *testing.T) { operatorCalls(t, target.leader()) })
	t.Run("OperatorErrors", func(t *testing.T) { operatorErrors(t, target.leader()) })
	t.Run("OperatorStream", func(t *testing.T) { operatorStream(t, target.leader()) })
}

// shapedEndpoints are the endpoints by the name of their field set.
func shapedEndpoints() map[string][]string {
	return map[string][]string{
		"state":                {"/state", "/master/state"},
		"state-summary":        {"/state-summary", "/master/state-summary"},
		"slaves":               {"/slaves", "/master/slaves"},
		"frameworks":           {"/frameworks", "/master/frameworks"},
		"tasks":                {"/tasks", "/tasks?limit=1&offset=0&order=asc", "/master/tasks"},
		"roles":                {"/roles", "/master/roles"},
		"version":              {"/version"},
		"flags":                {"/flags", "/master/flags"},
		"quota":                {"/quota"},
		"weights":              {"/weights"},
		"maintenance_schedule": {"/maintenance/schedule"},
		"maintenance_status":   {"/maintenance/status"},
		"system_stats_json":    {"/system/stats.json"},
		"registrar1_registry":  {"/registrar(1)/registry"},
	}
}

func endpoints(t *testing.T, base string) {
	for name, paths := range shapedEndpoints() {
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				changes := method != http.MethodGet && (name == "quota" || name == "weights" || strings.HasPrefix(name, "maintenance"))
				if changes {
					continue
				}
				r := ask(t, method, base+path, nil, "")
				require.Equal(t, http.StatusOK, r.status, "%s %s", method, path)
				require.Equal(t, "application/json", r.header.Get("Content-Type"), path)
				requireShape(t, name, []byte(r.body))
			}
		}
	}
	for _, path := range []string{"/health", "/master/health"} {
		r := get(t, base+path)
		require.Equal(t, http.StatusOK, r.status)
		require.Empty(t, r.body)
		require.Empty(t, r.header.Get("Content-Type"))
	}
	require.Equal(t, "text/html", get(t, base+"/").header.Get("Content-Type"))
}

func endpointErrors(t *testing.T, base string) {
	for _, path := range []string{"/nosuch", "/master/nosuch", "/master/version", "/state.json", "/master/state.json", "/slaves.json", "/tasks.json", "/registry"} {
		r := get(t, base+path)
		require.Equal(t, http.StatusNotFound, r.status, path)
		require.Equal(t, "404 Not Found.", r.body, path)
		require.Equal(t, "text/plain; charset=utf-8", r.header.Get("Content-Type"), path)
	}
	for _, path := range []string{"/api/v1", "/api/v1/scheduler", "/teardown", "/machine/down"} {
		r := get(t, base+path)
		require.Equal(t, http.StatusMethodNotAllowed, r.status, path)
		require.Equal(t, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.", r.body)
		require.Equal(t, "POST", r.header.Get("Allow"))
	}
	r := ask(t, http.MethodPost, base+"/teardown", nil, "")
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "Missing 'frameworkId' query parameter in the request body", r.body)
	r = ask(t, http.MethodPost, base+"/teardown", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "frameworkId=nope")
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "No framework found with specified ID", r.body)
	r = get(t, base+"/files/browse")
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "Expecting 'path=value' in query.\n", r.body)
}

func redirectToSelf(t *testing.T, base string) {
	leader := fetch(t, base+"/state").at("leader_info")
	for _, path := range []string{"/redirect", "/master/redirect"} {
		r := get(t, base+path)
		require.Equal(t, http.StatusTemporaryRedirect, r.status)
		require.Empty(t, r.body)
		location := r.header.Get("Location")
		require.True(t, strings.HasPrefix(location, "//"+leader.text("hostname")+":"), "the location has no scheme: %q", location)
		parsed, err := url.Parse(location)
		require.NoError(t, err)
		base, err := url.Parse(base)
		require.NoError(t, err)
		require.Equal(t, base.Port(), parsed.Port())
	}
}

func encodings(t *testing.T, base string) {
	r := get(t, base+"/state?jsonp=cb")
	require.Equal(t, "text/javascript", r.header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(r.body, "cb({") && strings.HasSuffix(r.body, "});"), "%.40s", r.body)
	r = ask(t, http.MethodGet, base+"/state", map[string]string{"Accept-Encoding": "gzip"}, "")
	require.Equal(t, "gzip", r.header.Get("Content-Encoding"))
	unpacked, err := gzip.NewReader(strings.NewReader(r.body))
	require.NoError(t, err)
	body, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	requireShape(t, "state", body)
	r = ask(t, http.MethodHead, base+"/state", nil, "")
	require.Equal(t, http.StatusOK, r.status)
	require.Empty(t, r.body)
}

func metrics(t *testing.T, base string) {
	names, err := recordings.ReadFile("testdata/metrics.names")
	require.NoError(t, err)
	body := get(t, base+"/metrics/snapshot?timeout=5secs").body
	all := parse(t, body)
	for name := range strings.Lines(string(names)) {
		value, isNumber := all[strings.TrimSpace(name)].(float64)
		// How long an allocation took is not there before the first one has run.
		require.True(t, isNumber || strings.Contains(name, "_ms"), name)
		_ = value
	}
	require.InDelta(t, 1, all["master/elected"], 0)
	require.InDelta(t, 1, all["registrar/log/recovered"], 0)
	r := get(t, base+"/metrics/snapshot?timeout=5")
	require.Equal(t, http.StatusBadRequest, r.status)
	require.Equal(t, "Invalid timeout '5': Invalid duration '5'.\n", r.body)
}

func operatorCalls(t *testing.T, base string) {
	for _, kind := range []string{
		"GET_AGENTS", "GET_EXECUTORS", "GET_FLAGS", "GET_FRAMEWORKS", "GET_HEALTH", "GET_LOGGING_LEVEL", "GET_MAINTENANCE_SCHEDULE",
		"GET_MAINTENANCE_STATUS", "GET_MASTER", "GET_OPERATIONS", "GET_QUOTA", "GET_ROLES", "GET_STATE", "GET_TASKS", "GET_VERSION", "GET_WEIGHTS",
	} {
		for _, path := range []string{"/api/v1", "/master/api/v1"} {
			r := ask(t, http.MethodPost, base+path, jsonHeaders(), `{"type":"`+kind+`"}`)
			require.Equal(t, http.StatusOK, r.status, "%s: %s", kind, r.body)
			require.Equal(t, "application/json", r.header.Get("Content-Type"))
			requireShape(t, kind, []byte(r.body))
		}
	}
	r := v1(t, base, `{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":5000000000}}}`)
	requireShape(t, "GET_METRICS", []byte(r.body))
	r = ask(t, http.MethodPost, base+"/api/v1", map[string]string{"Content-Type": "application/x-protobuf", "Accept": "application/x-protobuf"}, "\x08\x01")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "application/x-protobuf", r.header.Get("Content-Type"))
	require.Equal(t, "\x08\x01\x12\x02\x08\x01", r.body, "GET_HEALTH, healthy")
	for _, accept := range []string{"", "*/*"} {
		r = ask(t, http.MethodPost, base+"/api/v1", map[string]string{"Content-Type": "application/json", "Accept": accept}, `{"type":"GET_HEALTH","zzz":1}`)
		require.JSONEq(t, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`, r.body)
	}
}

func operatorErrors(t *testing.T, base string) {
	cases := []struct {
		name, contentType, accept, body string
		status                          int
		text                            string
	}{
		{"no type", "application/json", "", `{}`, 400, "Failed to validate master::Call: Expecting 'type' to be present"},
		{"unknown type", "application/json", "", `{"type":"NOPE"}`, 400, "Failed to validate master::Call: Expecting 'type' to be present"},
		{"type as number", "application/json", "", `{"type":3}`, 400, "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'type'"},
		{"no part", "application/json", "", `{"type":"GET_METRICS"}`, 400, "Failed to validate master::Call: Expecting 'get_metrics' to be present"},
		{"no JSON", "application/json", "", `{"type":`, 400, "Failed to parse body into JSON: syntax error at line 1 near: "},
		{"no body", "application/json", "", ``, 400, "Failed to parse body into JSON: syntax error at line 1 near: "},
		{"no object", "application/json", "", `[]`, 400, "Failed to convert JSON into Call protobuf: Expecting a JSON object"},
		{"no protobuf", "application/x-protobuf", "", "garbage", 400, "Failed to parse body into Call protobuf"},
		{"charset", "application/json; charset=utf-8", "", `{"type":"GET_HEALTH"}`, 415, "Expecting 'Content-Type' of application/json or application/x-protobuf"},
		{"form", "application/x-www-form-urlencoded", "", `{"type":"GET_HEALTH"}`, 415, "Expecting 'Content-Type' of application/json or application/x-protobuf"},
		{"no content type", "", "", `{"type":"GET_HEALTH"}`, 400, "Expecting 'Content-Type' to be present"},
		{"html wanted", "application/json", "text/html", `{"type":"GET_HEALTH"}`, 406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"},
		{"duration as text", "application/json", "", `{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"x"},"max_grace_period":"5s"}}`, 400,
			"Failed to convert JSON into Call protobuf: Not expecting a JSON string for field 'max_grace_period'"},
		{"no log to list", "application/json", "", `{"type":"LIST_FILES","list_files":{"path":"/master/log"}}`, 404, ""},
	}
	for _, c := range cases {
		header := map[string]string{}
		if c.contentType != "" {
			header["Content-Type"] = c.contentType
		}
		if c.accept != "" {
			header["Accept"] = c.accept
		}
		r := ask(t, http.MethodPost, base+"/api/v1", header, c.body)
		require.Equal(t, c.status, r.status, c.name)
		require.Equal(t, c.text, r.body, c.name)
		require.Equal(t, "text/plain; charset=utf-8", r.header.Get("Content-Type"), c.name)
	}
	r := ask(t, http.MethodPut, base+"/api/v1", jsonHeaders(), `{"type":"GET_HEALTH"}`)
	require.Equal(t, http.StatusMethodNotAllowed, r.status)
}

func operatorStream(t *testing.T, base string) {
	stream := open(t, base+"/api/v1", `{"type":"SUBSCRIBE"}`)
	require.Equal(t, "application/json", stream.header.Get("Content-Type"))
	first, _ := stream.await(t, 0, "SUBSCRIBED", func(event) bool { return true })
	require.Equal(t, "SUBSCRIBED", first.kind())
	requireShape(t, "operator-SUBSCRIBED", first.raw, operatorOptional()...)
	second, _ := stream.await(t, 1, "HEARTBEAT", func(event) bool { return true })
	require.Equal(t, "HEARTBEAT", second.kind())
}

// operatorOptional are fields of the operators' stream that the recording's cluster, idle at its start, did not have.
func operatorOptional() []string {
	return []string{
		".tasks[]", ".completed_tasks[]", ".unreachable_tasks[]", ".frameworks[]", ".completed_frameworks[]", ".reregistered_time",
		".allocated_resources", ".offered_resources", ".drain_info", ".estimated_drain_start_time", ".recovered_agents", ".labels",
	}
}
