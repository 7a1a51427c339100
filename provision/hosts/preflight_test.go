package hosts

import (
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
)

// world are hosts that are as they should be, to be made worse.
type world struct {
	c        *config.Cluster
	machines map[string]host.Machine
	fakes    map[string]*hostfake.Machine
	facts    map[string]Facts
	// blocked are ways that do not answer: FROM ADDRESS:PORT.
	blocked map[string]string
}

func newWorld(t *testing.T, control, agents int, change ...func(*config.Cluster)) *world {
	t.Helper()
	w := &world{c: cluster(t, control, agents, change...), machines: map[string]host.Machine{}, fakes: map[string]*hostfake.Machine{},
		facts: map[string]Facts{}, blocked: map[string]string{}}
	for _, h := range w.c.Hosts {
		m := hostfake.New(h.Name, h.Address)
		m.On("sh jomctl-reach", func(argv []string) (host.Output, error) {
			var out strings.Builder
			for _, target := range argv[4:] {
				result := "refused"
				if w.blocked[h.Name+" "+target] != "" {
					result = w.blocked[h.Name+" "+target]
				}
				out.WriteString(target + " " + result + "\n")
			}
			return hostfake.Said(out.String())
		})
		w.machines[h.Name], w.fakes[h.Name], w.facts[h.Name] = m, m, goodFacts(h)
	}
	return w
}

func (w *world) preflight(t *testing.T) (findings, notes []string) {
	t.Helper()
	f, n := Preflight(t.Context(), w.c, w.machines, w.facts, NewKeeper("ci", "id1", "1.0"))
	for _, one := range f {
		findings = append(findings, one.String())
	}
	for _, one := range n {
		notes = append(notes, one.String())
	}
	return findings, notes
}

