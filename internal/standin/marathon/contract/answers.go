package contract

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type exchange struct {
	Method, Path, Body, Reason, Type string
	Headers                          map[string]string
	Status                           int
	Answer                           json.RawMessage
}

// http repeats recorded requests that change nothing: verbs, types, unknown paths and objects, malformed bodies.
func (s *suite) http(t *testing.T) {
	for _, e := range load[[]exchange](t, "http.json") {
		t.Run(e.Method+" "+e.Path+" "+e.Body, func(t *testing.T) {
			a := s.do(t, e.Method, e.Path, e.Body, e.Headers)
			assert.Equal(t, e.Status, a.status, string(a.body))
			assert.Equal(t, e.Reason, a.reason)
			assert.Equal(t, e.Type, a.header.Get("Content-Type"))
			if strings.HasPrefix(e.Type, "application/json") {
				assert.JSONEq(t, string(e.Answer), string(a.body))
			}
		})
	}
}

func (s *suite) headers(t *testing.T) {
	for path, status := range map[string]int{"/ping": 200, "/v2/apps": 200, "/v2/apps/nosuch": 404, "/v2/nosuch": 500} {
		a := s.do(t, http.MethodGet, path, "", map[string]string{"Accept-Encoding": "identity"})
		require.Equal(t, status, a.status, path)
		want := map[string]string{"X-Marathon-Leader": s.URL, "X-Frame-Options": "DENY", "X-XSS-Protection": "1; mode=block",
			"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0"}
		for name, value := range want {
			assert.Equal(t, value, a.header.Get(name), "%s of %s", name, path)
		}
		assert.Equal(t, status == 200, len(a.header.Values("Vary")) > 0, "Vary of %s", path)
	}
	assert.Equal(t, "pong", string(s.get(t, "/ping").body))
	zipped := s.do(t, http.MethodGet, "/v2/info", "", map[string]string{"Accept-Encoding": "gzip"})
	assert.Equal(t, "gzip", zipped.header.Get("Content-Encoding"), "successes are compressed when asked for")
	plain := s.do(t, http.MethodGet, "/v2/apps/nosuch", "", map[string]string{"Accept-Encoding": "gzip"})
	assert.Empty(t, plain.header.Get("Content-Encoding"), "errors never are")
}

type judged struct {
	Note, Body string
	Status     int
	Answer     json.RawMessage
}

// validation posts bodies with one mistake each. The order of complaints is not fixed.
func (s *suite) validation(t *testing.T) {
	for _, v := range load[[]judged](t, "create-app.json") {
		t.Run(v.Note, func(t *testing.T) {
			a := s.post(t, "/v2/apps", v.Body)
			require.Equal(t, v.Status, a.status, string(a.body))
			if v.Status == http.StatusCreated {
				id, _ := a.doc(t)["id"].(string)
				t.Cleanup(func() { s.remove(t, id) })
				assert.JSONEq(t, definition(t, v.Answer), definition(t, a.body))
				return
			}
			assert.JSONEq(t, sorted(t, v.Answer), sorted(t, a.body))
		})
	}
}

// echo posts one app of each kind and compares the definition with what the real program answers.
func (s *suite) echo(t *testing.T) {
	for _, v := range load[[]judged](t, "echo.json") {
		t.Run(v.Note, func(t *testing.T) {
			if slices.Contains(s.Without, v.Note) {
				t.Skip("this Mesos cannot run it")
			}
			a := s.post(t, "/v2/apps", v.Body)
			require.Equal(t, v.Status, a.status, string(a.body))
			id := a.doc(t)["id"].(string)
			t.Cleanup(func() { s.remove(t, id) })
			assert.JSONEq(t, definition(t, v.Answer), definition(t, a.body))
			assert.Equal(t, s.URL+id, a.header.Get("Location"))
			deployments := a.doc(t)["deployments"].([]any)
			assert.Equal(t, a.header.Get("Marathon-Deployment-Id"), deployments[0].(map[string]any)["id"])
			stored := s.app(t, id)
			assert.NotNil(t, stored["versionInfo"])
			assert.Equal(t, a.doc(t)["version"], stored["version"])
		})
	}
}

// definition is an app without what differs from run to run.
func definition(t *testing.T, raw []byte) string {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	for _, key := range []string{"version", "deployments", "tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy"} {
		delete(doc, key)
	}
	if list, ok := doc["constraints"].([]any); ok {
		sort.Slice(list, func(i, j int) bool { return text(list[i]) < text(list[j]) })
	}
	return text(doc)
}

func sorted(t *testing.T, raw []byte) string {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(raw, &doc))
	if list, ok := doc["details"].([]any); ok {
		sort.Slice(list, func(i, j int) bool { return text(list[i]) < text(list[j]) })
	}
	return text(doc)
}

func text(value any) string {
	data, _ := json.Marshal(value)
	return string(data)
}
