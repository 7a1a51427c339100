package resolve

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/bundles/updatecenter"
	"github.com/jomctl/jomctl/bundles/version"
)

// Request is what to resolve.
type Request struct {
	// Core is the version of Jenkins, Java the major versions that it may run on.
	Core   string
	Java   []int
	Wishes []Wish
	// Centers are where plugins are taken from: of each plugin the newest version that fits.
	Centers []*updatecenter.Center
	// Own are plugins in files of the user's own; they come before those of the same version.
	Own []updatecenter.Plugin
	// Partial leaves out the wishes that cannot be granted, and names them in the lock.
	Partial bool
}

// candidate is one version of a plugin that could be taken.
type candidate struct {
	updatecenter.Plugin
	// needs are what it must have, optional what it must have where the other plugin is there.
	needs, optional []Need
	// against says why it cannot be taken, empty while it can; reason is set where that lies in itself, and not in what it needs.
	against, reason string
}

// String is name and version.
func (c *candidate) String() string { return c.Name + " " + c.Version }

type resolver struct {
	Request
	wishes map[string]Wish
	splits splits
	// offers are the candidates of each plugin, newest first.
	offers map[string][]*candidate
}

// Resolve finds, for each plugin that is wanted or needed, the newest version that fits the core, the Java, the wishes and the other
// plugins. The same request gives the same lock. The error is a *ConflictError where something does not fit. Of two that do not go together because of
// an optional need, an older version of the one that has the need is tried, and not of what brought the other one in.
func Resolve(request Request) (*Lock, error) {
	r := &resolver{Request: request, wishes: map[string]Wish{}, splits: splitsAt(request.Core), offers: map[string][]*candidate{}}
	for _, wish := range request.Wishes {
		r.wishes[wish.Name] = wish
	}
	r.collect()
	for {
		r.rule()
		chosen := r.choose()
		if !r.bindOptional(chosen) {
			return r.lock(chosen)
		}
	}
}

// collect lists what there is. Of the same version in several update centers that of the newest counts.
func (r *resolver) collect() {
	centers := slices.Clone(r.Centers)
	slices.SortStableFunc(centers, func(a, b *updatecenter.Center) int { return b.Generated.Compare(a.Generated) })
	r.Centers = centers
	add := func(p updatecenter.Plugin) {
		for _, known := range r.offers[p.Name] {
			if known.Version == p.Version {
				return
			}
		}
		r.offers[p.Name] = append(r.offers[p.Name], &candidate{Plugin: p})
	}
	for _, own := range r.Own {
		add(own)
	}
	for _, center := range centers {
		for _, name := range slices.Sorted(maps.Keys(center.Plugins)) {
			add(center.Plugins[name])
		}
	}
	for _, offers := range r.offers {
		slices.SortStableFunc(offers, func(a, b *candidate) int {
			return cmp.Or(version.Compare(b.Version, a.Version), strings.Compare(b.Version, a.Version))
		})
		for _, c := range offers {
			r.describe(c)
		}
	}
}

// describe finds what a candidate needs, and whether it could run at all.
func (r *resolver) describe(c *candidate) {
	for _, d := range c.Dependencies {
		need := Need{Name: d.Name, Version: d.Version, Optional: d.Optional}
		if d.Optional {
			c.optional = append(c.optional, need)
		} else {
			c.needs = append(c.needs, need)
		}
	}
	for _, s := range r.splits.impliedBy(c.Name, c.RequiredCore) {
		declared := slices.ContainsFunc(c.needs, func(n Need) bool { return n.Name == s.Name })
		if !declared && len(r.offers[s.Name]) > 0 {
			c.needs = append(c.needs, Need{Name: s.Name, Version: s.Version, Implied: true})
		}
	}
	wish, wished := r.wishes[c.Name]
	switch {
	case version.Older(r.Core, c.RequiredCore):
		c.reason = "needs Jenkins " + c.RequiredCore
	case !r.runsOn(c.MinimumJava):
		c.reason = "needs Java " + c.MinimumJava
	case wished && !wish.takes(c.Version):
		c.reason = "is not taken: " + wish.String()
	}
	c.against = c.reason
}

func (r *resolver) runsOn(java string) bool {
	return java == "" || len(r.Java) == 0 || slices.ContainsFunc(r.Java, func(major int) bool { return major >= javaMajor(java) })
}

// javaMajor is 8 for 1.8, and 17 for 17 or 17.0.1.
func javaMajor(text string) int {
	major, _, _ := strings.Cut(strings.TrimPrefix(text, "1."), ".")
	n, _ := strconv.Atoi(major)
	return n
}

