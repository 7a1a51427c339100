package catalogue

import (
	"cmp"
	"fmt"
	"time"

	version "github.com/knqyf263/go-deb-version"
)

// Kind is how a source hands its programs over.
type Kind string

// The kinds of entries.
const (
	KindApt     Kind = "apt"     // a package in an apt repository
	KindYum     Kind = "yum"     // a package in a yum repository
	KindArchive Kind = "archive" // a tar archive of programs
	KindImage   Kind = "image"   // a container image
	KindSource  Kind = "source"  // source code, to be built by the user
	KindWar     Kind = "war"     // a jenkins.war
)

// JavaBinding says whether a libmesos.so can be loaded by Java (JNI).
type JavaBinding string

// The answers about the Java binding.
const (
	BindingYes     JavaBinding = "yes"
	BindingNo      JavaBinding = "no"
	BindingUnknown JavaBinding = "unknown"
	// BindingBundled: the program brings its own libmesos and needs none of the host.
	BindingBundled JavaBinding = "bundled"
)

// Date is a day, YYYY-MM-DD.
type Date struct{ time.Time }

// UnmarshalYAML reads YYYY-MM-DD.
func (d *Date) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return fmt.Errorf("%q: must be a day, YYYY-MM-DD", text)
	}
	d.Time = at
	return nil
}

// MarshalJSON writes "YYYY-MM-DD", and "" for no day.
func (d Date) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// String is YYYY-MM-DD; empty for no day.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// Entry is one living source.
type Entry struct {
	// Name is the name of the file and of `{catalog: NAME}`.
	Name string `yaml:"name" json:"name"`
	// Title is one line for people.
	Title string `yaml:"title" json:"title"`
	// Component is mesos, marathon, zookeeper or jenkins.
	Component string `yaml:"component" json:"component"`
	Kind      Kind   `yaml:"kind" json:"kind"`
	// LastSeen is the day on which the source was last seen to be used or to answer.
	LastSeen Date   `yaml:"lastSeen" json:"lastSeen"`
	Home     string `yaml:"home" json:"home"`
	// Trust says who stands behind the source and how it is verified.
	Trust string `yaml:"trust" json:"trust"`
	// Package is the name of the package of apt and yum.
	Package string `yaml:"package,omitempty" json:"package,omitempty"`
	// Image is repository:tag or repository@digest.
	Image string `yaml:"image,omitempty" json:"image,omitempty"`
	// Versions are versions that were seen, the newest first.
	Versions []string `yaml:"versions,omitempty" json:"versions,omitempty"`
	// Mesos is the version of Mesos that the programs say they are.
	Mesos string `yaml:"mesos,omitempty" json:"mesos,omitempty"`
	Key   *Key   `yaml:"key,omitempty" json:"key,omitempty"`
	// Repositories are the package repositories, one for each system and suite; none means the system's own.
	Repositories []Repository `yaml:"repositories,omitempty" json:"repositories,omitempty"`
	// Downloads are the files; the first is the one that is taken.
	Downloads []Download `yaml:"downloads,omitempty" json:"downloads,omitempty"`
	// Arch are the architectures, as Debian names them, where no repository says it.
	Arch []string `yaml:"arch,omitempty" json:"arch,omitempty"`
	// Java is the oldest Java that the programs want on the host; 0 for none.
	Java int `yaml:"java,omitempty" json:"java,omitempty"`
	// MinimumMesos is the oldest Mesos that the programs work with.
	MinimumMesos string `yaml:"minimumMesos,omitempty" json:"minimumMesos,omitempty"`
	// NeedsJavaBinding says that the programs load a libmesos.so of the host from Java.
	NeedsJavaBinding bool           `yaml:"needsJavaBinding,omitempty" json:"needsJavaBinding,omitempty"`
	Supports         Supports       `yaml:"supports" json:"supports"`
	ByVersion        []VersionLimit `yaml:"byVersion,omitempty" json:"byVersion,omitempty"`
	Layout           Layout         `yaml:"layout,omitempty" json:"layout"`
	// ExtraPackages are needed by the programs, but not declared by their package.
	ExtraPackages []string `yaml:"extraPackages,omitempty" json:"extraPackages,omitempty"`
	// NotFor are uses that cannot work, for people.
	NotFor []string `yaml:"notFor,omitempty" json:"notFor,omitempty"`
}

// Key is an OpenPGP key that signs a repository or its packages.
type Key struct {
	URL     string   `yaml:"url" json:"url"`
	Mirrors []string `yaml:"mirrors,omitempty" json:"mirrors,omitempty"`
	// Fingerprint is that of the primary key: 40 upper-case hexadecimal digits.
	Fingerprint string `yaml:"fingerprint" json:"fingerprint"`
	Created     Date   `yaml:"created,omitempty" json:"created"`
	// Expires is the latest end that was seen in public copies of the key; the key itself decides.
	Expires Date `yaml:"expires,omitempty" json:"expires"`
}

