package core

import (
	"math"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

func infinity() float64 { return math.Inf(1) }

// container is what Mesos is told of the app's container; nothing for a plain command on the agent's network.
func container(app *spec.App, t taken) *mesos.ContainerInfo {
	c := app.Container
	if c == nil {
		return nil
	}
	out := &mesos.ContainerInfo{}
	for _, v := range c.Volumes {
		mode := mesos.RW
		if v.Mode == "RO" {
			mode = mesos.RO
		}
		out.Volumes = append(out.Volumes, mesos.Volume{Mode: ptr(mode), ContainerPath: v.ContainerPath, HostPath: ptr(v.HostPath)})
	}
	if c.Type == "DOCKER" {
		out.Type = mesos.ContainerInfo_DOCKER.Enum()
		out.Docker = dockerInfo(app, t)
		if app.Networks[0].Mode == "container" {
			out.NetworkInfos = networkInfos(app, t)
		}
		return out
	}
	out.Type = mesos.ContainerInfo_MESOS.Enum()
	if c.Docker != nil {
		cached := !c.Docker.ForcePullImage
		out.Mesos = &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: c.Docker.Image}, Cached: &cached}}
	}
	if !app.HostMode() {
		out.NetworkInfos = networkInfos(app, t)
	}
	if app.TTY != nil && *app.TTY {
		out.TTYInfo = &mesos.TTYInfo{}
	}
	return out
}

func dockerInfo(app *spec.App, t taken) *mesos.ContainerInfo_DockerInfo {
	d := app.Container.Docker
	out := &mesos.ContainerInfo_DockerInfo{Image: d.Image, Privileged: ptr(d.Privileged), ForcePullImage: ptr(d.ForcePullImage)}
	for _, p := range d.Parameters {
		out.Parameters = append(out.Parameters, mesos.Parameter{Key: p.Key, Value: p.Value})
	}
	switch app.Networks[0].Mode {
	case "host":
		out.Network = mesos.ContainerInfo_DockerInfo_HOST.Enum()
	case "container/bridge":
		out.Network = mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
	default:
		out.Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
	}
	if app.HostMode() || app.Container.PortMappings == nil {
		return out
	}
	for n, m := range *app.Container.PortMappings {
		if m.HostPort == nil {
			continue
		}
		inside := m.ContainerPort
		if inside == 0 {
			inside = t.allPorts[n]
		}
		out.PortMappings = append(out.PortMappings, mesos.ContainerInfo_DockerInfo_PortMapping{HostPort: uint32(t.allPorts[n]), ContainerPort: uint32(inside), Protocol: ptr(m.Protocol)})
	}
	return out
}

func networkInfos(app *spec.App, t taken) []mesos.NetworkInfo {
	var out []mesos.NetworkInfo
	for _, network := range app.Networks {
		info := mesos.NetworkInfo{IPAddresses: []mesos.NetworkInfo_IPAddress{{}}, Labels: labels(network.Labels)}
		name := network.Name
		if network.Mode == "container/bridge" {
			name = "mesos-bridge"
		}
		info.Name = ptr(name)
		if app.Container.Type == "MESOS" && app.Container.PortMappings != nil {
			for n, m := range *app.Container.PortMappings {
				if m.HostPort == nil || (len(m.NetworkNames) > 0 && !contains(m.NetworkNames, name)) {
					continue
				}
				info.PortMappings = append(info.PortMappings, mesos.NetworkInfo_PortMapping{HostPort: uint32(t.allPorts[n]), ContainerPort: uint32(m.ContainerPort), Protocol: ptr(m.Protocol)})
			}
		}
		out = append(out, info)
	}
	return out
}
