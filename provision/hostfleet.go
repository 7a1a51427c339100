package provision

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// HostValues are what the services of a host of its own depend on.
type HostValues struct {
	// IP is the address that the host's programs listen on; empty means that the host's address is one.
	IP string
	// CPUs, Mem and Disk are what the machine has; Disk is the size of the file system of host.RemoteDir.
	CPUs      float64
	Mem, Disk config.Size
	// Cgroup is the control group hierarchy, 1 or 2, that the host has and that its Mesos agent can use; 0 when there is none.
	Cgroup int
}

// NewHostFleet returns the hosts of every target but local: machines of their own with systemd. programs says what was
// found on a host, and values what it has, both by the host's name. Machines must have every host of the cluster.
func NewHostFleet(c *config.Cluster, machines map[string]host.Machine, programs func(name string) Programs, values map[string]HostValues) (*Fleet, error) {
	if c.Target == config.TargetLocal {
		return nil, fmt.Errorf("target %s has no hosts of their own", c.Target)
	}
	for _, h := range c.Hosts {
		if machines[h.Name] == nil {
			return nil, fmt.Errorf("host %s of %s has no machine", h.Name, c.File)
		}
	}
	return &Fleet{config: c, machines: machines, programsOf: programs, values: values}, nil
}

// at is the fleet as the services of one host see it.
func (f *Fleet) at(h config.Host) *Fleet {
	if f.programsOf == nil {
		return f
	}
	seen := *f
	seen.programs = f.programsOf(h.Name)
	return &seen
}

// ownHosts says whether the hosts are machines of their own.
func (f *Fleet) ownHosts() bool { return f.programsOf != nil }

// edition are the versions that a service depends on, empty where its hosts are folders: there another version has another path.
func (f *Fleet) edition(versions ...string) string {
	if !f.ownHosts() {
		return ""
	}
	return strings.Trim(strings.Join(versions, " "), " ")
}

// ip is the address that the host's programs listen on.
func (f *Fleet) ip(h config.Host) string {
	if ip := f.values[h.Name].IP; ip != "" {
		return ip
	}
	return h.Address
}

// heap is a part of the host's memory in MiB, between two limits.
func (f *Fleet) heap(h config.Host, part, least, most int) int {
	mem := f.values[h.Name].Mem
	if mem <= 0 {
		return least
	}
	return min(max(mem.MiB()/part, least), most)
}

// The memory of the JVMs in MiB. On target local many of them share one machine.
const (
	zooKeeperHeap = 128
	marathonHeap  = 512
)

func (f *Fleet) zooKeeperHeap(h config.Host) int {
	return f.heap(h, 16, zooKeeperHeap, 1024)
}

func (f *Fleet) marathonHeap(h config.Host) int {
	return f.heap(h, 8, marathonHeap, 2048)
}

// controlMemory is about what ZooKeeper, master, Marathon, edge and registry of a control host take, in MiB.
func (f *Fleet) controlMemory(h config.Host) int { return f.zooKeeperHeap(h) + f.marathonHeap(h) + 512 }

// reserve is what a host keeps for itself where the file does not say.
func (f *Fleet) reserve(h config.Host) config.Reserve {
	if h.Reserve != nil {
		return *h.Reserve
	}
	v := f.values[h.Name]
	r := config.Reserve{CPUs: min(1, v.CPUs/10), Mem: max(512*config.MiB, v.Mem/16)}
	if h.Is(config.RoleControl) {
		r.CPUs += min(0.5, v.CPUs/4)
		r.Mem += config.Size(f.controlMemory(h)) * config.MiB
	}
	return r
}

// hostOffer is what the Mesos agent of a machine offers: all but the reserve, in numbers that do not change with every
// kernel. A tenth of the disk, at most 10 GiB, is left out.
func (f *Fleet) hostOffer(h config.Host) config.Resources {
	v, reserve := f.values[h.Name], f.reserve(h)
	const step = 64 * config.MiB
	return config.Resources{
		CPUs: max(math.Floor((v.CPUs-reserve.CPUs)*10+1e-9)/10, 0),
		Mem:  max(v.Mem-reserve.Mem, 0) / step * step,
		Disk: (v.Disk - min(v.Disk/10, 10*config.GiB)) / config.GiB * config.GiB,
	}
}

// taskFlags say how a Mesos agent runs tasks: on target local as plain processes, and on hosts of their own in control
// groups where they can be used, and as containers of the host's Docker Engine.
func (f *Fleet) taskFlags(h config.Host) []string {
	if !f.ownHosts() {
		return []string{"--launcher=posix", "--isolation=posix/cpu,posix/mem", "--containerizers=mesos", "--no-systemd_enable_support",
			"--executor_registration_timeout=5mins"}
	}
	store := host.Path(f.machines[h.Name], RoleMesosAgent, "store")
	flags := []string{
		"--containerizers=docker,mesos", "--docker_socket=/var/run/docker.sock", "--docker_remove_delay=1hrs", "--docker_stop_timeout=30secs",
		// An image may take long to come, and the task fails when its executor has not answered by then.
		"--executor_registration_timeout=15mins",
		// Their defaults are below /tmp.
		"--docker_store_dir=" + store + "/docker", "--appc_store_dir=" + store + "/appc",
	}
	if r := f.config.Registry; r != nil && r.User != "" {
		flags = append(flags, "--docker_config=file://"+DockerLogin(f.machines[h.Name])+"/config.json")
	}
	switch f.values[h.Name].Cgroup {
	case 1:
		return append(flags, "--launcher=linux", "--isolation=cgroups/cpu,cgroups/mem")
	case 2:
		// The agent's support of systemd works with the old hierarchy alone.
		return append(flags, "--launcher=linux", "--isolation=cgroups/cpu,cgroups/mem", "--no-systemd_enable_support")
	}
	return append(flags, "--launcher=posix", "--isolation=posix/cpu,posix/mem", "--no-systemd_enable_support")
}

