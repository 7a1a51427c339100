package jenkins

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/config"
)

// defaultLibrary is where packages of Mesos put the library.
const defaultLibrary = "/usr/lib/libmesos.so"

// libmesosPlugin is the last release of the line, which CloudXML takes where no version is given.
const libmesosPlugin = "1.0.0"

// refuseSeconds is how long an idle controller refuses the offers of an agent. The plugin's own default is 600000 up to 0.18.1, meant as
// milliseconds and passed on as seconds: an idle controller would refuse every agent for a week.
const refuseSeconds = 600

func (c Cloud) checkLibmesos(add func(string, ...any)) {
	if strings.Contains(c.Master, "://") && !strings.HasPrefix(c.Master, "zk://") {
		add("master %q: libmesos takes zk://... or host:port, and no other URL", c.Master)
	}
	if c.Library != "" && !strings.HasPrefix(c.Library, "/") {
		add("library %q is no absolute path", c.Library)
	}
	if c.Plugin != "" && c.Plugin != "0.18.1" && c.Plugin != libmesosPlugin {
		add("plugin %s: only 0.18.1 and 1.0.0 of the libmesos line are known", c.Plugin)
	}
}

// share is how a template's resources are divided as the line wants it: for the build agent, and for each executor. The plugin asks Mesos
// for (mem + executors * executorMem) * 1.1, and mem is the heap of the build agent's JVM.
type share struct {
	executors          int
	cpus, executorCPUs float64
	mem, executorMem   int
}

// split divides so that the build agent takes the template's cpus, and of memory just below what the other line takes for it.
func split(t config.Template) share {
	n := max(1, t.Executors)
	s := share{executors: n}
	s.executorCPUs = math.Floor(t.CPUs/float64(n+1)*1000) / 1000
	s.cpus = math.Round((t.CPUs-float64(n)*s.executorCPUs)*1000) / 1000
	total := int(float64(t.Mem.MiB()+ExtraMem) / 1.1)
	s.executorMem = (total - min(256, max(32, total/4))) / n
	s.mem = total - n*s.executorMem
	return s
}

// libmesosXML is the cloud of plugin 0.18.1 or 1.0.0 in config.xml. XStream calls no constructor, so every element is written out.
func libmesosXML(c Cloud, line func(string, ...any)) {
	plugin, library := c.Plugin, c.Library
	if plugin == "" {
		plugin = libmesosPlugin
	}
	if library == "" {
		library = defaultLibrary
	}
	line("    <%s plugin=\"mesos@%s\">", CloudElement, plugin)
	line("      <name>MesosCloud</name>")
	line("      <nativeLibraryPath>%s</nativeLibraryPath>", escape(library))
	line("      <master>%s</master>", escape(c.Master))
	line("      <description></description>")
	line("      <frameworkName>%s</frameworkName>", escape(c.FrameworkName))
	line("      <role>%s</role>", escape(c.role()))
	line("      <slavesUser>%s</slavesUser>", escape(c.User))
	line("      <credentialsId></credentialsId>")
	// It ties nodes to their cloud, so it has to be the same at each start.
	line("      <cloudID>%s</cloudID>", uuid.NewSHA1(uuid.NameSpaceURL, []byte("jomctl:"+c.FrameworkID)))
	line("      <checkpoint>false</checkpoint>")
	line("      <onDemandRegistration>false</onDemandRegistration>")
	line("      <nfsRemoteFSRoot>false</nfsRemoteFSRoot>")
	line("      <jenkinsURL>%s</jenkinsURL>", escape(slash(c.URL)))
	line("      <declineOfferDuration>%d</declineOfferDuration>", refuseSeconds)
	line("      <slaveInfos>")
	for _, t := range c.Templates {
		slaveInfo(line, t, plugin)
	}
	line("      </slaveInfos>")
	line("    </%s>", CloudElement)
}

