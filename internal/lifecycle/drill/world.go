package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/provision"
)

// perHost bounds what is asked of one host, which may be one that is off.
const perHost = 10 * time.Second

// real is a cluster that runs.
type real struct {
	env    *lifecycle.Env
	canary *jobs
	power  config.Power
	// ways are what each host can do, found once.
	mu   sync.Mutex
	cuts map[string]string
}

var _ World = (*real)(nil)

// NewWorld makes the world of a cluster. Close it when it is not needed any more.
func NewWorld(env *lifecycle.Env) (World, error) {
	client, err := env.Jenkins()
	if err != nil {
		return nil, err
	}
	w := &real{env: env, cuts: map[string]string{}}
	w.canary = &jobs{client: client, label: env.Cluster.Jenkins.Cloud.Templates[0].Label, tick: 200 * time.Millisecond,
		tasks: func(ctx context.Context) ([]string, error) {
			use, err := env.Framework(ctx)
			var ids []string
			for _, task := range use.Tasks {
				ids = append(ids, task.ID)
			}
			return ids, err
		}}
	switch c := env.Cluster; {
	case c.Drill != nil && c.Drill.Power != nil:
		w.power = *c.Drill.Power
	case c.Target == config.TargetDocker:
		name := c.Name + `-"$HOST"`
		w.power = config.Power{Off: "docker kill --signal KILL " + name + " >/dev/null", On: "docker start " + name + " >/dev/null"}
	}
	return w, nil
}

func (w *real) Canary() Canary { return w.canary }

func (w *real) Probe(ctx context.Context, sink func(probe.Sample)) {
	probe.New(w.env.Probe()).Run(ctx, sink)
}

func (w *real) machine(name string) (host.Machine, error) {
	m := w.env.Fleet.Machine(name)
	if m == nil {
		return nil, fmt.Errorf("there is no host %q", name)
	}
	return m, nil
}

func (w *real) local() bool { return w.env.Cluster.Target == config.TargetLocal }

// Look learns the facts.
func (w *real) Look(ctx context.Context) (Facts, error) {
	c := w.env.Cluster
	f := Facts{Cluster: c, Report: w.env.Status(ctx)}
	for _, h := range c.Hosts {
		if h.Is(config.RoleControl) {
			f.Control = append(f.Control, h.Name)
		}
		if h.Is(config.RoleMesosAgent) {
			f.Agents = append(f.Agents, h.Name)
		}
	}
	f.Controller, f.Task = f.Report.Controller.Host, f.Report.Controller.Task
	f.MasterLeader, f.MarathonLeader = w.hostAt(f.Report.Mesos.Leader), w.hostAt(f.Report.Marathon.Leader)
	for _, server := range f.Report.ZooKeeper.Servers {
		if server.Mode == cluster.ModeLeader || server.Mode == cluster.ModeStandalone {
			f.ZooKeeperLeader = w.hostAt(server.Address)
		}
	}
	_, f.Pinned = provision.HomeHost(c)
	if h, own := provision.RegistryHost(c); own && !w.local() {
		f.Registry = h.Name
	}
	f.Contained = w.env.Contained()
	f.CanPower = w.canPower()
	f.CanCut = w.canCut(ctx, f.Controller)
	w.home(ctx, &f)
	return f, ctx.Err()
}

// hostAt is the name of the host of an address with its port.
func (w *real) hostAt(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	for _, h := range w.env.Cluster.Hosts {
		if h.Address == name || h.Name == name {
			return h.Name
		}
	}
	return ""
}

