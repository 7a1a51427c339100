package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
)

const maxLocalAgents = 200

// checker collects problems.
type checker struct{ problems Problems }

// add reports a problem. value is shown; nil where there is none or it must not be shown.
func (k *checker) add(path string, value any, rule, fix string) {
	p := Problem{Path: path, Rule: rule, Fix: fix}
	if value != nil {
		p.Value = show(value)
	}
	k.problems = append(k.problems, p)
}

// Validate checks a cluster that Default has completed and returns Problems with everything that is wrong, or nil. It looks
// at the cluster alone: whether files, hosts and addresses exist is for the preflight.
func Validate(c *Cluster) error {
	k := &checker{}
	k.top(c)
	k.hosts(c)
	k.local(c)
	k.machines(c)
	k.access(c)
	k.source("components.zookeeper.source", c.Components.ZooKeeper.Source)
	k.source("components.mesos.source", c.Components.Mesos.Source)
	k.source("components.marathon.source", c.Components.Marathon.Source)
	if c.Components.ZooKeeper.Source.Standin {
		k.add("components.zookeeper.source", "standin", "there is no stand-in for ZooKeeper", "the real one is one package: {apt: libzookeeper-java}")
	}
	k.authentication(c)
	k.jenkins(c)
	k.fit(c)
	k.backup(c.Backup)
	k.maintenance(c.Maintenance)
	k.drill(c.Drill)
	k.tuning(c.Tuning)
	k.watch(c.Watch)
	if len(k.problems) == 0 {
		return nil
	}
	for i := range k.problems {
		k.problems[i].File = c.File
	}
	return k.problems
}

