// Package source brings Mesos, Marathon and ZooKeeper to hosts: it turns what cluster.yaml names into a plan (Resolve), verifies it
// before a host is touched (Checker), keeps what was got in a lock and a cache, carries it in one archive into a network without
// internet (Pack, Unpack), and installs it on a host (Installer).
package source

import (
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision/catalogue"
)

// Kind is how a plan is carried out.
type Kind string

// The kinds of plans.
const (
	KindApt     Kind = "apt"
	KindYum     Kind = "yum"
	KindDeb     Kind = "deb"
	KindRPM     Kind = "rpm"
	KindArchive Kind = "archive"
	KindImage   Kind = "image"
	KindPath    Kind = "path"
	KindStandin Kind = "standin"
	// KindWar and KindPlugin are jenkins.war and a plugin, which are no matter of a host's system.
	KindWar    Kind = "war"
	KindPlugin Kind = "plugin"
)

// The components.
const (
	ZooKeeper = "zookeeper"
	Mesos     = "mesos"
	Marathon  = "marathon"
)

// Components are the names of all components, in the order in which they are installed.
func Components() []string { return []string{ZooKeeper, Mesos, Marathon} }

// Finding is one thing that stands against a source.
type Finding struct {
	Subject string `json:"subject"`
	Problem string `json:"problem"`
	// Fix says what to do; empty where that does not help.
	Fix string `json:"fix,omitempty"`
}

// String is subject: problem (fix).
func (f Finding) String() string {
	text := f.Subject + ": " + f.Problem
	if f.Fix != "" {
		text += " (" + f.Fix + ")"
	}
	return text
}

// Findings is an error of one or more findings.
type Findings []Finding

// Error is one finding per line.
func (f Findings) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// ExitCode is 3: refused by a check.
func (f Findings) ExitCode() int { return 3 }

// Artefact is one file that is fetched, by URL or from a path of this machine.
type Artefact struct {
	URL     string   `json:"url,omitempty"`
	Mirrors []string `json:"mirrors,omitempty"`
	// File is a path of this machine, instead of URL.
	File string `json:"file,omitempty"`
	// SHA256 is empty where no checksum is known before the first download.
	SHA256 string `json:"sha256,omitempty"`
	// SHA1 is all that some vendors published.
	SHA1 string `json:"sha1,omitempty"`
	// Size is in bytes; 0 where it is not known.
	Size int64 `json:"size,omitempty"`
}

// Place is the URL or the path.
func (a Artefact) Place() string {
	if a.File != "" {
		return a.File
	}
	return a.URL
}

// Plan is what one component needs on one kind of host.
type Plan struct {
	Component string `json:"component"`
	Kind      Kind   `json:"kind"`
	// Entry is the entry of the catalogue, if it is one.
	Entry string `json:"entry,omitempty"`
	// Title is the source as cluster.yaml names it.
	Title string `json:"title"`
	Facts Facts  `json:"facts"`
	// Repository is where the apt package comes from; nil means the system's own sources.
	Repository *Repository `json:"repository,omitempty"`
	// Yum is where the yum package comes from; nil means the system's own repositories.
	Yum *YumRepository `json:"yum,omitempty"`
	// Package and Version are those of apt and yum; an empty version means the newest.
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
	// ExtraPackages come from the system's own sources.
	ExtraPackages []string `json:"extraPackages,omitempty"`
	// Artefact is the file of deb, rpm and archive.
	Artefact *Artefact `json:"artefact,omitempty"`
	// Image is repository@digest, or repository:tag as long as the tag is not locked.
	Image string `json:"image,omitempty"`
	// Path is the folder of the programs on the host.
	Path string `json:"path,omitempty"`
	// Layout is where the programs are expected; what is really there is learnt at the installation.
	Layout catalogue.Layout `json:"layout"`
	// Cgroups are the hierarchies on which the programs start; none where it is not known.
	Cgroups     []int                 `json:"cgroups,omitempty"`
	JavaBinding catalogue.JavaBinding `json:"javaBinding"`
	// NeedsJavaBinding says that the programs load the host's libmesos.so from Java.
	NeedsJavaBinding bool `json:"needsJavaBinding,omitempty"`
	// Java is the oldest Java wanted on the host; 0 for none.
	Java int `json:"java,omitempty"`
	// MesosVersion is what a Mesos is, MinimumMesos what another program wants; empty where it is not known.
	MesosVersion string `json:"mesosVersion,omitempty"`
	MinimumMesos string `json:"minimumMesos,omitempty"`
	// DockerMinimum is the oldest major version of the Docker Engine; 0 for any.
	DockerMinimum int `json:"dockerMinimum,omitempty"`
	// Limits are what the source is not good for, and what else is to be known, for people.
	Limits []string `json:"limits,omitempty"`
}

// subject names the plan in findings.
func (p Plan) subject() string { return p.Component + " (" + p.Title + ")" }

// key is the key of cluster.yaml that names the file.
func (p Plan) key() string {
	switch p.Kind {
	case KindWar:
		return "jenkins.war"
	case KindPlugin:
		return "jenkins.plugins"
	}
	return "components." + p.Component + ".source." + string(p.Kind)
}

// Wanted is the source of a component in cluster.yaml.
func Wanted(c *config.Cluster, component string) (config.Source, error) {
	switch component {
	case ZooKeeper:
		return c.Components.ZooKeeper.Source, nil
	case Mesos:
		return c.Components.Mesos.Source, nil
	case Marathon:
		return c.Components.Marathon.Source, nil
	}
	return config.Source{}, fmt.Errorf("component %q: must be one of %s", component, strings.Join(Components(), ", "))
}
