package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/jenkins"
)

// machine is a host of which only the units are asked.
type machine struct {
	host.Machine
	name, address string
	units         []host.Status
	list          func(ctx context.Context) error // where set, it is asked first
}

func (m *machine) Name() string    { return m.name }
func (m *machine) Address() string { return m.address }
func (m *machine) Dir() string     { return "/var/lib/jomctl" }
func (m *machine) Run(context.Context, ...string) (host.Output, error) {
	return host.Output{Stdout: "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 41152736 20971520 18874368 53% /\n"}, nil
}
func (m *machine) Units() host.Units { return fakeUnits{m: m} }

type fakeUnits struct {
	host.Units
	m *machine
}

func (u fakeUnits) List(ctx context.Context) ([]host.Status, error) {
	m := u.m
	if m.list != nil {
		if err := m.list(ctx); err != nil {
			return nil, err
		}
	}
	return m.units, nil
}

func running(names ...string) []host.Status {
	var all []host.Status
	for _, name := range names {
		all = append(all, host.Status{Name: name, Active: true, Running: true, PID: 77, LogFile: "/log/" + name})
	}
	return all
}

// zooKeeperServer answers srvr, again and again.
func zooKeeperServer(t *testing.T, mode string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 16))
			_, _ = conn.Write([]byte("Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC\nMode: " + mode + "\n"))
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

// silent is an address at which nobody listens.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// world is a cluster of one control host and two Mesos agents, of which everything can be broken: what the programs say are
// recordings of real ones.
type world struct {
	t          *testing.T
	c1, a1, a2 *machine
	zoo        []string
	masters    []string // besides the leading one
	gone       string   // a program that does not answer
	app        string
	password   error // why the admin's cannot be read
	// state and marathon change what Mesos and Marathon say, jenkins replaces answers.
	state, marathon func(body map[string]any)
	jenkins         map[string]answer
}

func newWorld(t *testing.T) *world {
	return &world{t: t, app: "/m/hcmd",
		c1:  &machine{name: "c1", address: "127.0.0.9", units: running("edge", "marathon", "mesos-master", "zookeeper")},
		a1:  &machine{name: "a1", address: "127.0.0.1", units: running("mesos-agent")},
		a2:  &machine{name: "a2", address: "agent-2", units: running("mesos-agent")},
		zoo: []string{zooKeeperServer(t, "leader"), zooKeeperServer(t, "follower"), zooKeeperServer(t, "follower")},
	}
}

// changed is a recorded answer with another body.
func (w *world) changed(program, path string, change func(body map[string]any)) map[string]answer {
	data, err := os.ReadFile("testdata/real.json")
	require.NoError(w.t, err)
	var all map[string]map[string]answer
	require.NoError(w.t, json.Unmarshal(data, &all))
	one := all[program][path]
	var body map[string]any
	require.NoError(w.t, json.Unmarshal(one.Body, &body))
	if change != nil {
		change(body)
	}
	one.Body, err = json.Marshal(body)
	require.NoError(w.t, err)
	return map[string]answer{path: one}
}

func (w *world) url(program string, change map[string]answer) string {
	if w.gone == program {
		return "http://" + silent(w.t)
	}
	return recorded(w.t, program, change).URL
}

func (w *world) collect() Report {
	c := &config.Cluster{Name: "ci", Target: config.TargetHosts, Hosts: []config.Host{
		{Name: "c1", Address: "127.0.0.9", Roles: []config.Role{config.RoleControl}},
		{Name: "a1", Address: "127.0.0.1", Roles: []config.Role{config.RoleMesosAgent}},
		{Name: "a2", Address: "agent-2", Roles: []config.Role{config.RoleMesosAgent}},
	}}
	state := w.changed("mesos", "/state", func(body map[string]any) {
		agentOf(body, 1)["hostname"] = "agent-2" // both were on one machine when they were recorded
		if w.state != nil {
			w.state(body)
		}
	})
	url := w.url("jenkins", w.jenkins)
	client := jenkins.New(url, "admin", "secret")
	w.t.Cleanup(client.Close)
	return Collect(w.t.Context(), Sources{
		Cluster: c, Machines: []host.Machine{w.c1, w.a1, w.a2}, ZooKeeper: cluster.ZooKeeper{Servers: w.zoo},
		Mesos:    cluster.Mesos{Masters: append([]string{w.url("mesos", state)}, w.masters...)},
		Marathon: cluster.Marathon{URLs: []string{w.url("marathon", w.changed("marathon", "/v2/apps/m/hcmd", w.marathon))}},
		Jenkins:  client, JenkinsError: w.password, URL: url, AppID: w.app,
	})
}

func agentOf(body map[string]any, i int) map[string]any {
	return body["slaves"].([]any)[i].(map[string]any)
}

