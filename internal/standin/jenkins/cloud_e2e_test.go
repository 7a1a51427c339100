package jenkins

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/contract"
	"github.com/jomctl/jomctl/internal/standin/jenkins/fakemaster"
	"github.com/jomctl/jomctl/internal/testkit"
)

// withJava is a PATH whose java is this program, as a Mesos agent's tasks have it.
func withJava(t testing.TB) string {
	dir := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "java")))
	return dir + string(os.PathListSeparator) + os.Getenv("PATH")
}

// cloudHome is a secured home without executors of its own, with an agent port and the cloud in jenkins.yaml.
func cloudHome(t testing.TB, master, base, jnlpArgs string) string {
	dir := contract.SecuredHome(t)
	_, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	contract.WriteFile(t, dir, "jenkins.yaml", fmt.Sprintf(`jenkins:
  numExecutors: 0
  slaveAgentPort: %s
  clouds:
    - mesos:
        mesosMasterUrl: %q
        frameworkName: jenkins
        frameworkId: jenkins-test-e1
        role: "*"
        agentUser: root
        jenkinsURL: %q
        mesosAgentSpecTemplates:
          - {label: mesos, mode: NORMAL, cpus: "0.1", mem: "64", disk: "0.0", idleTerminationMinutes: 3, minExecutors: 1, maxExecutors: 1, jnlpArgs: %q, domainFilterModel: any}
unclassified:
  location: {url: %q}
`, port, master, base, jnlpArgs, base))
	return dir
}

// quick are properties that make the provisioner and idle removal quick.
var quick = []string{"-Dhudson.model.LoadStatistics.clock=50", "-Djomctl.standin.idleSeconds=1", "-Djomctl.standin.agentListenAddress=127.0.0.1",
	"-Djomctl.standin.reviveMillis=200"}

func startAt(t *testing.T, home, address string, properties ...string) *contract.Controller {
	return program(t).StartAt(t, home, address, "", append(slices.Clone(quick), properties...)...).Up()
}

func TestFiveBuildsOnFiveBuildAgents(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Runner: fakemaster.RunHere(t, withJava(t))})
	address := testkit.FreeAddr(t, "127.0.0.1")
	c := startAt(t, cloudHome(t, m.URL(), "http://"+address+"/", "-noReconnect"), address)
	proveFiveBuilds(t, c)
	testkit.Eventually(t, time.Minute, "all resources are given back", func(context.Context) bool { return len(m.Tasks()) == 0 })
}

// proveFiveBuilds runs five labelled jobs at once and waits until their agents are gone.
func proveFiveBuilds(t *testing.T, c *contract.Controller) {
	t.Helper()
	for i := 1; i <= 5; i++ {
		require.Equal(t, 200, c.Post(fmt.Sprintf("createItem?name=j%d", i), contract.Job("mesos", "echo on $NODE_NAME in $WORKSPACE; sleep 1")).Status)
		require.Equal(t, 201, c.Post(fmt.Sprintf("job/j%d/build?delay=0sec", i), "").Status)
	}
	testkit.Eventually(t, 60*time.Second, "five builds are SUCCESS", func(context.Context) bool {
		return strings.Count(c.Get("api/json?tree=jobs[lastBuild[result]]").Body, `"SUCCESS"`) == 5
	})
	nodes := map[string]bool{}
	for i := 1; i <= 5; i++ {
		body := c.Get(fmt.Sprintf("job/j%d/1/consoleText", i)).Body
		_, rest, _ := strings.Cut(body, "Building remotely on ")
		name, _, _ := strings.Cut(rest, " ")
		require.Regexp(t, `^jenkins-agent-mesos-[0-9a-f-]{36}$`, name, body)
		require.Contains(t, body, "on "+name+" in ")
		nodes[name] = true
	}
	require.Len(t, nodes, 5, "agents are single-use")
	testkit.Eventually(t, time.Minute, "the nodes are gone", func(context.Context) bool {
		return !strings.Contains(c.Get("computer/api/json?tree=computer[displayName]").Body, "jenkins-agent-")
	})
}

func TestBuildAgentsLeaveWithTheirController(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Runner: fakemaster.RunHere(t, withJava(t))})
	address := testkit.FreeAddr(t, "127.0.0.1")
	home := cloudHome(t, m.URL(), "http://"+address+"/", "-noReconnect")
	c := startAt(t, home, address)
	require.Equal(t, 200, c.Post("createItem?name=long", contract.Job("mesos", "sleep 300")).Status)
	c.Post("job/long/build?delay=0sec", "")
	testkit.Eventually(t, time.Minute, "it runs", func(context.Context) bool {
		return strings.Contains(c.Get("job/long/api/json?tree=color").Body, "notbuilt_anime")
	})
	before := len(m.Calls())
	c.Signal(syscall.SIGKILL)
	testkit.Eventually(t, time.Minute, "-noReconnect: the agent ends", func(context.Context) bool { return len(m.Tasks()) == 0 })
	require.Len(t, m.Calls(), before, "nothing is said to the master")
	again := startAt(t, home, address)
	require.Equal(t, 404, again.Get("job/long/1/api/json").Status)
	require.NotContains(t, again.Get("computer/api/json").Body, "jenkins-agent-", "nodes of a cloud are not persisted")
}

func TestControllerStoppedByTermFailsTheBuildsOnItsAgents(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Runner: fakemaster.RunHere(t, withJava(t))})
	address := testkit.FreeAddr(t, "127.0.0.1")
	home := cloudHome(t, m.URL(), "http://"+address+"/", "-noReconnect")
	c := startAt(t, home, address)
	require.Equal(t, 200, c.Post("createItem?name=long", contract.Job("mesos", "sleep 300")).Status)
	c.Post("job/long/build?delay=0sec", "")
	testkit.Eventually(t, time.Minute, "it runs", func(context.Context) bool {
		return strings.Contains(c.Get("job/long/api/json?tree=color").Body, "notbuilt_anime")
	})
	c.Signal(syscall.SIGTERM)
	require.Equal(t, 143, c.Exit())
	text, err := os.ReadFile(filepath.Join(home, "jobs/long/builds/1/build.xml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "<result>FAILURE</result>")
}

func TestClosedAgentPortIsAStormOfTasks(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Runner: fakemaster.RunHere(t, withJava(t))})
	address := testkit.FreeAddr(t, "127.0.0.1")
	home := cloudHome(t, m.URL(), "http://"+address+"/", "-noReconnect")
	text, err := os.ReadFile(filepath.Join(home, "jenkins.yaml"))
	require.NoError(t, err)
	contract.WriteFile(t, home, "jenkins.yaml", regexpPort.ReplaceAllString(string(text), "slaveAgentPort: -1"))
	c := startAt(t, home, address)
	require.Equal(t, 404, c.Get("tcpSlaveAgentListener/").Status)
	require.Equal(t, 200, c.Post("createItem?name=j", contract.Job("mesos", "true")).Status)
	c.Post("job/j/build?delay=0sec", "")
	testkit.Eventually(t, time.Minute, "a second task for the same build", func(context.Context) bool {
		accepts := 0
		for _, s := range m.Types() {
			if s == "ACCEPT" {
				accepts++
			}
		}
		return accepts >= 2
	})
}

var regexpPort = regexp.MustCompile(`slaveAgentPort: \d+`)
