package jenkins

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
)

// Cloud is the Mesos cloud of one controller, in the words of the plugin's HTTP line (2.x).
type Cloud struct {
	// Master is host:port or the http URL of the leading master; it has to follow the leader by itself (the edge does),
	// as the plugin looks it up once only.
	Master string
	// FrameworkName is what Mesos shows; FrameworkID is FrameworkID(cluster, epoch).
	FrameworkName string
	FrameworkID   string
	Role          string
	// User runs the tasks and must exist on the Mesos agents.
	User string
	// URL is where build agents reach the controller; it must survive a failover.
	URL string
	// AgentPort is the fixed TCP port for inbound agents.
	AgentPort int
	Templates []config.Template
	// Exclusive keeps jobs without a label away from its build agents.
	Exclusive bool
}

// ExtraMem is what plugin 2.0 adds to the memory of each template (MiB).
const ExtraMem = 32

// FrameworkID is the cloud's own, stable framework id. The epoch is raised after a teardown, because Mesos never
// takes a framework back.
func FrameworkID(cluster string, epoch int) string {
	return fmt.Sprintf("jenkins-%s-e%d", cluster, epoch)
}

var labelForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Check finds what the plugin would take without a word and then fail at the first build.
func (c Cloud) Check() error {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if c.Master == "" {
		add("no Mesos master")
	}
	if c.FrameworkID == "" {
		add("no framework id: each start would be a new framework that holds its resources for a week")
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme == "" || u.Host == "" {
		add("%q is no URL of the controller", c.URL)
	}
	if c.AgentPort < 1 || c.AgentPort > 65535 {
		add("agent port %d is not fixed", c.AgentPort)
	}
	if len(c.Templates) == 0 {
		add("no template")
	}
	seen := map[string]bool{}
	for _, t := range c.Templates {
		if !labelForm.MatchString(t.Label) {
			add("label %q: it becomes part of task ids, so only letters, digits, - and _", t.Label)
		}
		if seen[t.Label] {
			add("label %s is there twice", t.Label)
		}
		seen[t.Label] = true
		if t.CPUs <= 0 || t.Mem.MiB() <= 0 {
			add("template %s needs cpus and memory", t.Label)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New("the Mesos cloud cannot work: " + strings.Join(faults, "; "))
}

// idleMinutes rounds up to whole minutes, at least one: with 0 a node is removed while it still starts.
func idleMinutes(idle config.Duration) int {
	return max(1, int((time.Duration(idle)+time.Minute-1)/time.Minute))
}

// IdleTime is how long the plugin really keeps an idle build agent of the template: whole minutes, at least one.
func IdleTime(t config.Template) time.Duration {
	return time.Duration(idleMinutes(t.Idle)) * time.Minute
}

// slash ends a URL with "/": the plugin resolves relative to it, and would lose the last part of the path.
func slash(u string) string { return strings.TrimRight(u, "/") + "/" }

func decimal(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// quote writes a YAML double-quoted string; JSON's are a subset of them.
func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(data)
}

// Casc renders the cloud as a JCasC file. Every default of the plugin that would do harm is written out: one
// executor, idle minutes, -noReconnect, the domain filter. Security is not in it: what JCasC does not name it leaves
// alone, and its failures are silent, so that stays with config.xml (HomeFiles).
func Casc(c Cloud) ([]byte, error) {
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

func (c Cloud) role() string {
	if c.Role == "" {
		return "*"
	}
	return c.Role
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
	line("            agentAttributes: \"\"")
	line("            agentCommandStyle: Linux")
	line("            domainFilterModel: any")
	if t.Image == "" {
		return
	}
	line("            containerInfo:")
	line("              type: DOCKER")
	line("              dockerImage: %s", quote(t.Image))
	line("              networking: HOST")
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

// CloudXML renders the same cloud as the element <clouds> of config.xml, for homes without the JCasC plugin. One boot
// without the Mesos plugin deletes it from config.xml.
func CloudXML(c Cloud) ([]byte, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("  <clouds>")
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
	line("  </clouds>")
	return []byte(b.String()), nil
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
	line("          <agentAttributes></agentAttributes>")
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
	line("            <networking>HOST</networking>")
	line("            <dockerPrivilegedMode>%t</dockerPrivilegedMode>", t.Docker == config.DockerDind)
	line("            <dockerForcePullImage>false</dockerForcePullImage>")
	line("            <isDind>false</isDind>")
	line("          </containerInfo>")
}
