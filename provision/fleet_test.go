package provision

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

func fixedNetwork(c *config.Cluster) { c.Local.Address = "127.0.10.0" }

// short makes command lines comparable: the machine's folder becomes DIR.
func short(s Service) []string {
	var words []string
	for _, word := range s.Unit.Argv {
		words = append(words, strings.ReplaceAll(word, s.Host.Dir(), "DIR"))
	}
	return words
}

func TestTheMasterIsStartedWithTheFlagsThatWork(t *testing.T) {
	c := newConfig(t, fixedNetwork, func(c *config.Cluster) { c.Local.Control = 3 })
	s := newFleet(t, c, standins()).Services(RoleMesosMaster)
	require.Len(t, s, 3)
	assert.Equal(t, []string{"/opt/jomctl/bin/standin", "mesos-master", "--ip=127.0.10.11", "--hostname=127.0.10.11", "--port=5050",
		"--zk=zk://127.0.10.10:2181,127.0.10.11:2181,127.0.10.12:2181/mesos", "--quorum=2", "--work_dir=DIR/mesos-master/work",
		"--cluster=ci", "--agent_ping_timeout=5secs", "--max_agent_ping_timeouts=3"}, short(s[1]))
	assert.Greater(t, s[1].Unit.RestartDelay, 10*time.Second, "its own dead session must have ended")
}

func TestTheAgentOffersTheFixedPortsAndGivesTasksAPath(t *testing.T) {
	c := newConfig(t, fixedNetwork, func(c *config.Cluster) {
		c.Local.Resources = config.Resources{CPUs: 4, Mem: 6000 * config.MiB, Disk: 20 * config.GiB}
	})
	c.Hosts[1].Attributes = map[string]string{"rack": "r1", "disk": "ssd"}
	c.Hosts[2].Reserve = &config.Reserve{CPUs: 0.5, Mem: config.GiB}
	s := newFleet(t, c, standins()).Services(RoleMesosAgent)
	require.Len(t, s, 2)
	argv := short(s[0])
	env := ""
	argv = slices.DeleteFunc(argv, func(word string) bool {
		value, ok := strings.CutPrefix(word, "--executor_environment_variables=")
		if ok {
			env = value
		}
		return ok || word == "--no-switch_user"
	})
	assert.Equal(t, []string{"/opt/jomctl/bin/standin", "mesos-agent", "--ip=127.0.10.21", "--hostname=127.0.10.21", "--port=5051",
		"--master=zk://127.0.10.10:2181/mesos", "--work_dir=DIR/mesos-agent/work", "--runtime_dir=DIR/mesos-agent/run",
		"--fetcher_cache_dir=DIR/mesos-agent/fetch",
		"--resources=cpus:4;mem:6000;disk:20480;ports:[8080-8080,31000-31999,50000-50000]",
		"--launcher=posix", "--isolation=posix/cpu,posix/mem", "--containerizers=mesos", "--no-systemd_enable_support",
		"--executor_registration_timeout=5mins", "--reconfiguration_policy=additive", "--gc_delay=1days",
		"--attributes=disk:ssd;rack:r1"}, argv)
	assert.Contains(t, short(s[1]), "--resources=cpus:3.5;mem:4976;disk:20480;ports:[8080-8080,31000-31999,50000-50000]")
	var vars map[string]string
	require.NoError(t, json.Unmarshal([]byte(env), &vars))
	assert.Equal(t, map[string]string{"PATH": "DIR/mesos-agent/bin:" + systemPath, "LANG": "C.UTF-8", "HOME": "DIR/mesos-agent/home"}, vars)
	assert.Equal(t, host.KillProcess, s[0].Unit.KillMode, "executors survive")
}

func TestTheStandInsJavaIsOnlyInTheTasksPath(t *testing.T) {
	c := newConfig(t)
	p := standins()
	p.Standin = script(t, filepath.Join(t.TempDir(), "it's standin"), `echo "$@"`)
	s := newFleet(t, c, p).Services(RoleMesosAgent)[0]
	require.Len(t, s.Files, 2)
	java := writeFile(t, filepath.Join(t.TempDir(), "java"), string(s.Files[0].Data), s.Files[0].Mode)
	out, err := exec.Command(java, "-jar", "agent jar").CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "java -jar agent jar\n", string(out))

	p.Jenkins = JenkinsProgram{Version: "2.568.2", File: "/opt/jenkins.war", Java: Java{Home: "/opt/jdk-25", Major: 25}}
	s = newFleet(t, c, p).Services(RoleMesosAgent)[0]
	assert.Len(t, s.Files, 1, "only the record of its offer")
	assert.Contains(t, strings.Join(s.Unit.Argv, " "), `"JAVA_HOME":"/opt/jdk-25"`)
	assert.Contains(t, strings.Join(s.Unit.Argv, " "), `"PATH":"/opt/jdk-25/bin:`+systemPath+`"`)
}

