package linkcheck

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// parseManifest gives the main attributes of a MANIFEST.MF by their lower-case names. Long values go on in lines that begin with a
// space.
func parseManifest(text string) map[string]string {
	attributes, last := map[string]string{}, ""
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if line == "" {
			break
		}
		if rest, ok := strings.CutPrefix(line, " "); ok {
			attributes[last] += rest
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		last = strings.ToLower(key)
		attributes[last] = strings.TrimPrefix(value, " ")
	}
	return attributes
}

type dependency struct {
	name     string
	optional bool
}

// identity is what a plugin's manifest says.
type identity struct {
	name, version, core, main string
	dependencies              []dependency
	masks                     []string // class name prefixes that are taken from the plugin alone
	first                     bool     // the plugin's own classes before all others
}

// identify reads the manifest as hudson.ClassicPluginStrategy does; file gives the name of a plugin that does not name itself.
func identify(manifest, file string) identity {
	m := parseManifest(manifest)
	id := identity{
		name: m["short-name"], version: m["plugin-version"], core: m["jenkins-version"], main: strings.ReplaceAll(m["plugin-class"], ".", "/"),
		first: strings.EqualFold(m["pluginfirstclassloader"], "true"),
	}
	if id.name == "" {
		id.name = strings.TrimSuffix(path.Base(file), path.Ext(file))
	}
	if id.core == "" {
		id.core = m["hudson-version"]
	}
	if id.version == "" {
		id.version = m["implementation-version"]
	}
	for _, mask := range strings.Fields(m["mask-classes"]) {
		id.masks = append(id.masks, strings.ReplaceAll(mask, ".", "/"))
	}
	for item := range strings.SplitSeq(m["plugin-dependencies"], ",") {
		parts := strings.Split(strings.TrimSpace(item), ";")
		if name, _, _ := strings.Cut(parts[0], ":"); name != "" {
			id.dependencies = append(id.dependencies, dependency{name, strings.Contains(item, "resolution:=optional")})
		}
	}
	return id
}

// detached are the plugins that once were part of the core, as the core lists them itself.
type detached struct {
	split  []string // names in the core's order
	when   map[string]string
	cycles map[string]bool // "plugin detached" that must not imply each other
}

func parseDetached(splits, cycles string) detached {
	d := detached{when: map[string]string{}, cycles: map[string]bool{}}
	for line := range strings.Lines(splits) {
		if f := strings.Fields(line); len(f) >= 2 && !strings.HasPrefix(f[0], "#") {
			d.split, d.when[f[0]] = append(d.split, f[0]), f[1]
		}
	}
	for line := range strings.Lines(cycles) {
		if f := strings.Fields(line); len(f) == 2 && !strings.HasPrefix(f[0], "#") {
			d.cycles[f[0]+" "+f[1]] = true
		}
	}
	return d
}

// oldSplits are the plugins that cores before 2.86 had in their code instead of a file, as they stood in core 1.650.
const oldSplits = `maven-plugin 1.296
subversion 1.310
cvs 1.340
ant 1.430
javadoc 1.430
external-monitor-job 1.467
ldap 1.467
pam-auth 1.467
mailer 1.493
matrix-auth 1.535
windows-slaves 1.547
antisamy-markup-formatter 1.553
matrix-project 1.561
junit 1.577
`

const oldCycles = `script-security matrix-auth
script-security windows-slaves
script-security antisamy-markup-formatter
script-security matrix-project
credentials matrix-auth
credentials windows-slaves
`

// implied gives the plugins that Jenkins adds to the dependencies of a plugin, because it was built for a core that still had them.
func (d detached) implied(id identity) []string {
	var names []string
	for _, name := range d.split {
		if name != id.name && !d.cycles[id.name+" "+name] && !newerCore(id.core, d.when[name]) {
			names = append(names, name)
		}
	}
	return names
}

var coreNumbers = regexp.MustCompile(`^\d+(\.\d+)*`)

// newerCore says whether core version a is newer than b. What is no version ("null", nothing) is as old as can be.
func newerCore(a, b string) bool {
	left, right := strings.Split(coreNumbers.FindString(a), "."), strings.Split(coreNumbers.FindString(b), ".")
	for i := range max(len(left), len(right)) {
		var x, y int
		if i < len(left) {
			x, _ = strconv.Atoi(left[i])
		}
		if i < len(right) {
			y, _ = strconv.Atoi(right[i])
		}
		if x != y {
			return x > y
		}
	}
	return false
}
