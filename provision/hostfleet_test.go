package provision

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
)

// ownHosts is a cluster of three control hosts and two Mesos agents.
func ownHosts(t *testing.T, change ...func(*config.Cluster)) *config.Cluster {
	t.Helper()
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetHosts, File: t.TempDir() + "/cluster.yaml"}
	for i := range 5 {
		h := config.Host{Name: fmt.Sprintf("h%d", i+1), Address: fmt.Sprintf("10.0.0.%d", i+1), Roles: []config.Role{config.RoleControl}}
		if i > 2 {
			h.Roles = []config.Role{config.RoleMesosAgent}
		}
		c.Hosts = append(c.Hosts, h)
	}
	for _, f := range change {
		f(c)
	}
	config.Default(c)
	require.NoError(t, config.Validate(c))
	return c
}

func hostFleet(t *testing.T, c *config.Cluster, p Programs, values HostValues) (*Fleet, map[string]*hostfake.Machine) {
	t.Helper()
	fakes, machines, all := map[string]*hostfake.Machine{}, map[string]host.Machine{}, map[string]HostValues{}
	for _, h := range c.Hosts {
		fakes[h.Name] = hostfake.New(h.Name, h.Address)
		fakes[h.Name].On("haproxy", func([]string) (host.Output, error) { return hostfake.Said("") })
		machines[h.Name], all[h.Name] = fakes[h.Name], values
	}
	f, err := NewHostFleet(c, machines, func(string) Programs { return p }, all)
	require.NoError(t, err)
	return f, fakes
}

func machineValues() HostValues {
	return HostValues{CPUs: 4, Mem: 8 * config.GiB, Disk: 100 * config.GiB, Cgroup: 2}
}

func TestHostsOfTheirOwnNeedATargetAndMachines(t *testing.T) {
	_, err := NewHostFleet(newConfig(t), nil, nil, nil)
	require.ErrorContains(t, err, "target local")
	_, err = NewHostFleet(ownHosts(t), nil, nil, nil)
	require.ErrorContains(t, err, "host h1 of ")
	_, err = NewLocalFleet(ownHosts(t), Programs{})
	require.ErrorContains(t, err, "target hosts")
}

func TestAnAgentOfAMachineOffersWhatItHasWithoutTheReserve(t *testing.T) {
	reserve := &config.Reserve{CPUs: 1.5, Mem: 3 * config.GiB}
	for name, test := range map[string]struct {
		host   func(*config.Host)
		values HostValues
		want   string
	}{
		"an agent alone":           {func(*config.Host) {}, machineValues(), "cpus:3.6;mem:7680;disk:92160"},
		"odd numbers":              {func(*config.Host) {}, HostValues{CPUs: 3, Mem: 8123 * config.MiB, Disk: 55_000_000_000}, "cpus:2.7;mem:7552;disk:47104"},
		"a small machine":          {func(*config.Host) {}, HostValues{CPUs: 1, Mem: 400 * config.MiB, Disk: config.GiB}, "cpus:0.9;mem:0;disk:0"},
		"the file says":            {func(h *config.Host) { h.Reserve = reserve }, machineValues(), "cpus:2.5;mem:5120;disk:92160"},
		"with the control roles":   {func(h *config.Host) { h.Roles = append(h.Roles, config.RoleControl) }, machineValues(), "cpus:3.1;mem:5632;disk:92160"},
		"control roles, file says": {func(h *config.Host) { h.Roles, h.Reserve = append(h.Roles, config.RoleControl), reserve }, machineValues(), "cpus:2.5;mem:5120;disk:92160"},
	} {
		t.Run(name, func(t *testing.T) {
			c := ownHosts(t)
			test.host(&c.Hosts[4])
			f, _ := hostFleet(t, c, standins(), test.values)
			argv := f.MesosAgent(c.Hosts[4]).Unit.Argv
			assert.Contains(t, strings.Join(argv, " "), "--resources="+test.want+";ports:")
		})
	}
}

