package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const lockText = "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'."

// locks checks what a running deployment forbids, force, and both ways to end a deployment.
func (s *suite) locks(t *testing.T) {
	id := s.create(t, `{"id":"/lock/a",`+small+`,"constraints":[["hostname","LIKE","nosuch"]]}`)
	plan := s.app(t, id)["deployments"].([]any)[0].(map[string]any)["id"].(string)
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPut, "/v2/apps" + id, `{"instances":2}`}, {http.MethodPatch, "/v2/apps" + id, `{"instances":2}`}, {http.MethodPost, "/v2/apps" + id + "/restart", ""},
		{http.MethodPut, "/v2/groups/lock", `{"apps":[]}`}, {http.MethodDelete, "/v2/groups/lock", ""}, {http.MethodDelete, "/v2/apps" + id + "?force=false", ""},
		{http.MethodPut, "/v2/apps", `[{"id":"/lock/a","instances":3}]`},
	} {
		a := s.do(t, c.method, c.path, c.body, jsonType())
		assert.Equal(t, 409, a.status, "%s %s", c.method, c.path)
		assert.JSONEq(t, text(map[string]any{"message": lockText, "deployments": []any{map[string]any{"id": plan}}}), string(a.body), "%s %s", c.method, c.path)
	}
	again := s.post(t, "/v2/apps", `{"id":"/lock/a",`+small+`}`)
	assert.Equal(t, 409, again.status)
	assert.JSONEq(t, `{"message":"An app with id [/lock/a] already exists."}`, string(again.body))
	forced := s.put(t, "/v2/apps"+id+"?force=true", `{"cpus":0.2}`)
	require.Equal(t, 200, forced.status)
	next := forced.doc(t)["deploymentId"].(string)
	assert.Equal(t, next, forced.header.Get("Marathon-Deployment-Id"))
	dropped := s.do(t, http.MethodDelete, "/v2/deployments/"+next+"?force=true", "", nil)
	assert.Equal(t, 202, dropped.status)
	assert.Empty(t, dropped.body)
	assert.Equal(t, 0.2, s.app(t, id)["cpus"], "nothing is undone")
	back := s.put(t, "/v2/apps"+id, `{"cpus":0.3}`)
	require.Equal(t, 200, back.status)
	rollback := s.do(t, http.MethodDelete, "/v2/deployments/"+back.doc(t)["deploymentId"].(string), "", nil)
	require.Equal(t, 200, rollback.status)
	assert.Contains(t, rollback.doc(t), "deploymentId")
	assert.Equal(t, 0.2, s.app(t, id)["cpus"], "the definition before is back")
}

// queue checks that the funnel follows from the agents.
func (s *suite) queue(t *testing.T) {
	id := s.create(t, `{"id":"/q",`+strings.Replace(small, `"mem":32`, `"mem":99999999`, 1)+`}`)
	row := func(name string) map[string]any {
		for _, item := range s.get(t, "/v2/queue").doc(t)["queue"].([]any) {
			q := item.(map[string]any)
			for _, r := range q["processedOffersSummary"].(map[string]any)["rejectSummaryLastOffers"].([]any) {
				if r.(map[string]any)["reason"] == name {
					return r.(map[string]any)
				}
			}
		}
		return map[string]any{}
	}
	s.eventually(t, "memory is the reason", func() bool { n, _ := row("InsufficientMemory")["declined"].(float64); return n > 0 })
	assert.Equal(t, 0.0, row("InsufficientCpus")["declined"])
	assert.Equal(t, 0.0, row("InsufficientDisk")["processed"])
	assert.Equal(t, 204, s.do(t, http.MethodDelete, "/v2/queue"+id+"/delay", "", nil).status)
}

// tasks checks kills, and what comes after them.
func (s *suite) tasks(t *testing.T) {
	id := s.create(t, `{"id":"/kill",`+small+`,"instances":2,"backoffSeconds":1}`)
	s.settled(t, "create")
	tasks := s.running(t, id)
	require.Len(t, tasks, 2)
	assert.Regexp(t, `^kill\.instance-[0-9a-f-]{36}\._app\.1$`, tasks[0])
	a := s.do(t, http.MethodDelete, "/v2/apps"+id+"/tasks/"+tasks[0], "", nil)
	require.Equal(t, 200, a.status)
	assert.Equal(t, tasks[0], a.doc(t)["task"].(map[string]any)["id"])
	s.next(t, id, tasks[0])
	if s.EndTask != nil {
		s.EndTask(t, tasks[1])
		s.next(t, id, tasks[1])
		failure := s.app(t, id)["lastTaskFailure"].(map[string]any)
		assert.Equal(t, tasks[1], failure["taskId"])
		assert.Empty(t, differences("failure", load[map[string]any](t, "shapes.json")["failure"], any(failure), nil))
	}
	bulk := s.post(t, "/v2/tasks/delete?scale=true", `{"ids":["`+s.running(t, id)[0]+`"]}`)
	require.Equal(t, 200, bulk.status, string(bulk.body))
	assert.Contains(t, bulk.doc(t), "deploymentId")
	s.settled(t, "scale by kill")
	assert.Equal(t, 1.0, s.app(t, id)["instances"])
	assert.Len(t, s.running(t, id), 1)
}

// next waits for the task after a given one, in the same instance.
func (s *suite) next(t *testing.T, app, task string) {
	t.Helper()
	want := strings.TrimSuffix(task, "1") + "2"
	s.eventually(t, want+" runs", func() bool { return strings.Contains(" "+strings.Join(s.running(t, app), " ")+" ", " "+want+" ") })
}

// restart checks that the process may be killed without loss.
func (s *suite) restart(t *testing.T) {
	if s.Restart == nil {
		t.Skip("no way to restart the program")
	}
	id := s.create(t, `{"id":"/keep",`+small+`}`)
	s.settled(t, "create")
	before, framework := s.app(t, id), s.get(t, "/v2/info").doc(t)["frameworkId"]
	s.Restart(t)
	s.eventually(t, "the task is there", func() bool { return len(s.running(t, id)) == 1 })
	after := s.app(t, id)
	assert.Equal(t, before, after)
	assert.Equal(t, framework, s.get(t, "/v2/info").doc(t)["frameworkId"])
	assert.Equal(t, 200, s.post(t, "/v2/apps"+id+"/restart", "").status)
	s.settled(t, "restart of the app")
	assert.NotEqual(t, before["version"], s.app(t, id)["version"])
}