func (k *checker) top(c *Cluster) {
	switch {
	case c.APIVersion == "":
		k.add("apiVersion", nil, "is required", "the first line is apiVersion: "+APIVersion)
	case c.APIVersion != APIVersion:
		k.add("apiVersion", c.APIVersion, "this program reads "+APIVersion+" only", "")
	}
	if c.Name == "" {
		k.add("name", nil, "is required", "any DNS label, for example ci")
	} else {
		k.label("name", c.Name)
	}
	if c.Target == "" {
		k.add("target", nil, "is required", "target: local is this machine alone")
	} else {
		k.oneOf("target", string(c.Target), words(Targets()))
	}
	if strings.ContainsFunc(c.Release, unprintable) || strings.TrimSpace(c.Release) == "" {
		k.add("release", c.Release, "must be the name of a release or the path of its folder", "")
	}
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (k *checker) label(path, value string) {
	if !dnsLabel.MatchString(value) {
		k.add(path, value, "must be a DNS label: lower-case letters, digits and dashes, at most 63, no dash at an end", "")
	}
}

// oneOf checks a word against those that are known.
func (k *checker) oneOf(path, value string, known []string) bool {
	for _, w := range known {
		if value == w {
			return true
		}
	}
	fix := ""
	if near := nearest(value, known); near != "" {
		fix = "did you mean " + near + "?"
	}
	k.add(path, value, "must be one of "+strings.Join(known, ", "), fix)
	return false
}

func (k *checker) local(c *Cluster) {
	l := c.Local
	if l == nil || c.Target != TargetLocal {
		return
	}
	if ip, err := netip.ParseAddr(l.Address); err != nil || !ip.Is4() || !ip.IsLoopback() || !strings.HasSuffix(l.Address, ".0") {
		k.add("local.address", l.Address, "must be a loopback network 127.x.y.0", "for example 127.0.10.0")
	}
	k.counts(c, "local", l.Control, l.Agents)
	k.amount("local.resources.cpus", l.Resources.CPUs, 0.01)
	k.size("local.resources.mem", l.Resources.Mem)
	k.size("local.resources.disk", l.Resources.Disk)
}

// counts checks the numbers of hosts in local or machines, which are all there is, or agree with the list.
func (k *checker) counts(c *Cluster, at string, control, agents int) {
	if c.derived() {
		if control != 1 && control != 3 && control != 5 {
			k.add(at+".control", control, "must be 1, 3 or 5, so that a majority exists", "")
		}
		if agents < 1 || agents > maxLocalAgents {
			k.add(at+".agents", agents, fmt.Sprintf("must be 1 to %d", maxLocalAgents), "")
		}
		return
	}
	if n := len(c.HostsWith(RoleControl)); n != control {
		k.add(at+".control", control, fmt.Sprintf("hosts lists %d control hosts", n), "leave one of the two out")
	}
	if n := len(c.HostsWith(RoleMesosAgent)); n != agents {
		k.add(at+".agents", agents, fmt.Sprintf("hosts lists %d Mesos agents", n), "leave one of the two out")
	}
}

func (k *checker) machines(c *Cluster) {
	m := c.Machines
	if m == nil || !c.Target.FromTerraform() {
		return
	}
	k.counts(c, "machines", m.Control, m.Agents)
	if m.Disk != 0 {
		k.size("machines.disk", m.Disk)
	}
	if m.Network != "" {
		if p, err := netip.ParsePrefix(m.Network); err != nil || !p.Addr().Is4() || p.Bits() < 16 || p.Bits() > 24 {
			k.add("machines.network", m.Network, "must be an IPv4 network from /16 to /24", "for example 10.77.0.0/24")
		}
	}
	for i, network := range m.Admin {
		if _, err := netip.ParsePrefix(network); err != nil {
			k.add(fmt.Sprintf("machines.admin[%d]", i), network, "must be a network", "for example 198.51.100.7/32")
		}
	}
	k.filePath("machines.terraform", m.Terraform)
	if b := m.Backend; b != nil {
		if !plainWord(b.Type) {
			k.add("machines.backend.type", b.Type, "must be a backend of Terraform", "for example s3")
		}
		k.filePath("machines.backend.configFile", b.ConfigFile)
	}
}

// amount checks a number of CPUs.
func (k *checker) amount(path string, cpus, least float64) {
	if math.IsNaN(cpus) || cpus < least || cpus > 10000 {
		k.add(path, cpus, fmt.Sprintf("must be a number of CPUs, %v to 10000", least), "")
	}
}

// size checks an amount that Mesos counts in whole MiB.
func (k *checker) size(path string, s Size) {
	if s < MiB {
		k.add(path, s, "must be at least 1MiB", "")
	}
}

var jumpHost = regexp.MustCompile(`^([A-Za-z_][-A-Za-z0-9_.]*@)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9][-A-Za-z0-9.]*)(:[0-9]{1,5})?$`)

func (k *checker) access(c *Cluster) {
	if s := c.SSH; s != nil {
		if !plainWord(s.User) && (s.User != "" || !c.Target.FromTerraform()) {
			k.add("ssh.user", s.User, "must be a user name", "")
		}
		k.port("ssh.port", s.Port)
		k.filePath("ssh.identityFile", s.IdentityFile)
		k.filePath("ssh.knownHosts", s.KnownHosts)
		if s.Jump != "" && !jumpHost.MatchString(s.Jump) {
			k.add("ssh.jump", s.Jump, "must be [USER@]HOST[:PORT]", "for example admin@bastion.example:2222")
		}
	}
	k.registry(c.Registry)
}

func (k *checker) registryAddress(text string) {
	host, port, err := net.SplitHostPort(text)
	n, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || n < 1 || n > 65535 || !address(host) {
		k.add("registry.address", text, "must be HOST:PORT", "for example m1:5000, without https:// and without a path")
	}
}

func (k *checker) port(path string, port int) {
	if port < 1 || port > 65535 {
		k.add(path, port, "must be a port, 1 to 65535", "")
	}
}

// filePath checks the form of an optional path.
func (k *checker) filePath(at, value string) {
	if strings.ContainsFunc(value, unprintable) || (value != "" && strings.TrimSpace(value) != value) {
		k.add(at, value, "must be a path without line breaks and without spaces around it", "")
	}
}

var secretForm = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s].*)$`)

// secret checks a reference. What is written there is not shown: it may be the secret itself.
func (k *checker) secret(at string, s Secret) {
	if s != "" && (!secretForm.MatchString(string(s)) || strings.ContainsFunc(string(s), unprintable)) {
		k.add(at, nil, "must be env:NAME or file:PATH; a secret itself must not be in this file", "put it into a file that only you may read and name that file")
	}
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f }

func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\:"'`, r) })
}

// absolute checks the path of the home.
func (k *checker) absolute(at, value string) {
	switch {
	case !strings.HasPrefix(value, "/") || strings.ContainsFunc(value, unprintable):
		k.add(at, value, "must be an absolute path", "")
	case path.Clean(value) != value:
		k.add(at, value, "must be written without . or .. parts, double or final slashes", "write "+path.Clean(value))
	case value == "/":
		k.add(at, value, "must not be the root of the file system", "")
	}
	for _, volatile := range []string{"/tmp", "/var/tmp", "/dev", "/run", "/var/run", "/proc", "/sys"} {
		if clean := path.Clean(value); clean == volatile || strings.HasPrefix(clean, volatile+"/") {
			k.add(at, value, "must not be under "+volatile+", which is emptied by the system", "for example /var/lib/jomctl/jenkins_home")
		}
	}
}

// Targets are all targets, Roles all roles of a host.
func Targets() []Target {
	return []Target{TargetLocal, TargetHosts, TargetDocker, TargetAWS, TargetOpenStack}
}

// Roles are all roles of a host.
func Roles() []Role { return []Role{RoleControl, RoleMesosAgent} }

func words[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
