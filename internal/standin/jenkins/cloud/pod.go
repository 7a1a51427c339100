package cloud

import (
	"slices"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// pod is one wanted or launched build agent.
type pod struct {
	name      string
	template  Template
	command   mesos.CommandInfo
	container *mesos.ContainerInfo
	agent     *mesos.AgentID // once launched
}

func ptr[T any](v T) *T { return &v }

func newPod(name string, cfg Config, t Template, secret string) (*pod, error) {
	text, jar, err := command(cfg, t, name, secret)
	if err != nil {
		return nil, err
	}
	no := false
	p := &pod{name: name, template: t}
	p.command.URIs = []mesos.CommandInfo_URI{{Value: jar, Executable: &no, Extract: &no, Cache: &no}}
	for _, u := range t.URIs {
		p.command.URIs = append(p.command.URIs, mesos.CommandInfo_URI{Value: u.Value, Executable: ptr(u.Executable), Extract: ptr(u.Extract), Cache: &no})
	}
	if t.Container == nil {
		p.command.Shell, p.command.Value = ptr(true), &text
		return p, nil
	}
	// The whole command is one argument: the image's entry point must be a shell.
	p.command.Shell, p.command.Arguments = &no, []string{text}
	p.container = containerInfo(name, t.Container)
	return p, nil
}

func containerInfo(name string, c *Container) *mesos.ContainerInfo {
	info := &mesos.ContainerInfo{}
	for _, v := range c.Volumes {
		mode := mesos.RW
		if v.ReadOnly {
			mode = mesos.RO
		}
		info.Volumes = append(info.Volumes, mesos.Volume{ContainerPath: v.ContainerPath, HostPath: ptr(v.HostPath), Mode: &mode})
	}
	if c.Type == "MESOS" {
		info.Type = ptr(mesos.ContainerInfo_MESOS)
		info.Mesos = &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Type: ptr(mesos.Image_DOCKER), Docker: &mesos.Image_Docker{Name: c.Image}}}
		if c.Dind {
			info.Volumes = append(info.Volumes, mesos.Volume{ContainerPath: "/var/lib/docker", HostPath: ptr("docker"), Mode: ptr(mesos.RW)})
		}
		return info
	}
	network := mesos.ContainerInfo_DockerInfo_BRIDGE
	if n, ok := mesos.ContainerInfo_DockerInfo_Network_value[c.Networking]; ok {
		network = mesos.ContainerInfo_DockerInfo_Network(n)
	}
	info.Type = ptr(mesos.ContainerInfo_DOCKER)
	info.Docker = &mesos.ContainerInfo_DockerInfo{Image: c.Image, Network: &network, Privileged: ptr(c.Privileged), ForcePullImage: ptr(c.ForcePull)}
	if network != mesos.ContainerInfo_DockerInfo_HOST {
		info.Hostname = &name
	}
	return info
}

// overhead is what the plugin adds to a template's memory.
const overhead = 32

// remaining is what is left of an offer.
type remaining struct {
	offer     *mesos.Offer
	resources map[string]float64
}

func newRemaining(o *mesos.Offer) *remaining {
	r := &remaining{offer: o, resources: map[string]float64{}}
	for _, res := range o.Resources {
		if res.Scalar != nil && res.IsUnreserved() {
			r.resources[res.Name] += res.Scalar.Value
		}
	}
	return r
}

// take says whether the pod fits, and takes its resources out of the rest.
func (r *remaining) take(p *pod, homeRegion string) bool {
	t := p.template
	want := map[string]float64{"cpus": t.CPUs, "mem": float64(t.Mem + overhead), "disk": t.Disk}
	for name, amount := range want {
		// Scalars have three digits in Mesos.
		if r.resources[name]+0.0005 < amount {
			return false
		}
	}
	if !domainFits(r.offer.Domain, t, homeRegion) || !attributesFit(r.offer.Attributes, t.Attributes) {
		return false
	}
	for name, amount := range want {
		r.resources[name] -= amount
	}
	return true
}

func domainFits(d *mesos.DomainInfo, t Template, homeRegion string) bool {
	region, zone := "", ""
	if d != nil && d.FaultDomain != nil {
		region, zone = d.FaultDomain.Region.Name, d.FaultDomain.Zone.Name
	}
	switch t.Domain {
	case "any":
		return true
	case "string":
		return region == t.Region && zone == t.Zone
	}
	return region == homeRegion
}

func attributesFit(have []mesos.Attribute, want string) bool {
	for _, w := range attributes(want) {
		if !slices.ContainsFunc(have, func(a mesos.Attribute) bool { return a.Name == w[0] && attributeText(a) == w[1] }) {
			return false
		}
	}
	return true
}

func attributeText(a mesos.Attribute) string {
	switch {
	case a.Text != nil:
		return a.Text.Value
	case a.Scalar != nil:
		return Number(a.Scalar.Value)
	}
	return ""
}

// task is the launch of the pod on an offer: the task's name is empty, as the plugin's is.
func (p *pod) task(o *mesos.Offer, role string) mesos.TaskInfo {
	resource := func(name string, value float64) mesos.Resource {
		r := mesos.Resource{Name: name, Type: ptr(mesos.SCALAR), Scalar: &mesos.Value_Scalar{Value: value}, Role: ptr("*")}
		if o.AllocationInfo != nil {
			r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: o.AllocationInfo.Role}
		} else {
			r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: ptr(role)}
		}
		return r
	}
	t := p.template
	return mesos.TaskInfo{TaskID: mesos.TaskID{Value: p.name}, AgentID: o.AgentID, Command: &p.command, Container: p.container,
		Resources: []mesos.Resource{resource("disk", t.Disk), resource("mem", float64(t.Mem+overhead)), resource("cpus", t.CPUs)}}
}
