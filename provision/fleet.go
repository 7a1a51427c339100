package provision

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// Fleet is all hosts of a cluster with the programs that run on them. Its methods describe the services of each role.
type Fleet struct {
	config   *config.Cluster
	programs Programs
	machines map[string]host.Machine

	// programsOf and values are set for hosts of their own, whose programs differ.
	programsOf func(name string) Programs
	values     map[string]HostValues
}

// NewLocalFleet returns the hosts of target local: each is the folder hosts/NAME of the state folder.
func NewLocalFleet(c *config.Cluster, p Programs) (*Fleet, error) {
	if c.Target != config.TargetLocal {
		return nil, fmt.Errorf("target %s has no hosts on this machine", c.Target)
	}
	f := &Fleet{config: c, programs: p, machines: map[string]host.Machine{}}
	for _, h := range c.Hosts {
		m, err := host.NewLocal(h.Name, h.Address, filepath.Join(c.StateDir(), "hosts", h.Name), p.Jomctl)
		if err != nil {
			return nil, err
		}
		f.machines[h.Name] = m
	}
	return f, nil
}

// Machine is the host of that name; nil when there is none.
func (f *Fleet) Machine(name string) host.Machine {
	if m, ok := f.machines[name]; ok {
		return m
	}
	return nil
}

// Machines are all hosts in the order of the file.
func (f *Fleet) Machines() []host.Machine {
	var all []host.Machine
	for _, h := range f.config.Hosts {
		all = append(all, f.machines[h.Name])
	}
	return all
}

// Services are the services of a role (RoleZooKeeper, ...) on all hosts that have it, in the order of the file.
func (f *Fleet) Services(role string) []Service {
	makers := map[string]func(config.Host) Service{RoleZooKeeper: f.ZooKeeper, RoleMesosMaster: f.MesosMaster, RoleMarathon: f.Marathon,
		RoleEdge: f.Edge, RoleMesosAgent: f.MesosAgent, RoleRegistry: f.Registry}
	var all []Service
	for _, h := range f.config.Hosts {
		if f.Serves(h, role) {
			all = append(all, makers[role](h))
		}
	}
	return all
}

// Serves says whether a host of the file has the service of a role, whose unit has the role's name.
func (f *Fleet) Serves(h config.Host, role string) bool {
	switch role {
	case RoleZooKeeper, RoleMesosMaster, RoleMarathon, RoleEdge:
		return h.Is(config.RoleControl)
	case RoleMesosAgent:
		return h.Is(config.RoleMesosAgent)
	case RoleRegistry:
		at, own := RegistryHost(f.config)
		return own && at.Name == h.Name
	}
	return false
}

// AllServices are all services of the cluster, in the order in which they are started.
func (f *Fleet) AllServices() []Service {
	var all []Service
	for _, role := range []string{RoleZooKeeper, RoleMesosMaster, RoleMesosAgent, RoleMarathon, RoleEdge, RoleRegistry} {
		all = append(all, f.Services(role)...)
	}
	return all
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// sessionDelay is how long Marathon and the masters stay away when they have ended: longer than their ZooKeeper session, as a
// Marathon that finds its own old session ends again with 104.
func (f *Fleet) sessionDelay() time.Duration {
	return f.config.Tuned().ZooKeeperSession.Duration() + time.Second
}

// whole are the seconds of a time in the file, which has no parts of a second.
func whole(d config.Duration) int { return int(d.Duration().Seconds()) }

// service begins the description of a role: a folder of its own, a log, a clean environment.
func (f *Fleet) service(h config.Host, role string, argv []string) Service {
	m := f.machines[h.Name]
	dir := host.Path(m, role)
	return Service{Host: m, Role: role, Dirs: []string{dir}, Unit: host.Unit{
		Name: role, Description: role + " of " + f.config.Name, Argv: argv, Dir: dir,
		Env:          map[string]string{"PATH": systemPath, "LANG": "C.UTF-8", "HOME": dir},
		RestartDelay: 2 * time.Second, StopTimeout: 10 * time.Second, KillMode: host.KillGroup,
		LogFile: host.Path(m, "log", role+".log"),
	}}
}

// text renders lines as a file.
func text(path string, lines ...string) File {
	return File{Path: path, Data: []byte(strings.Join(lines, "\n") + "\n"), Mode: 0o644}
}

// pairs renders a map as name+sep+value in the order of the names.
func pairs(m map[string]string, sep string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+sep+m[name])
	}
	return all
}
