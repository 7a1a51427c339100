package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
	"github.com/jomctl/jomctl/provision/source"
)

// hostRig is a cluster of real hosts and all that they must have.
type hostRig struct {
	t        *testing.T
	c        *config.Cluster
	machines map[string]host.Machine
	keeper   *hosts.Keeper
	helpers  hosts.Helpers
	facts    map[string]hosts.Facts
}

func newHostRig(t *testing.T, l *lab.Lab) *hostRig {
	t.Helper()
	r := &hostRig{t: t, machines: map[string]host.Machine{}, keeper: hosts.NewKeeper("ci", l.Name, "test")}
	r.c = &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetHosts, File: filepath.Join(l.Dir, "cluster.yaml")}
	known := filepath.Join(l.Dir, "known_hosts")
	for _, h := range l.Hosts {
		one := config.Host{Name: h.Name, Address: h.Address}
		for _, role := range h.Roles {
			one.Roles = append(one.Roles, config.Role(role))
		}
		r.c.Hosts = append(r.c.Hosts, one)
		options := host.Options{Name: h.Name, Address: h.Address, User: "admin", IdentityFile: l.KeyFile, AgentSocket: "none", KnownHosts: known}
		keys, err := host.Scan(t.Context(), options)
		require.NoError(t, err)
		for _, key := range keys {
			_, err := host.Pin(known, h.Address+":22", key)
			require.NoError(t, err)
		}
		m, err := host.NewRemote(options)
		require.NoError(t, err)
		t.Cleanup(func() { _ = m.Close() })
		r.machines[h.Name] = m
	}
	r.c.Components.Mesos.Source.Standin, r.c.Components.Marathon.Source.Standin, r.c.Jenkins.War = true, true, "standin"
	r.c.Jenkins.App.Mem, r.c.Jenkins.App.CPUs = 256*config.MiB, 0.5
	for i := range r.c.Hosts {
		r.c.Hosts[i].Reserve = &config.Reserve{CPUs: 0.1, Mem: 256 * config.MiB} // all hosts share this machine
	}
	config.Default(r.c)
	require.NoError(t, config.Validate(r.c))
	r.helpers = hosts.Helpers{Standin: hosts.NewProgram(filepath.Join(bin, "standin")), Jomhome: hosts.NewProgram(filepath.Join(bin, "jomhome"))}
	return r
}

func (r *hostRig) look() {
	r.t.Helper()
	facts, findings := hosts.LookAll(r.t.Context(), r.c, r.machines)
	require.Empty(r.t, findings)
	r.facts = facts
}

func (r *hostRig) base() []provision.Item {
	var items []provision.Item
	for _, h := range r.c.Hosts {
		items = append(items, hosts.Base(r.c, h, r.machines[h.Name], r.facts[h.Name], r.helpers, r.keeper)...)
	}
	return items
}

func (r *hostRig) services() []provision.Item {
	r.t.Helper()
	programs, values := map[string]provision.Programs{}, map[string]provision.HostValues{}
	for _, h := range r.c.Hosts {
		found, findings := hosts.Programs(r.c, h, r.facts[h.Name], hosts.Installed{})
		require.Empty(r.t, findings)
		programs[h.Name] = found
		values[h.Name] = hosts.Values(h, r.facts[h.Name], hosts.Cgroups(source.Plan{Kind: source.KindStandin}), nil)
	}
	f, err := provision.NewHostFleet(r.c, r.machines, func(name string) provision.Programs { return programs[name] }, values)
	require.NoError(r.t, err)
	var items []provision.Item
	for _, s := range f.AllServices() {
		items = append(items, r.keeper.Keep(s.Host, s))
	}
	return items
}

func (r *hostRig) apply(items []provision.Item) (changed []string) {
	r.t.Helper()
	for _, item := range items {
		began := time.Now()
		did, err := item.Apply(provision.WithSay(r.t.Context(), r.t.Logf))
		require.NoError(r.t, err)
		if did {
			changed = append(changed, item.Title())
			r.t.Logf("%s: %s", item.Title(), time.Since(began).Round(time.Millisecond))
		}
	}
	return changed
}

func (r *hostRig) preview(items []provision.Item) (lines []string) {
	r.t.Helper()
	for _, item := range items {
		_, changes, err := item.Probe(r.t.Context())
		require.NoError(r.t, err)
		lines = append(lines, changes...)
	}
	return lines
}

