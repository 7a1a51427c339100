package resolve

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/bundles/updatecenter"
)

// Lock is a set of plugins that fit together and to a core. Plugins are in the order of their names.
type Lock struct {
	Core          string     `yaml:"core" json:"core"`
	UpdateCenters []Source   `yaml:"updateCenters" json:"updateCenters"`
	Plugins       []Plugin   `yaml:"plugins" json:"plugins"`
	Unlocked      []Unlocked `yaml:"unlocked" json:"unlocked,omitempty"`
}

// Source is an update center that plugins were locked from.
type Source struct {
	ID        string `yaml:"id" json:"id"`
	Generated string `yaml:"generated" json:"generated"`
	// Digest is the SHA-512 of the signed content in hex digits, and Signer who signed it.
	Digest string `yaml:"sha512" json:"sha512"`
	Signer string `yaml:"signer" json:"signer"`
	// Mirror is a mirror whose addresses were taken.
	Mirror string `yaml:"mirror" json:"mirror,omitempty"`
}

// Plugin is a locked plugin. SHA256 is 64 hex digits, Size bytes (0: not known).
type Plugin struct {
	Name         string `yaml:"name" json:"name"`
	Version      string `yaml:"version" json:"version"`
	SHA256       string `yaml:"sha256" json:"sha256"`
	Size         int64  `yaml:"size" json:"size"`
	URL          string `yaml:"url" json:"url"`
	RequiredCore string `yaml:"requiredCore" json:"requiredCore"`
	MinimumJava  string `yaml:"minimumJava" json:"minimumJava,omitempty"`
	// Wanted is set for what plugins.txt names; the others are needed by them.
	Wanted bool `yaml:"wanted" json:"wanted,omitempty"`
	// Deprecated is where its deprecation is explained.
	Deprecated string `yaml:"deprecated" json:"deprecated,omitempty"`
	Needs      []Need `yaml:"needs" json:"needs,omitempty"`
}

// Need is what a locked plugin needs of another one of the lock.
type Need struct {
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version" json:"version"`
	// Optional ones bind because the plugin is there. Implied ones are due to a plugin that was part of the core once.
	Optional bool `yaml:"optional" json:"optional,omitempty"`
	Implied  bool `yaml:"implied" json:"implied,omitempty"`
}

// Unlocked is a wanted plugin for which no update center has a version that fits.
type Unlocked struct {
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version" json:"version,omitempty"`
	Why     string `yaml:"why" json:"why"`
}

// Plugin finds a plugin by its name.
func (l *Lock) Plugin(name string) (Plugin, bool) {
	for _, p := range l.Plugins {
		if p.Name == name {
			return p, true
		}
	}
	return Plugin{}, false
}

// String is plugins.lock. The same lock gives the same text.
func (l *Lock) String() string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	field := func(indent, name, value string) {
		if value != "" {
			line("%s%s: %s", indent, name, strconv.Quote(value))
		}
	}
	line("# Written by jomctl release lock from plugins.txt, which is the file to change.")
	field("", "core", l.Core)
	line("updateCenters:%s", none(len(l.UpdateCenters)))
	for _, s := range l.UpdateCenters {
		line("  - id: %s", strconv.Quote(s.ID))
		field("    ", "generated", s.Generated)
		field("    ", "sha512", s.Digest)
		field("    ", "signer", s.Signer)
		field("    ", "mirror", s.Mirror)
	}
	line("plugins:%s", none(len(l.Plugins)))
	for _, p := range l.Plugins {
		p.write(line, field)
	}
	if len(l.Unlocked) > 0 {
		line("unlocked:")
	}
	for _, u := range l.Unlocked {
		line("  - name: %s", strconv.Quote(u.Name))
		field("    ", "version", u.Version)
		field("    ", "why", u.Why)
	}
	return out.String()
}

func none(count int) string {
	if count == 0 {
		return " []"
	}
	return ""
}

func (p Plugin) write(line func(string, ...any), field func(indent, name, value string)) {
	const indent = "    "
	line("  - name: %s", strconv.Quote(p.Name))
	field(indent, "version", p.Version)
	field(indent, "sha256", p.SHA256)
	line("%ssize: %d", indent, p.Size)
	field(indent, "url", p.URL)
	field(indent, "requiredCore", p.RequiredCore)
	field(indent, "minimumJava", p.MinimumJava)
	if p.Wanted {
		line("%swanted: true", indent)
	}
	field(indent, "deprecated", p.Deprecated)
	if len(p.Needs) > 0 {
		line("%sneeds:", indent)
	}
	for _, n := range p.Needs {
		kind := ""
		if n.Optional {
			kind += ", optional: true"
		}
		if n.Implied {
			kind += ", implied: true"
		}
		line("%s  - {name: %s, version: %s%s}", indent, strconv.Quote(n.Name), strconv.Quote(n.Version), kind)
	}
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsDigest says whether text is a sha256 as releases write it: 64 hex digits in lower case.
func IsDigest(text string) bool { return hexDigest.MatchString(text) }

// ParseLock reads plugins.lock and looks whether it can be used safely.
func ParseLock(data []byte) (*Lock, error) {
	lock := &Lock{}
	if err := yaml.UnmarshalWithOptions(data, lock, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading plugins.lock: %w", err)
	}
	var problems []error
	seen := map[string]bool{}
	for _, p := range lock.Plugins {
		switch {
		case !updatecenter.ValidName(p.Name) || !updatecenter.ValidVersion(p.Version):
			problems = append(problems, fmt.Errorf("plugins.lock: %q %q: not a plugin's name and version", p.Name, p.Version))
		case !IsDigest(p.SHA256):
			problems = append(problems, fmt.Errorf("plugins.lock: %s: sha256: %q: want 64 hex digits", p.Name, p.SHA256))
		case seen[p.Name]:
			problems = append(problems, fmt.Errorf("plugins.lock: %s is there twice", p.Name))
		}
		seen[p.Name] = true
	}
	return lock, errors.Join(problems...)
}