func TestAnAgentOfAMachineRunsTasksInControlGroupsAndContainers(t *testing.T) {
	for cgroup, want := range map[int]string{
		0: "--launcher=posix --isolation=posix/cpu,posix/mem --no-systemd_enable_support",
		1: "--launcher=linux --isolation=cgroups/cpu,cgroups/mem",
		2: "--launcher=linux --isolation=cgroups/cpu,cgroups/mem --no-systemd_enable_support",
	} {
		values := machineValues()
		values.Cgroup, values.IP = cgroup, "192.0.2.7"
		c := ownHosts(t)
		f, _ := hostFleet(t, c, standins(), values)
		s := f.Services(RoleMesosAgent)[0]
		line := strings.Join(s.Unit.Argv, " ")
		assert.Contains(t, line, want+" --reconfiguration_policy=additive")
		assert.Contains(t, line, "--containerizers=docker,mesos")
		assert.Contains(t, line, "--executor_registration_timeout=15mins")
		assert.Contains(t, line, "--ip=192.0.2.7 --hostname=10.0.0.4")
		assert.Contains(t, line, "--work_dir=/var/lib/jomctl/mesos-agent/work")
		assert.NotContains(t, line, "no-switch_user", "the agent is root there, whoever runs jomctl")
		assert.Equal(t, host.KillProcess, s.Unit.KillMode)
	}
}

func TestControlHostsAreSizedByTheirMemory(t *testing.T) {
	for mem, want := range map[config.Size][2]string{
		0:                {"-Xmx128m", "-Xmx512m"},
		2 * config.GiB:   {"-Xmx128m", "-Xmx512m"},
		8 * config.GiB:   {"-Xmx512m", "-Xmx1024m"},
		256 * config.GiB: {"-Xmx1024m", "-Xmx2048m"},
	} {
		p := standins()
		p.Marathon = MarathonProgram{Start: "/opt/marathon/bin/marathon", Java: Java{Home: "/usr/lib/jvm/java-17"}}
		c := ownHosts(t)
		f, _ := hostFleet(t, c, p, HostValues{Mem: mem})
		zoo, marathon := f.Services(RoleZooKeeper)[2], f.Services(RoleMarathon)[2]
		assert.Contains(t, zoo.Unit.Argv, want[0])
		assert.Equal(t, want[1], marathon.Unit.Env["JAVA_OPTS"])
		assert.Equal(t, "10.0.0.3", marathon.Unit.Env["LIBPROCESS_IP"])
		assert.Equal(t, "8092", marathon.Unit.Env["LIBPROCESS_PORT"])
		assert.Contains(t, string(zoo.Files[0].Data), "server.3=10.0.0.3:2888:3888\n")
		assert.Contains(t, string(zoo.Files[0].Data), "maxClientCnxns=200\n")
		assert.Contains(t, strings.Join(f.Services(RoleMesosMaster)[2].Unit.Argv, " "), "--quorum=2")
	}
}

func TestAMarathonImageRunsInAContainerOfItsUnit(t *testing.T) {
	p := standins()
	p.Marathon = MarathonProgram{Image: "mesosphere/marathon@sha256:1", Start: "/marathon/bin/marathon", Docker: "/usr/bin/docker"}
	f, _ := hostFleet(t, ownHosts(t), p, machineValues())
	argv := f.Services(RoleMarathon)[0].Unit.Argv
	assert.Equal(t, []string{"/bin/sh", "-c"}, argv[:2])
	line := strings.Join(argv[3:], " ")
	assert.True(t, strings.HasPrefix(line, "marathon /usr/bin/docker --rm --name jomctl-marathon --network=host --env=LIBPROCESS_IP=10.0.0.1 --env=LIBPROCESS_PORT=8092 "+
		"--env=JAVA_OPTS=-Xmx1024m --entrypoint=/marathon/bin/marathon mesosphere/marathon@sha256:1 --hostname 10.0.0.1 "), line)

	log := t.TempDir() + "/log"
	docker := script(t, t.TempDir()+"/docker", `echo "$@" >> `+log+`; exit 1`)
	argv[4] = docker
	require.Error(t, exec.Command(argv[0], argv[1:]...).Run(), "it ends as the container does")
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(text), "rm -f jomctl-marathon\nrun --rm --name "), string(text))
}

