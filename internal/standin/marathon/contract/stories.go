package contract

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const small = `"cmd":"sleep 100000","cpus":0.1,"mem":32`

// documents compares the fields and types of every kind of answer with recorded ones.
func (s *suite) documents(t *testing.T) {
	shapes := load[map[string]any](t, "shapes.json")
	check := func(name string, got any) {
		t.Helper()
		assert.Empty(t, differences(name, shapes[name], leave(got, "region", "zone"), map[string]bool{"app.app.env": true}), name)
	}
	var info any
	require.NoError(t, json.Unmarshal(s.get(t, "/v2/info").body, &info))
	check("info", info)
	check("leader", s.get(t, "/v2/leader").doc(t))
	a := s.post(t, "/v2/apps", `{"id":"/shape/web",`+small+`}`)
	require.Equal(t, 201, a.status)
	t.Cleanup(func() { s.do(t, http.MethodDelete, "/v2/groups/shape?force=true", "", nil); s.settled(t, "delete") })
	check("created", a.doc(t))
	check("deployments", any(s.post(t, "/v2/apps", `{"id":"/shape/never",`+small+`,"constraints":[["hostname","LIKE","nosuch"]]}`).waitDeployments(t, s)))
	s.eventually(t, "it runs", func() bool { return len(s.running(t, "/shape/web")) == 1 })
	s.eventually(t, "its deployment is over", func() bool { return len(s.app(t, "/shape/web")["deployments"].([]any)) == 0 })
	check("app", s.get(t, "/v2/apps/shape/web").doc(t))
	s.eventually(t, "offers were looked at", func() bool { return strings.Contains(string(s.get(t, "/v2/queue").body), "lastUnusedOfferAt") })
	check("queue", leave(s.get(t, "/v2/queue").doc(t), "lastUsedOfferAt"))
	require.Equal(t, 201, s.post(t, "/v2/apps", `{"id":"/shape/checked",`+small+`,"healthChecks":[{"protocol":"COMMAND","command":{"value":"true"},"delaySeconds":0,"intervalSeconds":1}]}`).status)
	s.eventually(t, "it is healthy and its deployment over", func() bool {
		app := s.app(t, "/shape/checked")
		return app["tasksHealthy"] == 1.0 && len(app["deployments"].([]any)) == 0
	})
	check("checked", s.get(t, "/v2/apps/shape/checked").doc(t))
	group := s.get(t, "/v2/groups/shape").doc(t)
	assert.Equal(t, "/shape", group["id"])
	for _, key := range []string{"apps", "pods", "groups", "dependencies", "version", "enforceRole"} {
		assert.Contains(t, group, key)
	}
}

func (a answer) waitDeployments(t *testing.T, s *suite) []any {
	t.Helper()
	require.Equal(t, 201, a.status, string(a.body))
	var list []any
	id := a.header.Get("Marathon-Deployment-Id")
	for _, item := range s.get(t, "/v2/deployments").list(t) {
		if item.(map[string]any)["id"] == id {
			list = append(list, item)
		}
	}
	require.Len(t, list, 1, "the plan is listed when POST returns")
	return list
}

// stream checks the bytes of the event stream.
func (s *suite) stream(t *testing.T) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(s.Patience)))
	_, err = fmt.Fprint(conn, "GET /v2/events HTTP/1.1\r\nHost: m\r\nAccept: text/event-stream\r\n\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	head := map[string]string{}
	status, err := r.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 200 OK\r\n", status)
	for {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		head[strings.ToLower(name)] = value
	}
	assert.Equal(t, "text/event-stream;charset=utf-8", head["content-type"])
	assert.Equal(t, "close", head["connection"])
	assert.NotContains(t, head, "transfer-encoding")
	var frame string
	for n := 0; n < 3; n++ {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		frame += line
	}
	assert.Regexp(t, `^event: event_stream_attached\r\ndata: \{"remoteAddress":"[^"]+","eventType":"event_stream_attached","timestamp":"[^"]+"\}\r\n\r\n$`, frame)
	for _, accept := range []string{"", "*/*", "application/json", "text/event-stream, */*", "text/*"} {
		headers := map[string]string{}
		if accept != "" {
			headers["Accept"] = accept
		}
		a := s.do(t, http.MethodGet, "/v2/events", "", headers)
		assert.Equal(t, 405, a.status, accept)
		assert.Equal(t, "HTTP method GET is not supported by this URL", a.reason)
	}
}

type listener struct {
	mu     sync.Mutex
	events []event
	close  func()
}

type event struct {
	kind string
	data map[string]any
}