func TestAHealthyClusterGivesNoFindings(t *testing.T) {
	report := newWorld(t).collect()
	require.Empty(t, report.Findings)
	require.True(t, report.Ready)
	require.Equal(t, []any{"ci", "hosts", "a2"}, []any{report.Cluster, report.Target, report.Controller.Host})
	require.Equal(t, []string{"control"}, report.Hosts[0].Roles)
	require.Len(t, report.Hosts[0].Units, 4)
	require.Equal(t, "running", report.Hosts[2].Units[0].State)
	require.Equal(t, &Disk{Mount: "/", Total: 40188, Used: 20480, Free: 18432}, report.Hosts[1].Disk)
	require.InDelta(t, 52.6, report.Hosts[1].Disk.Percent(), 0.1)
	require.True(t, report.ZooKeeper.Quorum)
	for _, component := range report.Components {
		require.Equal(t, "real", component.Kind, component.Name)
		require.Equal(t, component.Name == "edge", component.Version == "", "%s has a version", component.Name)
	}
}

// expected is one finding; problem and fix are parts of the text.
type expected struct {
	severity              Severity
	subject, problem, fix string
}

func TestEveryFaultIsFoundOnce(t *testing.T) {
	appOf := func(body map[string]any) map[string]any { return body["app"].(map[string]any) }
	const install, log = "`jomctl install`", "/log/mesos-agent"
	cases := map[string]struct {
		breakIt func(*world)
		ready   bool
		want    []expected
	}{
		"a host that cannot be reached": {func(w *world) {
			w.a1.list = func(context.Context) error {
				return errors.New("connect to a1: dial tcp 127.0.0.1:22: connection refused")
			}
		}, false, []expected{{Error, "host a1", "127.0.0.1:22: connection refused", "make the host reachable"}}},
		"all hosts without SSH": {func(w *world) {
			for _, m := range []*machine{w.c1, w.a1, w.a2} {
				m.list = func(context.Context) error { return errors.New("ssh: handshake failed: no key is accepted") }
			}
		}, false, []expected{{Error, "host c1", "no key is accepted", "reachable"}, {Error, "host a1", "no key", "reachable"}, {Error, "host a2", "no key", "reachable"}}},
		"a unit that ends again and again": {func(w *world) {
			w.a1.units = []host.Status{{Name: "mesos-agent", Active: true, LastExit: &host.Exit{Code: 1}, LogFile: log}}
		}, false, []expected{{Error, "mesos-agent on a1", "waits for its next start (exit 1)", log}}},
		"a unit that was stopped": {func(w *world) { w.a1.units = []host.Status{{Name: "mesos-agent"}} }, false,
			[]expected{{Error, "mesos-agent on a1", "is not running", install}}},
		"a program that is not there": {func(w *world) { w.a1.units = []host.Status{{Name: "mesos-agent", Problem: "no such file"}} }, false,
			[]expected{{Error, "mesos-agent on a1", "is not running (no such file)", install}}},
		"a unit with many starts": {func(w *world) { w.a1.units[0].Restarts, w.a1.units[0].LastExit = 6, &host.Exit{Signal: "killed"} }, true,
			[]expected{{Warning, "mesos-agent on a1", "started again 6 times, last end: signal killed", log}}},
		"a few starts": {func(w *world) { w.a1.units[0].Restarts = 5 }, true, nil},
		"a drained Mesos agent": {func(w *world) {
			w.state = func(body map[string]any) { agentOf(body, 0)["active"], agentOf(body, 0)["deactivated"] = false, true }
		}, true, []expected{{Warning, "mesos-agent a1", "is drained", "`jomctl agents undrain a1`"}}},
		"a Mesos agent that is away": {func(w *world) { w.state = func(body map[string]any) { agentOf(body, 0)["active"] = false } }, false,
			[]expected{{Error, "mesos-agent a1", "is not registered", "log on the host"}}},
		"a Mesos agent that never came": {func(w *world) { w.state = func(body map[string]any) { body["slaves"] = body["slaves"].([]any)[1:] } }, false,
			[]expected{{Error, "mesos-agent a1", "is not registered", "log on the host"}}},
		"one ZooKeeper server of three": {func(w *world) { w.zoo[2] = silent(w.t) }, true, []expected{{Warning, "zookeeper 127.0.0.1:", "refused", install}}},
		"two of three": {func(w *world) { w.zoo[1], w.zoo[2] = silent(w.t), silent(w.t) }, false,
			[]expected{{Error, "zookeeper", "no quorum", "more than half"}, {Error, "zookeeper 127.", "refused", install}, {Error, "zookeeper 127.", "refused", install}}},
		"one master": {func(w *world) { w.masters = []string{silent(w.t)} }, true, []expected{{Warning, "mesos-master 127.0.0.1:", "refused", install}}},
		"all masters": {func(w *world) { w.gone = "mesos" }, false,
			[]expected{{Error, "mesos", "refused", "masters' logs"}, {Warning, "mesos-master http://127.", "refused", install}}},
		"a framework twice": {func(w *world) {
			w.state = func(body map[string]any) {
				again := map[string]any{"id": "x", "name": "Jenkins Scheduler", "active": true}
				body["frameworks"] = append(body["frameworks"].([]any), again)
			}
		}, true, []expected{{Warning, "framework Jenkins Scheduler", "is registered 2 times", "/teardown"}}},
		"no Marathon": {func(w *world) { w.gone = "marathon" }, false, []expected{{Error, "marathon", "refused", "look at its log"}}},
		"no app":      {func(w *world) { w.app = "/other" }, false, []expected{{Error, "controller", "is not deployed", install}}},
		"two controllers": {func(w *world) { w.marathon = func(body map[string]any) { appOf(body)["tasksRunning"] = 2 } }, false,
			[]expected{{Error, "controller", "2 controllers run", "stop the older task"}}},
		"no controller": {func(w *world) {
			w.marathon = func(body map[string]any) {
				appOf(body)["tasksRunning"], appOf(body)["tasks"] = 0, []any{}
				appOf(body)["lastTaskFailure"] = map[string]any{"state": "TASK_FAILED", "message": "exited with status 5", "timestamp": "2026-11-21T07:17:48.590Z"}
			}
		}, false, []expected{{Error, "controller", "exited with status 5", "stderr"}}},
		"a controller that does not answer": {func(w *world) { w.gone = "jenkins" }, false, []expected{{Error, "controller", "does not serve (refused)", "wait while it starts"}}},
		"a controller that is open to all": {func(w *world) {
			w.jenkins = map[string]answer{"anonymous /api/json": {Status: 200, Headers: map[string]string{"X-Jenkins": "2.568.2"}, Body: json.RawMessage(`{}`)}}
		}, false, []expected{{Error, "controller", "lets anonymous visitors in", "useSecurity"}}},
		"no agent port": {func(w *world) {
			w.jenkins = map[string]answer{"anonymous /tcpSlaveAgentListener/": {Status: 404, Body: json.RawMessage(`"<html>"`)}}
		}, false, []expected{{Error, "controller", "has no open agent port", "restart"}}},
		"quieting down": {func(w *world) {
			w.jenkins = w.changed("jenkins", "admin /api/json", func(body map[string]any) { body["quietingDown"] = true })
		}, true,
			[]expected{{Warning, "controller", "is quieting down", "cancel it"}}},
		"a password that cannot be read": {func(w *world) { w.password = errors.New("open secrets/admin: permission denied") }, true,
			[]expected{{Warning, "controller", "permission denied", "password's file"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.breakIt(w)
			report := w.collect()
			require.Len(t, report.Findings, len(c.want), "%+v", report.Findings)
			require.Equal(t, c.ready, report.Ready)
			for i, want := range c.want {
				found := report.Findings[i]
				require.Equal(t, want.severity, found.Severity)
				require.Contains(t, found.Subject, want.subject)
				require.Contains(t, found.Problem, want.problem)
				require.Contains(t, found.Fix, want.fix)
			}
		})
	}
}

func TestOneHostThatHangsKeepsNoOtherFromAnswering(t *testing.T) {
	w := newWorld(t)
	asked := make(chan struct{})
	w.c1.list = func(ctx context.Context) error {
		select {
		case <-asked:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.a2.list = func(context.Context) error { close(asked); return nil }
	require.Empty(t, w.collect().Findings)
}

func TestAHostThatDoesNotAnswerInTimeIsToldFromOneThatRefuses(t *testing.T) {
	w := newWorld(t)
	w.c1.list = func(context.Context) error { return errors.New("connection refused") }
	w.a2.list = func(context.Context) error { return fmt.Errorf("connect to host: %w", context.DeadlineExceeded) }
	hosts := w.collect().Hosts
	require.False(t, hosts[0].Silent)
	require.NotContains(t, hosts[0].Error, "no answer")
	require.True(t, hosts[2].Silent)
	require.Contains(t, hosts[2].Error, "no answer within 10s")
}

func TestNothingIsInstalledYet(t *testing.T) {
	w := newWorld(t)
	for _, m := range []*machine{w.c1, w.a1, w.a2} {
		m.units = nil
	}
	report := w.collect()
	require.Len(t, report.Findings, 1)
	require.Equal(t, Finding{Error, "cluster ci", "is not installed", "run `jomctl install`"}, report.Findings[0])
	require.False(t, report.Ready)
}
