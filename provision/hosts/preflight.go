package hosts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
)

// Preflight looks whether hosts can carry a cluster, and changes nothing. facts are those of LookAll; a host without facts is
// left out, as LookAll has said why. findings keep the cluster from being installed; notes are what a user should know.
func Preflight(ctx context.Context, c *config.Cluster, machines map[string]host.Machine, facts map[string]Facts, keeper *Keeper) (findings, notes []provision.Finding) {
	p := &preflight{config: c, machines: machines, facts: facts, keeper: keeper}
	var wait sync.WaitGroup
	for _, h := range c.Hosts {
		if f, known := facts[h.Name]; known {
			wait.Go(func() { p.host(ctx, h, f) })
		}
	}
	wait.Wait()
	p.names()
	p.clocks()
	p.twice()
	p.room()
	p.sources()
	return p.findings.merged(c), p.notes.merged(c)
}

type preflight struct {
	config   *config.Cluster
	machines map[string]host.Machine
	facts    map[string]Facts
	keeper   *Keeper

	mu              sync.Mutex
	findings, notes list
}

// list are findings that may be the same on many hosts.
type list []hostFinding

type hostFinding struct {
	host string // "" where it is about all
	provision.Finding
}

// merged makes one finding of those that differ only in their host, in the order of the file.
func (l list) merged(c *config.Cluster) []provision.Finding {
	order := map[string]int{}
	for i, h := range c.Hosts {
		order[h.Name] = i + 1
	}
	slices.SortStableFunc(l, func(a, b hostFinding) int { return order[a.host] - order[b.host] })
	var all []provision.Finding
	for i, f := range l {
		same := func(other hostFinding) bool { return other.Finding == f.Finding }
		if slices.IndexFunc(l, same) != i {
			continue
		}
		var hosts []string
		for _, other := range l {
			if same(other) && other.host != "" && !slices.Contains(hosts, other.host) {
				hosts = append(hosts, other.host)
			}
		}
		one := f.Finding
		if len(hosts) > 0 {
			one.Subject = strings.Join(hosts, ", ") + ": " + one.Subject
		}
		all = append(all, one)
	}
	return all
}

func (p *preflight) add(name, subject, problem, fix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.findings = append(p.findings, hostFinding{name, provision.Finding{Subject: subject, Problem: problem, Fix: fix}})
}

func (p *preflight) note(name, subject, problem, fix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, hostFinding{name, provision.Finding{Subject: subject, Problem: problem, Fix: fix}})
}

// known are the hosts that have facts, in the order of the file.
func (p *preflight) known() []config.Host {
	return slices.DeleteFunc(slices.Clone(p.config.Hosts), func(h config.Host) bool { _, known := p.facts[h.Name]; return !known })
}

// host looks at one host alone.
func (p *preflight) host(ctx context.Context, h config.Host, f Facts) {
	if !f.Root {
		p.add(h.Name, "sudo", "commands run as "+f.User+", and root is needed", "log in as root (ssh.user), or let the user run sudo without a password (NOPASSWD)")
		return
	}
	p.system(h, f)
	p.packages(h, f)
	p.address(h, f)
	p.disks(h, f)
	record, err := p.keeper.Read(ctx, p.machines[h.Name])
	var foreign *ForeignError
	switch {
	case errors.As(err, &foreign):
		p.add(h.Name, "another cluster", fmt.Sprintf("the host belongs to cluster %s (%s), as %s says", foreign.Cluster, foreign.ID, RecordPath), foreign.Hint())
		return
	case err != nil:
		p.add(h.Name, "record", err.Error(), "")
	}
	p.leftovers(h, f)
	p.ports(ctx, h, f)
	p.memory(h, f, record != nil && len(record.Units) > 0)
	p.ways(ctx, h)
}

func (p *preflight) system(h config.Host, f Facts) {
	s := f.Source()
	switch {
	case !s.Debian() && !s.RedHat():
		p.add(h.Name, "system", "runs "+f.OS.ID+", which jomctl does not know", "use Debian or Ubuntu, or a RHEL-like system")
	case s.RedHat():
		p.note(h.Name, "system", "runs "+f.OS.ID+": jomctl knows how, but was tried on Debian only", "")
	}
	if f.Systemd.Version == 0 {
		p.add(h.Name, "systemd", "is not there, and it keeps the programs running", "use a system with systemd")
	} else if f.Systemd.State == "offline" {
		p.add(h.Name, "systemd", "is installed, but did not start this host", "start the host with systemd (a container: with /sbin/init as its command)")
	}
	if s.Arch != runtime.GOARCH && (usesStandin(p.config) || h.Is(config.RoleMesosAgent)) {
		p.add(h.Name, "architecture", "is "+s.Arch+", and the helper programs beside this jomctl are for "+runtime.GOARCH, "use jomctl's release for "+s.Arch+", or hosts of "+runtime.GOARCH)
	}
	if f.Cgroup == 0 && h.Is(config.RoleMesosAgent) {
		p.add(h.Name, "control groups", "no hierarchy is mounted at /sys/fs/cgroup, and Docker needs one", "")
	}
	if f.SELinux == "Enforcing" {
		p.note(h.Name, "SELinux", "is enforcing, and jomctl was never tried with it", "where a service cannot read or run its files (`ausearch -m avc` shows what was denied): setenforce 0")
	}
}

