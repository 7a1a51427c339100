package hosts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
	"github.com/jomctl/jomctl/provision"
)

// cluster has the control hosts and Mesos agents that are asked for, all of stand-ins: c1.. at 10.0.0.1.., a1.. at 10.0.1.1..
func cluster(t *testing.T, control, agents int, change ...func(*config.Cluster)) *config.Cluster {
	t.Helper()
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetHosts, File: filepath.Join(t.TempDir(), "cluster.yaml")}
	for i := range control {
		c.Hosts = append(c.Hosts, config.Host{Name: fmt.Sprintf("c%d", i+1), Address: fmt.Sprintf("10.0.0.%d", i+1), Roles: []config.Role{config.RoleControl}})
	}
	for i := range agents {
		c.Hosts = append(c.Hosts, config.Host{Name: fmt.Sprintf("a%d", i+1), Address: fmt.Sprintf("10.0.1.%d", i+1), Roles: []config.Role{config.RoleMesosAgent}})
	}
	c.Components.Mesos.Source.Standin, c.Components.Marathon.Source.Standin = true, true
	c.Jenkins.War = "standin"
	for _, f := range change {
		f(c)
	}
	config.Default(c)
	require.NoError(t, config.Validate(c))
	return c
}

// rig is one host with its base.
type rig struct {
	t       *testing.T
	c       *config.Cluster
	h       config.Host
	machine *hostfake.Machine
	debian  *hostfake.Debian
	keeper  *Keeper
	helpers Helpers
	facts   Facts
}

func newRig(t *testing.T, name string, change ...func(*config.Cluster)) *rig {
	t.Helper()
	c := cluster(t, 1, 1, change...)
	h, found := c.Host(name)
	require.True(t, found)
	m := hostfake.New(h.Name, h.Address)
	dir := t.TempDir()
	for _, program := range []string{"standin", "jomhome"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte("program "+program), 0o755))
	}
	facts := goodFacts(h)
	facts.Java, facts.Programs, facts.Packages = nil, map[string]string{}, map[string]string{}
	return &rig{t: t, c: c, h: h, machine: m, keeper: NewKeeper("ci", "id1", "1.0"), facts: facts,
		debian:  m.Debian("haproxy", "libzookeeper-java", "default-jre-headless", "openjdk-17-jre-headless", "docker.io", "docker-registry", "git"),
		helpers: Helpers{NewProgram(filepath.Join(dir, "standin")), NewProgram(filepath.Join(dir, "jomhome"))}}
}

// goodFacts are those of a host on which everything is as it should be.
func goodFacts(h config.Host) Facts {
	ip := netip.MustParseAddr(h.Address)
	disk := func(path string) host.Disk {
		return host.Disk{Path: path, Existing: "/var/lib", Size: 100 << 30, Free: 70 << 30, FreeFiles: 5_000_000, Type: "ext2/ext3", Mount: "/"}
	}
	return Facts{
		Facts: host.Facts{
			OS: host.OS{ID: "debian", Version: "12", Codename: "bookworm"}, Arch: "x86_64", MachineID: "machine-" + h.Name, CPUs: 4,
			Memory: host.Memory{Total: 8 << 30, Available: 7 << 30}, User: "root", Root: true, Sudo: true, Systemd: host.Systemctl{Version: 252, State: "running"},
			Cgroup: 2, Disks: []host.Disk{disk(host.RemoteDir), disk("/var/lib/docker"), disk("/var/lib/jomctl/jenkins_home")},
			Names: map[string][]netip.Addr{}, Addresses: []host.Address{{Address: ip, Device: "eth0"}},
			Listening: []host.Listener{{Address: netip.MustParseAddrPort("0.0.0.0:22"), Program: "sshd", PID: 700}},
			Java:      []host.JavaFact{{Home: "/usr/lib/jvm/java-17-openjdk-amd64", Version: "17.0.15"}},
			Packages:  map[string]string{"docker.io": "20.10"}, Packager: "dpkg",
		},
		Programs: map[string]string{"docker": "/usr/bin/docker", "haproxy": "/usr/sbin/haproxy", "docker-registry": "/usr/bin/docker-registry", "bash": "/usr/bin/bash"},
		Jars:     []string{zooKeeperJar, slf4jSimple}, HAProxy: "2.6.12",
	}
}

func (r *rig) items() []provision.Item {
	return Base(r.c, r.h, r.machine, r.facts, r.helpers, r.keeper)
}

// preview are the lines of all items that are not done.
func (r *rig) preview() []string {
	r.t.Helper()
	var lines []string
	for _, item := range r.items() {
		done, changes, err := item.Probe(r.t.Context())
		require.NoError(r.t, err)
		require.Equal(r.t, done, len(changes) == 0, item.Title())
		lines = append(lines, changes...)
	}
	return lines
}

func (r *rig) apply(ctx context.Context) error {
	for _, item := range r.items() {
		if _, err := item.Apply(ctx); err != nil {
			return err
		}
	}
	return nil
}

