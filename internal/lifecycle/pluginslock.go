package lifecycle

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/bundles/version"
	"github.com/jomctl/jomctl/provision"
)

// core is the version of the war as far as it is known before anything is fetched; empty where it is not.
func (c controller) core() string {
	core := c.version()
	if core == "" && c.war.Real() && !c.war.Remote() {
		core, _ = provision.WarVersion(c.war.Source) // that it cannot be read is found with the programs
	}
	return core
}

// locked is what the release's lock has of a plugin, where it is new enough and runs on the core.
func (c controller) locked(name, least string) (resolve.Plugin, bool) {
	if c.env.Release.Lock == nil {
		return resolve.Plugin{}, false
	}
	plugin, has := c.env.Release.Lock.Plugin(name)
	core := c.core()
	fits := has && (least == "latest" || !version.Older(plugin.Version, least)) && (core == "" || !clearlyOlder(core, plugin.RequiredCore))
	return plugin, fits
}

// pluginSource says where to get a plugin: the version that the release has locked, or else the one that is needed.
func (c controller) pluginSource(name, least string) string {
	if plugin, has := c.locked(name, least); has && plugin.URL != "" {
		return fmt.Sprintf("%s %s of release %s, %s", name, plugin.Version, c.env.Release.Name, plugin.URL)
	}
	return pluginURL(name, least)
}

// fetchHint is how to get all plugins at once.
func (c controller) fetchHint() string {
	if len(c.env.Release.Audit()) > 0 {
		return "docs/troubleshooting.md has the others"
	}
	return "`jomctl release fetch " + c.env.Cluster.Release + " --to DIR` brings a war with all its plugins"
}

// shownPlugins is how many plugins a note names.
const shownPlugins = 20

// lockNotes say by name and version where the plugins differ from the release's lock, for the core that it was made for. That is
// no reason to refuse: a team may have its own.
func (c controller) lockNotes() []string {
	lock := c.env.Release.Lock
	if !c.war.Real() || lock == nil {
		return nil
	}
	if core := c.core(); core != lock.Core && (core != "" || c.env.Release.Core.Version != lock.Core) {
		return nil
	}
	all := c.inventory()
	var missing, others []string
	for _, plugin := range lock.Plugins {
		have, is := all.have[plugin.Name]
		switch {
		case !is:
			missing = append(missing, plugin.Name+" "+plugin.Version)
		case have.Version != "" && version.Compare(have.Version, plugin.Version) != 0:
			others = append(others, fmt.Sprintf("%s %s (locked %s)", plugin.Name, have.Version, plugin.Version))
		}
	}
	var notes []string
	if len(missing) > 0 {
		notes = append(notes, fmt.Sprintf("%d of the %d plugins of release %s are not there: %s; %s", len(missing), len(lock.Plugins), c.env.Release.Name, first(missing), c.fetchHint()))
	}
	if len(others) > 0 {
		notes = append(notes, fmt.Sprintf("plugins in other versions than those of release %s: %s", c.env.Release.Name, first(others)))
	}
	return notes
}

func first(names []string) string {
	if len(names) > shownPlugins {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shownPlugins], ", "), len(names)-shownPlugins)
	}
	return strings.Join(names, ", ")
}

// lockedPlugins are the plugins that must be loaded, nil where the cluster has plugins of its own or a stand-in runs.
func (e *Env) lockedPlugins() []resolve.Plugin {
	c := e.controller()
	if c.standinHasPlugins() || c.war.Plugins.Dir != "" {
		return e.Release.Lock.Plugins
	}
	return nil
}

// standinHasPlugins says that a stand-in is told which plugins it has: those of the release's lock.
func (c controller) standinHasPlugins() bool {
	if c.war.Real() || c.env.Release.Lock == nil {
		return false
	}
	_, has := c.env.Release.Lock.Plugin(pluginMesos)
	return has
}

func (c controller) standinPluginsFile() string { return filepath.Join(c.dir, "plugins.json") }

// standinPlugins is the list for a stand-in, nil where it is told nothing.
func (c controller) standinPlugins() ([]byte, error) {
	if !c.standinHasPlugins() {
		return nil, nil
	}
	data, err := json.MarshalIndent(c.env.Release.Lock.Plugins, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing the list of plugins: %w", err)
	}
	return append(data, '\n'), nil
}
