package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/jomctl/jomctl/internal/config"
)

// PreflightLocal looks whether this machine can carry the cluster, changes nothing, and returns all that stands against
// it at once, beginning with the findings of FindPrograms. Ports and memory that running units of this cluster use are
// not counted.
func PreflightLocal(ctx context.Context, c *config.Cluster, dir string) (Programs, []Finding) {
	programs, findings := FindPrograms(ctx, c, dir)
	p := preflight{config: c, programs: programs, findings: findings}
	if runtime.GOOS != "linux" {
		p.add("system", "target local needs Linux, and this is "+runtime.GOOS, "use a Linux machine, or target hosts from here")
		return programs, p.findings
	}
	fleet, err := NewLocalFleet(c, programs)
	if err != nil {
		p.add("target", err.Error(), "")
		return programs, p.findings
	}
	if p.state() {
		p.paths()
		p.disk()
	}
	if p.addresses() {
		p.ports(ctx, fleet)
	}
	if !p.anyActive(ctx, fleet) {
		p.memory()
	}
	p.keys()
	return programs, p.findings
}

type preflight struct {
	config   *config.Cluster
	programs Programs
	findings []Finding
}

func (p *preflight) add(subject, problem, fix string) {
	p.findings = append(p.findings, Finding{Subject: subject, Problem: problem, Fix: fix})
}

