package jenkins

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/contract"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestSaysThatItIsAStandIn(t *testing.T) {
	t.Parallel()
	c := program(t).Start(t, contract.SecuredHome(t), "-Djomctl.standin.version=2.555.3")
	c.AwaitStatus("login", http.StatusServiceUnavailable)
	require.Equal(t, "jenkins", c.Do(contract.Anonymous, "GET", "login", "").Header.Get("X-Jomctl-Standin"))
	c.Up()
	for _, path := range []string{"login", "nosuch", "api/json"} {
		require.Equal(t, "jenkins", c.Get(path).Header.Get("X-Jomctl-Standin"), path)
	}
	require.Equal(t, "2.555.3", c.Get("api/json").Header.Get("X-Jenkins"))
	for method, paths := range map[string][]string{"POST": {"scriptText", "pluginManager/installNecessaryPlugins"}, "GET": {"jnlpJars/jenkins-cli.jar", "cli/"}} {
		for _, path := range paths {
			answer := c.Do(contract.Token, method, path, "")
			require.Equal(t, http.StatusNotImplemented, answer.Status, path)
			require.Contains(t, answer.Body, "not implemented by jomctl's stand-in", path)
		}
	}
	require.Equal(t, http.StatusNotImplemented, c.Post("createItem?name=e", contract.Job("a &amp;&amp; b", "true")).Status)
	plugins := c.Get("pluginManager/api/json?depth=1").Body
	for _, name := range []string{"mesos", "configuration-as-code", "instance-identity"} {
		require.Contains(t, plugins, `"shortName":"`+name+`"`)
	}
}

func TestConfigurationAsCode(t *testing.T) {
	t.Parallel()
	address := testkit.FreeAddr(t, "127.0.0.1")
	home := cloudHome(t, "http://127.0.0.1:1", "http://"+address+"/", "-noReconnect")
	c := startAt(t, home, address)
	text, err := os.ReadFile(filepath.Join(home, "jenkins.yaml"))
	require.NoError(t, err)
	good := c.Post("configuration-as-code/check", string(text))
	require.Equal(t, http.StatusOK, good.Status)
	require.JSONEq(t, "[]", good.Body)
	bad := c.Post("configuration-as-code/check", strings.Replace(string(text), "frameworkName", "frameworkNam", 1))
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, bad.Body, "frameworkNam")
	require.Contains(t, c.Post("configuration-as-code/export", "").Body, "frameworkId: jenkins-test-e1")
	require.Contains(t, c.Get("api/json").Body, `"url":"http://`+address+`/"`)
	config, err := os.ReadFile(filepath.Join(home, "config.xml"))
	require.NoError(t, err)
	require.Contains(t, string(config), "<frameworkId>jenkins-test-e1</frameworkId>")
	contract.WriteFile(t, home, "jenkins.yaml", strings.Replace(string(text), "numExecutors: 0", "numExecutors: 4\n  systemMessage: hi", 1))
	require.Equal(t, http.StatusFound, c.Post("configuration-as-code/reload", "").Status)
	body := c.Get("api/json").Body
	require.Contains(t, body, `"numExecutors":4`)
	require.Contains(t, body, `"description":"hi"`)
	contract.WriteFile(t, home, "jenkins.yaml", "jenkins: {nosuch: 1}")
	require.Equal(t, http.StatusInternalServerError, c.Post("configuration-as-code/reload", "").Status)
	c.Signal(syscall.SIGTERM)
	c.Exit()
	broken := program(t).Start(t, home)
	broken.AwaitStatus("login", http.StatusInternalServerError)
}

