// Package cloud is the Mesos cloud of plugin 2.0: its configuration, its session with a master (or with a real one), and the
// life of the build agents it starts. Its traps are the plugin's own (see the comments with "as the real one").
package cloud

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// ElementName is the cloud's element in config.xml.
const ElementName = "org.jenkinsci.plugins.mesos.MesosCloud"

const (
	templateName = "org.jenkinsci.plugins.mesos.MesosAgentSpecTemplate"
	uriName      = "org.jenkinsci.plugins.mesos.MesosSlaveInfo_-URI"
	volumeName   = templateName + "_-Volume"
	domainPrefix = "org.jenkinsci.plugins.mesos.config.models.faultdomain."
)

// Config is the cloud as the plugin knows it.
type Config struct {
	Master, FrameworkName, FrameworkID, Role, User, JenkinsURL string
	Templates                                                  []Template
}

// Template is one kind of build agent. Mem and Disk are MB.
type Template struct {
	Label, Mode                string
	CPUs, Disk                 float64
	Mem                        int
	IdleMinutes                int
	MinExecutors, MaxExecutors int
	JnlpArgs, Attributes       string
	URIs                       []URI
	CommandStyle               string
	// Domain is "home", "any" or "string" (then Region and Zone count).
	Domain, Region, Zone string
	Container            *Container
}

// URI is an additional file for the sandbox.
type URI struct {
	Value               string
	Executable, Extract bool
}

// Container is containerInfo.
type Container struct {
	Type, Image, Networking     string
	Dind, Privileged, ForcePull bool
	Volumes                     []Volume
}

// Volume is one mount.
type Volume struct {
	ContainerPath, HostPath string
	ReadOnly                bool
}

// Normalize checks what the plugin's constructors check, and gives an unset framework id a random one, as the real one does.
func (c *Config) Normalize() error {
	if c.Master == "" {
		return errors.New("mesosMasterUrl is required")
	}
	if u, err := url.Parse(c.JenkinsURL); err != nil || u.Scheme == "" || u.Host == "" {
		return fmt.Errorf("jenkinsURL %q is not a URL", c.JenkinsURL)
	}
	if c.FrameworkID == "" {
		c.FrameworkID = uuid.NewString()
	}
	if c.Role == "" {
		c.Role = "*"
	}
	for _, t := range c.Templates {
		if t.Mem <= 0 {
			return fmt.Errorf("template %s: mem is required", t.Label)
		}
		for _, a := range attributes(t.Attributes) {
			if a[1] == "" {
				return fmt.Errorf("template %s: agentAttributes: Index 1 out of bounds for length 1", t.Label)
			}
		}
	}
	return nil
}

// attributes reads `k:v,k2:v2`; the value is "" where there is no colon.
func attributes(text string) [][2]string {
	var out [][2]string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, ":")
		out = append(out, [2]string{k, v})
	}
	return out
}

// XML is the cloud's element as the plugin writes it.
func (c *Config) XML() *xmltree.Node {
	text := xmltree.Text
	templates := xmltree.Elem("mesosAgentSpecTemplates")
	for _, t := range c.Templates {
		templates.Add(t.xml())
	}
	return xmltree.Elem(ElementName, text("name", "MesosCloud"), text("instanceCap", 2147483647), text("master", c.Master),
		text("frameworkName", c.FrameworkName), text("frameworkId", c.FrameworkID), text("agentUser", c.User), text("role", c.Role),
		text("jenkinsURL", c.JenkinsURL), templates).With("plugin", "mesos@2.0")
}

