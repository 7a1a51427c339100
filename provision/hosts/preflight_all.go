package hosts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// address looks whether the host can listen on the address by which the others know it.
func (p *preflight) address(h config.Host, f Facts) {
	if len(f.Addresses) == 0 {
		return // it could not tell
	}
	ip, err := netip.ParseAddr(h.Address)
	switch {
	case err != nil: // a name, see names
	case ip.IsLoopback():
		p.add(h.Name, "address", h.Address+" is a loopback address, which only the host itself can use", "give the address that the other hosts use")
	case !f.own(ip):
		p.add(h.Name, "address", h.Address+" is on none of its interfaces ("+addressList(f)+"), so its programs cannot listen there",
			"give one of its own addresses, which the other hosts must reach")
	}
}

func addressList(f Facts) string {
	var words []string
	for _, a := range f.Addresses {
		words = append(words, a.Address.String())
	}
	return strings.Join(words, ", ")
}

// names looks whether every host's name is the same address everywhere, and none of loopback: Mesos and Marathon tell each
// other their names.
func (p *preflight) names() {
	for _, h := range p.config.Hosts {
		if _, err := netip.ParseAddr(h.Address); err == nil {
			continue
		}
		seen := map[string][]string{}
		for _, from := range p.known() {
			all := p.facts[from.Name].Names[h.Address]
			if len(all) == 0 {
				p.add(from.Name, "name "+h.Address, "cannot be resolved", "give addresses instead of names in cluster.yaml, or add it to DNS or /etc/hosts of every host")
				continue
			}
			if slices.ContainsFunc(all, netip.Addr.IsLoopback) {
				p.add(from.Name, "name "+h.Address, fmt.Sprintf("is the loopback address %s here, which no other host can use", all[0]),
					"remove the line from /etc/hosts (Debian writes 127.0.1.1 there), or give addresses in cluster.yaml")
				continue
			}
			text := fmt.Sprint(all[0])
			seen[text] = append(seen[text], from.Name)
			if from.Name == h.Name && p.facts[h.Name].IP(h) == "" {
				p.add(h.Name, "name "+h.Address, "is "+text+", which is on none of its interfaces ("+addressList(p.facts[h.Name])+")", "correct DNS or /etc/hosts")
			}
		}
		if len(seen) > 1 {
			var parts []string
			for text, hosts := range seen {
				parts = append(parts, text+" on "+strings.Join(hosts, ", "))
			}
			slices.Sort(parts)
			p.add("", "name "+h.Address, "is not the same address everywhere: "+strings.Join(parts, "; "), "correct DNS or /etc/hosts, or give addresses in cluster.yaml")
		}
	}
}

// How far clocks may be apart.
const (
	skewNote   = time.Second
	skewRefuse = 5 * time.Second
)

// clocks compares every host's clock with the middle one of all, as this machine's own may be the one that is off.
func (p *preflight) clocks() {
	hosts := p.known()
	if len(hosts) == 0 {
		return
	}
	var all []time.Duration
	for _, h := range hosts {
		all = append(all, p.facts[h.Name].Clock.Skew)
	}
	slices.Sort(all)
	middle := all[(len(all)-1)/2]
	if len(hosts) < 3 {
		middle = 0 // nobody outvotes anybody
	}
	for _, h := range hosts {
		clock := p.facts[h.Name].Clock
		clock.Skew -= middle
		text := fmt.Sprintf("is %s %s the others", clock.Skew.Abs().Round(100*time.Millisecond), map[bool]string{true: "ahead of", false: "behind"}[clock.Skew > 0])
		const fix = "timedatectl set-ntp true, with a time server that the host reaches"
		switch {
		case clock.Apart(skewRefuse):
			p.add(h.Name, "clock", text, fix)
		case clock.Apart(skewNote):
			p.note(h.Name, "clock", text, fix)
		}
	}
	if middle.Abs() > skewRefuse {
		p.note("", "clock", fmt.Sprintf("this machine's is %s off those of the hosts", middle.Abs().Round(100*time.Millisecond)), "set this machine's clock")
	}
}

