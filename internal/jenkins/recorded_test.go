package jenkins

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recording is one answer of a real Jenkins 2.568.2.
type recording struct {
	Path    string            `json:"path"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// replay serves the recordings: the first answer of a path, then the next one, the last for ever.
func replay(t *testing.T) *Client {
	t.Helper()
	data, err := os.ReadFile("testdata/recorded.json")
	require.NoError(t, err)
	var all []recording
	require.NoError(t, json.Unmarshal(data, &all))
	all = append(all, recording{Path: "/job/ok/api/json", Status: 200, Body: json.RawMessage(`{"name":"ok","url":"http://127.0.0.1:18080/job/ok/"}`)},
		recording{Path: "/job/bad/api/json", Status: 200, Body: json.RawMessage(`{"name":"bad","url":"http://127.0.0.1:18080/job/bad/"}`)})
	byPath := map[string][]recording{}
	for _, r := range all {
		path, _, _ := strings.Cut(r.Path, "?")
		byPath[path] = append(byPath[path], r)
	}
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		path := strings.TrimSuffix(strings.ReplaceAll(r.URL.Path, "//", "/"), "/")
		answers := byPath[path]
		if len(answers) == 0 {
			page(w, 404, "Not Found - Jenkins")
			return
		}
		if len(answers) > 1 {
			byPath[path] = answers[1:]
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		for name, value := range answers[0].Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(answers[0].Status)
		_, _ = w.Write(answers[0].Body)
	}))
	t.Cleanup(server.Close)
	return New(server.URL, "admin", "token")
}

func TestRecordedRoot(t *testing.T) {
	info, err := replay(t).Info(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "2.568.2", info.Version)
	assert.Len(t, info.Session, 8)
	assert.True(t, info.Secure && info.Crumbs)
	assert.False(t, info.StandIn || info.QuietingDown)
	assert.Equal(t, 2, info.Executors)
	assert.NotEmpty(t, info.Jobs)
	name, err := replay(t).WhoAmI(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "admin", name)
}

func TestRecordedQueue(t *testing.T) {
	c := replay(t)
	queue, err := c.Queue(context.Background())
	require.NoError(t, err)
	why := map[string]string{}
	for _, item := range queue {
		why[item.Job] = item.Why
		assert.Positive(t, item.Wait)
	}
	assert.Equal(t, "Build #1 is already in progress (ETA: N/A)", why["q1"])
	assert.Equal(t, "Waiting for next available executor", why["q2"])

	waits, err := c.QueueItem(context.Background(), 17)
	require.NoError(t, err)
	assert.Equal(t, "‘Jenkins’ doesn’t have label ‘nosuch’", waits.Why)
	assert.True(t, waits.Stuck)
	assert.Zero(t, waits.Build)
	cancelled, err := c.QueueItem(context.Background(), 17)
	require.NoError(t, err)
	assert.True(t, cancelled.Cancelled)
	left, err := c.QueueItem(context.Background(), 19)
	require.NoError(t, err)
	assert.EqualValues(t, 1, left.Build)
	assert.False(t, left.Cancelled)
	_, err = c.QueueItem(context.Background(), 99)
	assert.True(t, IsNotFound(err))
}

func TestRecordedBuilds(t *testing.T) {
	c := replay(t)
	running, err := c.Build(context.Background(), "ok", 1)
	require.NoError(t, err)
	assert.True(t, running.Building)
	assert.Empty(t, running.Result)
	assert.Zero(t, running.Duration)
	done, err := c.Build(context.Background(), "ok", 1)
	require.NoError(t, err)
	assert.False(t, done.Building)
	assert.Equal(t, "SUCCESS", done.Result)
	assert.Greater(t, done.Duration, time.Duration(0))
	assert.Equal(t, running.Started, done.Started)
	assert.Empty(t, done.Node, "it ran on the controller")
	bad, err := c.Build(context.Background(), "bad", 1)
	require.NoError(t, err)
	assert.Equal(t, "FAILURE", bad.Result)
}

func TestRecordedNodesAndPlugins(t *testing.T) {
	c := replay(t)
	nodes, err := c.Nodes(context.Background())
	require.NoError(t, err)
	require.Len(t, nodes, 2)
	assert.Equal(t, Node{Name: "(built-in)", Idle: true, Executors: 2}, nodes[0])
	assert.Equal(t, Node{Name: "a1", Idle: true, Executors: 2, Inbound: true}, nodes[1])
	running, err := c.RunningBuilds(context.Background())
	require.NoError(t, err)
	assert.Empty(t, running)
	plugins, err := c.Plugins(context.Background())
	require.NoError(t, err)
	require.Len(t, plugins, 5)
	assert.Equal(t, Plugin{Name: "credentials", Version: "1502.v5c95e620ddfe", Active: true, Enabled: true, RequiredCore: "2.541.1"}, plugins[1])
}
