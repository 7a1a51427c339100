package hosts

import (
	"slices"
	"strconv"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/catalogue"
)

// oldestHAProxy is the first whose checks are understood.
const oldestHAProxy = "2.2"

// packages refuses programs that are there and will not do, and those of which the system has no package that would.
func (p *preflight) packages(h config.Host, f Facts) {
	if needsDocker(p.config, h) && f.Packages[packagePodman] != "" {
		p.add(h.Name, "docker", "is podman's stand-in for it, and the Docker Engine itself is needed", "remove "+packagePodman+", and install the engine where the system has no package of it")
	}
	if h.Is(config.RoleControl) && f.HAProxy != "" && catalogue.Compare(f.HAProxy, oldestHAProxy) < 0 {
		p.add(h.Name, "haproxy", "is "+f.HAProxy+", but its checks are understood from "+oldestHAProxy+" on", "install a newer HAProxy")
	}
	if f.Source().RedHat() {
		p.redHat(h, f)
	}
}

// redHat refuses what the packages of RHEL-like systems cannot give, before any of them is installed.
func (p *preflight) redHat(h config.Host, f Facts) {
	if needsDocker(p.config, h) && f.Programs["docker"] == "" {
		p.add(h.Name, "docker", "the system has no package of the Docker Engine", "install it from docker.com's repository")
	}
	carries := slices.ContainsFunc(provision.ControllerHosts(p.config), func(one config.Host) bool { return one.Name == h.Name })
	if p.config.Backup != nil && carries && f.Programs["restic"] == "" {
		p.add(h.Name, "restic", "the system has no package of it, and backups need it", "install it first: from EPEL, or the program of restic.net into /usr/local/bin")
	}
	if !h.Is(config.RoleControl) {
		return
	}
	s := f.Source()
	enterprise := slices.Contains([]string{"rhel", "centos", "almalinux", "rocky", "ol"}, s.System)
	if major, err := strconv.Atoi(s.Suite); err == nil && enterprise && major <= 8 && f.Programs["haproxy"] == "" {
		p.add(h.Name, "haproxy", "the system's package is older than "+oldestHAProxy+", and its checks are understood from there on", "install a newer HAProxy first, so that it is found on the PATH")
	}
	if java := javaPackage(p.config, f); java != "" && redHat(java, s.Suite) == "" {
		p.add(h.Name, "java", "Marathon runs on Java 8, 11 or 17, and the system has no package of one",
			"unpack a Temurin 17 into /opt, or use {catalog: marathon-image}, which brings its own")
	}
	if f.SELinux == "Enforcing" && !slices.Contains(f.Permissive, "haproxy_t") {
		p.add(h.Name, "SELinux", "is enforcing, and its policy confines HAProxy, which must read its configuration in /var/lib/jomctl and listen on ports of its own",
			"semanage permissive -a haproxy_t (package policycoreutils-python-utils)")
	}
}
