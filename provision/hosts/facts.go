package hosts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

//go:embed facts.sh
var factsScript string

// Facts are what one look at a host tells: the host's own, and where the programs of the roles are.
type Facts struct {
	host.Facts
	// Programs are the paths of programs by name, Jars those of libraries.
	Programs map[string]string
	Jars     []string
	// HAProxy is its version.
	HAProxy string
}

// pathsOf are the folders of a host whose disks matter.
func pathsOf(c *config.Cluster, h config.Host) []string {
	paths := []string{host.RemoteDir}
	if needsDocker(c, h) {
		paths = append(paths, "/var/lib/docker")
	}
	if home := c.Jenkins.Home.Path; home != "" && h.Is(config.RoleMesosAgent) {
		paths = append(paths, home)
	}
	return paths
}

// Look asks a host for its facts, in two round trips. It changes nothing.
func Look(ctx context.Context, c *config.Cluster, h config.Host, m host.Machine) (Facts, error) {
	q := host.Question{Paths: pathsOf(c, h), Packages: []string{packageDocker, packagePodman}}
	for _, other := range c.Hosts {
		if _, err := netip.ParseAddr(other.Address); err != nil {
			q.Names = append(q.Names, other.Address)
		}
	}
	f := Facts{Programs: map[string]string{}}
	var err error
	if f.Facts, err = host.GetFacts(ctx, m, q); err != nil {
		return f, err
	}
	out, err := host.Ask(ctx, m, "/bin/sh", "-c", factsScript, "jomctl-programs")
	if err != nil {
		return f, fmt.Errorf("look for programs on host %s: %w", h.Name, err)
	}
	return f, f.parse(out.Stdout)
}

func (f *Facts) parse(text string) error {
	whole := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "program":
			name, path, _ := strings.Cut(value, " ")
			f.Programs[name] = path
		case "haproxy":
			f.HAProxy = value
		case "jar":
			f.Jars = append(f.Jars, value)
		case "end":
			whole = true
		}
	}
	if !whole {
		return fmt.Errorf("look for programs: the answer is cut off: %.200q", text)
	}
	return nil
}

// LookAll looks at all hosts at once. Hosts that cannot be looked at are findings, and have no facts.
func LookAll(ctx context.Context, c *config.Cluster, machines map[string]host.Machine) (map[string]Facts, []provision.Finding) {
	facts := make([]Facts, len(c.Hosts))
	errs := make([]error, len(c.Hosts))
	var wait sync.WaitGroup
	for i, h := range c.Hosts {
		wait.Go(func() { facts[i], errs[i] = Look(ctx, c, h, machines[h.Name]) })
	}
	wait.Wait()
	all := map[string]Facts{}
	var findings []provision.Finding
	for i, h := range c.Hosts {
		if errs[i] == nil {
			all[h.Name] = facts[i]
			continue
		}
		findings = append(findings, provision.Finding{Subject: h.Name, Problem: errs[i].Error(), Fix: hintOf(errs[i])})
	}
	return all, findings
}

// hintOf is what an error knows that can be done.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// Source are the facts that a source must fit.
func (f Facts) Source() source.Facts {
	s := source.Facts{System: strings.ToLower(f.OS.ID), Like: strings.Fields(f.OS.Like), Suite: f.OS.Codename, Arch: source.DebianArch(f.Arch), Cgroup: f.Cgroup, Java: -1}
	if s.RedHat() || s.Suite == "" {
		s.Suite, _, _ = strings.Cut(f.OS.Version, ".")
	}
	if javas := f.javas(); len(javas) > 0 {
		s.Java = javas[0].Major
	}
	return s
}

// javas are the Java installations, newest first.
func (f Facts) javas() []provision.Java {
	var all []provision.Java
	for _, j := range f.Java {
		if major := provision.JavaMajor(j.Version); major > 0 {
			all = append(all, provision.Java{Home: j.Home, Version: j.Version, Major: major})
		}
	}
	slices.SortStableFunc(all, func(a, b provision.Java) int { return b.Major - a.Major })
	return all
}

// disk is the file system of a path that was asked for.
func (f Facts) disk(path string) host.Disk {
	for _, d := range f.Disks {
		if d.Path == path {
			return d
		}
	}
	return host.Disk{}
}

// own says whether an address is one of the host's own.
func (f Facts) own(ip netip.Addr) bool {
	return slices.ContainsFunc(f.Addresses, func(a host.Address) bool { return a.Address == ip })
}

// IP is the address of its own under which the host is in the cluster; "" when it has none.
func (f Facts) IP(h config.Host) string {
	if ip, err := netip.ParseAddr(h.Address); err == nil {
		return ip.String()
	}
	for _, ip := range f.Names[h.Address] {
		if f.own(ip) {
			return ip.String()
		}
	}
	return ""
}
