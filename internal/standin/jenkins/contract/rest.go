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

// Job is the config.xml of a freestyle job with one shell step; label "" means anywhere.
func Job(label, script string) string {
	roam, node := "true", ""
	if label != "" {
		roam, node = "false", "<assignedNode>"+label+"</assignedNode>"
	}
	return "<?xml version='1.1' encoding='UTF-8'?>\n<project><description></description><keepDependencies>false</keepDependencies><properties></properties>" +
		`<scm class="hudson.scm.NullSCM"/>` + node + "<canRoam>" + roam + "</canRoam><disabled>false</disabled><triggers/><concurrentBuild>false</concurrentBuild>" +
		"<builders><hudson.tasks.Shell><command>" + script + "</command></hudson.tasks.Shell></builders><publishers/><buildWrappers/></project>"
}

const paramJob = "<project><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition>" +
	"<name>P</name><defaultValue>d</defaultValue></hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties>" +
	"<canRoam>true</canRoam><builders><hudson.tasks.Shell><command>echo P=$P</command></hudson.tasks.Shell></builders></project>"

// REST runs everything that one running controller can show.
func REST(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	t.Run("shapes", func(t *testing.T) { restShapes(t, c) })
	t.Run("auth", func(t *testing.T) { restAuth(t, c) })
	t.Run("crumbs", func(t *testing.T) { restCrumbs(t, c) })
	t.Run("headers", func(t *testing.T) { restHeaders(t, c) })
	t.Run("jobs", func(t *testing.T) { restJobs(t, c) })
	t.Run("builds", func(t *testing.T) { restBuilds(t, c) })
	t.Run("parameters", func(t *testing.T) { restParameters(t, c) })
	t.Run("queue", func(t *testing.T) { restQueue(t, c) })
	t.Run("oddities", func(t *testing.T) { restOddities(t, c) })
	t.Run("nodes", func(t *testing.T) { restNodes(t, c) })
	t.Run("users", func(t *testing.T) { restUsers(t, c) })
	t.Run("quiet", func(t *testing.T) { restQuiet(t, c) })
}

func restShapes(t *testing.T, c *Controller) {
	for path, name := range map[string]string{"api/json": "root", "api/json?depth=1": "root-depth-1", "queue/api/json": "queue-empty",
		"computer/api/json": "computers", "computer/api/json?depth=1": "computers-depth-1", "label/built-in/api/json": "label",
		"label/nosuch/api/json": "label-nosuch", "crumbIssuer/api/json": "crumb", "crumbIssuer/api/json/api/json": "crumb", "me/api/json": "user",
		"view/all/api/json": "view-all", "overallLoad/api/json": "overall-load", "unlabeledLoad/api/json": "unlabeled-load"} {
		requireShape(t, name, c.Get(path))
	}
	tree := c.Get("api/json?tree=jobs[name],quietingDown")
	require.JSONEq(t, `{"_class":"hudson.model.Hudson","jobs":[],"quietingDown":false}`, tree.Body)
	require.JSONEq(t, `{"_class":"hudson.model.Hudson"}`, c.Get("api/json?tree=nosuch").Body)
	for _, path := range []string{"api/json?tree=jobs[name", "api/json?tree=name,,url", "api/json?depth=abc"} {
		answer := c.Get(path)
		require.Equal(t, http.StatusInternalServerError, answer.Status, path)
		require.Contains(t, answer.Header.Get("Content-Type"), "text/html", path)
	}
}

