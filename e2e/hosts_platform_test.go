package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/edition"
	"github.com/jomctl/jomctl/internal/testkit"
)

// program writes a script that is another version of a stand-in.
func (b *bench) program(path, name, version string) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(filepath.Dir(path), 0o755))
	text := fmt.Sprintf("#!/bin/sh\n%s=%s exec '%s' %s \"$@\"\n", edition.Variable, version, filepath.Join(bin, "standin"), name)
	require.NoError(b.t, os.WriteFile(path, []byte(text), 0o755)) //nolint:gosec // it is a program
}

// platforms writes trees of Mesos and Marathon of versions, as real ones are unpacked.
func (b *bench) platforms(mesos, marathon []string) {
	b.t.Helper()
	for _, version := range mesos {
		dir := b.path("mesos-" + version)
		for _, name := range []string{"sbin/mesos-master", "sbin/mesos-agent", "libexec/mesos/mesos-containerizer", "libexec/mesos/mesos-executor"} {
			b.program(filepath.Join(dir, name), filepath.Base(name), version)
		}
		require.NoError(b.t, os.MkdirAll(filepath.Join(dir, "lib"), 0o755))
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, "lib", "libmesos.so"), nil, 0o600))
	}
	for _, version := range marathon {
		dir := b.path("marathon-" + version)
		b.program(filepath.Join(dir, "bin", "marathon"), "marathon", version)
		require.NoError(b.t, os.MkdirAll(filepath.Join(dir, "lib"), 0o755))
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, "lib", "marathon-"+version+".jar"), nil, 0o600))
	}
}

func (b *bench) platformFile(mesos, marathon string) {
	b.quick("pf", fmt.Sprintf("components: {mesos: {source: {path: ./mesos-%s}}, marathon: {source: {path: ./marathon-%s}}}", mesos, marathon))
}

type platformRun struct {
	Outcome, Cause, Backup string
	Proven                 []string
	Parts                  []struct{ Role, From, To string }
}

func (b *bench) platformState() (s platformRun) {
	b.t.Helper()
	data, err := os.ReadFile(b.path(".jomctl", "platform", "run.json"))
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal(data, &s))
	return s
}

// TestHostsPlatform upgrades Mesos and Marathon on target local, from stand-ins that say they are older. It takes as long as the walks on hosts.
func TestHostsPlatform(t *testing.T) {
	needs(t)
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("a long walk, which needs JOMCTL_TEST_LAB=1")
	}
	b := newBench(t)
	b.platforms([]string{"1.10.0", "1.11.0"}, []string{"1.9.109", "1.10.19", "1.11.26"})
	b.platformFile("1.10.0", "1.10.19")
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
	task := b.status().Marathon.App.Task

	t.Run("an install points to it", func(t *testing.T) {
		b.platformFile("1.11.0", "1.11.26")
		r := b.run("install", "--yes").exits(3)
		require.Contains(t, r.errOut, "jomctl upgrade-platform")
	})
	t.Run("what goes back is refused", func(t *testing.T) {
		b.platformFile("1.10.0", "1.9.109")
		r := b.run("upgrade-platform", "--yes").exits(3)
		require.Contains(t, r.errOut, "going back to an older version is not supported")
	})
	t.Run("nothing to do", func(t *testing.T) {
		b.platformFile("1.10.0", "1.10.19")
		b.run("upgrade-platform", "--yes").ok()
	})
	t.Run("a Marathon that does not come up is taken back", func(t *testing.T) {
		b.platformFile("1.10.0", "1.11.26")
		path := b.path("marathon-1.11.26", "bin", "marathon")
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755)) //nolint:gosec // it is a program
		b.run("upgrade-platform", "--yes", "--instance-timeout", "10s").exits(7)
		require.NoError(t, os.WriteFile(path, good, 0o755)) //nolint:gosec // it is a program
		state := b.platformState()
		require.Equal(t, "rolled back", state.Outcome)
		require.NotEmpty(t, state.Backup)
		require.Equal(t, task, b.status().Marathon.App.Task, "the controller has not noticed")
	})
	t.Run("both versions at once", func(t *testing.T) {
		b.platformFile("1.11.0", "1.11.26")
		plan := b.run("upgrade-platform", "--plan").ok()
		require.Contains(t, plan.out, "only the backup leads back")
		r := b.run("upgrade-platform", "--yes").ok()
		require.Contains(t, r.out, "mesos-agent:")
		state := b.platformState()
		require.Equal(t, "proven", state.Outcome)
		require.Equal(t, []string{"mesos-master", "marathon", "mesos-agent"}, state.Proven)
		require.Equal(t, task, b.status().Marathon.App.Task, "the controller ran on")
		// What is installed is what the file says: nothing is left for an install to do but its proof.
		b.run("install", "--yes", "--proof-sleep", "1s").ok()
		out, err := exec.Command("curl", "-sf", "http://"+b.host(10)+":5050/version").Output()
		require.NoError(t, err)
		require.Contains(t, string(out), `"1.11.0"`)
	})
}

