package config

import (
	"fmt"
	"time"
)

// Notes are remarks on a valid cluster: what is not wrong, but may not be what was meant.
func Notes(c *Cluster) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	standin := c.Jenkins.War == "standin"
	for i, t := range c.Jenkins.Cloud.Templates {
		if t.Idle%Duration(time.Minute) != 0 && !standin {
			note("jenkins.cloud.templates[%d].idle: the Mesos plugin knows whole minutes: %v becomes %dm", i, t.Idle, t.IdleMinutes())
		}
		if c.Target == TargetLocal && (t.Docker != DockerNone || t.Image != "") && c.Components.Mesos.Source.Standin {
			note("jenkins.cloud.templates[%d]: docker and image need a Docker Engine on this machine", i)
		}
	}
	c.containerNotes(note)
	if c.Target != TargetLocal && c.Local != nil {
		note("local: has no effect on target %s", c.Target)
	}
	if !c.Target.FromTerraform() && c.Machines != nil {
		note("machines: has no effect on target %s", c.Target)
	}
	if c.HostsFrom != nil && c.Target != TargetHosts {
		note("hostsFrom: has no effect on target %s", c.Target)
	}
	if c.Target == TargetLocal && c.Jenkins.Image != "" {
		note("jenkins.image: has no effect on target local, whose controller is a plain process")
	}
	if c.Target == TargetLocal && c.SSH != nil {
		note("ssh: has no effect on target local")
	}
	if c.Jenkins.Cloud.Line == LineLibmesos && !standin {
		note("jenkins.cloud.line: libmesos is for old Jenkins cores only")
	}
	if c.Components.Mesos.Authentication {
		note("components.mesos.authentication: the Mesos plugin of Jenkins has no credential to show, so whoever speaks HTTP to port 5050, or to 5055 of the edge, can still register a framework: let only the hosts of the cluster reach them")
		if c.Components.Marathon.Source.Standin && !c.Components.Mesos.Source.Standin {
			note("components.mesos.authentication: the stand-in for Marathon speaks HTTP, so that real masters do not ask it for its credential")
		}
	}
	if standin && (c.Jenkins.SHA256 != "" || c.Jenkins.Plugins != "") {
		note("jenkins.sha256 and jenkins.plugins: have no effect on the stand-in")
	}
	if l := c.Local; c.Target == TargetLocal && l != nil && len(c.Jenkins.Cloud.Templates) > 0 {
		first := c.Jenkins.Cloud.Templates[0]
		if need := c.Jenkins.App.Mem + first.Mem + buildAgentOverhead; l.Agents == 1 && need > l.Resources.Mem {
			note("local.resources.mem: beside the controller, the only Mesos agent has no room for a build agent (%v are needed, %v are there)", need, l.Resources.Mem)
		}
	}
	if len(c.HostsWith(RoleControl)) == 1 {
		note("one control host: when it is lost, nothing can be changed until it is back")
	}
	return notes
}

// containerNotes say what containers give builds power over, and what has no effect.
func (c *Cluster) containerNotes(note func(format string, args ...any)) {
	if c.Target == TargetLocal {
		if c.Images != nil {
			note("images: has no effect on target local, whose controller and build agents are plain processes")
		}
		return
	}
	for i, t := range c.Jenkins.Cloud.Templates {
		switch t.Docker {
		case DockerSocket:
			note("jenkins.cloud.templates[%d].docker: socket: every build with the label %s is root on the Mesos agents' hosts, as it has their Docker Engine: only for builds that you trust with the hosts; `dind` gives each an engine of its own", i, t.Label)
		case DockerDind:
			note("jenkins.cloud.templates[%d].docker: dind: builds with the label %s run in privileged containers: they do not see each other's, but a build that wants to can become root on its host", i, t.Label)
		default:
			continue
		}
		if t.Image != "" {
			note("jenkins.cloud.templates[%d].image: %s must bring what docker: %s needs itself (docs/images.md); without `image` it is made so", i, t.Image, t.Docker)
		}
	}
}