func TestGoodHostsAreWithoutFindings(t *testing.T) {
	w := newWorld(t, 3, 2)
	findings, notes := w.preflight(t)
	assert.Empty(t, findings)
	assert.Empty(t, notes)
	for _, m := range w.fakes {
		assert.Empty(t, m.Paths(), "a preflight changes nothing")
	}
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func TestWhatIsWrongWithAHostIsFoundWithItsFix(t *testing.T) {
	listens := func(at string, pid int) host.Listener {
		return host.Listener{Address: netip.MustParseAddrPort(at), Program: "nginx", PID: pid}
	}
	for want, spoil := range map[string]func(w *world, f *Facts){
		"a1: sudo: commands run as me, and root is needed: log in as root":                       func(_ *world, f *Facts) { f.Root, f.User = false, "me" },
		"a1: system: runs alpine, which jomctl does not know":                                    func(_ *world, f *Facts) { f.OS.ID = "alpine" },
		"a1: systemd: is not there":                                                              func(_ *world, f *Facts) { f.Systemd = host.Systemctl{} },
		"a1: systemd: is installed, but did not start this host":                                 func(_ *world, f *Facts) { f.Systemd.State = "offline" },
		"a1: architecture: is riscv64, and the helper programs beside this jomctl are for ":      func(_ *world, f *Facts) { f.Arch = "riscv64" },
		"a1: control groups: no hierarchy is mounted":                                            func(_ *world, f *Facts) { f.Cgroup = 0 },
		"a1: address: 10.0.1.1 is on none of its interfaces (192.0.2.5)":                         func(_ *world, f *Facts) { f.Addresses = []host.Address{{Address: addr("192.0.2.5")}} },
		"a1: disk: 100 MiB are free for /var/lib/jomctl, and 2048 MiB are needed: make room at ": func(_ *world, f *Facts) { f.Disks[0].Free = 100 << 20 },
		"a1: disk: 9 files more fit at /var/lib/docker":                                          func(_ *world, f *Facts) { f.Disks[1].FreeFiles = 9 },
		"a1: disk: /var/lib/jomctl is in memory (tmpfs)":                                         func(_ *world, f *Facts) { f.Disks[0].Type = "tmpfs" },
		"a1: disk: /var/lib/jomctl is on a file system that is mounted read-only":                func(_ *world, f *Facts) { f.Disks[0].ReadOnly = true },
		"a1: disk: /tmp/home is emptied by a reboot: name a lasting folder":                      func(w *world, _ *Facts) { w.c.Jenkins.Home.Path = "/tmp/home" },
		"a1: another cluster: the host belongs to cluster old (id0)": func(w *world, _ *Facts) {
			w.fakes["a1"].Put(RecordPath, `{"cluster":"old","id":"id0"}`, 0o600)
		},
		"a1: record: read the record of host a1: " + RecordPath + " is damaged": func(w *world, _ *Facts) { w.fakes["a1"].Put(RecordPath, "{", 0o600) },
		"a1: old installation: the services mesos-slave run, and are not jomctl's: save what they keep, then systemctl disable --now mesos-slave": func(_ *world, f *Facts) {
			f.Leftovers.Units = []host.LeftoverUnit{{Name: "mesos-slave", Active: "active"}, {Name: "haproxy", Active: "inactive"}}
			f.Leftovers.Processes = []host.LeftoverProcess{{PID: 5, Command: "mesos-slave --x", Unit: "mesos-slave.service"}}
		},
		"a1: old installation: process 77 (java) runs and is not jomctl's: kill 77": func(_ *world, f *Facts) {
			f.Leftovers.Processes = []host.LeftoverProcess{{PID: 77, Command: "java -jar jenkins.war"}, {PID: 78, Command: "java -jar /var/lib/jomctl/jenkins.war"}}
		},
		"a1: port 8080: is taken by nginx (process 9), and mesos-agent needs it: stop it (kill 9, or its service)": func(_ *world, f *Facts) {
			f.Listening = append(f.Listening, listens("0.0.0.0:8080", 9), listens("127.0.0.1:5051", 10))
		},
		"a1: port 5051: is taken by a program": func(_ *world, f *Facts) { f.Listening = []host.Listener{listens("[::ffff:10.0.1.1]:5051", 0)} },
		"a1: memory: 100 MiB are free":         func(_ *world, f *Facts) { f.Memory.Available = 100 << 20 },
		"jenkins.app: no Mesos agent offers its 1 CPUs and 2048 MiB: the most are 3.6 CPUs and 1536 MiB": func(_ *world, f *Facts) {
			f.Memory.Total = 2 << 30
		},
		"a1: clock: is 5m0s ahead of the others: timedatectl": func(_ *world, f *Facts) { f.Clock = host.Clock{Skew: 5 * time.Minute, Error: time.Second} },
		"hosts: a1 and c3 are the same machine: name every machine once": func(w *world, f *Facts) {
			f.MachineID = "machine-c3"
			c3 := w.facts["c3"]
			c3.Addresses = append(c3.Addresses, host.Address{Address: addr("10.0.1.1")})
			w.facts["c3"] = c3
		},
		"a1: network: TCP 2181, 5050 of c2 cannot be reached from here (no answer): on c2: firewall-cmd --permanent --add-port=2181/tcp --add-port=5050/tcp && firewall-cmd --reload": func(w *world, _ *Facts) {
			w.blocked["a1 10.0.0.2:2181"], w.blocked["a1 10.0.0.2:5050"] = "no answer", "no answer"
			c2 := w.facts["c2"]
			c2.Firewall = "firewalld running"
			w.facts["c2"] = c2
		},
		"a1: mesos (catalog clusterd): has no packages for debian buster": func(w *world, f *Facts) {
			w.c.Components.Mesos.Source = config.Source{Catalog: "clusterd"}
			f.OS.Codename = "buster"
		},
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t, 3, 1)
			f := w.facts["a1"]
			spoil(w, &f)
			w.facts["a1"] = f
			findings, _ := w.preflight(t)
			require.Len(t, findings, 1)
			assert.True(t, strings.HasPrefix(findings[0], want), findings[0])
		})
	}
}

