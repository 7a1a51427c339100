package resolve

import (
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/bundles/version"
)

// Audit says what is wrong with a lock itself: whether it belongs to the core and to what is wanted, whether everything that a plugin needs
// is there in a version that will do, and whether the Java is new enough. Jenkins comes up without a plugin that it cannot load,
// and then drops that plugin's settings.
func (l *Lock) Audit(core string, java []int, wishes []Wish) (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if l.Core != core {
		add("plugins.lock was made for Jenkins %s, and the release has %s", l.Core, core)
	}
	for _, u := range l.Unlocked {
		add("%s %s is wanted and not locked: %s", u.Name, u.Version, u.Why)
	}
	for _, wish := range wishes {
		p, locked := l.Plugin(wish.Name)
		unlocked := slices.ContainsFunc(l.Unlocked, func(u Unlocked) bool { return u.Name == wish.Name })
		switch {
		case !locked && !unlocked:
			add("%s, and plugins.lock does not have it", wish)
		case locked && !wish.takes(p.Version):
			add("%s, and plugins.lock has %s", wish, p.Version)
		}
	}
	for _, p := range l.Plugins {
		for _, problem := range l.auditPlugin(p, core, java) {
			add("%s %s %s", p.Name, p.Version, problem)
		}
	}
	return problems
}

func (l *Lock) auditPlugin(p Plugin, core string, java []int) (problems []string) {
	if version.Older(core, p.RequiredCore) {
		problems = append(problems, "needs Jenkins "+p.RequiredCore)
	}
	if p.MinimumJava != "" && len(java) > 0 && slices.Min(java) < javaMajor(p.MinimumJava) {
		problems = append(problems, fmt.Sprintf("needs Java %s, and the release allows %d", p.MinimumJava, slices.Min(java)))
	}
	for _, need := range p.Needs {
		other, has := l.Plugin(need.Name)
		switch {
		case !has && !need.Optional:
			problems = append(problems, fmt.Sprintf("needs %s %s or newer, which is not locked", need.Name, need.Version))
		case has && version.Older(other.Version, need.Version):
			problems = append(problems, fmt.Sprintf("needs %s %s or newer, and %s is locked", need.Name, need.Version, other.Version))
		}
	}
	return problems
}
