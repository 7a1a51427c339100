package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThreeLinesAreComplete(t *testing.T) {
	c := parse(t, threeLines)
	require.Len(t, c.Hosts, 3)
	assert.Equal(t, Host{Name: "c1", Address: "127.0.10.10", Roles: []Role{RoleControl}}, c.Hosts[0])
	assert.Equal(t, Host{Name: "a2", Address: "127.0.10.22", Roles: []Role{RoleMesosAgent}}, c.Hosts[2])
	assert.Equal(t, Local{Address: "127.0.10.0", Control: 1, Agents: 2, Resources: Resources{CPUs: 4, Mem: 2432 * MiB, Disk: 20 * GiB}}, *c.Local)
	assert.Equal(t, App{CPUs: 1, Mem: GiB, Grace: Duration(5 * time.Minute), HTTPPort: 8080, AgentPort: 50000}, c.Jenkins.App)
	assert.Equal(t, "standin", c.Jenkins.War)
	assert.Equal(t, Home{Type: HomeHost}, c.Jenkins.Home)
	assert.Equal(t, []Template{{Label: "mesos", CPUs: 0.2, Mem: 512 * MiB, Idle: Duration(5 * time.Second), Docker: DockerNone}}, c.Jenkins.Cloud.Templates)
	assert.True(t, c.Components.Mesos.Source.Standin && c.Components.Marathon.Source.Standin)
	assert.Equal(t, "libzookeeper-java", c.Components.ZooKeeper.Source.Apt)
	assert.Nil(t, c.Registry)
	assert.Nil(t, c.Jenkins.SCM)
}

func TestDefaultsOfOtherTargets(t *testing.T) {
	c := parse(t, "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n  - {name: m1, address: 10.0.0.1, roles: [control]}\n  - {name: a1, address: 10.0.0.2, roles: [mesos-agent]}\nmaintenance: {windows: [{days: [sat], start: 22:00, length: 4h}]}\nbackup: {repository: /b}\njenkins: {scm: {repository: /r}}\n")
	assert.Equal(t, "10.0.0.1:5000", c.Registry.Address)
	assert.Equal(t, SSH{User: "root", Port: 22, KnownHosts: ".jomctl/known_hosts"}, *c.SSH)
	assert.Equal(t, "/var/lib/jomctl/jenkins_home", c.Jenkins.Home.Path)
	assert.Equal(t, 2*GiB, c.Jenkins.App.Mem)
	assert.Empty(t, c.Jenkins.War)
	assert.Equal(t, "clusterd", c.Components.Mesos.Source.Catalog)
	assert.Equal(t, "UTC", c.Maintenance.Windows[0].Zone)
	assert.Equal(t, Duration(20*time.Minute), c.Maintenance.Reserve)
	assert.Equal(t, Keep{7, 4}, c.Backup.Keep)
	assert.Equal(t, SCM{Repository: "/r", Branch: "main", Debounce: Duration(2 * time.Second), MaxDelay: Duration(15 * time.Second)}, *c.Jenkins.SCM)
	require.NotNil(t, parse(t, "apiVersion: jomctl/v1\nname: ci\ntarget: docker\n"))
}

// TestLocalAgentsHoldTheProof places the controller and five build agents in the worst order.
func TestLocalAgentsHoldTheProof(t *testing.T) {
	for agents := 1; agents <= 9; agents++ {
		for _, app := range []Size{256, 1024, 4096, 16384} {
			for _, template := range []Size{64, 512, 3000} {
				c := parse(t, threeLines+fmt.Sprintf("local: {agents: %d}\njenkins: {app: {mem: %dMiB}, cloud: {templates: [{label: m, mem: %dMiB}]}}\n", agents, app, template))
				mem, build := c.Local.Resources.Mem, (template+32)*MiB
				fit := (mem - app*MiB) / build
				require.GreaterOrEqual(t, fit, Size(1), "beside the controller")
				fit += Size(agents-1) * (mem / build)
				require.GreaterOrEqual(t, fit, Size(proofBuilds), "%d agents, app %d, template %d", agents, app, template)
				require.Zero(t, mem%(64*MiB))
				if agents > 1 {
					require.Less(t, mem, app*MiB+proofBuilds*build, "one host alone must not hold it: %d agents, app %d, template %d", agents, app, template)
				}
			}
		}
	}
}

func TestDefaultIsStable(t *testing.T) {
	for _, text := range []string{threeLines, hostsFile} {
		c := parse(t, text)
		again := c.Clone()
		Default(again)
		require.Equal(t, c, again)
	}
}

func TestHostsGivenOnLocalSetTheNumbers(t *testing.T) {
	c := parse(t, threeLines+"hosts:\n  - {name: x, address: 127.0.99.1, roles: [control, mesos-agent]}\n")
	assert.Equal(t, 8088, c.Jenkins.App.HTTPPort, "Marathon is on 8080 there")
	assert.Equal(t, 1, c.Local.Control)
	assert.Equal(t, 1, c.Local.Agents)
	assert.Len(t, c.HostsWith(RoleMesosAgent), 1)
	h, ok := c.Host("x")
	assert.True(t, ok && h.Is(RoleControl))
	_, ok = c.Host("y")
	assert.False(t, ok)
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", "/home/me")
	c := &Cluster{File: filepath.Join(dir, "cluster.yaml")}
	assert.Equal(t, filepath.Join(dir, ".jomctl"), c.StateDir())
	assert.Equal(t, filepath.Join(dir, "a/b"), c.Resolve("./a/b"))
	assert.Equal(t, "/x/y", c.Resolve("/x//y/"))
	assert.Equal(t, "/home/me/.ssh/id", c.Resolve("~/.ssh/id"))
	assert.Equal(t, filepath.Join(dir, "~x"), c.Resolve("~x"))
	assert.Empty(t, c.Resolve(""))
	t.Chdir(dir)
	assert.Equal(t, filepath.Join(dir, "x", ".jomctl"), (&Cluster{File: "x/cluster.yaml"}).StateDir())
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	c := &Cluster{File: filepath.Join(dir, "cluster.yaml")}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "s"), []byte(" pass word\r\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600))
	t.Setenv("JOMCTL_TEST_SECRET", "from env")
	t.Setenv("JOMCTL_TEST_EMPTY", "")
	for ref, want := range map[Secret]string{"file:s": " pass word", "env:JOMCTL_TEST_SECRET": "from env", "": ""} {
		got, err := ref.Resolve(c)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, missing := range []Secret{"file:none", "env:JOMCTL_TEST_NONE"} {
		_, err := missing.Resolve(c)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	for _, bad := range []Secret{"file:empty", "env:JOMCTL_TEST_EMPTY", "hunter2", "file:"} {
		_, err := bad.Resolve(c)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
	path, ok := Secret("file:s").Path(c)
	require.True(t, ok)
	require.Equal(t, filepath.Join(dir, "s"), path)
	_, ok = Secret("env:X").Path(c)
	require.False(t, ok)
}
