package source

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Programs are what was found on a host after the installation. Paths are absolute; what is not there is empty.
type Programs struct {
	// Package and Version are those of the package; Version may be known for other kinds, too.
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
	Master  string `json:"master,omitempty"`
	Agent   string `json:"agent,omitempty"`
	// Marathon is its start script.
	Marathon string `json:"marathon,omitempty"`
	// Library is libmesos.so, LauncherDir the folder of mesos-containerizer, WebUI that of the master's pages.
	Library     string `json:"library,omitempty"`
	LauncherDir string `json:"launcherDir,omitempty"`
	WebUI       string `json:"webUI,omitempty"`
	// Jar is ZooKeeper's zookeeper.jar.
	Jar string `json:"jar,omitempty"`
	// Image is what the engine of the host runs: repository@digest, or the id of a loaded image. The paths above are inside it.
	Image string `json:"image,omitempty"`
	// Units are the package's own systemd units, which were masked.
	Units []string `json:"units,omitempty"`
}

// complete says which program a component lacks.
func complete(p Plan, programs Programs) error {
	missing := func(what string) error {
		return fmt.Errorf("there is no %s in it; name a source of %s", what, p.Component)
	}
	switch {
	case p.Kind == KindImage:
		return nil
	case p.Component == Mesos && programs.Master == "":
		return missing("mesos-master")
	case p.Component == Mesos && programs.Agent == "":
		return missing("mesos-agent")
	case p.Component == Marathon && programs.Marathon == "":
		return missing("marathon")
	case p.Component == ZooKeeper && programs.Jar == "":
		return missing("zookeeper.jar")
	}
	return nil
}

// projectsJar is ZooKeeper's in the project's own archive; what it needs lies beside it.
var projectsJar = regexp.MustCompile(`/lib/zookeeper-\d[^/]*\.jar$`)

// learn takes programs from a list of the files of a package or folder.
func (r *Programs) learn(files []string) {
	take := func(to *string, file string) {
		if *to == "" {
			*to = file
		}
	}
	for _, file := range files {
		switch name := path.Base(file); {
		case name == "mesos-master" && !settings(file):
			take(&r.Master, file)
		case name == "mesos-agent" && !settings(file):
			r.Agent = file
		case name == "mesos-slave" && !settings(file): // its name until Mesos 1.0, kept by the vendor's packages
			take(&r.Agent, file)
		case name == "mesos-containerizer":
			take(&r.LauncherDir, path.Dir(file))
		case name == "libmesos.so":
			r.Library = file
		case strings.HasPrefix(name, "libmesos-") && strings.HasSuffix(name, ".so"):
			take(&r.Library, file)
		case name == "marathon" && strings.HasSuffix(path.Dir(file), "/bin"):
			take(&r.Marathon, file)
		case name == "index.html" && strings.HasSuffix(path.Dir(file), "mesos/webui"):
			take(&r.WebUI, path.Dir(file))
		case name == "zookeeper.jar" || projectsJar.MatchString(file):
			take(&r.Jar, file)
		case strings.HasSuffix(name, ".service") && strings.HasSuffix(path.Dir(file), "systemd/system"):
			r.Units = append(r.Units, name)
		}
	}
}

// settings says that a file is none of a package's programs, though it may be called like one: the vendor's packages have
// /etc/default/mesos-master and a folder /etc/mesos-master.
func settings(file string) bool {
	return slices.ContainsFunc([]string{"/etc/", "/var/", "/usr/share/"}, func(folder string) bool { return strings.HasPrefix(file, folder) })
}
