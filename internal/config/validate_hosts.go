package config

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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
