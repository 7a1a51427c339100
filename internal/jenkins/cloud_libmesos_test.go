package jenkins

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func libmesosSample() Cloud {
	c := sample()
	c.Line, c.Master, c.Library = config.LineLibmesos, "zk://10.0.0.1:2181,10.0.0.2:2181/mesos", "/opt/mesos/lib/libmesos.so"
	c.Templates[0].Executors, c.Templates[0].JVMArgs = 2, "-Xms32m -Dx=<y>"
	c.Templates[0].Attributes = map[string]string{"os": "linux", "rack": "r1"}
	c.Templates[1].DockerOptions = map[string]string{"shm-size": "1g", "cap-add": "SYS_PTRACE"}
	return c
}

func TestLibmesosGolden(t *testing.T) {
	for name, plugin := range map[string]string{"clouds-libmesos.xml": "", "clouds-libmesos-0.18.1.xml": "0.18.1"} {
		c := libmesosSample()
		c.Plugin = plugin
		text, err := CloudXML(c)
		require.NoError(t, err)
		golden(t, name, text)
		wellFormed(t, string(text))
		assert.Equal(t, plugin == "", strings.Contains(string(text), "isDind"), "0.18.1 does not know it")
	}
}

// The elements that the plugin's sources have: XStream fills in none that is missing.
func TestLibmesosHasEveryField(t *testing.T) {
	text, err := CloudXML(libmesosSample())
	require.NoError(t, err)
	ours := elements(t, string(text))
	fields, err := os.ReadFile("testdata/libmesos-fields.txt")
	require.NoError(t, err)
	known := map[string]bool{"clouds": true}
	for line := range strings.Lines(string(fields)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		known[line] = true
		assert.Contains(t, ours, line)
	}
	for name := range ours {
		assert.Contains(t, known, name, "the plugin does not have it")
	}
}

func TestLibmesosAvoidsTheTraps(t *testing.T) {
	text, err := CloudXML(libmesosSample())
	require.NoError(t, err)
	leaves, found, err := cloudLeaves(text)
	require.NoError(t, err)
	require.True(t, found)
	for path, want := range map[string]string{
		"declineOfferDuration": "600", "onDemandRegistration": "false", "jenkinsURL": "http://127.0.10.10:8080/ci/",
		"slaveInfos/MesosSlaveInfo/jnlpArgs": "-noReconnect", "slaveInfos/MesosSlaveInfo/idleTerminationMinutes": "2",
		"slaveInfos/MesosSlaveInfo[3]/idleTerminationMinutes": "3", "slaveInfos/MesosSlaveInfo/slaveAttributesString": `{"os":"linux","rack":"r1"}`,
		"slaveInfos/MesosSlaveInfo[2]/jvmArgs": "-Xms16m -Djava.net.preferIPv4Stack=true",
	} {
		have, is := value(leaves, path)
		assert.True(t, is, path)
		assert.Equal(t, want, have, path)
	}
	assert.NotContains(t, string(text), "UseConcMarkSweepGC", "no Java from 14 on starts with it")
	again, err := CloudXML(libmesosSample())
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again), "the id of the cloud stays")
}

func TestBothLinesTakeTheSame(t *testing.T) {
	for _, mem := range []config.Size{64 * config.MiB, 512 * config.MiB, 2 * config.GiB} {
		for _, executors := range []int{0, 1, 2, 7} {
			template := config.Template{CPUs: 0.2, Mem: mem, Executors: executors}
			s := split(template)
			assert.GreaterOrEqual(t, s.executorMem, 1)
			assert.GreaterOrEqual(t, s.mem, 32, "the heap of the JVM")
			assert.Greater(t, s.cpus, 0.0)
			cpus, taken := AgentUse(config.LineLibmesos, template)
			_, http := AgentUse(config.LineHTTP, template)
			assert.InDelta(t, 0.2, cpus, 1e-9)
			assert.LessOrEqual(t, taken, http+1e-9)
			assert.Greater(t, taken, http-1.1)
		}
	}
}