// An unknown flag ends each of the real programs at once, and so does one that is given twice.
func TestTheRealProgramsKnowEveryFlagOfHostsToo(t *testing.T) {
	for cgroup := range 3 {
		values := machineValues()
		values.Cgroup = cgroup
		p := standins()
		p.Mesos = MesosPrograms{Master: "/usr/bin/mesos-master", Agent: "/usr/bin/mesos-agent", LauncherDir: "/usr/libexec/mesos", WebUI: "/usr/share/mesos/webui"}
		p.Marathon = MarathonProgram{Start: "/opt/marathon/bin/marathon", Java: Java{Home: "/opt/java"}, Library: "/usr/lib/libmesos.so"}
		f, _ := hostFleet(t, ownHosts(t), p, values)
		known := realFlags(t)
		for _, role := range []string{RoleMesosMaster, RoleMesosAgent, RoleMarathon} {
			for _, s := range f.Services(role) {
				checkFlags(t, role, s.Unit.Argv[1:], known[role])
			}
		}
	}
}

func checkFlags(t *testing.T, role string, words []string, known map[string]bool) {
	t.Helper()
	seen := map[string]bool{}
	for _, word := range words {
		flag, isFlag := strings.CutPrefix(word, "--")
		if !isFlag {
			continue
		}
		name, _, _ := strings.Cut(flag, "=")
		assert.True(t, known[name], "%s has no flag --%s", role, name)
		assert.False(t, seen[strings.TrimPrefix(name, "no-")], "%s is given --%s twice", role, name)
		seen[strings.TrimPrefix(name, "no-")] = true
	}
	assert.Greater(t, len(seen), 5)
}

func TestTheRegistryIsOnTheControlHostThatItsAddressNames(t *testing.T) {
	for address, want := range map[string]string{"": "h1", "10.0.0.2:5000": "h2", "h3:5001": "h3", "registry.example:5000": "", "10.0.0.4:5000": ""} {
		c := ownHosts(t, func(c *config.Cluster) {
			if address != "" {
				c.Registry = &config.Registry{Address: address}
			}
		})
		p := standins()
		p.Registry = "/usr/bin/docker-registry"
		f, _ := hostFleet(t, c, p, machineValues())
		services := f.Services(RoleRegistry)
		if want == "" {
			assert.Empty(t, services, address)
			assert.Equal(t, address, RegistryAddress(c))
			continue
		}
		require.Len(t, services, 1, address)
		assert.Equal(t, want, services[0].Host.Name())
		assert.Contains(t, string(services[0].Files[0].Data), "addr: '"+RegistryAddress(c)+"'")
		assert.Equal(t, RoleRegistry, services[0].Unit.Name)
		assert.Equal(t, services[0].Title(), f.AllServices()[len(f.AllServices())-1].Title())
	}
	_, own := RegistryHost(newConfig(t))
	assert.False(t, own, "target local has none")
}

func TestAMesosAgentGetsTheLoginOfTheRegistryAsAFile(t *testing.T) {
	c := ownHosts(t, func(c *config.Cluster) {
		c.Registry = &config.Registry{Address: "registry.example:443", User: "ci", Password: "env:REGISTRY_PASSWORD"}
	})
	fleet, _ := hostFleet(t, c, Programs{}, machineValues())
	agent, _ := c.Host("h4")
	require.Contains(t, fleet.taskFlags(agent), "--docker_config=file:///var/lib/jomctl/docker/config.json")
	_, own := RegistryHost(c)
	require.False(t, own)
	c.Registry.User = ""
	require.NotContains(t, strings.Join(fleet.taskFlags(agent), " "), "docker_config")
}
