package config

import (
	"fmt"
	"math"
	"net"
	"strings"
	"time"
)

// buildAgentOverhead is what the cloud asks for above a template's memory, for the JVM of the build agent itself.
const buildAgentOverhead = 32 * MiB

// proofBuilds is how many build agents the install proves at once.
const proofBuilds = 5

// Default fills in everything that the file leaves out. Calling it again changes nothing.
func Default(c *Cluster) {
	local := c.Target == TargetLocal
	set(&c.Release, "default")
	if c.Target.FromTerraform() {
		if c.Machines == nil {
			c.Machines = &Machines{}
		}
		c.Machines.counts(c.Hosts)
		if len(c.Hosts) == 0 {
			c.Hosts = c.Machines.hosts()
		}
	}
	for _, h := range c.HostsWith(RoleControl) {
		if h.Is(RoleMesosAgent) {
			set(&c.Jenkins.App.HTTPPort, 8088) // Marathon has 8080 on that host
		}
	}
	c.Jenkins.defaults(local)
	c.Components.defaults(local)
	if local {
		if c.Local == nil {
			c.Local = &Local{}
		}
		c.Local.counts(c.Hosts)
		c.Local.Resources.defaults(c)
		if len(c.Hosts) == 0 {
			c.Hosts = c.Local.hosts()
		}
	} else {
		if c.SSH == nil {
			c.SSH = &SSH{}
		}
		if control := c.HostsWith(RoleControl); c.Registry == nil && len(control) > 0 && address(control[0].Address) {
			c.Registry = &Registry{Address: net.JoinHostPort(control[0].Address, "5000")}
		}
	}
	if s := c.SSH; s != nil {
		if !c.Target.FromTerraform() { // there the image knows
			set(&s.User, "root")
		}
		set(&s.Port, 22)
		set(&s.KnownHosts, ".jomctl/known_hosts")
	}
	if b := c.Backup; b != nil {
		set(&b.Password, "file:.jomctl/secrets/backup")
		if c.Target != TargetLocal && c.Target != "" {
			set(&b.Schedule, "02:30")
		}
		if b.Keep == (Keep{}) {
			b.Keep = Keep{Last: 7, Weekly: 4}
		}
	}
	c.imagesDefault()
	if b := c.Components.Marathon.BasicAuth; b != nil {
		set(&b.User, "admin")
		set(&b.Password, "file:.jomctl/secrets/marathon")
	}
	if m := c.Maintenance; m != nil {
		set(&m.Reserve, Duration(20*time.Minute))
		for i := range m.Windows {
			set(&m.Windows[i].Zone, "UTC")
		}
	}
}

func set[T comparable](v *T, value T) {
	var empty T
	if *v == empty {
		*v = value
	}
}

// imagesDefault lets images be made where builds with a Docker Engine need a container and name none.
func (c *Cluster) imagesDefault() {
	for _, t := range c.Jenkins.Cloud.Templates {
		if c.Images == nil && c.Target != TargetLocal && t.Image == "" && (t.Docker == DockerSocket || t.Docker == DockerDind) {
			c.Images = &Images{}
		}
	}
	if i := c.Images; i != nil {
		set(&i.Base, "debian:trixie-slim")
		set(&i.UserID, 1000)
	}
}

func (s *Components) defaults(local bool) {
	fallback := func(to *Source, value Source) {
		if *to == (Source{}) {
			*to = value
		}
	}
	// The package zookeeper has no program of ZooKeeper in it: scripts that jomctl does not use, and a dependency on a Java with a
	// desktop's libraries.
	fallback(&s.ZooKeeper.Source, Source{Apt: "libzookeeper-java"})
	if local {
		fallback(&s.Mesos.Source, Source{Standin: true})
		fallback(&s.Marathon.Source, Source{Standin: true})
		return
	}
	fallback(&s.Mesos.Source, Source{Catalog: "clusterd"})
	fallback(&s.Marathon.Source, Source{Catalog: "marathon-image"})
}

