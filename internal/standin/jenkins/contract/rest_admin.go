package contract

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func restNodes(t *testing.T, c *Controller) {
	form := `json={"name":"a1","nodeDescription":"by form","numExecutors":2,"remoteFS":"/x","labelString":"lab1 lab2","mode":"NORMAL","launcher":{"stapler-class":"hudson.slaves.JNLPLauncher"},` +
		`"retentionStrategy":{"stapler-class":"hudson.slaves.RetentionStrategy$Always"},"nodeProperties":{"stapler-class-bag":"true"}}&name=a1&type=hudson.slaves.DumbSlave`
	made := c.Post("computer/doCreateItem", form)
	require.Equal(t, http.StatusFound, made.Status, made.Body)
	require.Equal(t, "/computer/", made.Header.Get("Location"))
	taken := c.Post("computer/doCreateItem", form)
	require.Equal(t, http.StatusBadRequest, taken.Status)
	require.Contains(t, taken.Header.Get("X-Error"), "already exists")
	require.Equal(t, http.StatusBadRequest, c.Post("computer/doCreateItem?name=a2&type=hudson.slaves.DumbSlave", "").Status, "no json")
	requireShape(t, "node-offline", c.Get("computer/a1/api/json"))
	require.FileExists(t, filepath.Join(c.Home, "nodes/a1/config.xml"))
	descriptor := c.Get("computer/a1/jenkins-agent.jnlp")
	require.Regexp(t, `^<jnlp><application-desc><argument>[0-9a-f]{64}</argument><argument>a1</argument>.*<argument>-url</argument><argument>http://[^<]*/</argument></application-desc></jnlp>$`, descriptor.Body)
	require.Equal(t, http.StatusForbidden, c.Do(Anonymous, "GET", "computer/a1/jenkins-agent.jnlp", "").Status)
	require.Equal(t, http.StatusFound, c.Post("computer/a1/toggleOffline?offlineMessage=m", "").Status)
	require.Equal(t, true, value(t, c.Get("computer/a1/api/json").Body, "temporarilyOffline"))
	require.Equal(t, http.StatusFound, c.Post("computer/a1/doDelete", "").Status)
	require.Equal(t, http.StatusNotFound, c.Get("computer/a1/api/json").Status)
}

func restUsers(t *testing.T, c *Controller) {
	const generate = "me/descriptorByName/jenkins.security.ApiTokenProperty/generateNewToken"
	made := c.Do(Crumbed, "POST", generate, "newTokenName=n1")
	requireShape(t, "token", made)
	token := field(t, made.Body, "data", "tokenValue")
	require.Regexp(t, "^11[0-9a-f]{32}$", token)
	whoAmI := func() int {
		return c.Do(Anonymous, "GET", "whoAmI/api/json", "", "Authorization", basic(user, token)).Status
	}
	require.Equal(t, http.StatusOK, whoAmI())
	revoked := c.Post("me/descriptorByName/jenkins.security.ApiTokenProperty/revoke", "tokenUuid="+field(t, made.Body, "data", "tokenUuid"))
	require.Equal(t, http.StatusOK, revoked.Status)
	require.Equal(t, http.StatusUnauthorized, whoAmI())
	require.Equal(t, http.StatusFound, c.Post("securityRealm/createAccountByAdmin", "username=bob&password1="+escape("p&w=1")+"&password2="+escape("p&w=1")+"&fullname=Bob&email=b%40x").Status)
	bob := c.Do(Anonymous, "GET", "whoAmI/api/json", "", "Authorization", basic("bob", "p&w=1"))
	require.Equal(t, "bob", field(t, bob.Body, "name"))
	require.Equal(t, http.StatusFound, c.Post("user/bob/doDelete", "").Status)
	require.Equal(t, http.StatusNotFound, c.Get("user/bob/api/json").Status)
	require.Equal(t, http.StatusBadRequest, c.Post("user/admin/doDelete", "").Status, "oneself")
}

func restQuiet(t *testing.T, c *Controller) {
	quiet := func() (any, any) {
		body := c.Get("api/json?tree=quietingDown,quietDownReason").Body
		return value(t, body, "quietingDown"), value(t, body, "quietDownReason")
	}
	answer := c.Post("quietDown?message=upgrade%20%26%20back", "")
	require.Equal(t, http.StatusFound, answer.Status)
	require.Equal(t, "/", answer.Header.Get("Location"))
	on, why := quiet()
	require.Equal(t, true, on)
	require.Equal(t, "upgrade & back", why)
	c.Post("quietDown", "")
	on, why = quiet()
	require.Equal(t, true, on)
	require.Nil(t, why, "again without a message")
	c.Post("quietDown", "message=in+the+body")
	_, why = quiet()
	require.Equal(t, "in the body", why)
	require.Equal(t, http.StatusFound, c.Post("quietDown?block=true&timeout=3000", "").Status, "idle: at once")
	require.Equal(t, http.StatusFound, c.Post("cancelQuietDown", "").Status)
	on, _ = quiet()
	require.Equal(t, false, on)
}
