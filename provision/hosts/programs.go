package hosts

import (
	"path"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/catalogue"
	"github.com/jomctl/jomctl/provision/source"
)

// Installed is what was installed on a host from the sources of the components. One that was not is empty.
type Installed struct{ ZooKeeper, Mesos, Marathon source.Programs }

// The libraries of Debian's ZooKeeper.
const (
	zooKeeperJar = "/usr/share/java/zookeeper.jar"
	slf4jSimple  = "/usr/share/java/slf4j-simple.jar"
)

// Programs finds the programs of a host that has its packages and sources, for the roles that it has. Findings say what is
// missing or does not fit.
func Programs(c *config.Cluster, h config.Host, f Facts, in Installed) (provision.Programs, []provision.Finding) {
	p := finder{config: c, host: h, facts: f, installed: in}
	p.found = provision.Programs{Standin: BinPath("standin"), Jomhome: BinPath("jomhome"), Jenkins: provision.JenkinsProgram{Standin: c.Jenkins.War == "standin"}}
	if h.Is(config.RoleControl) {
		p.zookeeper()
		p.haproxy()
		p.marathon()
	}
	if r, own := provision.RegistryHost(c); own && r.Name == h.Name {
		p.registry()
	}
	p.mesos()
	if h.Is(config.RoleMesosAgent) {
		p.found.Jenkins.Java, _ = provision.NewestJava(f.javas(), nil) // of tasks that are plain processes
	}
	return p.found, p.findings
}

type finder struct {
	config    *config.Cluster
	host      config.Host
	facts     Facts
	installed Installed
	found     provision.Programs
	findings  []provision.Finding
}

func (p *finder) add(subject, problem, fix string) {
	p.findings = append(p.findings, provision.Finding{Subject: p.host.Name + ": " + subject, Problem: problem, Fix: fix})
}

// install is the beginning of a fix: how the host's system installs a package, where it has one, or what else there is.
func (p *finder) install(name string) string {
	if !p.facts.Source().RedHat() {
		return "apt-get install -y " + name + ", or use "
	}
	if name = redHat(name, p.facts.Source().Suite); name == "" {
		return "use "
	}
	return "dnf install -y " + name + ", or use "
}

func (p *finder) zookeeper() {
	z := &p.found.ZooKeeper
	z.Version = p.installed.ZooKeeper.Version
	jar := p.installed.ZooKeeper.Jar
	if jar == "" && slices.Contains(p.facts.Jars, zooKeeperJar) {
		jar = zooKeeperJar
	}
	if jar == "" {
		p.add("zookeeper", "there is no zookeeper.jar", p.install(packageZooKeeper)+"another source in components.zookeeper.source")
	}
	z.Classpath = jar
	if base := path.Base(jar); base != "." && base != path.Base(zooKeeperJar) {
		z.Classpath = path.Dir(jar) + "/*" // of the project's archive, which has all that it needs there
	}
	if jar == zooKeeperJar && slices.Contains(p.facts.Jars, slf4jSimple) {
		z.Classpath += ":" + slf4jSimple
	}
	var found bool
	if z.Java, found = provision.NewestJava(p.facts.javas(), zooKeeperJavas()); !found {
		p.add("java", "ZooKeeper runs on Java 8, 11, 17 or 21, and there is none of them", p.install(packageJava)+"another Java in /usr/lib/jvm")
	}
}

func (p *finder) haproxy() {
	path := p.facts.Programs["haproxy"]
	p.found.HAProxy = provision.HAProxyProgram{Path: path, Version: p.facts.HAProxy}
	switch {
	case path == "":
		p.add("haproxy", "there is no HAProxy", p.install("haproxy")+"one of your own on the PATH")
	case p.facts.HAProxy != "" && catalogue.Compare(p.facts.HAProxy, oldestHAProxy) < 0:
		p.add("haproxy", path+" is "+p.facts.HAProxy+", but its checks are understood from "+oldestHAProxy+" on", "install a newer HAProxy")
	}
}

