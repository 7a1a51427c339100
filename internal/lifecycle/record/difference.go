package record

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
)

// Difference collects what a cluster file says otherwise than what is installed, and what cannot be changed.
type Difference struct {
	// File is the cluster file.
	File string
	// Intended are hosts that are meant to come or go.
	Intended []string
	// Findings are what was found so far, each with its way out.
	Findings []provision.Finding
}

// Compare adds a finding, with the reason why, where what is installed is not what the file says under the key.
func (d *Difference) Compare(key, was, is, why string) {
	if was != is {
		d.add(key, is, fmt.Sprintf("%s is installed, and this cannot be changed: %s", was, why), "set it back to "+was)
	}
}

func (d *Difference) add(key, is, problem, fix string) {
	d.Findings = append(d.Findings, provision.Finding{Subject: fmt.Sprintf("%s: %s: %s", d.File, key, is), Problem: problem,
		Fix: fix + ", or end the cluster first (`jomctl destroy`, with all its data), or use another folder for another cluster"})
}

// Hosts adds what of the hosts cannot be changed. It allows that Mesos agents come and go, under names and addresses of their own.
func (d *Difference) Hosts(old, now *config.Cluster) {
	if was, is := ControlNames(old, d.Intended...), ControlNames(now, d.Intended...); was != is {
		d.add("the control hosts", is, was+" is installed, and ZooKeeper's ensemble and the masters' quorum are made of them",
			"go on with a change of them that was cut off (`jomctl resume`), or set it back to "+was+" and see `jomctl control --help`, whose commands change them in the safe order")
	}
	for _, was := range old.HostsWith(config.RoleMesosAgent) {
		if _, stays := now.Host(was.Name); !stays && !slices.Contains(d.Intended, was.Name) && now.Target != config.TargetLocal {
			d.add("hosts", "without "+was.Name, "the host is installed, and its builds would be lost", "run `jomctl agents remove "+was.Name+"`, which drains it first")
		}
	}
	for _, h := range now.Hosts {
		for _, was := range old.Hosts {
			switch {
			case was.Name == h.Name && was.Address != h.Address:
				d.add("hosts."+h.Name+".address", h.Address, "the host is installed at "+was.Address, "set it back to "+was.Address)
			case was.Name != h.Name && was.Address == h.Address:
				d.add("hosts."+h.Name+".name", h.Name, "the host at "+h.Address+" is installed as "+was.Name, "set it back to "+was.Name)
			}
		}
	}
}

// Moved says that a control host has another address, as all hosts have where local.address was changed.
func Moved(old, now *config.Cluster) bool {
	return slices.ContainsFunc(old.HostsWith(config.RoleControl), func(was config.Host) bool {
		is, there := now.Host(was.Name)
		return there && is.Address != was.Address
	})
}

// ControlNames are the names of the control hosts but for some, sorted, with commas.
func ControlNames(c *config.Cluster, but ...string) string {
	var names []string
	for _, h := range c.HostsWith(config.RoleControl) {
		if !slices.Contains(but, h.Name) {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