func slaveInfo(line func(string, ...any), t config.Template, plugin string) {
	s := split(t)
	line("        <org.jenkinsci.plugins.mesos.MesosSlaveInfo>")
	line("          <slaveCpus>%s</slaveCpus>", decimal(s.cpus))
	line("          <diskNeeded>0.0</diskNeeded>")
	line("          <slaveMem>%d</slaveMem>", s.mem)
	line("          <executorCpus>%s</executorCpus>", decimal(s.executorCPUs))
	line("          <minExecutors>%d</minExecutors>", s.executors)
	line("          <maxExecutors>%d</maxExecutors>", s.executors)
	line("          <executorMem>%d</executorMem>", s.executorMem)
	line("          <remoteFSRoot>jenkins</remoteFSRoot>")
	line("          <idleTerminationMinutes>%d</idleTerminationMinutes>", idleMinutes(t.Idle))
	line("          <jvmArgs>%s</jvmArgs>", escape(jvmArgs(t)))
	line("          <jnlpArgs>-noReconnect</jnlpArgs>")
	line("          <defaultSlave>false</defaultSlave>")
	if len(t.Attributes) > 0 { // an empty text is no JSON object
		line("          <slaveAttributesString>%s</slaveAttributesString>", escape(attributesJSON(t)))
	}
	if t.Image != "" {
		libmesosContainer(line, t, plugin)
	}
	line("          <additionalURIs/>")
	line("          <mode>NORMAL</mode>")
	line("          <nodeProperties/>")
	line("          <labelString>%s</labelString>", escape(t.Label))
	line("        </org.jenkinsci.plugins.mesos.MesosSlaveInfo>")
}

// jvmArgs never are the plugin's default, whose -XX:+UseConcMarkSweepGC no Java from 14 on starts with.
func jvmArgs(t config.Template) string {
	if t.JVMArgs != "" {
		return t.JVMArgs
	}
	return "-Xms16m -Djava.net.preferIPv4Stack=true"
}

func attributesJSON(t config.Template) string {
	data, err := json.Marshal(t.Attributes)
	if err != nil {
		panic(err) // a map of texts always marshals
	}
	return string(data)
}

func libmesosContainer(line func(string, ...any), t config.Template, plugin string) {
	line("          <containerInfo>")
	line("            <type>DOCKER</type>")
	line("            <dockerImage>%s</dockerImage>", escape(t.Image))
	if plugin == libmesosPlugin {
		line("            <isDind>false</isDind>") // it is for containers of Mesos' own, and 0.18.1 does not know it
	}
	line("            <dockerPrivilegedMode>%s</dockerPrivilegedMode>", strconv.FormatBool(t.Docker == config.DockerDind))
	line("            <dockerForcePullImage>false</dockerForcePullImage>")
	line("            <dockerImageCustomizable>false</dockerImageCustomizable>")
	line("            <useCustomDockerCommandShell>false</useCustomDockerCommandShell>")
	line("            <customDockerCommandShell></customDockerCommandShell>")
	if t.Docker == config.DockerSocket {
		line("            <volumes>")
		line("              <org.jenkinsci.plugins.mesos.MesosSlaveInfo_-Volume>")
		line("                <containerPath>%s</containerPath>", dockerSocket)
		line("                <hostPath>%s</hostPath>", dockerSocket)
		line("                <readOnly>false</readOnly>")
		line("              </org.jenkinsci.plugins.mesos.MesosSlaveInfo_-Volume>")
		line("            </volumes>")
	} else {
		line("            <volumes/>")
	}
	dockerOptions(line, t)
	line("            <networking>%s</networking>", network(t))
	line("            <portMappings/>")
	line("            <networkInfos/>")
	line("          </containerInfo>")
}

func dockerOptions(line func(string, ...any), t config.Template) {
	if len(t.DockerOptions) == 0 {
		line("            <parameters/>")
		return
	}
	line("            <parameters>")
	for _, key := range slices.Sorted(maps.Keys(t.DockerOptions)) {
		line("              <org.jenkinsci.plugins.mesos.MesosSlaveInfo_-Parameter>")
		line("                <key>%s</key>", escape(key))
		line("                <value>%s</value>", escape(t.DockerOptions[key]))
		line("              </org.jenkinsci.plugins.mesos.MesosSlaveInfo_-Parameter>")
	}
	line("            </parameters>")
}