// ephemeral are the folders that a reboot empties.
func ephemeral(path string) bool {
	return slices.ContainsFunc([]string{"/tmp", "/var/tmp", "/run", "/dev"}, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
}

// The least free space of a path.
const (
	leastOwn    = 2 * config.GiB // logs, work folders, ZooKeeper's data
	leastDocker = 4 * config.GiB // the controller's and build agents' images
	leastFiles  = 50_000
)

func (p *preflight) disks(h config.Host, f Facts) {
	for _, path := range pathsOf(p.config, h) {
		d := f.disk(path)
		least := leastOwn
		if path == "/var/lib/docker" {
			least = leastDocker
		}
		switch {
		case ephemeral(path):
			p.add(h.Name, "disk", path+" is emptied by a reboot", "name a lasting folder")
			continue
		case d.Path == "":
			continue
		case d.Type == "tmpfs" || d.Type == "ramfs":
			p.add(h.Name, "disk", path+" is in memory ("+d.Type+") and gone after a reboot", "mount a disk there")
		case d.ReadOnly:
			p.add(h.Name, "disk", path+" is on a file system that is mounted read-only ("+d.Mount+")", "look at dmesg for the reason, then mount it again")
		}
		if free := config.Size(d.Free); free < least {
			p.add(h.Name, "disk", fmt.Sprintf("%d MiB are free for %s, and %d MiB are needed", free.MiB(), path, least.MiB()), "make room at "+d.Mount)
		}
		if d.FreeFiles > 0 && d.FreeFiles < leastFiles {
			p.add(h.Name, "disk", fmt.Sprintf("%d files more fit at %s, and %d are needed", d.FreeFiles, path, int64(leastFiles)), "remove files at "+d.Mount)
		}
	}
}

// leftovers looks for an installation that is not jomctl's. One that runs would be stopped by the masks.
func (p *preflight) leftovers(h config.Host, f Facts) {
	var units []string
	for _, u := range f.Leftovers.Units {
		if u.Active == "active" || u.Active == "activating" {
			units = append(units, u.Name)
		}
	}
	if len(units) > 0 {
		p.add(h.Name, "old installation", "the services "+strings.Join(units, ", ")+" run, and are not jomctl's",
			"save what they keep, then systemctl disable --now "+strings.Join(units, " "))
	}
	for _, process := range f.Leftovers.Processes {
		if strings.Contains(process.Command, host.RemoteDir) {
			continue // a task of the cluster's own
		}
		if process.Unit == "" || !slices.Contains(units, strings.TrimSuffix(process.Unit, ".service")) {
			command, _, _ := strings.Cut(process.Command, " ")
			p.add(h.Name, "old installation", fmt.Sprintf("process %d (%s) runs and is not jomctl's", process.PID, command), fmt.Sprintf("kill %d", process.PID))
		}
	}
	if len(f.Leftovers.Paths) > 0 {
		p.note(h.Name, "old installation", "has left "+strings.Join(f.Leftovers.Paths, ", ")+", which jomctl does not use", "")
	}
}

// ports looks for programs of others on the ports that units will listen on.
func (p *preflight) ports(ctx context.Context, h config.Host, f Facts) {
	units, err := p.machines[h.Name].Units().List(ctx)
	if err != nil {
		p.add(h.Name, "units", err.Error(), "")
		return
	}
	active := map[string]bool{}
	for _, u := range units {
		active[u.Name] = u.Active
	}
	ip := f.IP(h)
	for _, port := range PortsOf(p.config, h) {
		for _, l := range f.Listening {
			here := l.Address.Addr().IsUnspecified() || l.Address.Addr().Unmap().String() == ip
			if int(l.Address.Port()) != port.Number || !here || active[port.Unit] {
				continue
			}
			who, fix := "a program", "stop it (`ss -ltnp` shows it)"
			if l.PID > 0 {
				who, fix = fmt.Sprintf("%s (process %d)", l.Program, l.PID), fmt.Sprintf("stop it (kill %d, or its service)", l.PID)
			}
			p.add(h.Name, fmt.Sprintf("port %d", port.Number), "is taken by "+who+", and "+port.Unit+" needs it", fix)
			break
		}
	}
}

// memory is looked at as long as nothing of the cluster takes any.
func (p *preflight) memory(h config.Host, f Facts, installed bool) {
	need := 128 * config.MiB
	if h.Is(config.RoleControl) {
		need += 400 * config.MiB
		if !p.config.Components.Marathon.Source.Standin {
			need += 800 * config.MiB
		}
	}
	if h.Is(config.RoleMesosAgent) {
		need += 256 * config.MiB
	}
	if have := config.Size(f.Memory.Available); !installed && have < need {
		p.add(h.Name, "memory", fmt.Sprintf("%d MiB are free, and about %d MiB are needed for its roles", have.MiB(), need.MiB()), "end other programs, or use a larger machine")
	}
}

// ways tries the ways from the host to all others.
func (p *preflight) ways(ctx context.Context, h config.Host) {
	if p.facts[h.Name].Programs["bash"] == "" {
		p.note(h.Name, "bash", "is not there, so the ways to the other hosts were not tried", "")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	blocked, err := reachable(ctx, p.config, p.known(), h, p.machines[h.Name])
	if err != nil {
		p.note(h.Name, "network", err.Error(), "")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(blocked)) {
		for _, result := range slices.Sorted(maps.Keys(blocked[name])) {
			ports := blocked[name][result]
			slices.Sort(ports)
			p.add(h.Name, "network", fmt.Sprintf("TCP %s of %s cannot be reached from here (%s)", numbers(ports), name, result),
				"on "+name+": "+openPorts(p.facts[name].Firewall, ports))
		}
	}
}

// sources looks whether the components' sources fit the hosts and each other.
func (p *preflight) sources() {
	for _, h := range p.known() {
		_, findings := Plans(p.config, h, p.facts[h.Name])
		for _, one := range findings {
			p.add(h.Name, one.Subject, one.Problem, one.Fix)
		}
	}
}