func TestAHostGetsItsBaseAndASecondTimeNothing(t *testing.T) {
	for name, want := range map[string]struct {
		packages []string
		paths    []string
	}{
		"c1": {[]string{"default-jre-headless", "docker-registry", "haproxy", "libzookeeper-java"}, []string{BinPath("standin")}},
		"a1": {[]string{"docker.io", "git"}, []string{BinPath("standin"), BinPath("jomhome"), daemonPath}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name)
			assert.Contains(t, r.preview(), name+": install "+strings.Join(want.packages, ", "))
			assert.Empty(t, r.machine.Paths(), "a preview changes nothing")
			require.NoError(t, r.apply(t.Context()))
			assert.Empty(t, r.preview())
			require.NoError(t, r.apply(t.Context()))
			assert.Len(t, r.debian.Installed, len(want.packages))
			for _, path := range want.paths {
				assert.Contains(t, r.machine.Paths(), path)
			}
			assert.Contains(t, r.machine.FakeUnits().Masked(), "haproxy")
			record, err := r.keeper.Read(t.Context(), r.machine)
			require.NoError(t, err)
			assert.Equal(t, "1.0", record.Packages[want.packages[0]])
			assert.Equal(t, "755", record.Files[BinPath("standin")].Mode)
			assert.Contains(t, record.Masked, "docker-registry")
			info, err := r.machine.Stat(t.Context(), RecordPath)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode)
		})
	}
}

// Whatever an operation is that fails, the next run ends in the same state.
func TestABaseThatWasCutOffAnywhereIsCompletedByTheNextRun(t *testing.T) {
	count := func(r *rig, failAt int) int {
		n := 0
		r.machine.Broken = func(operation, what string) error {
			if n++; n == failAt {
				return errors.New("connection lost")
			}
			return nil
		}
		err := r.apply(r.t.Context())
		r.machine.Broken = nil
		if failAt > 0 {
			require.ErrorContains(r.t, err, "connection lost")
		} else {
			require.NoError(r.t, err)
		}
		return n
	}
	whole := newRig(t, "a1")
	operations := count(whole, 0)
	require.Greater(t, operations, 15)
	for at := 1; at <= operations; at++ {
		r := newRig(t, "a1")
		count(r, at)
		require.NoError(t, r.apply(t.Context()), "cut off at operation %d", at)
		assert.Empty(t, r.preview(), "cut off at operation %d", at)
		assert.Equal(t, whole.machine.Paths(), r.machine.Paths(), "cut off at operation %d", at)
		assert.Equal(t, "active", r.machine.FakeUnits().Foreign["docker"])
	}
}

func TestAHostOfAnotherClusterIsRefused(t *testing.T) {
	r := newRig(t, "a1")
	require.NoError(t, r.apply(t.Context()))
	r.keeper = NewKeeper("ci", "id2", "1.0")
	_, _, err := r.items()[0].Probe(t.Context())
	var foreign *ForeignError
	require.ErrorAs(t, err, &foreign)
	assert.Equal(t, "id1", foreign.ID)
	assert.Contains(t, foreign.Hint(), "jomctl destroy")
	r.machine.Ran()
	require.ErrorAs(t, r.apply(t.Context()), &foreign)
	assert.Empty(t, r.machine.Ran(), "nothing was done there")

	r.machine.Put(RecordPath, "{", 0o600)
	require.ErrorContains(t, r.apply(t.Context()), "is damaged")
}

func TestTheDockerEngineKeepsWhatTheUserHasConfigured(t *testing.T) {
	for name, test := range map[string]struct{ before, after string }{
		"nothing":   {"", `{"insecure-registries":["10.0.0.1:5000"]}`},
		"an empty":  {" \n", `{"insecure-registries":["10.0.0.1:5000"]}`},
		"other":     {`{"live-restore":true,"log-opts":{"max-size":"1m"}}`, `{"live-restore":true,"log-opts":{"max-size":"1m"},"insecure-registries":["10.0.0.1:5000"]}`},
		"a list":    {`{"insecure-registries":["x:1"]}`, `{"insecure-registries":["x:1","10.0.0.1:5000"]}`},
		"all there": {`{"insecure-registries":["10.0.0.1:5000"], "x" : 1}`, `{"insecure-registries":["10.0.0.1:5000"], "x" : 1}`},
	} {
		t.Run(name, func(t *testing.T) {
			m := hostfake.New("a1", "10.0.1.1")
			m.FakeUnits().Foreign["docker"] = "active"
			if test.before != "" {
				m.Put(daemonPath, test.before, 0o600)
			}
			item := Engine{Host: m, Registry: "10.0.0.1:5000"}
			changed, err := item.Apply(t.Context())
			require.NoError(t, err)
			assert.Equal(t, test.before != test.after, changed)
			assert.JSONEq(t, test.after, m.Text(daemonPath))
			ran := strings.Join(m.Ran(), "\n")
			assert.Equal(t, changed, strings.Contains(ran, "systemctl restart docker.service"), "started anew only when it changed")
			done, changes, err := item.Probe(t.Context())
			require.NoError(t, err)
			assert.True(t, done, changes)
			if test.before != "" {
				info, _ := m.Stat(t.Context(), daemonPath)
				assert.Equal(t, os.FileMode(0o600), info.Mode)
			}
		})
	}
	for name, text := range map[string]string{"no JSON": "{", "no list of words": `{"insecure-registries": 1}`} {
		m := hostfake.New("a1", "10.0.1.1")
		m.Put(daemonPath, text, 0o644)
		_, err := Engine{Host: m, Registry: "r:1"}.Apply(t.Context())
		require.ErrorContains(t, err, "is "+name)
		assert.Equal(t, text, m.Text(daemonPath))
	}
}

func TestAProgramThatDidNotArriveWholeIsNoticed(t *testing.T) {
	r := newRig(t, "a1")
	item := Upload{Host: r.machine, From: r.helpers.Standin, To: "/x"}
	_, err := item.Apply(t.Context())
	require.NoError(t, err)
	r.machine.Put("/x", "changed by hand", 0o755)
	done, changes, err := item.Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done)
	assert.Equal(t, []string{"a1: upload /x"}, changes)
	_, err = Upload{Host: r.machine, From: NewProgram("/no/such/program"), To: "/y"}.Apply(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
}
