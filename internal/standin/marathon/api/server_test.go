package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/event"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

type nowhere struct{}

func (nowhere) Put(string, string, []byte)             {}
func (nowhere) Delete(string, string)                  {}
func (nowhere) Load(string) (map[string][]byte, error) { return nil, nil }
func (nowhere) Flush() error                           { return nil }

// leading is a server whose core has no Mesos.
func leading(t *testing.T, change func(*Server, *Leading)) *httptest.Server {
	t.Helper()
	bus := event.NewBus(10)
	c := core.New(core.Config{Options: spec.Options{Role: "*", Features: map[string]bool{}}, LocalPortMin: 10000, LocalPortMax: 10001, MaxVersions: 5, MaxRunningDeployments: 2},
		nowhere{}, bus, func(*sched.Call) {}, t.Logf)
	l := &Leading{Core: c, Bus: bus, Info: func() map[string]any { return map[string]any{"name": "marathon"} }, Abdicate: func() {}, Resigned: func() bool { return false }}
	s := &Server{ID: "127.0.0.1:8080", Leader: func() string { return "127.0.0.1:8080" }}
	if change != nil {
		change(s, l)
	}
	s.Lead(l)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server
}

func ask(t *testing.T, server *httptest.Server, method, path, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(data)
}

func TestWhatIsLeftOutSaysSo(t *testing.T) {
	server := leading(t, nil)
	for _, c := range []struct{ method, path, body string }{
		{http.MethodGet, "/v2/pods", ""}, {http.MethodPost, "/v2/pods", "{}"}, {http.MethodGet, "/v2/pods/::status", ""}, {http.MethodGet, "/v2/groups/versions", ""},
		{http.MethodPatch, "/v2/groups/x", `{"enforceRole":true}`}, {http.MethodDelete, "/v2/leader?backup=file:///x", ""}, {http.MethodGet, "/metrics/prometheus", ""},
		{http.MethodPost, "/v2/apps", `{"id":"/p","role":"r","cmd":"sleep 1","container":{"type":"MESOS","volumes":[{"containerPath":"data","mode":"RW","persistent":{"size":10}}]}}`},
	} {
		resp, body := ask(t, server, c.method, c.path, c.body)
		assert.Equal(t, 501, resp.StatusCode, "%s %s", c.method, c.path)
		assert.Contains(t, body, "the stand-in for Marathon", "%s %s", c.method, c.path)
	}
	resp, _ := ask(t, server, http.MethodHead, "/v2/pods", "")
	assert.Equal(t, 501, resp.StatusCode)
}

func TestLimits(t *testing.T) {
	server := leading(t, nil)
	resp, _ := ask(t, server, http.MethodPost, "/v2/apps", `{"id":"/a","cmd":"sleep 1"}`)
	require.Equal(t, 201, resp.StatusCode)
	resp, body := ask(t, server, http.MethodPost, "/v2/apps", `{"id":"/b","cmd":"sleep 1","portDefinitions":[{"port":0},{"port":0}]}`)
	assert.Equal(t, 500, resp.StatusCode, "the range of service ports is exhausted")
	assert.Contains(t, body, "10000-10001")
	resp, _ = ask(t, server, http.MethodPost, "/v2/apps", `{"id":"/b","cmd":"sleep 1","portDefinitions":[]}`)
	require.Equal(t, 201, resp.StatusCode)
	resp, body = ask(t, server, http.MethodPost, "/v2/apps", `{"id":"/c","cmd":"sleep 1","portDefinitions":[]}`)
	assert.Equal(t, 403, resp.StatusCode, "two deployments run already")
	assert.Contains(t, body, "Max number (2) of running deployments")
	resp, body = ask(t, server, http.MethodPost, "/v2/apps", `{"id":"/a/below","cmd":"sleep 1","portDefinitions":[]}`)
	assert.Equal(t, 422, resp.StatusCode)
	assert.Contains(t, body, "Groups and Applications may not have the same identifier.")
}

func TestAbdication(t *testing.T) {
	asked, resigned := make(chan struct{}, 1), false
	server := leading(t, func(_ *Server, l *Leading) {
		l.Abdicate = func() { resigned = true; asked <- struct{}{} }
		l.Resigned = func() bool { return resigned }
	})
	_, body := ask(t, server, http.MethodDelete, "/v2/leader", "")
	assert.JSONEq(t, `{"message":"Leadership abdicated","details":[]}`, body)
	<-asked
	resp, body := ask(t, server, http.MethodGet, "/v2/leader", "")
	assert.Equal(t, 404, resp.StatusCode)
	assert.JSONEq(t, `{"message":"There is no leader","details":[]}`, body)
}

func TestNobodyLeads(t *testing.T) {
	server := httptest.NewServer(&Server{ID: "127.0.0.1:1", Leader: func() string { return "" }})
	t.Cleanup(server.Close)
	resp, body := ask(t, server, http.MethodGet, "/v2/info", "")
	assert.Equal(t, 503, resp.StatusCode)
	assert.Contains(t, body, "<title>Error 503 Service Unavailable</title>")
}

func TestPasswords(t *testing.T) {
	server := leading(t, func(s *Server, _ *Leading) { s.Credentials = "admin:s3cret" })
	resp, body := ask(t, server, http.MethodGet, "/ping", "")
	assert.Equal(t, 401, resp.StatusCode)
	assert.Equal(t, `basic realm="null"`, resp.Header.Get("WWW-Authenticate"))
	assert.Contains(t, body, "HTTP ERROR 401")
	for header, status := range map[string]int{"Basic YWRtaW46czNjcmV0": 200, "basic YWRtaW46czNjcmV0": 200, "Basic YWRtaW46d3Jvbmc=": 401, "Bearer x": 401, "Basic !!!": 500} {
		req, err := http.NewRequest(http.MethodGet, server.URL+"/ping", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", header)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, status, resp.StatusCode, header)
	}
}

func TestEventStreamFilterAndEnd(t *testing.T) {
	var bus *event.Bus
	server := leading(t, func(_ *Server, l *Leading) { bus = l.Bus })
	req, err := http.NewRequest(http.MethodGet, server.URL+"/v2/events?event_type=wanted", nil)
	require.NoError(t, err)
	// The client library sends the header twice after a redirect.
	req.Header["Accept"] = []string{"text/event-stream", "text/event-stream"}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	bus.Publish("other", struct{}{})
	bus.Publish("wanted", map[string]string{"a": "<b>"})
	bus.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Regexp(t, `^event: wanted\r\ndata: \{"a":"<b>","eventType":"wanted","timestamp":"[^"]+"\}\r\n\r\n$`, string(data))
}