func restAuth(t *testing.T, c *Controller) {
	for _, path := range []string{"", "api/json", "queue/api/json", "computer/api/json", "pluginManager/api/json", "me/api/json", "crumbIssuer/api/json", "nosuch", "manage/"} {
		answer := c.Do(Anonymous, "GET", path, "")
		require.Equal(t, http.StatusForbidden, answer.Status, path)
		require.Equal(t, "hudson.model.Hudson.Read", answer.Header.Get("X-Required-Permission"), path)
		require.NotEmpty(t, answer.Header.Get("X-Jenkins"), path)
		require.Contains(t, answer.Body, "<meta http-equiv='refresh'", path)
	}
	for _, path := range []string{"login", "whoAmI/api/json", "health/"} {
		require.Equal(t, http.StatusOK, c.Do(Anonymous, "GET", path, "").Status, path)
	}
	require.Equal(t, http.StatusNotFound, c.Do(Anonymous, "GET", "tcpSlaveAgentListener/", "").Status, "the agent port is closed")
	for _, path := range []string{"", "login", "api/json", "whoAmI/api/json", "nosuch"} {
		answer := c.Do(Bad, "GET", path, "")
		require.Equal(t, http.StatusUnauthorized, answer.Status, path)
		require.Contains(t, answer.Header.Get("WWW-Authenticate"), `Basic realm="Jenkins"`)
		require.Empty(t, answer.Header.Get("X-Jenkins"))
	}
	for auth, name := range map[Auth]string{Anonymous: "whoami-anonymous", Token: "whoami-token", Password: "whoami-password"} {
		answer := c.Do(auth, "GET", "whoAmI/api/json", "")
		requireShape(t, name, answer)
		require.Equal(t, auth == Anonymous, value(t, answer.Body, "anonymous"))
		require.Equal(t, true, value(t, answer.Body, "authenticated"))
	}
	capitals := c.Do(Anonymous, "GET", "whoAmI/api/json", "", "Authorization", basic("ADMIN", password))
	require.Equal(t, user, field(t, capitals.Body, "name"))
	bearer := c.Do(Anonymous, "GET", "whoAmI/api/json", "", "Authorization", "Bearer x")
	require.Equal(t, "anonymous", field(t, bearer.Body, "name"))
}

func restCrumbs(t *testing.T, c *Controller) {
	require.Equal(t, http.StatusOK, c.Do(Token, "POST", "createItem?name=cr", Job("", "true")).Status)
	for auth, want := range map[Auth]int{Token: 204, Crumbed: 204, Password: 403, Anonymous: 403, Bad: 401} {
		require.Equal(t, want, c.Do(auth, "POST", "job/cr/description", "description=x").Status, "auth %d", auth)
	}
	refused := c.Do(Password, "POST", "nosuch/really", "a=b")
	require.Equal(t, http.StatusForbidden, refused.Status, "the crumb comes before 404")
	require.Equal(t, "Error 403 No valid crumb was included in the request", refused.Title())
	require.Empty(t, refused.Header.Get("X-Jenkins"))
	require.Equal(t, http.StatusNoContent, c.Do(Token, "POST", "job/cr/description", "description=x", "Jenkins-Crumb", "wrong").Status, "a token ignores crumbs")
	require.Equal(t, http.StatusForbidden, c.Do(Password, "POST", "job/cr/description", "description=x", "Jenkins-Crumb", "wrong").Status)
	require.Equal(t, http.StatusFound, c.Post("job/cr/doDelete", "").Status)
}

func restHeaders(t *testing.T, c *Controller) {
	for _, path := range []string{"", "login", "nosuch"} {
		h := c.Get(path).Header
		require.NotEmpty(t, h.Get("X-Jenkins"), path)
		require.Regexp(t, "^[0-9a-f]{8}$", h.Get("X-Jenkins-Session"), path)
		require.Equal(t, "1.395", h.Get("X-Hudson"), path)
	}
	json := c.Get("api/json").Header
	require.NotEmpty(t, json.Get("X-Jenkins"))
	require.Empty(t, json.Get("X-Hudson"))
	created := c.Post("createItem?name=hd", Job("", "true"))
	require.Equal(t, http.StatusOK, created.Status)
	require.Empty(t, created.Body)
	require.Empty(t, created.Header.Get("X-Jenkins"))
	require.Empty(t, c.Get("job/hd/config.xml").Header.Get("X-Jenkins"))
	deleted := c.Do(Token, "DELETE", "job/hd/", "")
	require.Equal(t, http.StatusNoContent, deleted.Status)
}

