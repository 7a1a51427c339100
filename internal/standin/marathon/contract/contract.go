// Package contract is what a client may rely on in Marathon 1.11, as assertions drawn from recordings of the real program. It runs on
// anything that answers at a URL: the stand-in, or a real Marathon with a real Mesos.
package contract

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

//go:embed testdata/*.json
var recorded embed.FS

// Program is what the suite runs on. The cluster has to have at least one agent with 2 cpus, 512 MiB and three ports free, and no apps.
type Program struct {
	URL string
	// Patience is how long the slowest step (a task that starts) may take.
	Patience time.Duration
	// Restart kills the process at once, starts it again and returns when it leads; nil leaves that part out.
	Restart func(t *testing.T)
	// EndTask makes the process of a task die; nil leaves that part out.
	EndTask func(t *testing.T, taskID string)
	// Without names kinds of apps (the notes of the recordings) that the Mesos at hand cannot run.
	Without []string
}

// Run runs the whole suite.
func Run(t *testing.T, p Program) {
	if p.Patience == 0 {
		p.Patience = time.Minute
	}
	s := &suite{Program: p, client: &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Run("http", s.http)
	t.Run("headers", s.headers)
	t.Run("validation", s.validation)
	t.Run("echo", s.echo)
	t.Run("documents", s.documents)
	t.Run("stream", s.stream)
	t.Run("stories", s.stories)
	t.Run("locks", s.locks)
	t.Run("queue", s.queue)
	t.Run("tasks", s.tasks)
	t.Run("restart", s.restart)
}

type suite struct {
	Program
	client *http.Client
}

type answer struct {
	status int
	reason string
	header http.Header
	body   []byte
}

func (s *suite) do(t *testing.T, method, path, body string, headers map[string]string) answer {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	if body == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	require.NoError(t, err, "%s %s", method, path)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	_, reason, _ := strings.Cut(resp.Status, " ")
	return answer{status: resp.StatusCode, reason: reason, header: resp.Header, body: data}
}

func jsonType() map[string]string { return map[string]string{"Content-Type": "application/json"} }

func (s *suite) post(t *testing.T, path, body string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, path, body, jsonType())
}

func (s *suite) put(t *testing.T, path, body string) answer {
	t.Helper()
	return s.do(t, http.MethodPut, path, body, jsonType())
}

func (s *suite) get(t *testing.T, path string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path, "", nil)
}

func (a answer) doc(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, json.Unmarshal(a.body, &out), string(a.body))
	return out
}

func (a answer) list(t *testing.T) []any {
	t.Helper()
	var out []any
	require.NoError(t, json.Unmarshal(a.body, &out), string(a.body))
	return out
}

func (s *suite) eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	testkit.Eventually(t, s.Patience, what, func(context.Context) bool { return condition() })
}

func (s *suite) settled(t *testing.T, what string) {
	t.Helper()
	s.eventually(t, what+": no deployment runs", func() bool { return len(s.get(t, "/v2/deployments").list(t)) == 0 })
}

// remove deletes an app and waits until it is gone for good.
func (s *suite) remove(t *testing.T, id string) {
	t.Helper()
	a := s.do(t, http.MethodDelete, "/v2/apps"+id, "", nil)
	require.Contains(t, []int{200, 404}, a.status, string(a.body))
	s.settled(t, "delete of "+id)
}

func (s *suite) create(t *testing.T, body string) string {
	t.Helper()
	a := s.post(t, "/v2/apps", body)
	require.Equal(t, 201, a.status, string(a.body))
	id, _ := a.doc(t)["id"].(string)
	t.Cleanup(func() { s.remove(t, id) })
	return id
}

func (s *suite) app(t *testing.T, id string) map[string]any {
	t.Helper()
	app, ok := s.get(t, "/v2/apps"+id).doc(t)["app"].(map[string]any)
	require.True(t, ok, "app %s", id)
	return app
}

// running lists the ids of an app's running tasks.
func (s *suite) running(t *testing.T, id string) []string {
	t.Helper()
	var out []string
	tasks, _ := s.app(t, id)["tasks"].([]any)
	for _, item := range tasks {
		if task := item.(map[string]any); task["state"] == "TASK_RUNNING" {
			out = append(out, task["id"].(string))
		}
	}
	return out
}

func load[T any](t *testing.T, file string) T {
	t.Helper()
	data, err := recorded.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var out T
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}