// home finds where the home is, and whether git has all of it.
func (w *real) home(ctx context.Context, f *Facts) {
	f.Home = w.env.HomePath()
	m, err := w.machine(f.Controller)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, perHost)
	defer cancel()
	if out, err := host.Ask(ctx, m, "/bin/sh", "-c", `[ "$(stat -c %d "$1")" != "$(stat -c %d /)" ] && df --output=target "$1" | tail -n 1`, "jomctl", f.Home); err == nil {
		// A disk of its own has the home, or the folder of it and its history, as its root.
		top := strings.TrimSpace(out.Stdout)
		f.OwnDisk, f.HomeMounted = top != "" && (top == f.Home || top == filepath.Dir(f.Home)), top == f.Home
	}
	kept, err := w.env.HomeHistory()
	if err != nil {
		return
	}
	history := kept.Config
	f.Git, f.History = w.env.Cluster.Jenkins.SCM.Repository, history.State
	f.GitPath, f.GitPeers, f.GitPort = gitPlace(ctx, history.Repository)
	data, err := m.ReadFile(ctx, history.StatusFile())
	var s homesync.Status
	if err != nil || json.Unmarshal(data, &s) != nil {
		return
	}
	f.Kept = s.Unpushed.IsZero() && s.PushError == "" && s.CommitError == "" && !s.Fenced && s.Pushed != ""
}

// gitPorts are the TCP ports of what a repository's URL may begin with.
func gitPorts(scheme string) int {
	switch scheme {
	case "git":
		return 9418
	case "http":
		return 80
	case "https":
		return 443
	}
	return 22
}

// gitPlace is the folder of a repository, or the addresses of its server with the TCP port.
func gitPlace(ctx context.Context, repository string) (path string, peers []string, port int) {
	name := ""
	switch u, err := url.Parse(repository); {
	case filepath.IsAbs(repository):
		return repository, nil, 0
	case strings.HasPrefix(repository, "file://"):
		return strings.TrimPrefix(repository, "file://"), nil, 0
	case err == nil && u.Host != "":
		name, port = u.Hostname(), gitPorts(u.Scheme)
		if given, err := strconv.Atoi(u.Port()); err == nil {
			port = given
		}
	default: // user@host:path
		left, _, _ := strings.Cut(repository, ":")
		name, port = left[strings.LastIndex(left, "@")+1:], gitPorts("ssh")
	}
	peers, _ = net.DefaultResolver.LookupHost(ctx, name) // an unknown one has no address, which the scenario says
	return "", peers, port
}

func (w *real) canPower() string {
	if w.local() || w.power.Off != "" {
		return ""
	}
	return "there is no way to take a host's power away and give it back: name commands in drill.power"
}

// Owners counts processes of Jenkins that a first process of the controller has started.
func (w *real) Owners(ctx context.Context) (int, error) {
	hosts := w.env.Cluster.HostsWith(config.RoleMesosAgent)
	if w.local() {
		hosts = hosts[:1] // they share their processes
	}
	counts := make([]int, len(hosts))
	var group sync.WaitGroup
	for i, h := range hosts {
		group.Go(func() {
			m, err := w.machine(h.Name)
			if err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, perHost)
			defer cancel()
			out, err := host.Ask(ctx, m, "/bin/sh", "-c", controllerScript+`printf '%s\n' $found | wc -w`, "jomctl", "MARATHON_APP_ID="+w.env.AppID())
			if err == nil { // a host that is off runs none
				counts[i], _ = strconv.Atoi(strings.TrimSpace(out.Stdout))
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, ctx.Err()
}

// Command runs a command of the user's.
func (w *real) Command(ctx context.Context, on, command string) error {
	if on == "" {
		return w.here(ctx, command, nil)
	}
	m, err := w.machine(on)
	if err != nil {
		return err
	}
	_, err = m.Run(ctx, "/bin/sh", "-c", command)
	return err
}

// here runs a command on this machine, with what it may want to know of the cluster in its environment.
func (w *real) here(ctx context.Context, command string, more map[string]string) error {
	env := map[string]string{"JOMCTL_CLUSTER": w.env.Cluster.Name, "JOMCTL_FILE": w.env.Cluster.File, "JOMCTL_URL": w.env.URL()}
	for name, value := range more {
		env[name] = value
	}
	argv := []string{"/usr/bin/env"}
	for name, value := range env {
		argv = append(argv, name+"="+value)
	}
	m, err := host.NewLocal("this machine", "", os.TempDir(), "")
	if err != nil {
		return err
	}
	_, err = m.Run(ctx, append(argv, "/bin/sh", "-c", command)...)
	return err
}

// errGone is a process that is not there any more.
var errGone = errors.New("it does not run")