func TestMarathonHasEachFlagOnceAndNoVariableOfItsOwn(t *testing.T) {
	t.Setenv("MARATHON_HOME", "/leak")
	c := newConfig(t, fixedNetwork)
	p := standins()
	p.Mesos = MesosPrograms{Master: "/opt/mesos/sbin/mesos-master", Library: "/opt/mesos/lib/libmesos.so", LibraryPath: "/opt/mesos/lib"}
	p.Marathon = MarathonProgram{Start: "/opt/marathon/bin/marathon", Java: Java{Home: "/usr/lib/jvm/java-17", Major: 17}, Library: "/opt/jni/libmesos.so"}
	s := newFleet(t, c, p).Services(RoleMarathon)[0]
	assert.Equal(t, []string{"/opt/marathon/bin/marathon", "--hostname", "127.0.10.10", "--http_address", "127.0.10.10", "--http_port", "8090",
		"--master", "zk://127.0.10.10:2181/mesos", "--zk", "zk://127.0.10.10:2181/marathon", "--min_revive_offers_interval", "1000", "--mesos_authentication_principal", "marathon"}, short(s))
	for name := range s.Unit.Env {
		assert.False(t, strings.HasPrefix(name, "MARATHON_"), name)
	}
	assert.Equal(t, "127.0.10.10", s.Unit.Env["LIBPROCESS_IP"])
	assert.Equal(t, "/opt/jni/libmesos.so", s.Unit.Env["MESOS_NATIVE_JAVA_LIBRARY"], "which may be another than the masters'")
	assert.Equal(t, "/opt/jni", s.Unit.Env["LD_LIBRARY_PATH"])
	assert.Equal(t, "/usr/lib/jvm/java-17", s.Unit.Env["JAVA_HOME"])
	assert.Greater(t, s.Unit.RestartDelay, 10*time.Second, "else it ends with 104 again and again")
}

func TestARelocatedMesosIsToldWhereItsPartsAre(t *testing.T) {
	c := newConfig(t)
	p := standins()
	p.Mesos = MesosPrograms{Master: "/opt/m/sbin/mesos-master", Agent: "/opt/m/sbin/mesos-agent", LauncherDir: "/opt/m/libexec/mesos",
		Library: "/opt/m/lib/libmesos.so", LibraryPath: "/opt/m/lib", WebUI: "/opt/m/share/mesos/webui"}
	f := newFleet(t, c, p)
	agent, master := f.Services(RoleMesosAgent)[0], f.Services(RoleMesosMaster)[0]
	assert.Contains(t, agent.Unit.Argv, "--launcher_dir=/opt/m/libexec/mesos")
	assert.Contains(t, strings.Join(agent.Unit.Argv, " "), `"LD_LIBRARY_PATH":"/opt/m/lib"`, "the executors need the library too")
	assert.Equal(t, "/opt/m/lib", agent.Unit.Env["LD_LIBRARY_PATH"])
	assert.Equal(t, "/opt/m/sbin/mesos-master", master.Unit.Argv[0])
	assert.Contains(t, master.Unit.Argv, "--webui_dir=/opt/m/share/mesos/webui")
}

func TestTaskPortsNeverOverlap(t *testing.T) {
	for want, app := range map[string]config.App{
		"[8080-8080,31000-31999,50000-50000]": {HTTPPort: 8080, AgentPort: 50000},
		"[31000-31999]":                       {HTTPPort: 31000, AgentPort: 31999},
		"[8080-8080,8081-8081,31000-31999]":   {HTTPPort: 8081, AgentPort: 8080},
		"[31000-31999,32000-32000]":           {HTTPPort: 31500, AgentPort: 32000},
		"[9000-9000,31000-31999]":             {HTTPPort: 9000, AgentPort: 9000},
	} {
		assert.Equal(t, want, taskPorts(app))
	}
}

func TestTheHomesHost(t *testing.T) {
	for name, tc := range map[string]struct {
		home       config.HomeType
		constraint []string
		want       string
	}{
		"on the first agent":  {home: config.HomeHost, want: "a1"},
		"pinned by address":   {home: config.HomeHost, constraint: []string{"hostname", "CLUSTER", "127.0.10.22"}, want: "a2"},
		"another constraint":  {home: config.HomeHost, constraint: []string{"rack", "CLUSTER", "r1"}, want: "a1"},
		"shared":              {home: config.HomeShared},
		"shared and unpinned": {home: config.HomeShared, constraint: []string{"hostname", "UNIQUE"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConfig(t, fixedNetwork, func(c *config.Cluster) {
				c.Jenkins.Home = config.Home{Type: tc.home}
				if tc.constraint != nil {
					c.Jenkins.App.Constraints = [][]string{tc.constraint}
				}
			})
			h, ok := HomeHost(c)
			assert.Equal(t, tc.want != "", ok)
			assert.Equal(t, tc.want, h.Name)
		})
	}
}

func TestEveryServiceIsCompleteAndUnderTheStateFolder(t *testing.T) {
	c := newConfig(t, func(c *config.Cluster) { c.Local.Control, c.Local.Agents = 3, 2 })
	f := newFleet(t, c, standins())
	all := f.AllServices()
	assert.Len(t, all, 4*3+2)
	for _, s := range all {
		for _, path := range append([]string{s.Unit.Dir, s.Unit.LogFile}, s.Dirs...) {
			assert.True(t, strings.HasPrefix(path, c.StateDir()+"/hosts/"+s.Host.Name()+"/"), path)
		}
		assert.Equal(t, s.Role, s.Unit.Name, "which Serves, and those who ask it, rely on")
		assert.NotEmpty(t, s.Unit.Stamp, s.Title())
		assert.Equal(t, s.Unit.Digest(), serviceAgain(f, s).Unit.Digest(), "%s is the same every time", s.Title())
	}
	assert.Nil(t, f.Services("no-such-role"))
	assert.False(t, f.Serves(c.Hosts[0], "no-such-role"))
	assert.Nil(t, f.Machine("no-such-host"))
	c.Target = config.TargetHosts
	_, err := NewLocalFleet(c, standins())
	require.Error(t, err)
}

func serviceAgain(f *Fleet, s Service) Service {
	for _, again := range f.Services(s.Role) {
		if again.Host.Name() == s.Host.Name() {
			return again
		}
	}
	return Service{}
}