// Repository is an apt or yum repository for one system.
type Repository struct {
	// System is the ID of /etc/os-release: debian, ubuntu, almalinux, ...
	System string `yaml:"system" json:"system"`
	// Suite is the codename, or for yum the major version.
	Suite   string   `yaml:"suite" json:"suite"`
	URI     string   `yaml:"uri" json:"uri"`
	Mirrors []string `yaml:"mirrors,omitempty" json:"mirrors,omitempty"`
	// Components are the words after the suite in a line of sources.list.
	Components []string `yaml:"components,omitempty" json:"components,omitempty"`
	Arch       []string `yaml:"arch" json:"arch"`
	// Seen is the newest version that was seen there, where that is not the newest of all.
	Seen string `yaml:"seen,omitempty" json:"seen,omitempty"`
	// AlsoOn are other suites of the system on which the packages were seen to run.
	AlsoOn []string `yaml:"alsoOn,omitempty" json:"alsoOn,omitempty"`
}

// Download is one file.
type Download struct {
	Version string   `yaml:"version" json:"version"`
	URL     string   `yaml:"url" json:"url"`
	Mirrors []string `yaml:"mirrors,omitempty" json:"mirrors,omitempty"`
	// SHA256 or SHA1 is the published checksum; where only SHA-1 was published, the lock adds SHA-256.
	SHA256 string `yaml:"sha256,omitempty" json:"sha256,omitempty"`
	SHA1   string `yaml:"sha1,omitempty" json:"sha1,omitempty"`
	// Size is in bytes; 0 where it is not known.
	Size int64 `yaml:"size,omitempty" json:"size,omitempty"`
}

// Supports is what the programs can do.
type Supports struct {
	// Cgroups are the cgroup hierarchies, 1 and 2, on which a Mesos agent starts.
	Cgroups     []int       `yaml:"cgroups" json:"cgroups"`
	JavaBinding JavaBinding `yaml:"javaBinding" json:"javaBinding"`
	// TLS is no where the programs were built without SSL.
	TLS string `yaml:"tls,omitempty" json:"tls,omitempty"`
	// DockerMinimum is the oldest Docker Engine that the programs work with; 0 for any.
	DockerMinimum int `yaml:"dockerMinimum,omitempty" json:"dockerMinimum,omitempty"`
}

// VersionLimit is what differs for the package versions From (included) to Before (not included).
type VersionLimit struct {
	From        string      `yaml:"from,omitempty" json:"from,omitempty"`
	Before      string      `yaml:"before,omitempty" json:"before,omitempty"`
	Cgroups     []int       `yaml:"cgroups,omitempty" json:"cgroups,omitempty"`
	JavaBinding JavaBinding `yaml:"javaBinding,omitempty" json:"javaBinding,omitempty"`
	Note        string      `yaml:"note,omitempty" json:"note,omitempty"`
	// Broken says why these versions are not to be used.
	Broken string `yaml:"broken,omitempty" json:"broken,omitempty"`
}

// Layout is where the programs are after the installation; paths in an archive are relative.
type Layout struct {
	Master      string `yaml:"master,omitempty" json:"master,omitempty"`
	Agent       string `yaml:"agent,omitempty" json:"agent,omitempty"`
	Marathon    string `yaml:"marathon,omitempty" json:"marathon,omitempty"`
	Library     string `yaml:"library,omitempty" json:"library,omitempty"`
	LauncherDir string `yaml:"launcherDir,omitempty" json:"launcherDir,omitempty"`
	WebUI       string `yaml:"webUI,omitempty" json:"webUI,omitempty"`
	// Units are the systemd units that the package brings, Enabled those that its installation enables.
	Units   []string `yaml:"units" json:"units"`
	Enabled []string `yaml:"enabled" json:"enabled"`
}

// DeadHost is a host that software was once fetched from.
type DeadHost struct {
	Host string `yaml:"host" json:"host"`
	// Since is the month, YYYY-MM, since which it is known to be gone.
	Since string `yaml:"since" json:"since"`
	Seen  string `yaml:"seen" json:"seen"`
	// Instead says what lives in its place.
	Instead string `yaml:"instead" json:"instead"`
}

// For is the repository for a system and suite.
func (e Entry) For(system, suite string) (Repository, bool) {
	for _, r := range e.Repositories {
		if r.System != system {
			continue
		}
		if r.Suite == suite {
			return r, true
		}
		for _, also := range r.AlsoOn {
			if also == suite {
				return r, true
			}
		}
	}
	return Repository{}, false
}

// At is what the entry supports at one version of its package, with notes, and why that version is broken. The empty
// version means the newest.
func (e Entry) At(v string) (s Supports, notes []string, broken string) {
	s = e.Supports
	if v == "" && len(e.Versions) > 0 {
		v = e.Versions[0]
	}
	for _, limit := range e.ByVersion {
		if !limit.covers(v) {
			continue
		}
		if len(limit.Cgroups) > 0 {
			s.Cgroups = limit.Cgroups
		}
		if limit.JavaBinding != "" {
			s.JavaBinding = limit.JavaBinding
		}
		if limit.Note != "" {
			notes = append(notes, limit.Note)
		}
		if limit.Broken != "" {
			broken = limit.Broken
		}
	}
	return s, notes, broken
}

func (l VersionLimit) covers(v string) bool {
	return (l.From == "" || Compare(v, l.From) >= 0) && (l.Before == "" || Compare(v, l.Before) < 0)
}

// Compare orders two versions as dpkg does: -1, 0 or 1. What is no version is older than any.
func Compare(a, b string) int {
	left, errA := version.NewVersion(a)
	right, errB := version.NewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return 0
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return cmp.Compare(left.Compare(right), 0)
}
