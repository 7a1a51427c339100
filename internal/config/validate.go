package config

import (
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"path"
	"reflect"
	"regexp"
	"slices"
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

func (k *checker) hosts(c *Cluster) {
	names, addresses := map[string]int{}, map[string]int{}
	for i, h := range c.Hosts {
		at := fmt.Sprintf("hosts[%d]", i)
		k.host(at, h, c.Target)
		k.unique(at+".name", h.Name, i, names)
		k.unique(at+".address", strings.ToLower(h.Address), i, addresses)
	}
	if c.HostsFrom != nil && c.Target == TargetHosts {
		k.hostsFrom(c)
		return
	}
	if (len(c.Hosts) == 0 && c.Target != TargetHosts) || c.derived() {
		return // local and machines report their own numbers
	}
	if control := len(c.HostsWith(RoleControl)); control != 1 && control != 3 && control != 5 {
		k.add("hosts", fmt.Sprintf("%d with role control", control), "there must be 1, 3 or 5 control hosts, so that a majority exists", "")
	}
	if len(c.HostsWith(RoleMesosAgent)) == 0 {
		k.add("hosts", "none with role mesos-agent", "there must be at least one Mesos agent, or nothing can run", "")
	}
}

// hostsFrom checks where hosts are to be read from; which ones there are is known only then.
func (k *checker) hostsFrom(c *Cluster) {
	if len(c.Hosts) > 0 {
		k.add("hostsFrom", nil, "hosts are listed already", "leave one of the two out")
	}
	for _, field := range []struct{ at, value string }{{"hostsFrom.terraform", c.HostsFrom.Terraform}, {"hostsFrom.output", c.HostsFrom.Output}} {
		if field.value == "" {
			k.add(field.at, nil, "is required", "")
		}
	}
	k.filePath("hostsFrom.terraform", c.HostsFrom.Terraform)
	k.filePath("hostsFrom.program", c.HostsFrom.Program)
	if c.HostsFrom.Output != "" && !plainWord(c.HostsFrom.Output) {
		k.add("hostsFrom.output", c.HostsFrom.Output, "must be the name of an output", "")
	}
}

// derived says that Default has made the hosts from the numbers in local or machines.
func (c *Cluster) derived() bool {
	return c.Target == TargetLocal && c.Local != nil && reflect.DeepEqual(c.Hosts, c.Local.hosts()) ||
		c.Target.FromTerraform() && c.Machines != nil && reflect.DeepEqual(c.Hosts, c.Machines.hosts())
}

// unique reports a value that an earlier host has.
func (k *checker) unique(at, value string, i int, seen map[string]int) {
	if first, twice := seen[value]; twice && value != "" {
		k.add(at, value, fmt.Sprintf("is that of hosts[%d] already", first), "")
		return
	}
	seen[value] = i
}

func (k *checker) host(at string, h Host, target Target) {
	if h.Name == "" {
		k.add(at+".name", nil, "is required", "")
	} else {
		k.label(at+".name", h.Name)
	}
	ip, err := netip.ParseAddr(h.Address)
	switch {
	case target.FromTerraform() && h.Address != "":
		k.add(at+".address", h.Address, "must be left out on target "+string(target)+", where Terraform gives the addresses", "use target hosts for machines that exist")
	case target.FromTerraform():
	case h.Address == "":
		k.add(at+".address", nil, "is required", "")
	case target == TargetLocal && (err != nil || !ip.Is4() || !ip.IsLoopback()):
		k.add(at+".address", h.Address, "must be a loopback address 127.x.y.z on target local", "")
	case !address(h.Address) || ip.IsUnspecified() || ip.IsMulticast():
		k.add(at+".address", h.Address, "must be an IP address or a DNS name", "")
	}
	if len(h.Roles) == 0 {
		k.add(at+".roles", nil, "at least one is required: "+strings.Join(words(Roles()), ", "), "")
	}
	seen := map[Role]bool{}
	for j, r := range h.Roles {
		if k.oneOf(fmt.Sprintf("%s.roles[%d]", at, j), string(r), words(Roles())) && seen[r] {
			k.add(fmt.Sprintf("%s.roles[%d]", at, j), r, "is there twice", "")
		}
		seen[r] = true
	}
	for _, name := range slices.Sorted(maps.Keys(h.Attributes)) {
		value := h.Attributes[name]
		if name == "" || value == "" || strings.ContainsAny(name, ":; \t\r\n") || strings.ContainsAny(value, ";\r\n") {
			k.add(at+".attributes", name+": "+value, "names must have no colon, semicolon or space and values no semicolon, as Mesos writes them name:value;name:value", "")
		}
	}
	if r := h.Reserve; r != nil {
		k.amount(at+".reserve.cpus", r.CPUs, 0)
		if r.Mem < 0 {
			k.add(at+".reserve.mem", r.Mem, "must not be negative", "")
		}
	}
}

var hostPart = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?$`)

// address says that s is an IP address or a DNS name.
func address(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostName(s)
}

// hostName says that s is a DNS name and not a mistyped IP address.
func hostName(s string) bool {
	parts := strings.Split(s, ".")
	for _, part := range parts {
		if !hostPart.MatchString(part) {
			return false
		}
	}
	_, err := strconv.Atoi(parts[len(parts)-1])
	return err != nil && len(s) <= 253
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
