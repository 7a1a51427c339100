package resolve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/bundles/updatecenter"
)

// Advisories are the security warnings of a signed update center, or an extract about some plugins. The extract has no signature:
// it was made from the update center that its digest names.
type Advisories struct {
	Generated time.Time `json:"generated"`
	// Digest is the SHA-512 of the signed content of the update center.
	Digest   string                 `json:"sha512"`
	Warnings []updatecenter.Warning `json:"warnings"`
	// Deprecated says for names of plugins where their deprecation is explained.
	Deprecated map[string]string `json:"deprecated"`
}

// AllAdvisories are all of an update center.
func AllAdvisories(c *updatecenter.Center) Advisories {
	return Advisories{c.Generated, c.Provenance.Digest, c.Warnings, c.Deprecated}
}

// AdvisoriesFor are those about the core and the plugins of a lock.
func AdvisoriesFor(c *updatecenter.Center, lock *Lock) Advisories {
	a := Advisories{Generated: c.Generated, Digest: c.Provenance.Digest, Deprecated: map[string]string{}}
	for _, w := range c.Warnings {
		if _, locked := lock.Plugin(w.Name); locked || w.Name == updatecenter.CoreName {
			a.Warnings = append(a.Warnings, w)
		}
	}
	for _, p := range lock.Plugins {
		if why := c.Deprecated[p.Name]; why != "" {
			a.Deprecated[p.Name] = why
		}
	}
	return a
}

// JSON is the advisories as a file: a warning per line, in the order of the plugins, so that changes can be read.
func (a Advisories) JSON() ([]byte, error) {
	sorted := slices.Clone(a.Warnings)
	slices.SortStableFunc(sorted, func(x, y updatecenter.Warning) int {
		return strings.Compare(x.Name+"\x00"+x.ID, y.Name+"\x00"+y.ID)
	})
	var out bytes.Buffer
	deprecated, err := json.Marshal(a.Deprecated)
	if err != nil {
		return nil, fmt.Errorf("writing advisories: %w", err)
	}
	fmt.Fprintf(&out, "{\"generated\": %q, \"sha512\": %q,\n\"deprecated\": %s,\n\"warnings\": [", a.Generated.UTC().Format(time.RFC3339), a.Digest, deprecated)
	for i, w := range sorted {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		line, err := json.Marshal(w)
		if err != nil {
			return nil, fmt.Errorf("writing advisories: %w", err)
		}
		out.Write(line)
	}
	out.WriteString("\n]}\n")
	return out.Bytes(), nil
}

// ParseAdvisories reads what JSON wrote.
func ParseAdvisories(data []byte) (Advisories, error) {
	var a Advisories
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		return a, fmt.Errorf("reading advisories: %w", err)
	}
	return a, nil
}

// Warning is a security warning that concerns a version.
type Warning struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Message string `json:"message"`
	URL     string `json:"url"`
}

// Knowledge is everything that is known from several advisories. Of the same warning the newest text counts.
type Knowledge struct {
	// AsOf is the time of the newest.
	AsOf       time.Time
	warnings   []updatecenter.Warning
	deprecated map[string]string
}

// Know puts advisories together.
func Know(all ...Advisories) Knowledge {
	k := Knowledge{deprecated: map[string]string{}}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Advisories) int { return b.Generated.Compare(a.Generated) })
	known := map[string]bool{}
	for _, a := range all {
		if a.Generated.After(k.AsOf) {
			k.AsOf = a.Generated
		}
		for _, w := range a.Warnings {
			if key := w.Name + " " + w.ID; !known[key] {
				known[key] = true
				k.warnings = append(k.warnings, w)
			}
		}
		for name, why := range a.Deprecated {
			if k.deprecated[name] == "" {
				k.deprecated[name] = why
			}
		}
	}
	return k
}

// Against are the warnings that concern a core and the plugins of a lock, which may be nil; ordered, the core first.
func (k Knowledge) Against(core string, lock *Lock) []Warning {
	versions := map[string]string{updatecenter.CoreName: core}
	if lock != nil {
		for _, p := range lock.Plugins {
			versions[p.Name] = p.Version
		}
	}
	var all []Warning
	for _, w := range k.warnings {
		if v := versions[w.Name]; v != "" && w.Concerns(v) {
			all = append(all, Warning{w.ID, w.Name, v, w.Message, w.URL})
		}
	}
	slices.SortFunc(all, func(a, b Warning) int { return strings.Compare(a.key(), b.key()) })
	return all
}

func (w Warning) key() string {
	if w.Name == updatecenter.CoreName {
		return " " + w.ID
	}
	return w.Name + " " + w.ID
}

// Deprecated says where the deprecation of a plugin is explained, empty where it is not deprecated.
func (k Knowledge) Deprecated(name string) string { return k.deprecated[name] }
