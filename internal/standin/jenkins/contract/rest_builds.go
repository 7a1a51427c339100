package contract

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// gate is a shell step that waits until its file exists.
func gate(t *testing.T) (script string, open func()) {
	path := filepath.Join(t.TempDir(), "open")
	return "set +x; echo started; while [ ! -e " + path + " ]; do sleep 0.1; done; echo bye", func() {
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
}

func restBuilds(t *testing.T, c *Controller) {
	script, open := gate(t)
	require.Equal(t, 200, c.Post("createItem?name=ok", Job("", script)).Status)
	queued := c.Post("job/ok/build?delay=0sec", "")
	require.Equal(t, http.StatusCreated, queued.Status)
	location := queued.Header.Get("Location")
	require.Regexp(t, "^"+c.Base+`queue/item/\d+/$`, location)
	item := strings.TrimPrefix(location, c.Base)
	awaitRunning(t, c, "ok")
	requireShape(t, "job-building", c.Get("job/ok/api/json"))
	require.Equal(t, "notbuilt_anime", field(t, c.Get("job/ok/api/json").Body, "color"))
	requireShape(t, "build-running", c.Get("job/ok/1/api/json"))
	requireShape(t, "build-running-depth-1", c.Get("job/ok/1/api/json?depth=1"))
	requireShape(t, "item-left", c.Get(item+"api/json"))
	progress := c.Get("job/ok/1/logText/progressiveText?start=0")
	require.Equal(t, "true", progress.Header.Get("X-More-Data"))
	require.NoFileExists(t, filepath.Join(c.Home, "jobs/ok/builds/1/build.xml"), "written only at the end")
	again := c.Post("job/ok/build?delay=0sec", "")
	require.Equal(t, http.StatusCreated, again.Status)
	blocked := strings.TrimPrefix(again.Header.Get("Location"), c.Base) + "api/json"
	testkit.Eventually(t, time.Minute, "the second is blocked", func(context.Context) bool {
		return value(t, c.Get(blocked).Body, "blocked") == true
	})
	requireShape(t, "item-blocked", c.Get(blocked))
	require.Equal(t, "Build #1 is already in progress (ETA: N/A)", field(t, c.Get(blocked).Body, "why"))
	require.Equal(t, again.Header.Get("Location"), c.Post("job/ok/build?delay=0sec", "").Header.Get("Location"), "the same item again")
	open()
	requireShape(t, "build-done", Answer{Status: 200, Header: jsonHeader(), Body: awaitBuild(t, c, "job/ok/1/")})
	awaitBuild(t, c, "job/ok/2/")
	requireShape(t, "job-done", c.Get("job/ok/api/json"))
	require.Equal(t, "blue", field(t, c.Get("job/ok/api/json").Body, "color"))
	require.FileExists(t, filepath.Join(c.Home, "jobs/ok/builds/1/build.xml"))
	next, err := os.ReadFile(filepath.Join(c.Home, "jobs/ok/nextBuildNumber"))
	require.NoError(t, err)
	require.Equal(t, "3\n", string(next))
	console := c.Get("job/ok/1/consoleText")
	require.Regexp(t, `(?s)^Started by user admin\nRunning as SYSTEM\nBuilding in workspace .*/workspace/ok\n\[ok\] \$ /bin/sh -xe .*bye\nFinished: SUCCESS\n$`, console.Body)
	require.Empty(t, console.Header.Get("X-Jenkins"))
	over := c.Get("job/ok/1/logText/progressiveText?start=999999")
	require.Empty(t, over.Header.Get("X-More-Data"))
	require.Contains(t, over.Body, "Started by user", "a start beyond the end gives everything")
	for path, status := range map[string]int{"job/ok/9/api/json": 404, "job/ok/lastFailedBuild/api/json": 404, "job/ok/0/api/json": 404,
		"job/ok//1/api/json": 200, "job/ok/1/consoleText/": 200, "job/ok/lastSuccessfulBuild/api/json": 200} {
		require.Equal(t, status, c.Get(path).Status, path)
	}
	restFailures(t, c)
	require.Equal(t, http.StatusFound, c.Post("job/ok/doDelete", "").Status)
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

func restFailures(t *testing.T, c *Controller) {
	require.Equal(t, 200, c.Post("createItem?name=bad", Job("", "echo no; exit 3")).Status)
	c.Post("job/bad/build?delay=0sec", "")
	testkit.Eventually(t, time.Minute, "bad starts", func(context.Context) bool { return c.Get("job/bad/1/api/json").Status == 200 })
	require.Equal(t, "FAILURE", field(t, awaitBuild(t, c, "job/bad/1/"), "result"))
	require.Contains(t, c.Get("job/bad/1/consoleText").Body, "Build step 'Execute shell' marked build as failure\nFinished: FAILURE\n")
	require.Equal(t, "red", field(t, c.Get("job/bad/api/json").Body, "color"))
	require.Equal(t, 200, c.Post("createItem?name=long", Job("", "sleep 300")).Status)
	c.Post("job/long/build?delay=0sec", "")
	awaitRunning(t, c, "long")
	require.Equal(t, http.StatusMethodNotAllowed, c.Get("job/long/1/stop").Status)
	require.Equal(t, http.StatusFound, c.Post("job/long/1/stop", "").Status)
	body := awaitBuild(t, c, "job/long/1/")
	requireShape(t, "build-aborted", Answer{Status: 200, Header: jsonHeader(), Body: body})
	require.Equal(t, "ABORTED", field(t, body, "result"))
	require.Contains(t, c.Get("job/long/1/consoleText").Body, "Build was aborted\nAborted by admin\nFinished: ABORTED\n")
	require.Equal(t, http.StatusFound, c.Post("job/long/1/stop", "").Status, "also when it is over")
	for _, job := range []string{"bad", "long"} {
		c.Post("job/"+job+"/doDelete", "")
	}
}

func restParameters(t *testing.T, c *Controller) {
	require.Equal(t, 200, c.Post("createItem?name=par", paramJob).Status)
	refused := c.Post("job/par/build", "")
	require.Equal(t, http.StatusBadRequest, refused.Status)
	require.Equal(t, "Error 400 Nothing is submitted", refused.Title())
	require.Equal(t, http.StatusCreated, c.Post("job/par/buildWithParameters?P=x&delay=0sec&NOSUCH=1", "").Status)
	testkit.Eventually(t, time.Minute, "par starts", func(context.Context) bool { return c.Get("job/par/1/api/json").Status == 200 })
	awaitBuild(t, c, "job/par/1/")
	require.Contains(t, c.Get("job/par/1/consoleText").Body, "P=x")
	form := c.Post("job/par/buildWithParameters", "P=f+1")
	requireShape(t, "item-parameters-waiting", c.Get(strings.TrimPrefix(form.Header.Get("Location"), c.Base)+"api/json"))
	require.Equal(t, "\nP=f 1", field(t, c.Get(strings.TrimPrefix(form.Header.Get("Location"), c.Base)+"api/json").Body, "params"))
	c.Post("job/par/doDelete", "")
}

func restQueue(t *testing.T, c *Controller) {
	require.Equal(t, 200, c.Post("createItem?name=q", Job("", "true")).Status)
	queued := strings.TrimPrefix(c.Post("job/q/build", "").Header.Get("Location"), c.Base)
	item := c.Get(queued + "api/json")
	requireShape(t, "item-waiting", item)
	require.Regexp(t, `^In the quiet period\. Expires in 4(\.\d)? sec$`, field(t, item.Body, "why"))
	requireShape(t, "job-queued", c.Get("job/q/api/json"))
	id := field(t, item.Body, "id")
	require.Equal(t, http.StatusNoContent, c.Post("queue/cancelItem?id="+id, "").Status)
	requireShape(t, "item-cancelled", c.Get(queued+"api/json"))
	require.Equal(t, true, value(t, c.Get(queued+"api/json").Body, "cancelled"))
	require.Equal(t, http.StatusInternalServerError, c.Post("queue/cancelItem?id="+id, "").Status)
	require.Equal(t, http.StatusNotFound, c.Post("queue/cancelItem?id=99999", "").Status)
	require.Equal(t, http.StatusNotFound, c.Get("queue/item/99999/api/json").Status)
	require.Equal(t, 200, c.Post("createItem?name=lab", Job("nosuch", "true")).Status)
	waiting := strings.TrimPrefix(c.Post("job/lab/build?delay=0sec", "").Header.Get("Location"), c.Base)
	testkit.Eventually(t, time.Minute, "buildable", func(context.Context) bool { return value(t, c.Get(waiting+"api/json").Body, "buildable") == true })
	requireShape(t, "item-buildable", c.Get(waiting+"api/json"))
	body := c.Get(waiting + "api/json").Body
	require.Equal(t, "‘Jenkins’ doesn’t have label ‘nosuch’", field(t, body, "why"))
	require.Equal(t, true, value(t, body, "stuck"))
	require.Equal(t, http.StatusFound, c.Post("job/lab/disable", "").Status)
	require.Equal(t, true, value(t, c.Get(waiting+"api/json").Body, "cancelled"), "disabling cancels")
	c.Post("job/q/doDelete", "")
	c.Post("job/lab/doDelete", "")
}

func restOddities(t *testing.T, c *Controller) {
	require.Equal(t, 200, c.Post("createItem?name=odd", Job("", "true")).Status)
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", "api/json", 200}, {"HEAD", "nosuch", 404}, {"OPTIONS", "api/json", 200}, {"TRACE", "", 403},
		{"PUT", "createItem?name=z", 405}, {"PATCH", "job/odd/config.xml", 400}, {"PUT", "job/odd/config.xml", 400}, {"DELETE", "job/nosuch", 404},
		{"GET", "job/odd", 302}, {"GET", "job/odd/", 200}, {"GET", "job/odd/api/json/", 200}, {"GET", "job/odd/api", 302},
		{"GET", "/api/json", 200}, {"GET", "job//odd/api/json", 200}, {"GET", "JOB/odd/api/json", 404}, {"GET", "job/ODD/api/json", 200},
		{"GET", "api/json?jsonp=cb", 403}, {"POST", "api/json", 200}, {"POST", "job/odd/api/json", 200}, {"GET", "job/a%2Fb/api/json", 404},
		{"GET", "asynchPeople/api/json", 404}, {"GET", "people/api/json", 404}, {"GET", "log/api/json", 404}, {"GET", "instance-identity", 404},
		{"GET", "computer/(built-in)/config.xml", 400}, {"GET", "computer/(master)/api/json", 200}, {"GET", "computer/built-in/api/json", 404},
		{"GET", "computer/Built-In%20Node/api/json", 404}, {"GET", "health", 302}, {"GET", "quietDown", 405}, {"GET", "job/odd/doDelete", 405},
		{"GET", "scriptText", 200}, {"GET", "credentials/", 404}, {"GET", "job/odd/description", 200},
	} {
		answer := c.Do(Token, tc.method, tc.path, "")
		require.Equal(t, tc.status, answer.Status, "%s %s", tc.method, tc.path)
		if tc.status == 405 {
			require.Equal(t, "POST", answer.Header.Get("Allow"))
		}
	}
	built := c.Do(Token, "POST", "job/odd/build?delay=600sec", "", "Host", "other.example:1234")
	require.True(t, strings.HasPrefix(built.Header.Get("Location"), "http://other.example:1234/queue/item/"), built.Header.Get("Location"))
	built = c.Do(Token, "POST", "job/odd/build?delay=600sec", "", "X-Forwarded-Host", "ci.example", "X-Forwarded-Proto", "https")
	require.True(t, strings.HasPrefix(built.Header.Get("Location"), "https://ci.example/queue/item/"), built.Header.Get("Location"))
	disabled := c.Post("job/odd/disable", "")
	require.Equal(t, "/job/odd/", disabled.Header.Get("Location"), "path only")
	require.Nil(t, value(t, c.Get("api/json").Body, "url"), "no root URL is configured")
	c.Post("job/odd/doDelete", "")
}
