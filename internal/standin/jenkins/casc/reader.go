package casc

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
)

// reader takes values out of mappings and collects what is wrong.
type reader struct{ problems []string }

func (r *reader) fail(text string) { r.problems = append(r.problems, text) }

// mapping checks the attribute names; nil and empty are an empty mapping.
func (r *reader) mapping(where string, value any, known ...string) map[string]any {
	if value == nil {
		return nil
	}
	m, ok := value.(map[string]any)
	if !ok {
		r.fail(fmt.Sprintf("%s: want a mapping, got %v", where, value))
		return nil
	}
	var unknown []string
	for k := range m {
		if !slices.Contains(known, k) {
			unknown = append(unknown, k)
		}
	}
	sort.Strings(unknown)
	for _, k := range unknown {
		if where == "" {
			r.fail("No configurator for the following root elements " + k)
			continue
		}
		r.fail(fmt.Sprintf("Invalid configuration elements for type %s : %s. Available attributes : %s", where, k, strings.Join(known, ", ")))
	}
	return m
}

func (r *reader) list(where string, value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	r.fail(where + ": want a list")
	return nil
}

func (r *reader) text(m map[string]any, name string) *string {
	v, ok := m[name]
	if !ok || v == nil {
		return nil
	}
	switch v.(type) {
	case map[string]any, []any:
		r.fail(name + ": want a text")
		return nil
	}
	s := expand(fmt.Sprint(v))
	return &s
}

func (r *reader) str(m map[string]any, name, def string) string {
	if s := r.text(m, name); s != nil {
		return *s
	}
	return def
}

func (r *reader) intp(m map[string]any, name string, old *int) *int {
	s := r.text(m, name)
	if s == nil {
		return old
	}
	n, err := strconv.Atoi(*s)
	if err != nil {
		r.fail(name + ": want a number, got " + *s)
		return old
	}
	return &n
}

func (r *reader) integer(m map[string]any, name string, def int) int {
	if n := r.intp(m, name, nil); n != nil {
		return *n
	}
	return def
}

func (r *reader) float(m map[string]any, name string, def float64) float64 {
	s := r.text(m, name)
	if s == nil {
		return def
	}
	f, err := strconv.ParseFloat(*s, 64)
	if err != nil {
		r.fail(name + ": want a number, got " + *s)
		return def
	}
	return f
}

func (r *reader) boolean(m map[string]any, name string, def bool) bool {
	s := r.text(m, name)
	if s == nil {
		return def
	}
	return *s == "true"
}

func readCloud(r *reader, value any) cloud.Config {
	m := r.mapping("mesos", value, "mesosMasterUrl", "frameworkName", "frameworkId", "role", "agentUser", "jenkinsURL", "mesosAgentSpecTemplates")
	c := cloud.Config{Master: r.str(m, "mesosMasterUrl", ""), FrameworkName: r.str(m, "frameworkName", ""), FrameworkID: r.str(m, "frameworkId", ""),
		Role: r.str(m, "role", ""), User: r.str(m, "agentUser", ""), JenkinsURL: r.str(m, "jenkinsURL", "")}
	for _, item := range r.list("mesosAgentSpecTemplates", m["mesosAgentSpecTemplates"]) {
		c.Templates = append(c.Templates, readTemplate(r, item))
	}
	if err := c.Normalize(); err != nil {
		r.fail("mesos: " + err.Error())
	}
	return c
}

// readTemplate fills in the plugin's JCasC defaults, the dangerous ones too: no executors, no idle time.
func readTemplate(r *reader, value any) cloud.Template {
	m := r.mapping("mesosAgentSpecTemplates", value, "label", "mode", "cpus", "mem", "disk", "idleTerminationMinutes", "minExecutors", "maxExecutors",
		"jnlpArgs", "agentAttributes", "additionalURIs", "agentCommandStyle", "domainFilterModel", "containerInfo")
	t := cloud.Template{Label: r.str(m, "label", ""), Mode: r.str(m, "mode", ""), CPUs: r.float(m, "cpus", 0.1), Mem: int(r.float(m, "mem", 0)),
		Disk: r.float(m, "disk", 0), IdleMinutes: r.integer(m, "idleTerminationMinutes", 0), MinExecutors: r.integer(m, "minExecutors", 0),
		MaxExecutors: r.integer(m, "maxExecutors", 0), JnlpArgs: r.str(m, "jnlpArgs", ""), Attributes: r.str(m, "agentAttributes", ""),
		CommandStyle: r.str(m, "agentCommandStyle", "")}
	r.oneOf("mode", t.Mode, "", "NORMAL", "EXCLUSIVE")
	r.oneOf("agentCommandStyle", t.CommandStyle, "", "Linux", "Windows")
	for _, item := range r.list("additionalURIs", m["additionalURIs"]) {
		um := r.mapping("additionalURIs", item, "value", "executable", "extract")
		t.URIs = append(t.URIs, cloud.URI{Value: r.str(um, "value", ""), Executable: r.boolean(um, "executable", false), Extract: r.boolean(um, "extract", false)})
	}
	r.domain(&t, m["domainFilterModel"])
	if v, ok := m["containerInfo"]; ok && v != nil {
		t.Container = readContainer(r, v)
	}
	return t
}

func (r *reader) oneOf(name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		r.fail(fmt.Sprintf("%s: no enum constant %s", name, value))
	}
}

func (r *reader) domain(t *cloud.Template, value any) {
	switch v := value.(type) {
	case nil:
	case string:
		if t.Domain = v; v != "home" && v != "any" {
			r.fail("domainFilterModel: no implementation named " + v)
		}
	default:
		m := r.mapping("domainFilterModel", v, "home", "any", "stringDomainFilter")
		for k := range m {
			t.Domain = k
		}
		if s, ok := m["stringDomainFilter"]; ok {
			sm := r.mapping("stringDomainFilter", s, "region", "zone")
			t.Domain, t.Region, t.Zone = "string", r.str(sm, "region", ""), r.str(sm, "zone", "")
		}
	}
}

func readContainer(r *reader, value any) *cloud.Container {
	m := r.mapping("containerInfo", value, "type", "dockerImage", "networking", "dockerPrivilegedMode", "dockerForcePullImage", "isDind", "volumes")
	c := &cloud.Container{Type: r.str(m, "type", ""), Image: r.str(m, "dockerImage", ""), Networking: r.str(m, "networking", "BRIDGE"),
		Privileged: r.boolean(m, "dockerPrivilegedMode", false), ForcePull: r.boolean(m, "dockerForcePullImage", false), Dind: r.boolean(m, "isDind", false)}
	r.oneOf("networking", c.Networking, "HOST", "BRIDGE", "NONE", "USER")
	for _, item := range r.list("volumes", m["volumes"]) {
		vm := r.mapping("volumes", item, "containerPath", "hostPath", "readOnly")
		c.Volumes = append(c.Volumes, cloud.Volume{ContainerPath: r.str(vm, "containerPath", ""), HostPath: r.str(vm, "hostPath", ""), ReadOnly: r.boolean(vm, "readOnly", false)})
	}
	return c
}