func TestWhatALineCannotExpressIsRefused(t *testing.T) {
	c := libmesosSample()
	require.NoError(t, c.Check())
	c.Line, c.Master = config.LineHTTP, "http://127.0.10.10:5055"
	err := c.Check()
	for _, want := range []string{"template mesos: executors cannot be expressed in line http", "template mesos: jvmArgs cannot", "template docker: dockerOptions cannot"} {
		assert.ErrorContains(t, err, want)
	}
	for name, spoil := range map[string]func(*Cloud){
		`master "http://m:5050"`:    func(c *Cloud) { c.Master = "http://m:5050" },
		`library "lib/libmesos.so"`: func(c *Cloud) { c.Library = "lib/libmesos.so" },
		"plugin 0.9":                func(c *Cloud) { c.Plugin = "0.9" },
	} {
		c := libmesosSample()
		spoil(&c)
		assert.ErrorContains(t, c.Check(), name)
	}
	_, err = Casc(libmesosSample())
	assert.ErrorContains(t, err, "not configured by JCasC")
}

func TestAttributesInBothWaysOfLineHTTP(t *testing.T) {
	c := sample()
	c.Templates[0].Attributes = map[string]string{"rack": "r1", "os": "linux"}
	yaml, err := Casc(c)
	require.NoError(t, err)
	assert.Contains(t, string(yaml), `agentAttributes: "os:linux,rack:r1"`)
	xml, err := CloudXML(c)
	require.NoError(t, err)
	assert.Contains(t, string(xml), "<agentAttributes>os:linux,rack:r1</agentAttributes>")
}

func TestTheCloudThatTheControllerHas(t *testing.T) {
	want, err := CloudXML(libmesosSample())
	require.NoError(t, err)
	has := func(change ...string) []string {
		t.Helper()
		text := strings.NewReplacer(change...).Replace(string(want))
		changes, err := CloudChanges(want, []byte("<?xml version='1.1' encoding='UTF-8'?>\n<hudson><description>&#x1b;</description>"+text+"</hudson>"))
		require.NoError(t, err)
		return changes
	}
	require.Empty(t, has())
	require.Empty(t, has("<mode>", "<labelSet><x>1</x></labelSet><mode>", "<description></description>", "", "<diskNeeded>0.0<", "<diskNeeded>0<"), "what the plugin adds or leaves out")
	require.Equal(t, []string{`declineOfferDuration is "600000", want "600"`}, has(">600<", ">600000<"))
	require.Equal(t, []string{`role is missing, want "*"`}, has("<role>*</role>", ""))
	require.Equal(t, []string{"slaveInfos/MesosSlaveInfo[4] is one template too many"},
		has("</slaveInfos>", "<org.jenkinsci.plugins.mesos.MesosSlaveInfo><labelString>x</labelString><mode>NORMAL</mode></org.jenkinsci.plugins.mesos.MesosSlaveInfo></slaveInfos>"))
	changes, err := CloudChanges(want, []byte("<hudson><clouds/></hudson>"))
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Contains(t, changes[0], "there is no Mesos cloud")
	_, err = CloudChanges(want, []byte("<hudson><"))
	require.ErrorContains(t, err, "reading the cloud of config.xml")

	recorded, err := os.ReadFile("testdata/recorded-clouds.xml")
	require.NoError(t, err)
	changes, err = CloudChanges(recorded, recorded)
	require.NoError(t, err)
	require.Empty(t, changes)
	http, err := CloudXML(sample())
	require.NoError(t, err)
	changes, err = CloudChanges(http, recorded)
	require.NoError(t, err)
	require.Contains(t, changes, `mesosAgentSpecTemplates/MesosAgentSpecTemplate[3]/minExecutors is "0", want "1"`)
}