// twice looks for machines that are in the file under two names.
func (p *preflight) twice() {
	hosts := p.known()
	for i, h := range hosts {
		for _, other := range hosts[:i] {
			a, b := p.facts[h.Name], p.facts[other.Name]
			if a.MachineID == "" || a.MachineID != b.MachineID {
				continue
			}
			if ip, err := netip.ParseAddr(a.IP(h)); err == nil && b.own(ip) {
				p.add("", "hosts", h.Name+" and "+other.Name+" are the same machine", "name every machine once, with all of its roles")
				continue
			}
			p.note(h.Name, "machine-id", "is that of "+other.Name+": one is a copy of the other", "rm /etc/machine-id && systemd-machine-id-setup")
		}
	}
}

// room looks whether the controller and each build agent fit on what a Mesos agent will offer.
func (p *preflight) room() {
	var offers []config.Resources
	for _, h := range p.known() {
		if h.Is(config.RoleMesosAgent) {
			offers = append(offers, provision.HostOffer(p.config, h, Values(h, p.facts[h.Name], nil, nil)))
		}
	}
	if len(offers) == 0 || len(p.known()) < len(p.config.Hosts) {
		return
	}
	fits := func(cpus float64, mem config.Size) bool {
		return slices.ContainsFunc(offers, func(o config.Resources) bool { return o.CPUs >= cpus && o.Mem >= mem })
	}
	best := offers[0]
	for _, o := range offers {
		best.CPUs, best.Mem = max(best.CPUs, o.CPUs), max(best.Mem, o.Mem)
	}
	const fix = "ask for less, use larger machines, or a smaller `reserve` of theirs"
	if app := p.config.Jenkins.App; !fits(app.CPUs, app.Mem) {
		p.add("", "jenkins.app", fmt.Sprintf("no Mesos agent offers its %g CPUs and %d MiB: the most are %g CPUs and %d MiB", app.CPUs, app.Mem.MiB(), best.CPUs, best.Mem.MiB()), fix)
	}
	for _, t := range p.config.Jenkins.Cloud.Templates {
		if !fits(t.CPUs, t.Mem) {
			p.add("", "template "+t.Label, fmt.Sprintf("no Mesos agent offers its %g CPUs and %d MiB: the most are %g CPUs and %d MiB", t.CPUs, t.Mem.MiB(), best.CPUs, best.Mem.MiB()), fix)
		}
	}
}

// Plans are what a host needs of the components' sources. Findings say what cannot work.
func Plans(c *config.Cluster, h config.Host, f Facts) ([]source.Plan, []provision.Finding) {
	resolver, err := source.NewResolver(c)
	if err != nil {
		return nil, []provision.Finding{{Subject: "catalogue", Problem: err.Error()}}
	}
	var plans []source.Plan
	var findings []provision.Finding
	for _, component := range source.Components() {
		wanted, err := source.Wanted(c, component)
		if err != nil {
			continue // all of them have one
		}
		if component != source.Mesos && !h.Is(config.RoleControl) {
			continue
		}
		facts := f.Source()
		if javaPackage(c, f) != "" {
			facts.Java = 0 // one will be installed
		}
		plan, found := resolver.Resolve(component, wanted, facts)
		plans = append(plans, plan)
		for _, one := range found {
			findings = append(findings, provision.Finding{Subject: one.Subject, Problem: one.Problem, Fix: one.Fix})
		}
	}
	return plans, append(findings, together(plans, c)...)
}

func together(plans []source.Plan, c *config.Cluster) []provision.Finding {
	var findings []provision.Finding
	for _, one := range source.Together(plans, c.Jenkins.Cloud.Line) {
		findings = append(findings, provision.Finding{Subject: one.Subject, Problem: one.Problem, Fix: one.Fix})
	}
	return findings
}