func TestWhatIsOnlyToBeKnownIsANote(t *testing.T) {
	for want, spoil := range map[string]func(w *world, f *Facts){
		"a1: SELinux: is enforcing":        func(_ *world, f *Facts) { f.SELinux = "Enforcing" },
		"a1: clock: is 2s behind the":      func(_ *world, f *Facts) { f.Clock.Skew = -2 * time.Second },
		"a1: bash: is not there":           func(_ *world, f *Facts) { delete(f.Programs, "bash") },
		"a1: machine-id: is that of c1":    func(_ *world, f *Facts) { f.MachineID = "machine-c1" },
		"a1: old installation: has left /": func(_ *world, f *Facts) { f.Leftovers.Paths = []string{"/etc/mesos/zk"} },
		"a1: system: runs rocky":           func(_ *world, f *Facts) { f.OS.ID = "rocky" },
		"a1: network: try the ways": func(w *world, _ *Facts) {
			w.fakes["a1"].On("sh jomctl-reach", func([]string) (host.Output, error) { return hostfake.Said("") })
		},
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t, 3, 1)
			f := w.facts["a1"]
			spoil(w, &f)
			w.facts["a1"] = f
			findings, notes := w.preflight(t)
			assert.Empty(t, findings)
			require.Len(t, notes, 1)
			assert.True(t, strings.HasPrefix(notes[0], want), notes[0])
		})
	}
}

func TestWhatIsTheSameOnManyHostsIsOneFinding(t *testing.T) {
	w := newWorld(t, 3, 2)
	for name, f := range w.facts {
		f.Systemd.Version = 0
		w.facts[name] = f
	}
	findings, _ := w.preflight(t)
	assert.Equal(t, []string{"c1, c2, c3, a1, a2: systemd: is not there, and it keeps the programs running: use a system with systemd"}, findings)
}

func TestTheClockOfThisMachineMayBeTheOneThatIsOff(t *testing.T) {
	w := newWorld(t, 3, 1)
	for name, f := range w.facts {
		f.Clock.Skew = -time.Hour
		w.facts[name] = f
	}
	findings, notes := w.preflight(t)
	assert.Empty(t, findings)
	assert.Equal(t, []string{"clock: this machine's is 1h0m0s off those of the hosts: set this machine's clock"}, notes)
}

func TestAHostThatRunsItsUnitsHasItsPortsAndMemory(t *testing.T) {
	w := newWorld(t, 1, 1)
	for _, item := range []provision.Item{NewKeeper("ci", "id1", "1").Keep(w.machines["a1"], provision.Service{Host: w.machines["a1"], Role: "mesos-agent",
		Unit: host.Unit{Name: "mesos-agent"}})} {
		_, err := item.Apply(t.Context())
		require.NoError(t, err)
	}
	f := w.facts["a1"]
	f.Memory.Available = 1
	f.Listening = []host.Listener{{Address: netip.MustParseAddrPort("10.0.1.1:5051"), Program: "standin"}}
	w.facts["a1"] = f
	findings, _ := w.preflight(t)
	assert.Empty(t, findings)
}

func TestHostsThatCannotBeLookedAtAreFindings(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.fakes["a1"].Broken = func(string, string) error { return errors.New("connection refused") }
	facts, findings := LookAll(t.Context(), w.c, w.machines)
	assert.Empty(t, facts)
	require.Len(t, findings, 2)
	assert.Contains(t, findings[1].String(), "a1: ")
	assert.Contains(t, findings[1].String(), "connection refused")
	w.facts = map[string]Facts{"c1": w.facts["c1"]}
	more, _ := w.preflight(t)
	assert.Empty(t, more, "the rest is looked at all the same")
}

