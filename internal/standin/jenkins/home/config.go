package home

import (
	"fmt"
	"path/filepath"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// Names of the security classes that the stand-in knows.
const (
	LocalRealm       = "hudson.security.HudsonPrivateSecurityRealm"
	LoggedInStrategy = "hudson.security.FullControlOnceLoggedInAuthorizationStrategy"
	UnsecuredClass   = "hudson.security.AuthorizationStrategy$Unsecured"
	NoRealm          = "hudson.security.SecurityRealm$None"
	legacyRealm      = "hudson.security.LegacySecurityRealm"
	mesosCloudName   = "org.jenkinsci.plugins.mesos.MesosCloud"
)

// Config is config.xml. Elements that the stand-in does not use stay in the tree and are written back.
type Config struct {
	tree *xmltree.Node

	NumExecutors  int
	Mode          string
	UseSecurity   bool
	AnonymousRead bool
	AllowSignup   bool
	AgentPort     int
	HasAgentPort  bool
	Label         string
	SystemMessage string
	QuietPeriod   int
	UseCrumbs     bool
	Clouds        *xmltree.Node
	Views         []View
	// Renamed says that the built-in node's name is not the old `master`.
	Renamed bool
	// WorkspaceDir is the pattern of workspaces on the controller.
	WorkspaceDir string
}

// View is a view other than the one named all; Jobs are job names.
type View struct {
	Name string
	Jobs []string
}

// LoadConfig reads config.xml. A missing one is an unsecured default; a broken one, or one that names a realm or a strategy
// that the stand-in does not have, is an error, which Jenkins answers with 500 everywhere.
func LoadConfig(dir string) (*Config, error) {
	n, err := Load(filepath.Join(dir, "config.xml"))
	if err != nil {
		return nil, err
	}
	c := &Config{tree: n, NumExecutors: 2, Mode: "NORMAL", QuietPeriod: 5, UseCrumbs: true, AgentPort: -1, Renamed: true,
		WorkspaceDir: "${JENKINS_HOME}/workspace/${ITEM_FULL_NAME}", Clouds: xmltree.Elem("clouds")}
	if n == nil {
		c.tree = xmltree.Elem("hudson")
		return c, nil
	}
	if n.Name != "hudson" {
		return nil, fmt.Errorf("read config.xml: root element %s, want hudson", n.Name)
	}
	return c, c.read(n)
}

func (c *Config) read(n *xmltree.Node) error {
	c.NumExecutors = n.Int("numExecutors", 2)
	if mode := n.Trimmed("mode"); mode != "" {
		c.Mode = mode
	}
	c.UseSecurity = n.Bool("useSecurity")
	c.AgentPort, c.HasAgentPort = n.Int("slaveAgentPort", 0), n.Child("slaveAgentPort") != nil
	c.Label, c.SystemMessage = n.Get("label"), n.Get("systemMessage")
	c.QuietPeriod = n.Int("quietPeriod", 5)
	c.UseCrumbs = n.Child("crumbIssuer") != nil
	if dir := n.Trimmed("workspaceDir"); dir != "" {
		c.WorkspaceDir = dir
	}
	c.Renamed = n.Trimmed("nodeRenameMigrationNeeded") == "false"
	if clouds := n.Child("clouds"); clouds != nil {
		c.Clouds = clouds
	}
	for _, v := range childrenOf(n.Child("views")) {
		if v.Get("name") == "all" {
			continue
		}
		view := View{Name: v.Get("name")}
		for _, j := range childrenOf(v.Child("jobNames")) {
			if j.Name == "string" {
				view.Jobs = append(view.Jobs, j.Text)
			}
		}
		c.Views = append(c.Views, view)
	}
	return c.readSecurity(n)
}

func (c *Config) readSecurity(n *xmltree.Node) error {
	if !c.UseSecurity {
		return nil
	}
	switch realm := n.Child("securityRealm").Attr("class"); realm {
	case LocalRealm:
		c.AllowSignup = n.Child("securityRealm/disableSignup") != nil && !n.Bool("securityRealm/disableSignup")
	case NoRealm, legacyRealm, "":
	default:
		return fmt.Errorf("read config.xml: security realm %s is not available", realm)
	}
	switch strategy := n.Child("authorizationStrategy").Attr("class"); strategy {
	case LoggedInStrategy:
		c.AnonymousRead = !n.Bool("authorizationStrategy/denyAnonymousReadAccess")
	case UnsecuredClass, "":
		c.UseSecurity = false
	default:
		return fmt.Errorf("read config.xml: authorization strategy %s is not available", strategy)
	}
	return nil
}

func childrenOf(n *xmltree.Node) []*xmltree.Node {
	if n == nil {
		return nil
	}
	return n.Children
}

// Save writes config.xml in Jenkins' order, with the version that every boot puts there.
func (c *Config) Save(dir, version string) error {
	return Save(filepath.Join(dir, "config.xml"), c.render(version))
}

func (c *Config) render(version string) *xmltree.Node {
	old := c.tree
	keep := func(name string, def *xmltree.Node) *xmltree.Node {
		if n := old.Child(name); n != nil {
			return n
		}
		return def
	}
	text := xmltree.Text
	out := xmltree.Elem("hudson", keep("disabledAdministrativeMonitors", xmltree.Elem("disabledAdministrativeMonitors")),
		text("version", version), text("numExecutors", c.NumExecutors), text("mode", c.Mode), text("useSecurity", c.UseSecurity))
	out.Add(c.strategy(), c.realm(), keep("disableRememberMe", text("disableRememberMe", false)),
		keep("projectNamingStrategy", xmltree.Elem("projectNamingStrategy").With("class", "jenkins.model.ProjectNamingStrategy$DefaultProjectNamingStrategy")),
		text("workspaceDir", c.WorkspaceDir), keep("buildsDir", text("buildsDir", "${ITEM_ROOTDIR}/builds")))
	if c.SystemMessage != "" {
		out.Add(text("systemMessage", c.SystemMessage))
	}
	out.Add(keep("jdks", xmltree.Elem("jdks")),
		keep("viewsTabBar", xmltree.Elem("viewsTabBar").With("class", "hudson.views.DefaultViewsTabBar")),
		keep("myViewsTabBar", xmltree.Elem("myViewsTabBar").With("class", "hudson.views.DefaultMyViewsTabBar")), c.Clouds)
	if c.QuietPeriod != 5 {
		out.Add(text("quietPeriod", c.QuietPeriod))
	}
	out.Add(keep("scmCheckoutRetryCount", text("scmCheckoutRetryCount", 0)), c.views(), text("primaryView", "all"),
		text("slaveAgentPort", c.AgentPort), text("label", c.Label))
	if c.UseCrumbs {
		out.Add(xmltree.Elem("crumbIssuer").With("class", "hudson.security.csrf.DefaultCrumbIssuer"))
	}
	out.Add(keep("nodeProperties", xmltree.Elem("nodeProperties")), keep("globalNodeProperties", xmltree.Elem("globalNodeProperties")))
	out.Add(text("nodeRenameMigrationNeeded", !c.Renamed))
	return out
}

func (c *Config) strategy() *xmltree.Node {
	if !c.UseSecurity {
		return xmltree.Elem("authorizationStrategy").With("class", UnsecuredClass)
	}
	return xmltree.Elem("authorizationStrategy", xmltree.Text("denyAnonymousReadAccess", !c.AnonymousRead)).With("class", LoggedInStrategy)
}

func (c *Config) realm() *xmltree.Node {
	if !c.UseSecurity {
		return xmltree.Elem("securityRealm").With("class", NoRealm)
	}
	return xmltree.Elem("securityRealm", xmltree.Text("disableSignup", !c.AllowSignup), xmltree.Text("enableCaptcha", false)).With("class", LocalRealm)
}

func (c *Config) views() *xmltree.Node {
	owner := func() *xmltree.Node {
		return xmltree.Elem("owner").With("class", "hudson").With("reference", "../../..")
	}
	out := xmltree.Elem("views", xmltree.Elem("hudson.model.AllView", owner(), xmltree.Text("name", "all"), xmltree.Text("filterExecutors", false),
		xmltree.Text("filterQueue", false), xmltree.Elem("properties").With("class", "hudson.model.View$PropertyList")))
	for _, v := range c.Views {
		names := xmltree.Elem("jobNames", xmltree.Elem("comparator").With("class", "java.lang.String$CaseInsensitiveComparator"))
		for _, j := range v.Jobs {
			names.Add(xmltree.Text("string", j))
		}
		out.Add(xmltree.Elem("listView", owner(), xmltree.Text("name", v.Name), xmltree.Text("filterExecutors", false), xmltree.Text("filterQueue", false),
			names, xmltree.Elem("jobFilters"), xmltree.Elem("columns"), xmltree.Text("recurse", false)))
	}
	return out
}

// MesosCloud is the cloud element of plugin 2.x, or nil.
func (c *Config) MesosCloud() *xmltree.Node { return c.Clouds.Child(mesosCloudName) }

// SetMesosCloud replaces all clouds by this one; nil removes them.
func (c *Config) SetMesosCloud(n *xmltree.Node) {
	c.Clouds = xmltree.Elem("clouds")
	c.Clouds.Add(n)
}
