package provision

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
)

// edgeTimeout is longer than any pause of an event stream (a heartbeat every 15 s) and than Jenkins' slowest pages.
const edgeTimeout = 10 * time.Minute

// Edge is the HAProxy of a control host: addresses that stay the same while the controller, the leading master and the
// leading Marathon move. It checks every 500 ms who is there.
func (f *Fleet) Edge(h config.Host) Service {
	f = f.at(h)
	haproxy := f.programs.HAProxy.Path
	s := f.service(h, RoleEdge, nil)
	file := text(s.Dirs[0]+"/haproxy.cfg", f.haproxyCfg(h)...)
	if check, err := f.marathonCheck(); check != "" || err != nil {
		file.Mode, s.fault = 0o600, err // it has a password
	}
	file.Check = []string{haproxy, "-c", "-f"}
	s.Files = []File{file}
	s.Unit.Argv = []string{haproxy, "-db", "-f", file.Path}
	s.Unit.RestartDelay, s.Unit.StopTimeout = time.Second, 2*time.Second
	if f.ownHosts() {
		s.Unit.Argv, s.ReloadSignal = []string{haproxy, "-W", "-db", "-f", file.Path}, "USR2"
	}
	return s.seal()
}

func (f *Fleet) haproxyCfg(h config.Host) []string {
	lines := []string{
		"global",
		"  log stdout format raw local0 notice",
	}
	if f.ownHosts() {
		lines = append(lines, hostEdgeGlobal(host.Path(f.machines[h.Name], RoleEdge))...)
	} else {
		lines = append(lines, "  maxconn 400") // few enough for a plain limit of 1024 open files
	}
	lines = append(lines,
		"  nbthread 2",
		"defaults",
		"  mode http",
		"  log global",
		"  option dontlognull",
		"  option redispatch",
		"  retries 2",
		"  timeout connect 2s",
		"  timeout check 2s",
		fmt.Sprintf("  timeout client %ds", int(edgeTimeout.Seconds())),
		fmt.Sprintf("  timeout server %ds", int(edgeTimeout.Seconds())),
		"  timeout tunnel 1h",
		"  timeout http-request 30s",
		"  timeout queue 5s",
		"  default-server inter 500ms fastinter 500ms downinter 500ms rise 1 fall 2 on-marked-down shutdown-sessions init-addr last,libc,none",
	)
	control := f.config.HostsWith(config.RoleControl)
	login, _ := f.marathonCheck()
	app := f.config.Jenkins.App
	lines = append(lines, f.frontend(h, "controller", EdgeControllerPort, app.HTTPPort, ControllerHosts(f.config),
		append(ownerCheck(),
			fmt.Sprintf("http-check connect port %d", app.HTTPPort),
			"http-check send meth GET uri /login ver HTTP/1.1 hdr Host edge",
			"http-check expect status 200")...)...)
	lines = append(lines, f.frontend(h, "mesos-master", EdgeMasterPort, MasterPort, control,
		// Only a leader that has recovered its registry answers 200; a standby redirects.
		`http-check send meth POST uri /api/v1 ver HTTP/1.1 hdr Host edge hdr Content-Type application/json hdr Accept application/json body '{"type":"GET_HEALTH"}'`,
		"http-check expect status 200")...)
	lines = append(lines, f.frontend(h, "marathon", EdgeMarathonPort, MarathonPort, control,
		"http-check send meth GET uri /ping ver HTTP/1.1 hdr Host edge"+login,
		// A standby passes everything on to the leader and says so.
		"http-check expect ! hdr name X-Marathon-Via",
		"http-check expect status 200")...)
	if f.ownHosts() {
		lines = append(lines, f.agentFrontend(h)...)
	}
	return lines
}

// frontend is one address of the edge. All servers but the first are backups, of which HAProxy uses only the first one
// that is up: two controllers must never be served in turn.
func (f *Fleet) frontend(h config.Host, name string, port, serverPort int, servers []config.Host, checks ...string) []string {
	lines := []string{"listen " + name, "  bind " + hostPort(f.ip(h), port), "  option httpchk"}
	for _, check := range checks {
		lines = append(lines, "  "+check)
	}
	for i, server := range servers {
		line := fmt.Sprintf("  server %s %s check", server.Name, hostPort(server.Address, serverPort))
		if i > 0 {
			line += " backup"
		}
		lines = append(lines, line)
	}
	return lines
}

// ownerCheck is the first half of a check of the controller: whoever answers has to own the home, too. A controller whose home is
// another's by now (its Mesos agent was stopped, or its owner) answers /login like any other, until it is killed.
func ownerCheck() []string {
	return []string{
		fmt.Sprintf("http-check connect port %d", OwnerPort),
		"http-check send meth GET uri /owner ver HTTP/1.1 hdr Host edge",
		"http-check expect status 200",
	}
}

// ControllerHosts are the hosts that the controller can be on: the home's where it is on one host's disk, else all.
func ControllerHosts(c *config.Cluster) []config.Host {
	if h, ok := HomeHost(c); ok {
		return []config.Host{h}
	}
	return c.HostsWith(config.RoleMesosAgent)
}

// HomeHost is the one host whose disk holds the home: that of a `hostname` constraint of the app, else, for a home of
// type host, the first Mesos agent. It is false where the home is on all hosts.
func HomeHost(c *config.Cluster) (config.Host, bool) {
	agents := c.HostsWith(config.RoleMesosAgent)
	for _, constraint := range c.Jenkins.App.Constraints {
		if len(constraint) != 3 || constraint[0] != "hostname" || !slices.Contains([]string{"CLUSTER", "LIKE", "IS"}, strings.ToUpper(constraint[1])) {
			continue
		}
		for _, h := range agents {
			if h.Address == constraint[2] || h.Name == constraint[2] {
				return h, true
			}
		}
	}
	if c.Jenkins.Home.Type == config.HomeHost && len(agents) > 0 {
		return agents[0], true
	}
	return config.Host{}, false
}