func (r *hostRig) drift() (lines []string) {
	r.t.Helper()
	for _, h := range r.c.Hosts {
		found, err := r.keeper.Drift(r.t.Context(), r.machines[h.Name])
		require.NoError(r.t, err)
		for _, d := range found {
			lines = append(lines, d.String())
		}
	}
	return lines
}

// agents are the Mesos agents that the leading master knows, as the edge shows it.
func (r *hostRig) agents(ctx context.Context) int {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, provision.EdgeURL(r.c, provision.EdgeMasterPort)+"/slaves", nil)
	require.NoError(r.t, err)
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return -1
	}
	defer response.Body.Close()
	var answer struct{ Slaves []struct{ Active bool } }
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return -1
	}
	return len(answer.Slaves)
}

func TestRealHostsGetAndLoseEverythingOfACluster(t *testing.T) {
	l := lab.Up(t, lab.Control("m1"), lab.Agent("a1"))
	r := newHostRig(t, l)
	r.look()
	findings, notes := hosts.Preflight(t.Context(), r.c, r.machines, r.facts, r.keeper)
	require.Empty(t, findings)
	t.Log(notes)

	require.NotEmpty(t, r.preview(r.base()))
	r.apply(r.base())
	r.look()
	require.Empty(t, r.preview(r.base()))
	services := r.services()
	r.apply(services[:1])
	zookeeper := cluster.ZooKeeper{Servers: provision.ZooKeeperServers(r.c)}
	testkit.Eventually(t, 2*time.Minute, "ZooKeeper serves", func(ctx context.Context) bool { return zookeeper.Healthy(ctx) == nil })
	r.apply(services)
	testkit.Eventually(t, 2*time.Minute, "the edge leads to a master that knows the Mesos agent", func(ctx context.Context) bool { return r.agents(ctx) == 1 })
	r.look()
	require.Empty(t, r.preview(append(r.base(), r.services()...)), "a second install has nothing to do")
	require.Empty(t, r.drift())
	findings, _ = hosts.Preflight(t.Context(), r.c, r.machines, r.facts, r.keeper)
	require.Empty(t, findings, "what runs is the cluster's own")

	l.Exec("m1", "sh", "-c", "echo x >> /var/lib/jomctl/zookeeper/zoo.cfg; systemctl unmask -q haproxy; systemctl disable -q --now jomctl-registry")
	l.Exec("a1", "sh", "-c", "rm /var/lib/jomctl/bin/jomhome; chmod 600 /var/lib/jomctl/mesos-agent/bin/java")
	drift := strings.Join(r.drift(), "\n")
	for _, want := range []string{"m1: file /var/lib/jomctl/zookeeper/zoo.cfg was changed", "m1: mask haproxy can be started again", "m1: unit registry does not run",
		"a1: file /var/lib/jomctl/bin/jomhome is gone", "a1: file /var/lib/jomctl/mesos-agent/bin/java has mode 600"} {
		assert.Contains(t, drift, want)
	}
	repaired := r.apply(append(r.base(), r.services()...))
	assert.Len(t, repaired, 5, repaired)
	assert.Empty(t, r.drift())

	pid := l.Exec("a1", "sh", "-c", "systemd-run -q --slice=mesos_executors.slice --unit=left sleep 1000; systemctl show -p MainPID --value left")
	l.Exec("a1", "sh", "-c", "mkdir -p /var/lib/jomctl/jenkins_home && echo precious > /var/lib/jomctl/jenkins_home/config.xml")
	for _, h := range r.c.Hosts {
		item := hosts.NewRemoval(r.c, h, r.machines[h.Name], r.keeper, false)
		r.apply([]provision.Item{item})
		assert.Empty(t, r.preview([]provision.Item{item}))
	}
	assert.Equal(t, "/var/lib/jomctl/jenkins_home/config.xml", l.Exec("a1", "find", "/var/lib/jomctl", "-type", "f"))
	assert.Empty(t, l.Exec("m1", "sh", "-c", "find /var/lib/jomctl /etc/jomctl /etc/systemd/system -name '*jomctl*' 2>/dev/null; ls -A /opt/jomctl /etc/systemd/system/haproxy.service 2>/dev/null || true"))
	_, err := l.Run("a1", "kill", "-0", pid)
	assert.Error(t, err, "a task that was left has ended")
}