// Number writes a number as Java does: with at least one digit after the point.
func Number(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func (t Template) xml() *xmltree.Node {
	text := xmltree.Text
	n := xmltree.Elem(templateName, text("label", t.Label))
	if t.Mode != "" {
		n.Add(text("mode", t.Mode))
	}
	n.Add(text("idleTerminationMinutes", t.IdleMinutes), text("reusable", false), text("cpus", Number(t.CPUs)), text("mem", t.Mem),
		text("disk", Number(t.Disk)), text("minExecutors", t.MinExecutors), text("maxExecutors", t.MaxExecutors), text("jnlpArgs", t.JnlpArgs),
		text("agentAttributes", t.Attributes))
	uris := xmltree.Elem("additionalURIs")
	for _, u := range t.URIs {
		uris.Add(xmltree.Elem(uriName, text("value", u.Value), text("executable", u.Executable), text("extract", u.Extract)))
	}
	if len(t.URIs) == 0 {
		uris.With("class", "empty-list")
	}
	n.Add(uris)
	if t.CommandStyle != "" {
		n.Add(text("agentCommandStyle", t.CommandStyle))
	}
	if t.Container != nil {
		n.Add(t.Container.xml())
	}
	switch t.Domain {
	case "any":
		n.Add(xmltree.Elem("domainFilterModel").With("class", domainPrefix+"Any"))
	case "home":
		n.Add(xmltree.Elem("domainFilterModel").With("class", domainPrefix+"Home"))
	case "string":
		n.Add(xmltree.Elem("domainFilterModel", text("region", t.Region), text("zone", t.Zone)).With("class", domainPrefix+"StringDomainFilter"))
	}
	return n
}

func (c *Container) xml() *xmltree.Node {
	text := xmltree.Text
	volumes := xmltree.Elem("volumes")
	for _, v := range c.Volumes {
		volumes.Add(xmltree.Elem(volumeName, text("containerPath", v.ContainerPath), text("hostPath", v.HostPath), text("readOnly", v.ReadOnly)))
	}
	return xmltree.Elem("containerInfo", text("type", c.Type), text("dockerImage", c.Image), volumes, text("networking", c.Networking),
		text("dockerPrivilegedMode", c.Privileged), text("dockerForcePullImage", c.ForcePull), text("isDind", c.Dind))
}

// FromXML reads the cloud's element. XStream calls no constructor, so nothing is checked here, as in the real one.
func FromXML(n *xmltree.Node) *Config {
	c := &Config{Master: n.Trimmed("master"), FrameworkName: n.Get("frameworkName"), FrameworkID: n.Trimmed("frameworkId"), Role: n.Trimmed("role"),
		User: n.Trimmed("agentUser"), JenkinsURL: n.Trimmed("jenkinsURL")}
	if list := n.Child("mesosAgentSpecTemplates"); list != nil {
		for _, x := range list.Children {
			if x.Name == templateName {
				c.Templates = append(c.Templates, templateFromXML(x))
			}
		}
	}
	return c
}

func templateFromXML(x *xmltree.Node) Template {
	float := func(path string) float64 {
		f, _ := strconv.ParseFloat(x.Trimmed(path), 64)
		return f
	}
	t := Template{Label: x.Trimmed("label"), Mode: x.Trimmed("mode"), CPUs: float("cpus"), Disk: float("disk"), Mem: int(float("mem")),
		IdleMinutes: x.Int("idleTerminationMinutes", 0), MinExecutors: x.Int("minExecutors", 0), MaxExecutors: x.Int("maxExecutors", 0),
		JnlpArgs: x.Get("jnlpArgs"), Attributes: x.Trimmed("agentAttributes"), CommandStyle: x.Trimmed("agentCommandStyle")}
	if uris := x.Child("additionalURIs"); uris != nil {
		for _, u := range uris.Children {
			t.URIs = append(t.URIs, URI{Value: u.Trimmed("value"), Executable: u.Bool("executable"), Extract: u.Bool("extract")})
		}
	}
	if d := x.Child("domainFilterModel"); d != nil {
		switch strings.TrimPrefix(d.Attr("class"), domainPrefix) {
		case "Any":
			t.Domain = "any"
		case "Home":
			t.Domain = "home"
		case "StringDomainFilter":
			t.Domain, t.Region, t.Zone = "string", d.Trimmed("region"), d.Trimmed("zone")
		}
	}
	if ci := x.Child("containerInfo"); ci != nil {
		t.Container = &Container{Type: ci.Trimmed("type"), Image: ci.Trimmed("dockerImage"), Networking: ci.Trimmed("networking"), Dind: ci.Bool("isDind"),
			Privileged: ci.Bool("dockerPrivilegedMode"), ForcePull: ci.Bool("dockerForcePullImage")}
		if vs := ci.Child("volumes"); vs != nil {
			for _, v := range vs.Children {
				t.Container.Volumes = append(t.Container.Volumes, Volume{ContainerPath: v.Trimmed("containerPath"), HostPath: v.Trimmed("hostPath"), ReadOnly: v.Bool("readOnly")})
			}
		}
	}
	return t
}