// existing is the nearest folder above path that is there.
func existing(path string) string {
	for path != "/" {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

func (p *preflight) state() bool {
	dir := p.config.StateDir()
	have := existing(dir)
	info, err := os.Stat(have)
	switch {
	case err != nil:
		p.add("state folder", err.Error(), "move cluster.yaml to a folder of your own")
	case !info.IsDir():
		p.add("state folder", have+" is not a folder", "move it away, or move cluster.yaml")
	case unix.Access(have, unix.W_OK|unix.X_OK) != nil:
		p.add("state folder", have+" cannot be written to by this user", "sudo chown -R $USER "+have+", or move cluster.yaml to a folder of your own")
	default:
		return true
	}
	return false
}

func (p *preflight) paths() {
	if dir := p.config.StateDir(); strings.ContainsAny(dir, ":;\n\"'\\") {
		p.add("state folder", dir+` has one of : ; " ' \ in its path, which Java and Mesos do not take`, "move cluster.yaml to another folder")
	}
	if dir := p.config.StateDir(); !p.programs.Jenkins.Standin && strings.ContainsAny(dir, " \t*?[") {
		// Its Mesos plugin starts a build agent with the unquoted path of the task's folder in a shell command.
		p.add("state folder", dir+" has a blank or one of * ? [ in its path, with which no build agent of a real Jenkins can start", "move cluster.yaml to another folder")
	}
}

func (p *preflight) disk() {
	have := existing(p.config.StateDir())
	var st unix.Statfs_t
	if err := unix.Statfs(have, &st); err != nil {
		p.add("disk", fmt.Sprintf("look at the disk of %s: %v", have, err), "")
		return
	}
	need := 512 * config.MiB
	if !p.programs.Jenkins.Standin {
		need = 3 * config.GiB // the unpacked war, the plugins, a home, logs, workspaces
	}
	free := config.Size(int64(st.Bavail) * int64(st.Bsize)) //nolint:unconvert // another type elsewhere
	if free < need {
		p.add("disk", fmt.Sprintf("%d MiB are free at %s, and %d MiB are needed", free.MiB(), have, need.MiB()), "make room, or move cluster.yaml to another disk")
	}
	if st.Files > 0 && st.Ffree < 10000 {
		p.add("disk", fmt.Sprintf("%d files more fit on the disk of %s, and 10000 are needed", st.Ffree, have), "remove files, or move cluster.yaml to another disk")
	}
}

// addresses tries every host's address.
func (p *preflight) addresses() bool {
	usable := true
	for _, h := range p.config.Hosts {
		listener, err := net.Listen("tcp", net.JoinHostPort(h.Address, "0"))
		if err == nil {
			_ = listener.Close()
			continue
		}
		usable = false
		p.add("address "+h.Address, fmt.Sprintf("host %s cannot use it: %v", h.Name, err), "sudo ip addr add "+h.Address+"/8 dev lo, or set local.address to another network below 127.0.0.0")
	}
	return usable
}

// wanted is a port that a unit of the cluster will listen on.
type wanted struct {
	host, address string
	port          int
	unit          string
}

func (p *preflight) wantedPorts() []wanted {
	var all []wanted
	control := p.config.HostsWith(config.RoleControl)
	for _, h := range control {
		add := func(port int, unit string) { all = append(all, wanted{h.Name, h.Address, port, unit}) }
		add(ZooKeeperPort, RoleZooKeeper)
		if len(control) > 1 {
			add(ZooKeeperPeerPort, RoleZooKeeper)
			add(ZooKeeperElectionPort, RoleZooKeeper)
		}
		add(MasterPort, RoleMesosMaster)
		add(MarathonPort, RoleMarathon)
		for _, port := range []int{EdgeControllerPort, EdgeMasterPort, EdgeMarathonPort} {
			add(port, RoleEdge)
		}
	}
	app := p.config.Jenkins.App
	for _, h := range p.config.HostsWith(config.RoleMesosAgent) {
		for _, port := range []int{AgentPort, OwnerPort, app.HTTPPort, app.AgentPort} {
			all = append(all, wanted{h.Name, h.Address, port, RoleMesosAgent})
		}
	}
	if agents := p.config.HostsWith(config.RoleMesosAgent); !p.programs.Jenkins.Standin && len(agents) > 0 {
		// A real controller's agent port binds every interface.
		all = append(all, wanted{agents[0].Name, "0.0.0.0", app.AgentPort, RoleMesosAgent})
	}
	return all
}

func (p *preflight) ports(ctx context.Context, fleet *Fleet) {
	for _, w := range p.wantedPorts() {
		status, err := fleet.Machine(w.host).Units().Status(ctx, w.unit)
		if err == nil && (status.Active || status.Running) {
			continue
		}
		listener, err := net.Listen("tcp", hostPort(w.address, w.port))
		if err == nil {
			_ = listener.Close()
			continue
		}
		subject := fmt.Sprintf("port %s", hostPort(w.address, w.port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			who := portOwner(w.address, w.port)
			p.add(subject, "is taken by "+who+", and "+w.unit+" of "+w.host+" needs it", portFix(who))
		default:
			p.add(subject, fmt.Sprintf("%s of %s cannot listen there: %v", w.unit, w.host, err), "")
		}
	}
}

func portFix(who string) string {
	if pid, _, ok := strings.Cut(strings.TrimPrefix(who, "process "), " "); ok && strings.HasPrefix(who, "process ") {
		return "stop it (kill " + pid + "), or set local.address to another network"
	}
	return "stop it (`sudo ss -ltnp` shows it), or set local.address to another network"
}

func (p *preflight) anyActive(ctx context.Context, fleet *Fleet) bool {
	for _, m := range fleet.Machines() {
		units, err := m.Units().List(ctx)
		for _, u := range units {
			if err == nil && u.Active {
				return true
			}
		}
	}
	return false
}

func (p *preflight) memory() {
	available, err := memAvailable()
	if err != nil {
		p.add("memory", err.Error(), "")
		return
	}
	need := p.needMemory()
	if available < need {
		p.add("memory", fmt.Sprintf("%d MiB are free, and about %d MiB are needed", available.MiB(), need.MiB()), "end other programs, or use fewer hosts (local.control, local.agents) or a smaller controller (jenkins.app.mem)")
	}
}

// needMemory is an estimate of what the processes really use, from runs with the stand-ins and with the real programs.
func (p *preflight) needMemory() config.Size {
	control := config.Size(len(p.config.HostsWith(config.RoleControl)))
	agents := config.Size(len(p.config.HostsWith(config.RoleMesosAgent)))
	each := 150*config.MiB + 3*30*config.MiB // ZooKeeper, and small programs
	if !p.programs.Marathon.Standin {
		each += 700 * config.MiB
	}
	need := control*each + agents*60*config.MiB
	if p.programs.Jenkins.Standin {
		return need + 200*config.MiB
	}
	return need + p.config.Jenkins.App.Mem + 300*config.MiB
}

func memAvailable() (config.Size, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("look at the free memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return config.Size(kib) * config.KiB, err
		}
	}
	return 0, errors.New("look at the free memory: /proc/meminfo has no MemAvailable")
}

// keys looks at the files that cluster.yaml names and that must be there.
func (p *preflight) keys() {
	scm := p.config.Jenkins.SCM
	if scm == nil {
		return
	}
	path, ok := scm.Key.Path(p.config)
	if !ok {
		return
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.add("jenkins.scm.key", path+" is not there", "ssh-keygen -t ed25519 -N '' -f "+path+", and give the public half write access to "+scm.Repository)
	case err != nil:
		p.add("jenkins.scm.key", err.Error(), "")
	case !readable(path):
		p.add("jenkins.scm.key", path+" cannot be read by this user", "sudo chown $USER "+path)
	case info.Mode().Perm()&0o077 != 0:
		p.add("jenkins.scm.key", fmt.Sprintf("%s can be read by others (mode %04o), which ssh refuses", path, info.Mode().Perm()), "chmod 600 "+path)
	}
}
