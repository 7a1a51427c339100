package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/provision"
)

// The plugins that a real Jenkins is looked through for.
const (
	pluginMesos    = "mesos"
	pluginCasc     = "configuration-as-code"
	pluginIdentity = "instance-identity"
)

// plugins is the folder of the plugins of a real war, or empty.
func (c controller) plugins() string {
	if !c.war.Real() {
		return ""
	}
	if given := c.env.Cluster.Jenkins.Plugins; given != "" {
		return c.env.Cluster.Resolve(given)
	}
	if c.war.Plugins.Dir != "" {
		return c.war.Plugins.Dir
	}
	if !c.war.Remote() {
		beside := filepath.Join(filepath.Dir(c.war.Source), "plugins")
		if info, err := os.Stat(beside); err == nil && info.IsDir() {
			return beside
		}
	}
	return ""
}

// hasPlugin says whether the plugin will be there: given, in the home already, or in the war.
func (c controller) hasPlugin(name string) bool {
	if !c.war.Real() {
		return true
	}
	_, has := c.inventory().have[name]
	return has
}

// pluginInventory is all plugins that the controller will have, by name, and the files that are none.
type pluginInventory struct {
	have   map[string]home.Plugin
	broken []error
}

func (c controller) inventory() pluginInventory {
	all := pluginInventory{have: map[string]home.Plugin{}}
	if c.war.Plugins.Dir != "" {
		for _, plugin := range c.releasePlugins() {
			all.have[plugin.Name] = plugin
		}
	}
	for _, dir := range []string{c.plugins(), filepath.Join(c.home, "plugins")} {
		if dir == c.war.Plugins.Dir {
			continue // nothing, or known from the lock
		}
		entries, err := os.ReadDir(dir)
		if dir == "" || errors.Is(err, fs.ErrNotExist) {
			continue // that a folder of the user's is not there is found with the programs
		}
		if err != nil {
			all.broken = append(all.broken, err)
		}
		for _, entry := range entries {
			if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".hpi" && ext != ".jpi" {
				continue
			}
			plugin, err := home.ReadPlugin(filepath.Join(dir, entry.Name()))
			if err != nil {
				all.broken = append(all.broken, err)
				continue
			}
			if _, known := all.have[plugin.Name]; !known { // the given one replaces the home's
				all.have[plugin.Name] = plugin
			}
		}
	}
	for _, name := range c.war.Bundled() {
		if _, known := all.have[name]; !known {
			all.have[name] = home.Plugin{Name: name}
		}
	}
	return all
}

// pluginFindings says what keeps the Mesos plugin, and configuration as code where it is there, from being loaded. Jenkins
// comes up without a plugin that it cannot load, and only its log tells: no build would ever start.
func (c controller) pluginFindings() []provision.Finding {
	all := c.inventory()
	var findings []provision.Finding
	add := func(problem, fix string) {
		findings = append(findings, provision.Finding{Subject: "jenkins.plugins", Problem: problem, Fix: fix})
	}
	for _, err := range all.broken {
		add(err.Error(), "replace it by the plugin's own file, or remove it")
	}
	into := "put it into " + c.plugins()
	if c.plugins() == "" {
		into = "name a folder with the *.hpi files in jenkins.plugins, or put them into `plugins` beside the war"
	}
	mesos, has := all.have[pluginMesos]
	if !has {
		version := "2.0"
		if c.env.libmesos() {
			version = "1.0.0"
		}
		add("a real Jenkins needs the Mesos plugin "+version+" (mesos.hpi) with all plugins that it depends on, and it was found nowhere", into+
			" ("+c.pluginSource(pluginMesos, version)+"); "+c.fetchHint())
		return findings
	}
	if c.env.libmesos() {
		if plugin := mesos.Version; plugin != "" && plugin != "0.18.1" && plugin != "1.0.0" {
			add("the Mesos plugin "+mesos.File+" is "+plugin+", and `line: libmesos` is 0.18.1 or 1.0.0", into+": "+pluginURL(pluginMesos, "1.0.0"))
		}
		if _, has := all.have["metrics"]; !has { // it says optional, and does not load without
			add("the Mesos plugin needs the plugin metrics, which was found nowhere", into+": "+c.pluginSource("metrics", "latest"))
		}
	} else if mesos.Version != "" && clearlyOlder(mesos.Version, "2") {
		add("the Mesos plugin "+mesos.File+" is "+mesos.Version+", and `line: http` is 2.0", into+": "+c.pluginSource(pluginMesos, "2.0"))
	}
	for _, missing := range c.lacks(all) {
		add(missing.problem, into+": "+missing.url)
	}
	// The cores of line libmesos have it built in.
	if _, has := all.have[pluginIdentity]; !has && !c.env.libmesos() && (!c.war.Remote() || c.war.Cached()) {
		add("the war does not bring the plugin "+pluginIdentity+", without which no build agent can connect", into+" with "+
			"bouncycastle-api: "+c.pluginSource(pluginIdentity, "latest"))
	}
	return findings
}

