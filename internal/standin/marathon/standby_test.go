package marathon

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

type reply struct {
	status int
	reason string
	header http.Header
	body   string
}

func (p *program) ask(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	_, reason, _ := strings.Cut(resp.Status, " ")
	return reply{resp.StatusCode, reason, resp.Header, string(data)}
}

// What a standby answers was recorded from the real program.
func TestStandby(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	cluster := newCluster(t)
	leader := launch(t, z.Addr, "http://"+cluster.addr)
	leader.ready()
	standby := launch(t, z.Addr, "http://"+cluster.addr)
	standby.ready()
	via := "1.1 " + strings.TrimPrefix(standby.url, "http://")
	t.Run("passes on", func(t *testing.T) {
		for path, status := range map[string]int{"/ping": 200, "/v2/info": 200, "/v2/leader": 200, "/v2/apps/nosuch": 404} {
			a := standby.ask(t, http.MethodGet, path, "")
			assert.Equal(t, status, a.status, path)
			assert.Equal(t, via, a.header.Get("X-Marathon-Via"), path)
			assert.Equal(t, leader.url, a.header.Get("X-Marathon-Leader"), path)
			assert.Equal(t, "Wed, 01 Jan 1800 00:00:00 GMT", a.header.Get("Expires"), path)
			assert.Equal(t, leader.ask(t, http.MethodGet, path, "").body, a.body, path)
		}
		unknown := standby.ask(t, http.MethodGet, "/v2/nosuch", "")
		assert.Equal(t, []any{500, "Server Error", `{"message":"URI not found"}`}, []any{unknown.status, unknown.reason, unknown.body})
	})
	t.Run("cannot pass HEAD on", func(t *testing.T) {
		assert.Equal(t, 500, standby.ask(t, http.MethodHead, "/ping", "").status)
		assert.Equal(t, 200, leader.ask(t, http.MethodHead, "/ping", "").status)
	})
	t.Run("sends readers of events to the leader", func(t *testing.T) {
		a := standby.ask(t, http.MethodGet, "/v2/events?event_type=x", "", "Accept", "text/event-stream")
		assert.Equal(t, []any{302, leader.url + "/v2/events?event_type=x"}, []any{a.status, a.header.Get("Location")})
	})
	t.Run("sees its own name", func(t *testing.T) {
		a := standby.ask(t, http.MethodGet, "/v2/leader", "", "X-Marathon-Via", via)
		assert.Equal(t, []any{502, "Detected proxying loop."}, []any{a.status, a.reason})
		assert.Contains(t, a.body, "Detected proxying loop.")
	})
	t.Run("changes name the leader", func(t *testing.T) {
		a := standby.ask(t, http.MethodPost, "/v2/apps", `{"id":"/via","cmd":"sleep 1000","cpus":0.1,"mem":32}`)
		require.Equal(t, 201, a.status, a.body)
		assert.Equal(t, leader.url+"/via", a.header.Get("Location"))
		assert.NotEmpty(t, a.header.Get("Marathon-Deployment-Id"))
		testkit.Eventually(t, patience, "it runs", func(context.Context) bool { return len(cluster.mesos.Running()) == 1 })
	})
	t.Run("takes over with everything when the leader is killed", func(t *testing.T) {
		task := cluster.mesos.Running()[0]
		leader.kill()
		dead := standby.ask(t, http.MethodGet, "/v2/leader", "")
		assert.Equal(t, []any{502, "Connection to leader refused."}, []any{dead.status, dead.reason})
		testkit.Eventually(t, patience, "it leads", func(context.Context) bool {
			_, doc := standby.get("/v2/leader")
			return doc["leader"] == strings.TrimPrefix(standby.url, "http://")
		})
		standby.ready()
		testkit.Eventually(t, patience, "it knows the task", func(context.Context) bool {
			_, doc := standby.get("/v2/apps/via")
			app, _ := doc["app"].(map[string]any)
			tasks, _ := app["tasks"].([]any)
			return len(tasks) == 1 && tasks[0].(map[string]any)["id"] == task && app["tasksRunning"] == 1.0
		})
		assert.Equal(t, []string{task}, cluster.mesos.Running())
	})
}