func (p *finder) registry() {
	for _, name := range []string{"docker-registry", "registry"} { // Debian's name and that of others
		if path := p.facts.Programs[name]; path != "" && p.found.Registry == "" {
			p.found.Registry = path
		}
	}
	if p.found.Registry == "" {
		p.add("registry", "there is no docker-registry", p.install(packageRegistry)+"a registry of your own in registry.address")
	}
}

func (p *finder) mesos() {
	in, m := p.installed.Mesos, &p.found.Mesos
	if m.Standin = p.config.Components.Mesos.Source.Standin; m.Standin {
		return
	}
	if in.Image != "" {
		p.add("mesos", "masters and agents are not run from an image: each restart of an agent in a container would end its tasks", "name a package or an archive in components.mesos.source")
		return
	}
	if in.Master == "" || in.Agent == "" {
		p.add("mesos", "mesos-master and mesos-agent were not found", "name another source in components.mesos.source")
	}
	*m = provision.MesosPrograms{Version: in.Version, Master: in.Master, Agent: in.Agent, LauncherDir: in.LauncherDir, Library: in.Library, WebUI: in.WebUI,
		LibraryPath: provision.LibraryPath(in.Library)}
}

func (p *finder) marathon() {
	in, m := p.installed.Marathon, &p.found.Marathon
	if m.Standin = p.config.Components.Marathon.Source.Standin; m.Standin {
		return
	}
	*m = provision.MarathonProgram{Version: in.Version, Start: in.Marathon, Image: in.Image, Docker: p.facts.Programs["docker"], Library: p.installed.Mesos.Library}
	if in.Image != "" {
		if m.Docker == "" {
			p.add("marathon", "comes as an image, and there is no docker", p.install(packageDocker)+"the engine of docker.com")
		}
		return
	}
	if in.Marathon == "" {
		p.add("marathon", "its start script was not found", "name another source in components.marathon.source")
	}
	var found bool
	if m.Java, found = provision.NewestJava(p.facts.javas(), marathonJavas()); !found {
		p.add("java", "Marathon needs Java 8, 11 or 17, and there is none of them", p.install(packageJava17)+"{catalog: marathon-image}")
	}
	if m.Library == "" {
		p.add("marathon", "there is no libmesos.so for it", "use {catalog: marathon-image}, or a Mesos that was built with Java")
	}
}

// Values are what the services of a host depend on. cgroups are the hierarchies that the Mesos agent's build can use, and
// record what was there at the first time: memory and disk that differ from it by less than a twentieth, as they do after a
// new kernel, are taken as they were, because an agent cannot come back with less than it offered.
func Values(h config.Host, f Facts, cgroups []int, record *Record) provision.HostValues {
	v := provision.HostValues{IP: f.IP(h), CPUs: float64(f.CPUs), Mem: config.Size(f.Memory.Total), Disk: config.Size(f.disk(host.RemoteDir).Size)}
	if slices.Contains(cgroups, f.Cgroup) {
		v.Cgroup = f.Cgroup
	}
	if record == nil || record.Offered == nil {
		return v
	}
	was := record.Offered
	if near(v.Mem, was.Mem) {
		v.Mem = was.Mem
	}
	if near(v.Disk, was.Disk) {
		v.Disk = was.Disk
	}
	return v
}

func near(a, b config.Size) bool { return max(a, b)-min(a, b) < max(a, b)/20 }

// Cgroups are the control group hierarchies that a Mesos build can use. The stand-in takes every flag; of other builds of which nothing
// is known the old hierarchy is believed, which all have.
func Cgroups(plan source.Plan) []int {
	switch {
	case plan.Kind == source.KindStandin:
		return []int{1, 2}
	case len(plan.Cgroups) == 0:
		return []int{1}
	}
	return plan.Cgroups
}