// zooKeeperFolder is a folder of its own with the machine's ZooKeeper, whose version stays what it is.
func (b *bench) zooKeeperFolder(name string) {
	b.t.Helper()
	jars, err := filepath.Glob("/usr/share/java/zookeeper-3*.jar")
	require.NoError(b.t, err)
	require.NotEmpty(b.t, jars)
	require.NoError(b.t, os.MkdirAll(b.path(name), 0o755))
	for _, jar := range append(jars[:1], "/usr/share/java/slf4j-simple.jar") {
		require.NoError(b.t, os.Symlink(jar, b.path(name, filepath.Base(jar))))
	}
}

// TestHostsPlatformOfThree changes everything of three control hosts at once: ZooKeeper to another folder, Mesos and Marathon to other versions, and jomctl is
// killed among the masters.
func TestHostsPlatformOfThree(t *testing.T) {
	needs(t)
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("a long walk, which needs JOMCTL_TEST_LAB=1")
	}
	b := newBench(t)
	b.platforms([]string{"1.10.0", "1.11.0"}, []string{"1.10.19", "1.11.26"})
	b.zooKeeperFolder("zk-a")
	b.zooKeeperFolder("zk-b")
	file := func(zooKeeper, mesos, marathon string) {
		b.write(fmt.Sprintf("apiVersion: jomctl/v1\nname: pf3\ntarget: local\nlocal: {address: %s, control: 3}\njenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}}\n"+
			"components: {zookeeper: {source: {path: ./%s}}, mesos: {source: {path: ./mesos-%s}}, marathon: {source: {path: ./marathon-%s}}}\n", b.address, zooKeeper, mesos, marathon))
	}
	file("zk-a", "1.10.0", "1.10.19")
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
	task := b.status().Marathon.App.Task

	file("zk-b", "1.11.0", "1.11.26")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := b.command(ctx, "upgrade-platform", "--yes")
	require.NoError(t, cmd.Start())
	testkit.Eventually(t, 4*time.Minute, "a master is being changed", func(context.Context) bool {
		data, _ := os.ReadFile(b.path(".jomctl", "platform", "run.json"))
		return strings.Contains(string(data), `"mesos-master-`)
	})
	kill(t, cmd.Process.Pid)
	require.Error(t, cmd.Wait())
	require.Contains(t, b.run("install", "--yes").exits(3).errOut, "half-way")

	b.run("resume", "--yes").ok()
	state := b.platformState()
	require.Equal(t, "proven", state.Outcome)
	require.Equal(t, []string{"zookeeper", "mesos-master", "marathon", "mesos-agent"}, state.Proven)
	require.Equal(t, task, b.status().Marathon.App.Task, "the controller ran on")
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
}
