package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/wholefile"
)

const lockVersion = "jomctl/lock/v1"

// Lock is cluster.lock.yaml, beside cluster.yaml and to be committed with it: what was got for each component. Later fetches must get
// the same.
type Lock struct {
	APIVersion string   `yaml:"apiVersion"`
	Sources    []Locked `yaml:"sources"`
}

// Locked is what was got from one source for one kind of host.
type Locked struct {
	Component string `yaml:"component" json:"component"`
	// Source is the source as cluster.yaml names it.
	Source string `yaml:"source" json:"source"`
	// For is SYSTEM/SUITE/ARCH.
	For     string `yaml:"for" json:"for"`
	Kind    Kind   `yaml:"kind" json:"kind"`
	URL     string `yaml:"url,omitempty" json:"url,omitempty"`
	Version string `yaml:"version,omitempty" json:"version,omitempty"`
	// SHA256 and Size are those of the file; for an image those of its archive, which only a packed one has.
	SHA256 string `yaml:"sha256,omitempty" json:"sha256,omitempty"`
	Size   int64  `yaml:"size,omitempty" json:"size,omitempty"`
	// Image is repository@digest, ImageID the digest of its configuration, by which an engine that loaded the archive knows it.
	Image   string `yaml:"image,omitempty" json:"image,omitempty"`
	ImageID string `yaml:"imageID,omitempty" json:"imageID,omitempty"`
	// KeyFingerprint is that of the key that signed (of a yum repository two, "A, B", where index and package have different ones), KeyExpires its end, YYYY-MM-DD, and KeySHA256 the checksum of the key's file.
	KeyFingerprint string `yaml:"keyFingerprint,omitempty" json:"keyFingerprint,omitempty"`
	KeyExpires     string `yaml:"keyExpires,omitempty" json:"keyExpires,omitempty"`
	KeySHA256      string `yaml:"keySHA256,omitempty" json:"keySHA256,omitempty"`
	// Signed says what of a yum repository had a good signature: index, package, or both.
	Signed string `yaml:"signed,omitempty" json:"signed,omitempty"`
	// Got is the day, YYYY-MM-DD.
	Got string `yaml:"got" json:"got"`
}

// LockFile is the path of the lock of a cluster: beside its cluster.yaml, named after it.
func LockFile(c *config.Cluster) string {
	name := filepath.Base(c.File)
	return filepath.Join(c.Dir(), strings.TrimSuffix(name, filepath.Ext(name))+".lock.yaml")
}

// ReadLock reads a lock; a missing file is an empty lock.
func ReadLock(path string) (*Lock, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{APIVersion: lockVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	return parseLock(text, path)
}

func parseLock(text []byte, path string) (*Lock, error) {
	var l Lock
	if err := yaml.UnmarshalWithOptions(text, &l, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read the lock %s: %w", path, err)
	}
	if l.APIVersion != lockVersion {
		return nil, fmt.Errorf("read the lock %s: apiVersion: %q: must be %q", path, l.APIVersion, lockVersion)
	}
	return &l, nil
}

// text is the lock as it is written, in a fixed order.
func (l *Lock) text() ([]byte, error) {
	slices.SortStableFunc(l.Sources, func(a, b Locked) int { return strings.Compare(a.key(), b.key()) })
	body, err := yaml.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("write the lock: %w", err)
	}
	return append([]byte("# Written by `jomctl sources lock`; commit it with the cluster file. `jomctl sources lock --update` takes what is new.\n"), body...), nil
}

// Write replaces the file of the lock as a whole.
func (l *Lock) Write(path string) error {
	text, err := l.text()
	if err != nil {
		return err
	}
	if err := wholefile.Write(path, text, 0o644); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}

func (l Locked) key() string { return l.Component + "\x00" + l.For + "\x00" + l.Source }

func keyFor(p Plan) string {
	return Locked{Component: p.Component, Source: p.Title, For: p.Facts.String()}.key()
}

// Find is what is locked for a plan. A lock of another source of the component does not count.
func (l *Lock) Find(p Plan) (Locked, bool) {
	if l == nil {
		return Locked{}, false
	}
	i := slices.IndexFunc(l.Sources, func(one Locked) bool { return one.key() == keyFor(p) })
	if i < 0 {
		return Locked{}, false
	}
	return l.Sources[i], true
}

// Set records one source, in the place of what was locked for the same component and kind of host.
func (l *Lock) Set(one Locked) {
	l.Sources = slices.DeleteFunc(l.Sources, func(old Locked) bool { return old.Component == one.Component && old.For == one.For })
	l.Sources = append(l.Sources, one)
}

// Keep leaves those of a kind whose component is among the given ones, and all other kinds.
func (l *Lock) Keep(kind Kind, components []string) {
	l.Sources = slices.DeleteFunc(l.Sources, func(one Locked) bool { return one.Kind == kind && !slices.Contains(components, one.Component) })
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Has says whether something is locked for the same source and kind of host as for another entry.
func (l *Lock) Has(other Locked) bool {
	return slices.ContainsFunc(l.Sources, func(one Locked) bool { return one.key() == other.key() })
}
