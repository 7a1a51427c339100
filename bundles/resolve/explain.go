package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/bundles/version"
)

// Blocker is a plugin of which there is no version that can be taken.
type Blocker struct {
	Name string
	// Reasons say of each version that there is what stands against it.
	Reasons []string
	// Wanted are those that need it, each with the oldest version that it takes.
	Wanted []string
}

// Conflict is a wish that cannot be granted.
type Conflict struct {
	Wish Wish
	// Through are the plugins between the wish and what blocks it, in their order; empty where it is blocked itself.
	Through []string
	// Blocker is the name of the first plugin that blocks it.
	Blocker string
}

// ConflictError is a request that cannot be resolved, with all that stands against it.
type ConflictError struct {
	Core      string
	Conflicts []Conflict
	Blockers  []Blocker
}

// Error is the whole explanation, in several lines.
func (e *ConflictError) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "no set of plugins fits Jenkins %s:", e.Core)
	for _, b := range e.Blockers {
		fmt.Fprintf(&out, "\n  %s cannot be taken:", b.Name)
		for _, reason := range b.Reasons {
			out.WriteString("\n    " + reason)
		}
		for _, wanter := range b.Wanted {
			out.WriteString("\n    wanted by " + wanter)
		}
	}
	for _, c := range e.Conflicts {
		fmt.Fprintf(&out, "\n  so not possible: %s", c.Wish)
		if c.Blocker != c.Wish.Name {
			fmt.Fprintf(&out, " (%s)", strings.Join(append(slices.Clone(c.Through), c.Blocker), " > "))
		}
	}
	return out.String()
}

// Hint is what can be done.
func (e *ConflictError) Hint() string {
	return "take a newer core in bundle.yaml, leave the plugin out of plugins.txt, or give further update centers: each has of a plugin only the version that was newest then"
}

// ExitCode is that of a refusal.
func (e *ConflictError) ExitCode() int { return 3 }

// explanation follows what the failed wishes need until it meets what blocks them.
type explanation struct {
	*resolver
	reasons map[string][]string
	wanted  map[string]map[string]bool
	visited map[string]bool
	// first is the first way to a blocker.
	first []string
}

func (r *resolver) explain(failed []Wish) *ConflictError {
	e := &explanation{resolver: r, reasons: map[string][]string{}, wanted: map[string]map[string]bool{}}
	conflict := &ConflictError{Core: r.Core}
	for _, wish := range failed {
		e.visited, e.first = map[string]bool{}, nil
		e.follow([]string{wish.Name}, "", "")
		found := Conflict{Wish: wish, Blocker: wish.Name}
		if n := len(e.first); n > 1 {
			found.Through, found.Blocker = e.first[1:n-1], e.first[n-1]
		}
		conflict.Conflicts = append(conflict.Conflicts, found)
	}
	for _, name := range slices.Sorted(maps.Keys(e.reasons)) {
		conflict.Blockers = append(conflict.Blockers, Blocker{name, e.reasons[name], slices.Sorted(maps.Keys(e.wanted[name]))})
	}
	return conflict
}

// follow looks at the last plugin of a way, which somebody needs in at least a version.
func (e *explanation) follow(way []string, least, wanter string) {
	name := way[len(way)-1]
	if wanter != "" {
		if e.wanted[name] == nil {
			e.wanted[name] = map[string]bool{}
		}
		e.wanted[name][fmt.Sprintf("%s: %s or newer", wanter, least)] = true
	}
	if e.visited[name] {
		return
	}
	e.visited[name] = true
	if len(e.offers[name]) == 0 {
		e.block(way, "no update center given here has it")
	}
	for _, c := range e.offers[name] {
		switch {
		case c.reason != "":
			e.block(way, c.String()+" "+c.reason)
		case c.against == "" && version.Older(c.Version, least):
			e.block(way, c.String()+" is the newest that fits")
		case c.against != "":
			for _, need := range c.needs {
				if !need.Implied && e.best(need.Name, need.Version) == nil || need.Implied && e.lacksImplied(need) {
					e.follow(append(slices.Clone(way), need.Name), need.Version, c.String())
				}
			}
		}
	}
	if offers := e.offers[name]; len(offers) > 0 && len(e.reasons[name]) > 0 {
		if oldest := offers[len(offers)-1]; oldest.Previous != "" {
			e.block(way, "the version before was "+oldest.Previous+", which no update center given here has")
		}
	}
}

func (e *explanation) block(way []string, reason string) {
	name := way[len(way)-1]
	if e.first == nil {
		e.first = way
	}
	if !slices.Contains(e.reasons[name], reason) {
		e.reasons[name] = append(e.reasons[name], reason)
	}
}
