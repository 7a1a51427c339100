package cli

import (
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
)

// onNumbers says that the hosts follow from two numbers: on target local, and where Terraform makes them.
func onNumbers(c *config.Cluster) bool { return onLocal(c) || onTerraform(c) }

func onTerraform(c *config.Cluster) bool { return c.Target.FromTerraform() }

// numbersOf are the numbers of control hosts and of Mesos agents, and the path of the section that has them.
func numbersOf(c *config.Cluster) (control, agents *int, section string) {
	if onTerraform(c) {
		m := machinesOf(c)
		return &m.Control, &m.Agents, "machines"
	}
	l := localOf(c)
	return &l.Control, &l.Agents, "local"
}

func controlOf(c *config.Cluster) *int {
	control, _, _ := numbersOf(c)
	return control
}

func agentsOf(c *config.Cluster) *int {
	_, agents, _ := numbersOf(c)
	return agents
}

func machinesOf(c *config.Cluster) *config.Machines {
	if c.Machines == nil {
		c.Machines = &config.Machines{}
	}
	return c.Machines
}

// numberTopic is a question for one of the two numbers. A list of hosts made of the numbers before is dropped.
func numberTopic(title, key, help string, at func(*config.Cluster) *int) topic {
	return topic{title, onNumbers, func(w *wizard) error {
		_, _, section := numbersOf(w.complete())
		return w.text(field{label: title, help: help, paths: []string{section + "." + key},
			current: func(c *config.Cluster) string { return strconv.Itoa(*at(c)) },
			set:     func(c *config.Cluster, v string) (err error) { *at(c), err = whole(v); return err }})
	}, func(c *config.Cluster) string { return strconv.Itoa(*at(c)) }}
}

// askMachines asks what Terraform makes.
func (w *wizard) askMachines() error {
	const standing = "the module's own"
	word := func(label, help, key string, at func(*config.Machines) *string) field {
		return field{label: label, help: help, none: standing, paths: []string{"machines." + key},
			current: func(c *config.Cluster) string { return or(*at(machinesOf(c)), standing) },
			set:     func(c *config.Cluster, v string) error { *at(machinesOf(c)) = v; return nil }}
	}
	image := word("Image of the machines", "An image with systemd and sshd; make one with scripts/lab-image.sh.", "image", func(m *config.Machines) *string { return &m.Image })
	flavor := word("Size of a machine", "CPUs and memory such as 2x4g.", "flavor", func(m *config.Machines) *string { return &m.Flavor })
	network := word("Private network of the machines", "An IPv4 network from /16 to /24 that nothing else here uses.", "network", func(m *config.Machines) *string { return &m.Network })
	target := w.complete().Target
	if target == config.TargetDocker {
		return w.several(image, flavor, network)
	}
	image.help, flavor.help = "The name of a Debian image.", "A flavor."
	if target == config.TargetAWS {
		image.help, flavor.help = "An AMI of Debian 12.", "An instance type."
	}
	fields := []field{image, flavor, network,
		word("Region", "Where the machines are made.", "region", func(m *config.Machines) *string { return &m.Region }),
		{label: "Networks that may reach SSH and the web pages, or none", none: "none", paths: []string{"machines.admin"},
			help:    "Separated by commas, for example 198.51.100.7/32. Without one only machines in the private network can log in, this one too.",
			current: func(c *config.Cluster) string { return or(strings.Join(machinesOf(c).Admin, ","), "none") },
			set:     func(c *config.Cluster, v string) error { machinesOf(c).Admin = list(v); return nil }}}
	return w.several(fields...)
}

// list are the words between commas.
func list(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
}

// showMachines is what Terraform makes, for the summary.
func showMachines(c *config.Cluster) string {
	m := machinesOf(c)
	said := []string{"made by Terraform"}
	for _, one := range []struct{ what, value string }{{"image", m.Image}, {"size", m.Flavor}, {"network", m.Network}, {"region", m.Region},
		{"reached from", strings.Join(m.Admin, " ")}} {
		if one.value != "" {
			said = append(said, one.what+" "+one.value)
		}
	}
	return strings.Join(said, ", ")
}

// machineFlags are the inputs of Terraform's modules.
func machineFlags() []installFlag {
	has := func(c *config.Cluster) bool { return onTerraform(c) && c.Machines != nil }
	return []installFlag{
		optional("machine-image", "IMAGE", "docker, aws, openstack: what the machines boot", func(c *config.Cluster) *string { return &machinesOf(c).Image }, has),
		optional("machine-flavor", "FLAVOR", "docker, aws, openstack: size of the machines, on docker such as 2x4g", func(c *config.Cluster) *string { return &machinesOf(c).Flavor }, has),
		optional("machine-network", "NETWORK", "docker, aws, openstack: private network of the machines, for example 10.77.0.0/24", func(c *config.Cluster) *string { return &machinesOf(c).Network }, has),
		optional("region", "REGION", "aws, openstack: where the machines are made", func(c *config.Cluster) *string { return &machinesOf(c).Region }, has),
		{"admin-networks", "NETWORK,...", "aws, openstack: networks that may reach SSH and the web pages from outside",
			func(c *config.Cluster) []string {
				if !has(c) {
					return nil
				}
				return some(strings.Join(c.Machines.Admin, ","))
			}, func(c *config.Cluster, v string) error { machinesOf(c).Admin = list(v); return filled(v) }},
	}
}