func (j *Jenkins) defaults(local bool) {
	mem, grace, idle := 2*GiB, 10*time.Minute, Duration(3*time.Minute)
	if local {
		// A real controller was seen to be ready after 8 to 60 s: five minutes are more than three starts.
		mem, grace = GiB, 5*time.Minute
		set(&j.War, "standin")
		// To try it is not to wait: a minute is the shortest time that the real plugin knows, the stand-in knows seconds.
		idle = Duration(time.Minute)
		if j.War == "standin" {
			idle = Duration(5 * time.Second)
		}
	}
	set(&j.App.CPUs, 1)
	set(&j.App.Mem, mem)
	set(&j.App.Grace, Duration(grace))
	set(&j.App.HTTPPort, 8080)
	set(&j.App.AgentPort, 50000)
	set(&j.Home.Type, HomeHost)
	if !local && j.Home.Type == HomeHost {
		set(&j.Home.Path, "/var/lib/jomctl/jenkins_home")
	}
	if s := j.SCM; s != nil {
		set(&s.Branch, "main")
		set(&s.Debounce, Duration(2*time.Second))
		set(&s.MaxDelay, Duration(15*time.Second))
	}
	set(&j.Admin.User, "admin")
	set(&j.Admin.Password, "file:.jomctl/secrets/admin")
	set(&j.Cloud.Line, LineHTTP)
	if len(j.Cloud.Templates) == 0 {
		j.Cloud.Templates = []Template{{}}
	}
	for i := range j.Cloud.Templates {
		t := &j.Cloud.Templates[i]
		if i == 0 {
			set(&t.Label, "mesos")
		}
		set(&t.CPUs, 0.2)
		set(&t.Mem, 512*MiB)
		set(&t.Idle, idle)
		set(&t.Docker, DockerNone)
	}
}

func (l *Local) counts(hosts []Host) {
	set(&l.Address, "127.0.10.0")
	control, agents := counts(hosts)
	set(&l.Control, control)
	set(&l.Agents, agents)
}

// counts are the hosts of each role; without any hosts, as many as a first cluster has.
func counts(hosts []Host) (control, agents int) {
	if len(hosts) == 0 {
		return 1, 2
	}
	for _, h := range hosts {
		if h.Is(RoleControl) {
			control++
		}
		if h.Is(RoleMesosAgent) {
			agents++
		}
	}
	return control, agents
}

func (m *Machines) counts(hosts []Host) {
	control, agents := counts(hosts)
	set(&m.Control, control)
	set(&m.Agents, agents)
}

// hosts are the machines that the numbers ask for: m1, m2, ... for control and a1, a2, ... for Mesos agents.
func (m *Machines) hosts() []Host {
	var hosts []Host
	for i := range min(max(m.Control, 0), 11) {
		hosts = append(hosts, Host{Name: fmt.Sprintf("m%d", i+1), Roles: []Role{RoleControl}})
	}
	for i := range min(max(m.Agents, 0), maxLocalAgents) {
		hosts = append(hosts, Host{Name: fmt.Sprintf("a%d", i+1), Roles: []Role{RoleMesosAgent}})
	}
	return hosts
}

// defaults sizes the Mesos agents so that the controller and five build agents fit them together, with room for one more
// build agent on each, but do not fit on one alone where there are two or more. From two on the size does not depend on
// their number: a Mesos agent that offers less than before ends its tasks, so that adding one would stop the others.
func (r *Resources) defaults(c *Cluster) {
	app, template := c.Jenkins.App, c.Jenkins.Cloud.Templates[0]
	agents := min(max(c.Local.Agents, 1), 2)
	build := template.Mem + buildAgentOverhead
	mem := (app.Mem+proofBuilds*build)/Size(agents) + build
	mem = max(mem, app.Mem+build)
	cpus := (app.CPUs+proofBuilds*template.CPUs)/float64(agents) + template.CPUs
	cpus = max(4, math.Ceil(cpus), math.Ceil(app.CPUs+template.CPUs))
	for _, t := range c.Jenkins.Cloud.Templates {
		mem = max(mem, t.Mem+buildAgentOverhead)
		cpus = max(cpus, math.Ceil(t.CPUs))
	}
	const step = 64 * MiB
	set(&r.CPUs, cpus)
	set(&r.Mem, (mem+step-1)/step*step)
	set(&r.Disk, 20*GiB)
}

// hosts are the loopback hosts: control hosts from .10, Mesos agents from .21.
func (l *Local) hosts() []Host {
	network := strings.TrimSuffix(l.Address, ".0")
	var hosts []Host
	for i := range min(max(l.Control, 0), 11) {
		hosts = append(hosts, Host{Name: fmt.Sprintf("c%d", i+1), Address: fmt.Sprintf("%s.%d", network, 10+i), Roles: []Role{RoleControl}})
	}
	for i := range min(max(l.Agents, 0), maxLocalAgents) {
		hosts = append(hosts, Host{Name: fmt.Sprintf("a%d", i+1), Address: fmt.Sprintf("%s.%d", network, 21+i), Roles: []Role{RoleMesosAgent}})
	}
	return hosts
}