// best is the newest candidate that nothing stands against and that is not older than least.
func (r *resolver) best(name, least string) *candidate {
	for _, c := range r.offers[name] {
		if c.against == "" {
			if version.Older(c.Version, least) {
				return nil
			}
			return c
		}
	}
	return nil
}

// rule takes out, until nothing changes, the candidates that need what is not there. Needs are lower bounds, so what stays can be
// taken together in its newest versions.
func (r *resolver) rule() {
	for changed := true; changed; {
		changed = false
		for _, name := range slices.Sorted(maps.Keys(r.offers)) {
			for _, c := range r.offers[name] {
				for _, need := range c.needs {
					lacks := r.best(need.Name, need.Version) == nil
					if need.Implied {
						lacks = r.lacksImplied(need)
					}
					if c.against == "" && lacks {
						c.against, changed = "needs "+need.Name+" "+need.Version, true
					}
				}
			}
		}
	}
}

// warsWithout are the cores whose war no longer carries the plugins that once were part of it.
const warsWithout = "2.580"

// lacksImplied is about a plugin that once was part of the core. The wars of older cores bring a copy of their own.
func (r *resolver) lacksImplied(need Need) bool {
	return r.best(need.Name, need.Version) == nil && !version.Older(r.Core, warsWithout)
}

// choose takes the best of what is wanted and needed.
func (r *resolver) choose() map[string]*candidate {
	chosen := map[string]*candidate{}
	var todo []string
	for _, wish := range r.Wishes {
		todo = append(todo, wish.Name)
	}
	for len(todo) > 0 {
		c := r.best(todo[0], "")
		todo = todo[1:]
		if c == nil || chosen[c.Name] != nil {
			continue
		}
		chosen[c.Name] = c
		for _, need := range c.needs {
			todo = append(todo, need.Name)
		}
	}
	return chosen
}

// bindOptional takes out candidates that would not load beside the others: an optional plugin that is there must be new enough. It says
// whether there were any.
func (r *resolver) bindOptional(chosen map[string]*candidate) bool {
	found := false
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		c := chosen[name]
		for _, need := range c.optional {
			other := chosen[need.Name]
			if other != nil && version.Older(other.Version, need.Version) {
				c.reason, found = fmt.Sprintf("needs %s %s or newer where it is there, and it is %s", need.Name, need.Version, other.Version), true
				c.against = c.reason
			}
		}
	}
	return found
}

func (r *resolver) lock(chosen map[string]*candidate) (*Lock, error) {
	lock := &Lock{Core: r.Core}
	var failed []Wish
	for _, wish := range r.Wishes {
		if chosen[wish.Name] == nil {
			failed = append(failed, wish)
			lock.Unlocked = append(lock.Unlocked, Unlocked{wish.Name, wish.Version, r.shortReason(wish)})
		}
	}
	if len(failed) > 0 && !r.Partial {
		return nil, r.explain(failed)
	}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		lock.Plugins = append(lock.Plugins, r.locked(chosen[name], chosen))
	}
	for _, center := range r.Centers {
		lock.UpdateCenters = append(lock.UpdateCenters, Source{ID: center.ID, Generated: center.Generated.UTC().Format(time.RFC3339),
			Digest: center.Provenance.Digest, Signer: center.Provenance.Signer, Mirror: center.Provenance.Mirror})
	}
	return lock, nil
}

// shortReason is what stands against the newest version of a wish.
func (r *resolver) shortReason(wish Wish) string {
	if offers := r.offers[wish.Name]; len(offers) > 0 {
		return offers[0].String() + " " + offers[0].against
	}
	return "no update center has it"
}

func (r *resolver) locked(c *candidate, chosen map[string]*candidate) Plugin {
	_, wanted := r.wishes[c.Name]
	p := Plugin{Name: c.Name, Version: c.Version, SHA256: c.SHA256, Size: c.Size, URL: c.URL, RequiredCore: c.RequiredCore, MinimumJava: c.MinimumJava, Wanted: wanted}
	if len(r.Centers) > 0 {
		p.Deprecated = r.Centers[0].Deprecated[c.Name]
	}
	for _, need := range slices.Concat(c.needs, c.optional) {
		if chosen[need.Name] != nil {
			p.Needs = append(p.Needs, need)
		}
	}
	slices.SortFunc(p.Needs, func(a, b Need) int { return strings.Compare(a.Name, b.Name) })
	return p
}
