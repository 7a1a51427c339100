// Package catalogue is the list of places from which Mesos, Marathon, ZooKeeper and Jenkins can still be had, as data: one YAML
// file per source, read strictly, with the date on which it was last seen to be in use. It also knows the hosts that are gone.
package catalogue

import (
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed *.yaml
var files embed.FS

const deadHostsFile = "dead-hosts.yaml"

// Catalogue is all entries and all hosts that are gone.
type Catalogue struct {
	// Entries are sorted by name.
	Entries []Entry
	// Dead are hosts that no longer answer.
	Dead []DeadHost
}

// Load reads the catalogue of this program.
func Load() (*Catalogue, error) { return Read(files) }

// Read reads a catalogue from a folder: every *.yaml is one entry, dead-hosts.yaml the hosts that are gone. What is not known to
// the types is an error, and so is what contradicts itself.
func Read(folder fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the catalogue: %w", err)
	}
	c := &Catalogue{}
	for _, name := range names {
		if err := c.read(folder, name); err != nil {
			return nil, fmt.Errorf("read %s of the catalogue: %w", name, err)
		}
	}
	slices.SortFunc(c.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

func (c *Catalogue) read(folder fs.FS, name string) error {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	if name == deadHostsFile {
		var dead struct {
			Hosts []DeadHost `yaml:"hosts"`
		}
		if err := yaml.UnmarshalWithOptions(text, &dead, yaml.Strict()); err != nil {
			return err
		}
		c.Dead = dead.Hosts
		return validateDead(c.Dead)
	}
	var entry Entry
	if err := yaml.UnmarshalWithOptions(text, &entry, yaml.Strict()); err != nil {
		return err
	}
	if want := strings.TrimSuffix(name, ".yaml"); entry.Name != want {
		return fmt.Errorf("name: %q: must be %q, as the file", entry.Name, want)
	}
	c.Entries = append(c.Entries, entry)
	return entry.validate()
}

// Entry finds an entry by its name.
func (c *Catalogue) Entry(name string) (Entry, bool) {
	for _, entry := range c.Entries {
		if entry.Name == name {
			return entry, true
		}
	}
	return Entry{}, false
}

// Names are the names of the entries for a component; all of them for the empty component.
func (c *Catalogue) Names(component string) []string {
	var names []string
	for _, entry := range c.Entries {
		if component == "" || entry.Component == component {
			names = append(names, entry.Name)
		}
	}
	return names
}

// Gone says whether a URL is on a host that no longer exists.
func (c *Catalogue) Gone(address string) (DeadHost, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return DeadHost{}, false
	}
	i := slices.IndexFunc(c.Dead, func(d DeadHost) bool { return strings.EqualFold(d.Host, u.Hostname()) })
	if i < 0 {
		return DeadHost{}, false
	}
	return c.Dead[i], true
}
