package lifecycle

import (
	"path/filepath"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/provision/hosts"
)

// program is the path of a helper, standin or jomhome, where the controller runs.
func (c controller) program(name string) string {
	switch {
	case c.env.own != nil:
		return hosts.BinPath(name)
	case name == "standin":
		return c.env.Programs.Standin
	}
	return c.env.Programs.Jomhome
}

// java is what starts a real war: that of the image, or the newest of the host that the core runs on.
func (c controller) java() string {
	if c.env.own == nil {
		return c.env.Programs.Jenkins.Java.Program()
	}
	if given := c.env.Cluster.Jenkins.Java; given != "" {
		return filepath.Join(given, "bin", "java")
	}
	if c.env.Cluster.Jenkins.Image == "" && len(c.on) > 0 {
		if java := c.env.own.programs(c.on[0].Name()).Jenkins.Java; java.Home != "" {
			return java.Program()
		}
	}
	return "java"
}

// warThere is the war where the controller runs.
func (c controller) warThere() string {
	if c.env.own == nil {
		return c.war.path()
	}
	return filepath.Join(c.dir, "jenkins.war")
}

// pluginsThere is the folder of the plugins where the controller runs, "" when there is none.
func (c controller) pluginsThere() string {
	here := c.plugins()
	if here == "" || c.env.own == nil {
		return here
	}
	return filepath.Join(c.dir, "plugins")
}

// volumes are what a controller in a container sees of its host, under the same paths: its home, its files, the helpers.
func (c controller) volumes() []bundles.Volume {
	if c.env.Cluster.Jenkins.Image == "" || c.env.own == nil {
		return nil
	}
	return []bundles.Volume{
		{Path: c.home, Mode: "RW"}, {Path: c.dir, Mode: "RO"}, {Path: filepath.Dir(hosts.BinPath("jomhome")), Mode: "RO"},
	}
}