func restJobs(t *testing.T, c *Controller) {
	require.Equal(t, http.StatusOK, c.Post("createItem?name=one", Job("", "echo hi")).Status)
	requireShape(t, "job-new", c.Get("job/one/api/json"))
	text := c.Get("job/one/config.xml")
	require.Contains(t, text.Body, "<configuredLocalRules/>", "the model, not the posted text")
	require.True(t, strings.HasPrefix(text.Body, `<?xml version="1.1" encoding="UTF-8"?>`))
	for _, tc := range []struct {
		path, body, xerror string
		status             int
	}{
		{"createItem?name=one", Job("", ""), "A job already exists with the name", 400},
		{"createItem?name=ONE", Job("", ""), "A job already exists with the name", 400},
		{"createItem", Job("", ""), "Query parameter 'name' is required", 400},
		{"createItem?name=", Job("", ""), "No name is specified", 400},
		{"createItem?name=a/b", Job("", ""), "is an unsafe character", 400},
		{"createItem?name=..", Job("", ""), "is not an allowed name", 400},
		{"createItem?name=end.", Job("", ""), "A name cannot end with", 400},
		{"createItem?name=broken", "<project><oops", "", 500},
		{"createItem?name=broken", "<nosuchtype/>", "", 500},
		{"createItem?name=broken", "", "No Content-Type header set", 400},
		{"createItem?name=x&mode=copy&from=nosuch", "", "No such job: nosuch", 400},
		{"createItem", "name=f&mode=no.such.Type", "is known", 400},
		{"job/nosuch/config.xml", Job("", ""), "", 404},
		{"job/nosuch/doDelete", "", "", 404},
	} {
		answer := c.Post(tc.path, tc.body)
		require.Equal(t, tc.status, answer.Status, "%s %s", tc.path, tc.body)
		require.Contains(t, answer.Header.Get("X-Error"), tc.xerror, tc.path)
	}
	require.Equal(t, 500, c.Post("job/one/config.xml", "<project><oops").Status)
	require.Contains(t, c.Get("job/one/config.xml").Body, "echo hi", "a broken POST changes nothing")
	copied := c.Post("createItem?name=copy1&mode=copy&from=one", "")
	require.Equal(t, http.StatusFound, copied.Status)
	require.True(t, strings.HasSuffix(copied.Header.Get("Location"), "/job/copy1/configure"))
	require.Equal(t, false, value(t, c.Get("job/copy1/api/json").Body, "buildable"), "until it is saved")
	require.Equal(t, http.StatusFound, c.Post("job/copy1/doRename?newName=moved", "").Status)
	require.Equal(t, http.StatusNotFound, c.Get("job/copy1/api/json").Status)
	require.Equal(t, http.StatusFound, c.Post("job/moved/doDelete", "").Status)
	require.Equal(t, http.StatusFound, c.Post("job/one/disable", "").Status)
	require.Equal(t, "disabled", field(t, c.Get("job/one/api/json").Body, "color"))
	require.Equal(t, http.StatusConflict, c.Post("job/one/build", "").Status)
	require.Equal(t, http.StatusFound, c.Post("job/one/enable", "").Status)
	_, err := os.Stat(filepath.Join(c.Home, "jobs/one/nextBuildNumber"))
	require.ErrorIs(t, err, os.ErrNotExist, "it appears with the first build")
	require.Equal(t, http.StatusFound, c.Post("job/ONE/doDelete", "").Status, "names match in any case")
}

// awaitBuild waits until a build has ended and gives its JSON.
func awaitBuild(t *testing.T, c *Controller, path string) string {
	t.Helper()
	body := ""
	testkit.Eventually(t, time.Minute, path+" ends", func(context.Context) bool {
		answer := c.Get(path + "api/json")
		body = answer.Body
		return answer.Status == 200 && value(t, body, "building") == false
	})
	return body
}

func awaitRunning(t *testing.T, c *Controller, job string) {
	t.Helper()
	testkit.Eventually(t, time.Minute, job+" runs", func(context.Context) bool {
		answer := c.Get("job/" + job + "/lastBuild/api/json?tree=building")
		return answer.Status == 200 && value(t, answer.Body, "building") == true
	})
}
