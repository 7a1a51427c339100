package rest

import (
	"archive/zip"
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/plugins"
)

// plugin is one line of the plugin list.
type plugin struct {
	name, version, long, core string
	// imitated says that the stand-in behaves as if it had it.
	imitated bool
	file     bool
}

// imitated are the plugins whose behaviour the stand-in has, with the version it was taken from.
var imitated = []plugin{
	{name: "configuration-as-code", version: "1985.vdda_32d0c4ea_b_", long: "Configuration as Code Plugin", core: "2.479.3"},
	{name: "instance-identity", version: "203.v15e81a_1b_7a_38", long: "Instance Identity", core: "2.479.3"},
	{name: "mesos", version: "2.0", long: "Mesos Plugin", core: "2.164"},
}

// listed are the loaded ones, or else the imitated ones, and those whose files are in plugins/. A file replaces the version of its
// imitation; the others are listed as inactive, because the stand-in runs none of them.
func listed(home string, loaded []plugins.Plugin) []plugin {
	byName := map[string]plugin{}
	for _, p := range loaded {
		byName[p.Name] = plugin{name: p.Name, version: p.Version, long: p.Name, core: p.Core, imitated: true}
	}
	for _, p := range imitated {
		if loaded == nil {
			p.imitated = true
			byName[p.name] = p
		}
	}
	entries, _ := os.ReadDir(filepath.Join(home, "plugins"))
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || ext != ".jpi" && ext != ".hpi" {
			continue
		}
		p := readPlugin(filepath.Join(home, "plugins", e.Name()))
		if p.name == "" {
			p.name = strings.TrimSuffix(e.Name(), ext)
		}
		p.imitated, p.file = byName[p.name].imitated, true
		byName[p.name] = p
	}
	out := make([]plugin, 0, len(byName))
	for _, p := range byName {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// loaded is nil where nobody has said which plugins there are.
func (c Control) loaded() []plugins.Plugin {
	if c.Plugins == nil {
		return nil
	}
	return c.Plugins()
}

func readPlugin(path string) plugin {
	var p plugin
	archive, err := zip.OpenReader(path)
	if err != nil {
		return p
	}
	defer archive.Close()
	manifest, err := archive.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return p
	}
	defer manifest.Close()
	scanner := bufio.NewScanner(io.LimitReader(manifest, 1<<20))
	for scanner.Scan() {
		key, value, _ := strings.Cut(scanner.Text(), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Short-Name":
			p.name = value
		case "Plugin-Version":
			p.version, _, _ = strings.Cut(value, " ")
		case "Long-Name":
			p.long = value
		case "Jenkins-Version":
			p.core = value
		}
	}
	return p
}

func (q *query) pagePlugins(rest []string) {
	if len(rest) > 0 && rest[0] != "api" {
		switch action := strings.Join(rest, "/"); {
		case action == "installNecessaryPlugins" || action == "uploadPlugin":
			if q.post() {
				q.missing("installing plugins: put their files into plugins/ and restart")
			}
		case action == "updates", action == "installed", action == "available":
			q.page("Plugins - Jenkins")
		default:
			q.notFound()
		}
		return
	}
	if len(rest) == 0 && q.r.Method == http.MethodPost {
		q.notFound()
		return
	}
	list := listed(q.c.Home(), q.s.control.loaded())
	q.api(rest, "Plugins - Jenkins", func(view) *bean {
		return object("hudson.LocalPluginManager", f("plugins", beans(list, func(p plugin) *bean {
			return object("", f("active", p.imitated), f("backupVersion", nil), f("bundled", !p.file), f("deleted", false), f("dependencies", []*bean{}),
				f("detached", false), f("downgradable", false), f("enabled", true), f("hasUpdate", false), f("longName", p.long), f("pinned", false),
				f("requiredCoreVersion", p.core), f("shortName", p.name), f("supportsDynamicLoad", "MAYBE"), f("url", nil), f("version", p.version))
		})))
	})
}
