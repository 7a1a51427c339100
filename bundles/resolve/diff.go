package resolve

import (
	"maps"
	"slices"

	"github.com/jomctl/jomctl/bundles/version"
)

// Change is a plugin that differs between two locks; From or To is empty where the plugin is not there.
type Change struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Older is set where the second version comes before the first: Jenkins does not take back what a plugin wrote in a newer format.
	Older bool `json:"older,omitempty"`
	// Changed is set where the version is the same and the file is not.
	Changed bool `json:"changed,omitempty"`
}

// Diff is what lies between two sets of a core and plugins.
type Diff struct {
	From    string   `json:"fromCore"`
	To      string   `json:"toCore"`
	Plugins []Change `json:"plugins"`
	// Split are the plugins that left the core on the way, LackedSplit those of them that the second lock does not have.
	Split       []Split   `json:"split"`
	LackedSplit []string  `json:"lackedSplit"`
	Fixed       []Warning `json:"warningsFixed"`
	Introduced  []Warning `json:"warningsIntroduced"`
	Remaining   []Warning `json:"warningsRemaining"`
}

// Compare tells the difference of two locks; a nil one has no plugins.
func Compare(from, to *Lock, fromCore, toCore string, known Knowledge) Diff {
	d := Diff{From: fromCore, To: toCore, Plugins: append([]Change{}, changes(from, to)...), Split: append([]Split{}, SplitBetween(fromCore, toCore)...),
		LackedSplit: []string{}, Fixed: []Warning{}, Introduced: []Warning{}, Remaining: []Warning{}}
	for _, s := range d.Split {
		if to == nil {
			continue
		}
		if _, has := to.Plugin(s.Name); !has {
			d.LackedSplit = append(d.LackedSplit, s.Name)
		}
	}
	before, after := known.Against(fromCore, from), known.Against(toCore, to)
	in := func(all []Warning, w Warning) bool {
		return slices.ContainsFunc(all, func(o Warning) bool { return o.ID == w.ID && o.Name == w.Name })
	}
	for _, w := range before {
		if !in(after, w) {
			d.Fixed = append(d.Fixed, w)
		}
	}
	for _, w := range after {
		if in(before, w) {
			d.Remaining = append(d.Remaining, w)
		} else {
			d.Introduced = append(d.Introduced, w)
		}
	}
	return d
}

// Empty says that there is nothing to tell.
func (d Diff) Empty() bool {
	return d.From == d.To && len(d.Plugins)+len(d.Fixed)+len(d.Introduced) == 0
}

func changes(from, to *Lock) (all []Change) {
	byName := func(lock *Lock) map[string]Plugin {
		found := map[string]Plugin{}
		if lock != nil {
			for _, p := range lock.Plugins {
				found[p.Name] = p
			}
		}
		return found
	}
	a, b := byName(from), byName(to)
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := a[name], b[name]
		change := Change{Name: name, From: was.Version, To: is.Version}
		if was.Version != "" && is.Version != "" {
			change.Older = version.Older(is.Version, was.Version)
			change.Changed = was.Version == is.Version && was.SHA256 != is.SHA256
		}
		if was.Version != is.Version || change.Changed {
			all = append(all, change)
		}
	}
	return all
}
