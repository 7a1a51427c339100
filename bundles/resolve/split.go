package resolve

import (
	_ "embed"
	"strings"

	"github.com/jomctl/jomctl/bundles/version"
)

// What Jenkins 2.568.2 knows about plugins that once were part of it.
var (
	//go:embed split-plugins.txt
	splitPlugins string
	//go:embed split-plugin-cycles.txt
	splitCycles string
)

// Split is a plugin that once was part of Jenkins.
type Split struct {
	Name string `json:"name"`
	// When is the last version of Jenkins that had it built in.
	When string `json:"splitAfter"`
	// Version is the oldest one that replaces what was built in.
	Version string `json:"version"`
}

// goneFrom says whether the core does no longer have it. The LTS versions of a line belong to the weekly that they come from.
func (s Split) goneFrom(core string) bool { return version.Compare(core, s.When+".*") > 0 }

func fieldsOf(text string) (all [][]string) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(line, "#") {
			all = append(all, fields)
		}
	}
	return all
}

// Splits are all plugins that once were part of Jenkins, in the order in which they left.
func Splits() (all []Split) {
	for _, fields := range fieldsOf(splitPlugins) {
		all = append(all, Split{fields[0], fields[1], fields[2]})
	}
	return all
}

// SplitBetween are the plugins that were part of the one core and are not of the other.
func SplitBetween(from, to string) (all []Split) {
	for _, s := range Splits() {
		if !s.goneFrom(from) && s.goneFrom(to) {
			all = append(all, s)
		}
	}
	return all
}

// splits answers which plugins another one implies.
type splits struct {
	gone   []Split
	cycles map[[2]string]bool
}

// splitsAt is about one core: what it still has built in needs no plugin.
func splitsAt(core string) splits {
	s := splits{cycles: map[[2]string]bool{}}
	for _, one := range Splits() {
		if one.goneFrom(core) {
			s.gone = append(s.gone, one)
		}
	}
	for _, fields := range fieldsOf(splitCycles) {
		s.cycles[[2]string{fields[0], fields[1]}] = true
	}
	return s
}

// impliedBy are the plugins that were still part of the core that a plugin was built for. A plugin that does not say its core gets all.
func (s splits) impliedBy(plugin, builtFor string) (all []Split) {
	for _, one := range s.gone {
		if one.Name == plugin || s.cycles[[2]string{plugin, one.Name}] {
			continue
		}
		if builtFor == "" || builtFor == "null" || !one.goneFrom(builtFor) {
			all = append(all, one)
		}
	}
	return all
}