// RegistryHost is the control host that runs the cluster's own registry: the one that the registry's address names. It is
// false where the registry is another's.
func RegistryHost(c *config.Cluster) (config.Host, bool) {
	if c.Target == config.TargetLocal || c.Registry == nil || c.Registry.User != "" {
		return config.Host{}, false
	}
	name, _, err := net.SplitHostPort(c.Registry.Address)
	if err != nil {
		return config.Host{}, false
	}
	for _, h := range c.HostsWith(config.RoleControl) {
		if h.Name == name || h.Address == name {
			return h, true
		}
	}
	return config.Host{}, false
}

// RegistryAddress is HOST:PORT of the registry as every host reaches it, "" when there is none. The name of a host in the
// file becomes its address.
func RegistryAddress(c *config.Cluster) string {
	if c.Registry == nil {
		return ""
	}
	h, own := RegistryHost(c)
	_, port, err := net.SplitHostPort(c.Registry.Address)
	if !own || err != nil {
		return c.Registry.Address
	}
	return net.JoinHostPort(h.Address, port)
}

// DockerLogin is the folder of a host in which the login to a registry that asks for one is, as `docker --config` takes it.
func DockerLogin(m host.Machine) string { return host.Path(m, "docker") }

// Registry is the image registry of a control host.
func (f *Fleet) Registry(h config.Host) Service {
	f = f.at(h)
	s := f.service(h, RoleRegistry, nil)
	data := s.Dirs[0] + "/data"
	s.Dirs = append(s.Dirs, data)
	_, port, _ := net.SplitHostPort(RegistryAddress(f.config))
	file := text(s.Dirs[0]+"/config.yml",
		"version: 0.1",
		"log: {level: warn, accesslog: {disabled: true}}",
		"storage:",
		"  filesystem: {rootdirectory: "+data+"}",
		"  delete: {enabled: true}",
		"http:",
		"  addr: '"+net.JoinHostPort(f.ip(h), port)+"'",
		"  headers: {X-Content-Type-Options: [nosniff]}",
		"health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}")
	s.Files = []File{file}
	s.Unit.Argv = []string{f.programs.Registry, "serve", file.Path}
	return s.seal()
}

// EdgeAgentPort is where the edge of every control host leads build agents to the controller's agent port: the same port,
// or the next one where the controller itself may run on a control host.
func EdgeAgentPort(c *config.Cluster) int {
	port := c.Jenkins.App.AgentPort
	if slices.ContainsFunc(ControllerHosts(c), func(h config.Host) bool { return h.Is(config.RoleControl) }) {
		return port + 1
	}
	return port
}

// hostEdgeGlobal are the settings of an HAProxy that has a machine's limits and can read its file again.
func hostEdgeGlobal(dir string) []string {
	return []string{
		"  maxconn 8000",
		"  user haproxy",
		"  group haproxy",
		// Through this socket a new worker gets the listeners of the old one, so that a reload refuses nobody.
		`  stats socket "` + dir + `/admin.sock" mode 600 level admin expose-fd listeners`,
		// Connections of build agents last for hours; an old worker must not.
		"  hard-stop-after 4h",
	}
}

// agentFrontend passes the connections of build agents on to the controller. It asks the page that knows whether the agent
// port is open.
func (f *Fleet) agentFrontend(h config.Host) []string {
	app := f.config.Jenkins.App
	lines := []string{
		"listen agents", "  bind " + hostPort(f.ip(h), EdgeAgentPort(f.config)), "  mode tcp",
		"  option clitcpka", "  option srvtcpka",
		"  option httpchk",
	}
	for _, check := range append(ownerCheck(), fmt.Sprintf("http-check connect port %d", app.HTTPPort),
		"http-check send meth GET uri /tcpSlaveAgentListener/ ver HTTP/1.1 hdr Host edge", "http-check expect status 200") {
		lines = append(lines, "  "+check)
	}
	for i, server := range ControllerHosts(f.config) {
		line := fmt.Sprintf("  server %s %s check port %d", server.Name, hostPort(server.Address, app.AgentPort), app.HTTPPort)
		if i > 0 {
			line += " backup"
		}
		lines = append(lines, line)
	}
	return lines
}

// HostOffer is what the Mesos agent of a host with these values offers.
func HostOffer(c *config.Cluster, h config.Host, v HostValues) config.Resources {
	f := Fleet{config: c, values: map[string]HostValues{h.Name: v}}
	return f.hostOffer(h)
}