// The scripts run on this machine, which stands for a host.
func TestTheScriptsWorkOnARealMachine(t *testing.T) {
	for _, program := range []string{"bash", "timeout"} {
		if _, err := exec.LookPath(program); err != nil {
			testkit.Missing(t, program)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	closed := testkit.FreeAddr(t, "127.0.0.1")
	open := listener.Addr().String()
	out, err := exec.Command("/bin/sh", "-c", reachScript, "jomctl-reach", open, closed).Output()
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{open + " open", closed + " refused", ""}, strings.Split(string(out), "\n"))

	out, err = exec.Command("/bin/sh", "-c", factsScript, "jomctl-programs").Output()
	require.NoError(t, err)
	f := Facts{Programs: map[string]string{}}
	require.NoError(t, f.parse(string(out)))
	assert.NotEmpty(t, f.Programs["bash"])
	require.ErrorContains(t, f.parse("program=x /x\n"), "cut off")
}

func TestWhatPackagesCannotGiveIsRefusedBefore(t *testing.T) {
	const el = "almalinux"
	red := func(version string, more func(*Facts)) func(*config.Cluster, *Facts) {
		return func(c *config.Cluster, f *Facts) {
			c.Components.ZooKeeper.Source = config.Source{Archive: "z.tgz", SHA256: strings.Repeat("0", 64)}
			f.OS, f.Packages = host.OS{ID: el, Like: "rhel centos fedora", Version: version}, nil
			more(f)
		}
	}
	none := func(f *Facts) { f.Programs, f.HAProxy = map[string]string{"bash": "/usr/bin/bash"}, "" }
	archive := config.Source{Archive: "m.tgz", SHA256: strings.Repeat("0", 64)}
	for want, spoil := range map[string]func(*config.Cluster, *Facts){
		"": red("9.4", none),
		"c1: haproxy: the system's package is older than 2.2": red("8.10", none),
		"c1: haproxy: is 1.8.27, but":                         func(_ *config.Cluster, f *Facts) { f.HAProxy = "1.8.27" },
		"c1: SELinux: is enforcing":                           red("9.4", func(f *Facts) { f.SELinux = "Enforcing" }),
		"c1: java: Marathon runs on Java 8, 11 or 17": func(c *config.Cluster, f *Facts) {
			red("10.1", func(f *Facts) { f.Java = nil })(c, f)
			c.Components.Marathon.Source = archive
		},
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t, 3, 1)
			f := w.facts["c1"]
			spoil(w.c, &f)
			w.facts["c1"] = f
			findings, _ := w.preflight(t)
			var own []string
			for _, one := range findings {
				if strings.HasPrefix(one, "c1: ") {
					own = append(own, one)
				}
			}
			if want == "" {
				require.Empty(t, own)
				return
			}
			require.Len(t, own, 1)
			require.True(t, strings.HasPrefix(own[0], want), own[0])
		})
	}
	w := newWorld(t, 3, 1)
	enforcing, podman := w.facts["c1"], w.facts["a1"]
	red("9.4", func(f *Facts) { f.SELinux, f.Permissive = "Enforcing", []string{"haproxy_t"} })(w.c, &enforcing)
	podman.Packages = map[string]string{"podman-docker": "4.3"}
	w.facts["c1"], w.facts["a1"] = enforcing, podman
	findings, notes := w.preflight(t)
	require.Len(t, findings, 1)
	require.Contains(t, findings[0], "a1: docker: is podman's stand-in")
	require.Contains(t, strings.Join(notes, "\n"), "c1: SELinux: is enforcing, and jomctl was never tried")

	w = newWorld(t, 1, 1, func(c *config.Cluster) { c.Backup = &config.Backup{Repository: "/srv/backup"} })
	bare := w.facts["a1"]
	red("9.4", func(f *Facts) { delete(f.Programs, "docker") })(w.c, &bare)
	w.facts["a1"] = bare
	findings, _ = w.preflight(t)
	require.Contains(t, strings.Join(findings, "\n"), "a1: restic: the system has no package of it")
	require.Contains(t, strings.Join(findings, "\n"), "a1: docker: the system has no package")
}
