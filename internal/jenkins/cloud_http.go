package jenkins

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
)

// Casc renders the cloud as a JCasC file. Every default of the plugin that would do harm is written out: one
// executor, idle minutes, -noReconnect, the domain filter. Security is not in it: what JCasC does not name it leaves
// alone, and its failures are silent, so that stays with config.xml (HomeFiles).
func Casc(c Cloud) ([]byte, error) {
	if c.libmesos() {
		return nil, errors.New("the libmesos line of the Mesos plugin is not configured by JCasC, but in config.xml")
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by jomctl: changes are lost at the next install or upgrade.")
	line("jenkins:")
	line("  numExecutors: 0")
	line("  slaveAgentPort: %d", c.AgentPort)
	line("  clouds:")
	line("    - mesos:")
	line("        mesosMasterUrl: %s", quote(c.Master))
	line("        frameworkName: %s", quote(c.FrameworkName))
	line("        frameworkId: %s", quote(c.FrameworkID))
	line("        role: %s", quote(c.role()))
	line("        agentUser: %s", quote(c.User))
	line("        jenkinsURL: %s", quote(slash(c.URL)))
	line("        mesosAgentSpecTemplates:")
	for _, t := range c.Templates {
		cascTemplate(line, t, c.Exclusive)
	}
	line("unclassified:")
	line("  location:")
	line("    url: %s", quote(slash(c.URL)))
	return []byte(b.String()), nil
}

// ShutCasc is the JCasC file of a controller on which nothing can start: it has neither a cloud nor an executor of its own. An agent port
// of -1 means none.
func ShutCasc(url string, agentPort int) []byte {
	return fmt.Appendf(nil, "# Written by jomctl for the time of an upgrade.\njenkins:\n  numExecutors: 0\n  slaveAgentPort: %d\n  clouds: []\n"+
		"unclassified:\n  location:\n    url: %s\n", agentPort, quote(slash(url)))
}

func cascTemplate(line func(string, ...any), t config.Template, exclusive bool) {
	mode := "NORMAL"
	if exclusive {
		mode = "EXCLUSIVE"
	}
	line("          - label: %s", quote(t.Label))
	line("            mode: %s", mode)
	line("            cpus: %s", quote(decimal(t.CPUs)))
	line("            mem: %s", quote(strconv.Itoa(t.Mem.MiB())))
	line("            disk: \"0.0\"")
	line("            idleTerminationMinutes: %d", idleMinutes(t.Idle))
	line("            minExecutors: 1")
	line("            maxExecutors: 1")
	line("            jnlpArgs: \"-noReconnect\"")
	line("            agentAttributes: %s", quote(attributes(t)))
	line("            agentCommandStyle: Linux")
	line("            domainFilterModel: any")
	if t.Image == "" {
		return
	}
	line("            containerInfo:")
	line("              type: DOCKER")
	line("              dockerImage: %s", quote(t.Image))
	line("              networking: %s", network(t))
	line("              dockerPrivilegedMode: %t", t.Docker == config.DockerDind)
	line("              dockerForcePullImage: false")
	line("              isDind: false")
	if t.Docker != config.DockerSocket {
		line("              volumes: []")
		return
	}
	line("              volumes:")
	line("                - containerPath: %s", quote(dockerSocket))
	line("                  hostPath: %s", quote(dockerSocket))
	line("                  readOnly: false")
}

const dockerSocket = "/var/run/docker.sock"

// network is that of the host, but for a build agent with a Docker Engine of its own, which would change the host's bridge and firewall.
func network(t config.Template) string {
	if t.Docker == config.DockerDind {
		return "BRIDGE"
	}
	return "HOST"
}

// httpXML is the cloud of plugin 2.0 in config.xml.
func httpXML(c Cloud, line func(string, ...any)) {
	line("    <org.jenkinsci.plugins.mesos.MesosCloud plugin=\"mesos@2.0\">")
	line("      <name>MesosCloud</name>")
	line("      <instanceCap>2147483647</instanceCap>")
	line("      <master>%s</master>", escape(c.Master))
	line("      <frameworkName>%s</frameworkName>", escape(c.FrameworkName))
	line("      <frameworkId>%s</frameworkId>", escape(c.FrameworkID))
	line("      <agentUser>%s</agentUser>", escape(c.User))
	line("      <role>%s</role>", escape(c.role()))
	line("      <jenkinsURL>%s</jenkinsURL>", escape(slash(c.URL)))
	line("      <mesosAgentSpecTemplates>")
	for _, t := range c.Templates {
		xmlTemplate(line, t)
	}
	line("      </mesosAgentSpecTemplates>")
	line("    </org.jenkinsci.plugins.mesos.MesosCloud>")
}

func xmlTemplate(line func(string, ...any), t config.Template) {
	line("        <org.jenkinsci.plugins.mesos.MesosAgentSpecTemplate>")
	line("          <label>%s</label>", escape(t.Label))
	line("          <mode>NORMAL</mode>")
	line("          <idleTerminationMinutes>%d</idleTerminationMinutes>", idleMinutes(t.Idle))
	line("          <reusable>false</reusable>")
	line("          <cpus>%s</cpus>", decimal(t.CPUs))
	line("          <mem>%d</mem>", t.Mem.MiB())
	line("          <disk>0.0</disk>")
	line("          <minExecutors>1</minExecutors>")
	line("          <maxExecutors>1</maxExecutors>")
	line("          <jnlpArgs>-noReconnect</jnlpArgs>")
	line("          <agentAttributes>%s</agentAttributes>", escape(attributes(t)))
	line("          <additionalURIs class=\"empty-list\"/>")
	line("          <agentCommandStyle>Linux</agentCommandStyle>")
	if t.Image != "" {
		xmlContainer(line, t)
	}
	line("          <domainFilterModel class=\"org.jenkinsci.plugins.mesos.config.models.faultdomain.Any\"/>")
	line("        </org.jenkinsci.plugins.mesos.MesosAgentSpecTemplate>")
}

func xmlContainer(line func(string, ...any), t config.Template) {
	line("          <containerInfo>")
	line("            <type>DOCKER</type>")
	line("            <dockerImage>%s</dockerImage>", escape(t.Image))
	if t.Docker == config.DockerSocket {
		line("            <volumes>")
		line("              <org.jenkinsci.plugins.mesos.MesosAgentSpecTemplate_-Volume>")
		line("                <containerPath>%s</containerPath>", dockerSocket)
		line("                <hostPath>%s</hostPath>", dockerSocket)
		line("                <readOnly>false</readOnly>")
		line("              </org.jenkinsci.plugins.mesos.MesosAgentSpecTemplate_-Volume>")
		line("            </volumes>")
	} else {
		line("            <volumes/>")
	}
	line("            <networking>%s</networking>", network(t))
	line("            <dockerPrivilegedMode>%t</dockerPrivilegedMode>", t.Docker == config.DockerDind)
	line("            <dockerForcePullImage>false</dockerForcePullImage>")
	line("            <isDind>false</isDind>")
	line("          </containerInfo>")
}

// attributes are written as the plugin reads them, `name:value,name:value`.
func attributes(t config.Template) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.Attributes)) {
		all = append(all, name+":"+t.Attributes[name])
	}
	return strings.Join(all, ",")
}