// mesosPlugin is the version of the Mesos plugin, empty where it is not known.
func (c controller) mesosPlugin() string { return c.inventory().have[pluginMesos].Version }

// lack is one thing that Jenkins would refuse to load a plugin for.
type lack struct{ problem, url string }

// lacks follows what the plugins need, and what those need.
func (c controller) lacks(all pluginInventory) []lack {
	var found []lack
	core := c.core()
	seen := map[string]bool{}
	todo := []string{pluginMesos, pluginCasc}
	for len(todo) > 0 {
		plugin, has := all.have[todo[0]]
		todo = todo[1:]
		if !has || seen[plugin.Name] {
			continue
		}
		seen[plugin.Name] = true
		if core != "" && clearlyOlder(core, plugin.Core) {
			found = append(found, lack{fmt.Sprintf("%s %s needs Jenkins %s, and the war is %s", plugin.Name, plugin.Version, plugin.Core, core),
				"an older one from " + pluginURL(plugin.Name, "")})
		}
		for _, need := range plugin.Needs {
			other, has := all.have[need.Name]
			switch {
			case !has && !need.Optional:
				found = append(found, lack{fmt.Sprintf("%s %s needs the plugin %s %s or newer, which was found nowhere", plugin.Name, plugin.Version, need.Name, need.Version),
					c.pluginSource(need.Name, need.Version)})
				all.have[need.Name] = home.Plugin{Name: need.Name, Version: need.Version} // once is enough
			case has && other.Version != "" && clearlyOlder(other.Version, need.Version):
				found = append(found, lack{fmt.Sprintf("%s %s needs the plugin %s %s or newer, and it is %s", plugin.Name, plugin.Version, need.Name, need.Version, other.Version),
					c.pluginSource(need.Name, need.Version)})
			}
			if has && !need.Optional {
				todo = append(todo, need.Name)
			}
		}
	}
	return found
}

// pluginURL is where the Jenkins project keeps a plugin.
func pluginURL(name, version string) string {
	const from = "https://updates.jenkins.io/"
	switch version {
	case "":
		return from + "download/plugins/" + name + "/"
	case "latest":
		return from + "latest/" + name + ".hpi"
	}
	return from + "download/plugins/" + name + "/" + version + "/" + name + ".hpi"
}

// clearlyOlder compares the numbers that both versions begin with. What comes after them (-SNAPSHOT, .v1a2b3c) has rules of
// its own, so it gets the benefit of the doubt.
func clearlyOlder(version, than string) bool {
	a, b := leadingNumbers(version), leadingNumbers(than)
	n := min(len(a), len(b))
	return slices.Compare(a[:n], b[:n]) < 0
}

func leadingNumbers(version string) []int {
	var all []int
	for part := range strings.FieldsFuncSeq(version, func(r rune) bool { return r == '.' || r == '-' || r == ' ' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		all = append(all, n)
	}
	return all
}

// releasePlugins are the plugins that the release's folder has, or will have, as their lock describes them.
func (c controller) releasePlugins() (all []home.Plugin) {
	for _, locked := range c.env.Release.Lock.Plugins {
		plugin := home.Plugin{File: filepath.Join(c.war.Plugins.Dir, locked.Name+".hpi"), Name: locked.Name, Version: locked.Version, Core: locked.RequiredCore}
		for _, need := range locked.Needs {
			plugin.Needs = append(plugin.Needs, home.Need{Name: need.Name, Version: need.Version, Optional: need.Optional})
		}
		all = append(all, plugin)
	}
	return all
}
