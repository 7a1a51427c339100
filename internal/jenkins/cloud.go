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

// Cloud is the Mesos cloud of one controller. Both lines of the plugin are rendered from it: Casc and CloudXML.
type Cloud struct {
	// Line is the line of the plugin; empty is http.
	Line config.CloudLine
	// Plugin is the version of the plugin where that matters: 0.18.1 or 1.0.0 of the libmesos line; empty is the newest.
	Plugin string
	// Master is where the leading master is. Line http: host:port or an http URL, which has to follow the leader by itself (the edge
	// does), as the plugin looks it up once only. Line libmesos: zk://..., or host:port without http://.
	Master string
	// Library is the path of libmesos.so where the controller runs; line libmesos alone has it.
	Library string
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
	if c.libmesos() {
		c.checkLibmesos(add)
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
		for _, f := range config.Unexpressed(t, c.line()) {
			add("template %s: %s cannot be expressed in line %s: %s", t.Label, f.Key, c.line(), f.Without(c.line()))
		}
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

func (c Cloud) role() string {
	if c.Role == "" {
		return "*"
	}
	return c.Role
}

func (c Cloud) libmesos() bool { return c.Line == config.LineLibmesos }

func (c Cloud) line() config.CloudLine {
	if c.libmesos() {
		return config.LineLibmesos
	}
	return config.LineHTTP
}

// CloudElement is the element of the cloud in config.xml, in both lines of the plugin.
const CloudElement = "org.jenkinsci.plugins.mesos.MesosCloud"

// CloudXML renders the cloud as the element <clouds> of config.xml: the only way of line libmesos, and that of line http in homes without
// the JCasC plugin. One boot without the Mesos plugin deletes it from config.xml.
func CloudXML(c Cloud) ([]byte, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("  <clouds>")
	if c.libmesos() {
		libmesosXML(c, line)
	} else {
		httpXML(c, line)
	}
	line("  </clouds>")
	return []byte(b.String()), nil
}

// AgentUse is what one build agent of the template takes from Mesos, MiB for the memory.
func AgentUse(line config.CloudLine, t config.Template) (cpus, memMiB float64) {
	if line == config.LineLibmesos {
		s := split(t)
		n := float64(s.executors)
		return s.cpus + n*s.executorCPUs, (float64(s.mem) + n*float64(s.executorMem)) * 1.1
	}
	return t.CPUs, float64(t.Mem.MiB() + ExtraMem)
}
