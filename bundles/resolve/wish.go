// Package resolve turns the plugins that somebody wants into a complete list of plugins with exact versions, as Jenkins will load them.
package resolve

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/bundles/updatecenter"
	"github.com/jomctl/jomctl/bundles/version"
)

// Wish is a line of plugins.txt.
type Wish struct {
	Name string
	// Version is the oldest that will do, or with Exact the only one. Empty means any.
	Version string
	Exact   bool
	Line    int
}

// ParseWishes reads plugins.txt: a plugin per line, as NAME, NAME:VERSION (this one or newer) or NAME:=VERSION (exactly this one); # begins a
// comment. All problems come at once.
func ParseWishes(text string) ([]Wish, error) {
	var wishes []Wish
	var problems []error
	lines := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		wish := Wish{Line: i + 1}
		wish.Name, wish.Version, _ = strings.Cut(line, ":")
		wish.Version, wish.Exact = strings.CutPrefix(wish.Version, "=")
		if wish.Version == "latest" {
			wish.Version = ""
		}
		if !updatecenter.ValidName(wish.Name) || wish.Version != "" && !updatecenter.ValidVersion(wish.Version) || wish.Exact && wish.Version == "" {
			problems = append(problems, fmt.Errorf("plugins.txt line %d: %q: want NAME, NAME:VERSION (or newer) or NAME:=VERSION (exactly)", i+1, line))
			continue
		}
		if before := lines[wish.Name]; before > 0 {
			problems = append(problems, fmt.Errorf("plugins.txt line %d: %s is in line %d already", i+1, wish.Name, before))
		}
		lines[wish.Name] = i + 1
		wishes = append(wishes, wish)
	}
	return wishes, errors.Join(problems...)
}

// takes says whether a version will do.
func (w Wish) takes(v string) bool {
	switch {
	case w.Exact:
		return version.Compare(v, w.Version) == 0
	case w.Version != "":
		return !version.Older(v, w.Version)
	}
	return true
}

// String is the wish in words.
func (w Wish) String() string {
	switch {
	case w.Exact:
		return fmt.Sprintf("line %d of plugins.txt wants exactly %s %s", w.Line, w.Name, w.Version)
	case w.Version != "":
		return fmt.Sprintf("line %d of plugins.txt wants %s %s or newer", w.Line, w.Name, w.Version)
	}
	return fmt.Sprintf("line %d of plugins.txt wants %s", w.Line, w.Name)
}
