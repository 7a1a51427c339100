package resolve

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/updatecenter"
	"github.com/jomctl/jomctl/bundles/version"
)

const (
	worldPlugins = 5
	worldCenters = 3
)

// world is a random handful of plugins in several versions. All were built for cores that imply nothing.
type world struct {
	centers []*updatecenter.Center
	wishes  string
	text    string
}

func newWorld(r *rand.Rand, optional bool) world {
	w := world{}
	for day := 1; day <= worldCenters; day++ {
		var lines []string
		for i := range worldPlugins {
			if r.IntN(6) == 0 {
				continue
			}
			line := fmt.Sprintf("p%d %d 2.%d", i, day, 400+r.IntN(120))
			for range r.IntN(3) {
				if other := r.IntN(worldPlugins); other != i {
					mark := ""
					if optional && r.IntN(2) == 0 {
						mark = "?"
					}
					line += fmt.Sprintf(" p%d %d%s", other, 1+r.IntN(worldCenters), mark)
				}
			}
			lines = append(lines, line)
		}
		w.centers = append(w.centers, center(day, lines...))
		w.text += strings.Join(lines, "\n") + "\n"
	}
	for _, i := range r.Perm(worldPlugins)[:1+r.IntN(2)] {
		form := [...]string{"p%d\n", "p%d:2\n", "p%d:=2\n"}[r.IntN(3)]
		w.wishes += fmt.Sprintf(form, i)
	}
	return w
}

// sets calls do with every set of versions that fits, found by trying all of them.
func (w world) sets(core string, wishes []Wish, do func(map[string]updatecenter.Plugin)) {
	var try func(i int, chosen map[string]updatecenter.Plugin)
	try = func(i int, chosen map[string]updatecenter.Plugin) {
		if i == worldPlugins {
			if fits(core, wishes, chosen) {
				do(chosen)
			}
			return
		}
		name := fmt.Sprintf("p%d", i)
		try(i+1, chosen)
		for _, c := range w.centers {
			if p, has := c.Plugins[name]; has {
				chosen[name] = p
				try(i+1, chosen)
				delete(chosen, name)
			}
		}
	}
	try(0, map[string]updatecenter.Plugin{})
}

// fits is what Jenkins demands, said once more in the simplest way.
func fits(core string, wishes []Wish, chosen map[string]updatecenter.Plugin) bool {
	for _, wish := range wishes {
		if p, has := chosen[wish.Name]; !has || !wish.takes(p.Version) {
			return false
		}
	}
	for _, p := range chosen {
		if version.Older(core, p.RequiredCore) {
			return false
		}
		for _, d := range p.Dependencies {
			other, has := chosen[d.Name]
			if !has && !d.Optional || has && version.Older(other.Version, d.Version) {
				return false
			}
		}
	}
	return true
}

// TestAgainstTryingEverything compares the resolver with a search through all sets. Where there are optional plugins it may miss a set that
// needs an older version of what brought such a plugin in; what it finds always fits.
func TestAgainstTryingEverything(t *testing.T) {
	const core = "2.480"
	found, impossible := 0, 0
	for seed := range uint64(400) {
		optional := seed%2 == 1
		w := newWorld(rand.New(rand.NewPCG(seed, 7)), optional)
		r := request(t, core, w.wishes, w.centers...)
		lock, err := Resolve(r)
		what := fmt.Sprintf("seed %d\n%s%s", seed, w.text, w.wishes)
		if err != nil {
			impossible++
			require.NotEmpty(t, err.(*ConflictError).Blockers, what)
			if !optional {
				w.sets(core, r.Wishes, func(set map[string]updatecenter.Plugin) { t.Fatalf("%s%v would fit, and: %v", what, set, err) })
			}
			continue
		}
		found++
		require.Empty(t, lock.Audit(core, nil, r.Wishes), what)
		chosen := map[string]updatecenter.Plugin{}
		for _, p := range lock.Plugins {
			of := slices.IndexFunc(w.centers, func(c *updatecenter.Center) bool { return c.Plugins[p.Name].Version == p.Version })
			chosen[p.Name] = w.centers[of].Plugins[p.Name]
		}
		require.True(t, fits(core, r.Wishes, chosen), what)
		if !optional {
			w.sets(core, r.Wishes, func(set map[string]updatecenter.Plugin) {
				for name, p := range chosen {
					require.False(t, version.Older(p.Version, set[name].Version), "%s%s could be newer: %v", what, name, set)
				}
			})
		}
	}
	require.Greater(t, found, 50)
	require.Greater(t, impossible, 50)
}