func (s *suite) listen(t *testing.T, query string) *listener {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+"/v2/events"+query, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := (&http.Client{}).Do(req)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	l := &listener{close: func() { resp.Body.Close() }}
	go func() {
		scanner := bufio.NewScanner(resp.Body)
		scanner.Buffer(nil, 1<<20)
		kind := ""
		for scanner.Scan() {
			line := strings.TrimSuffix(scanner.Text(), "\r")
			if k, ok := strings.CutPrefix(line, "event: "); ok {
				kind = k
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				e := event{kind: kind}
				_ = json.Unmarshal([]byte(data), &e.data)
				l.mu.Lock()
				l.events = append(l.events, e)
				l.mu.Unlock()
			}
		}
	}()
	t.Cleanup(l.close)
	return l
}

// story lists "type detail" of the events about an app, without those whose place is not fixed.
func (l *listener) story(skip ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, e := range l.events {
		if strings.Contains(" "+strings.Join(skip, " ")+" ", " "+e.kind+" ") {
			continue
		}
		line := e.kind
		for _, key := range []string{"condition", "taskStatus"} {
			if value, ok := e.data[key].(string); ok {
				line += " " + value
			}
		}
		out = append(out, line)
	}
	return out
}

func (l *listener) has(kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.kind == kind {
			return true
		}
	}
	return false
}

// movable are events that come sooner or later than others by chance.
func movable() []string {
	return []string{"event_stream_attached", "event_stream_detached", "group_change_success", "api_post_event", "status_update_event",
		"health_status_changed_event", "instance_health_changed_event"}
}

// stories checks the order and the fields of events: create, scale, upgrade, delete.
func (s *suite) stories(t *testing.T) {
	known := load[map[string]map[string]any](t, "events.json")
	tell := func(name string, change func(), want ...string) {
		t.Run(name, func(t *testing.T) {
			l := s.listen(t, "")
			s.eventually(t, "the stream is attached", func() bool { return l.has("event_stream_attached") })
			change()
			s.eventually(t, "the end is told", func() bool { return l.has("deployment_success") })
			story := s.untilStarted(l)
			assert.Equal(t, want, story)
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, e := range l.events {
				if sample := known[e.kind]; sample != nil {
					assert.Empty(t, differences(e.kind, any(sample), any(e.data), map[string]bool{"add_health_check_event.healthCheck": true}), e.kind)
				}
			}
		})
	}
	up := []string{"instance_changed_event Provisioned", "instance_changed_event Starting", "instance_changed_event Running"}
	tell("create", func() {
		s.create(t, `{"id":"/story",`+small+`,"upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":0}}`)
	},
		append(append([]string{"deployment_info", "deployment_step_success", "deployment_info", "instance_changed_event Scheduled"}, up...), "deployment_step_success", "deployment_success")...)
	tell("scale", func() { require.Equal(t, 200, s.put(t, "/v2/apps/story", `{"instances":2}`).status) },
		append(append([]string{"deployment_info", "instance_changed_event Scheduled"}, up...), "deployment_step_success", "deployment_success")...)
	tell("back", func() { require.Equal(t, 200, s.put(t, "/v2/apps/story", `{"instances":1}`).status) },
		"deployment_info", "instance_changed_event Running", "instance_changed_event Killed", "deployment_step_success", "deployment_success")
	tell("upgrade", func() { require.Equal(t, 200, s.put(t, "/v2/apps/story", `{"env":{"V":"2"}}`).status) },
		append(append([]string{"deployment_info", "instance_changed_event Running", "instance_changed_event Killed", "instance_changed_event Scheduled"}, up...), "deployment_step_success", "deployment_success")...)
	tell("with a check", func() {
		require.Equal(t, 200, s.put(t, "/v2/apps/story", `{"healthChecks":[{"protocol":"COMMAND","command":{"value":"true"},"delaySeconds":0,"intervalSeconds":1}]}`).status)
	}, append(append([]string{"deployment_info", "add_health_check_event", "instance_changed_event Running", "instance_changed_event Killed", "instance_changed_event Scheduled"}, up...),
		"deployment_step_success", "deployment_success")...)
	tell("same again", func() { require.Equal(t, 200, s.put(t, "/v2/apps/story", `{"env":{"V":"2"}}`).status) }, "deployment_success")
}

// untilStarted is the story up to deployment_success. A real Mesos says TASK_STARTING only for some executors, so where it is left
// out it is put in.
func (s *suite) untilStarted(l *listener) []string {
	var out []string
	for _, line := range l.story(movable()...) {
		if line == "instance_changed_event Staging" {
			continue
		}
		out = append(out, line)
		if line == "deployment_success" {
			break
		}
	}
	return out
}