func TestCloudOfConfigXMLGetsAFrameworkID(t *testing.T) {
	t.Parallel()
	home := contract.SecuredHome(t)
	cloud := "<clouds><org.jenkinsci.plugins.mesos.MesosCloud><master>h:1</master><jenkinsURL>http://x/</jenkinsURL></org.jenkinsci.plugins.mesos.MesosCloud></clouds></hudson>"
	contract.WriteFile(t, home, "config.xml", strings.Replace(contract.SecuredConfig, "</hudson>", cloud, 1))
	program(t).Start(t, home).Up()
	text, err := os.ReadFile(filepath.Join(home, "config.xml"))
	require.NoError(t, err)
	require.Regexp(t, `<frameworkId>[0-9a-f-]{36}</frameworkId>`, string(text), "a random one, which the next save keeps")
}

func TestAgentPort(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	home := contract.SecuredHome(t)
	enforced := []string{"-Djenkins.model.Jenkins.slaveAgentPort=" + port, "-Djomctl.standin.agentListenAddress=127.0.0.1", "-Dhudson.TcpSlaveAgentListener.hostName=agents.example"}
	c := program(t).Start(t, home, enforced...).Up()
	require.Equal(t, 404, c.Get("tcpSlaveAgentListener/").Status, "config.xml says -1, the property is only a default")
	c.Signal(syscall.SIGTERM)
	c.Exit()
	c = program(t).Start(t, home, append(enforced, "-Djenkins.model.Jenkins.slaveAgentPortEnforce=true")...).Up()
	listener := c.Do(contract.Anonymous, "GET", "tcpSlaveAgentListener/", "")
	require.Equal(t, 200, listener.Status)
	for name, want := range map[string]string{"X-Jenkins-JNLP-Port": port, "X-Hudson-JNLP-Port": port, "X-Jenkins-JNLP-Host": "agents.example",
		"X-Jenkins-Agent-Protocols": "JNLP4-connect, Ping", "X-Remoting-Minimum-Version": "3176.v207ec082a_8c0"} {
		require.Equal(t, want, listener.Header.Get(name), name)
	}
	jar := c.Do(contract.Anonymous, "GET", "jnlpJars/agent.jar", "")
	require.Equal(t, agent.Marker, jar.Body)
	require.Equal(t, "application/java-archive", jar.Header.Get("Content-Type"))
	// A second controller finds the port taken: it comes up without one, and stays so.
	other := program(t).Start(t, contract.SecuredHome(t), append(enforced, "-Djenkins.model.Jenkins.slaveAgentPortEnforce=true")...).Up()
	require.Equal(t, 404, other.Get("tcpSlaveAgentListener/").Status)
}

func TestSetupWizardSecuresAnEmptyHome(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	c := program(t).Start(t, home, "-Djenkins.install.runSetupWizard=true")
	c.AwaitStatus("api/json", http.StatusForbidden)
	password, err := os.ReadFile(filepath.Join(home, "secrets/initialAdminPassword"))
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile("^[0-9a-f]{32}\n$"), string(password))
	req, err := http.NewRequest("GET", c.Base+"whoAmI/api/json", nil)
	require.NoError(t, err)
	req.SetBasicAuth("admin", strings.TrimSpace(string(password)))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	require.NoFileExists(t, filepath.Join(home, "jenkins.install.UpgradeWizard.state"))
}

func TestNothingIsLeftOpenAfterManyRequests(t *testing.T) {
	t.Parallel()
	c := program(t).Start(t, contract.SecuredHome(t)).Up()
	count := func() int {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Pid()))
		require.NoError(t, err)
		return len(open)
	}
	require.Equal(t, 200, c.Post("createItem?name=j", contract.Job("", "true")).Status)
	ask := func() {
		c.Post("job/j/build?delay=0sec", "")
		for _, path := range []string{"api/json?depth=2", "login", "job/j/1/consoleText", "job/j/1/logText/progressiveText?start=0", "nosuch"} {
			c.Get(path)
		}
	}
	ask()
	http.DefaultClient.CloseIdleConnections()
	before := count()
	for range 30 {
		ask()
	}
	testkit.Eventually(t, time.Minute, "as many descriptors as before, give or take connections that end", func(context.Context) bool { return count() <= before+8 })
}
