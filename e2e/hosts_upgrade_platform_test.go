package e2e

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/e2e/lab/repo"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/terraform"
)

// platformBench is a lab whose Mesos and Marathon come in several versions from one repository.
type platformBench struct {
	*labBench
	task string
}

// TestHostsUpgradePlatform upgrades ZooKeeper, Mesos and Marathon on hosts, from packages of stand-ins that say they are older, under a controller
// and builds that run. Its parts build on each other.
func TestHostsUpgradePlatform(t *testing.T) {
	needsLab(t)
	b := &platformBench{labBench: newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"))}
	b.editions()
	b.wants("mesos=1.10.0-1", "marathon=1.10.19-1", "")
	b.install().ok()
	b.task = b.ready(2 * time.Minute).Controller.Task
	for _, part := range []struct {
		name string
		run  func(*platformBench)
	}{
		{"an install points to it", pointsToIt},
		{"the way back is looked for before anything is changed", wayBackGone},
		{"a Mesos that does not start is taken back", brokenMesos},
		{"a Marathon that does not start is taken back", brokenMarathon},
		{"everything at once, under a build, though jomctl dies on the way", upgradedAtOnce},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			b.labBench = b.in(t)
			part.run(b)
		}) {
			t.FailNow() // the parts after it stand on it
		}
	}
}

// editions puts versions of Mesos and Marathon into the repository. 1.11.1 and 1.11.27 do not start.
func (b *platformBench) editions() {
	b.t.Helper()
	for _, one := range []struct {
		layout        repo.Layout
		version, says string
		broken        bool
	}{
		{repo.VendorMesos, "1.10.0-1", "1.10.0", false}, {repo.VendorMesos, "1.11.0-1", "1.11.0", false}, {repo.VendorMesos, "1.11.1-1", "1.11.1", true},
		{repo.VendorMarathon, "1.10.19-1", "1.10.19", false}, {repo.VendorMarathon, "1.11.26-1", "1.11.26", false}, {repo.VendorMarathon, "1.11.27-1", "1.11.27", true},
	} {
		deb, err := repo.BuildEdition(b.dir, one.layout, one.version, runtime.GOARCH, filepath.Join(bin, "standin"), repo.Edition{Says: one.says, Broken: one.broken})
		require.NoError(b.t, err)
		require.NoError(b.t, b.repo.Add(deb))
		require.NoError(b.t, os.Remove(deb))
	}
	b.publish("")
}

// wants writes a cluster file with these packages, and ZooKeeper from an archive where one is named.
func (b *platformBench) wants(mesos, marathon, zooKeeper string) {
	b.t.Helper()
	line := b.server.Line("repo/"+repo.KeyFile, suite)
	components := fmt.Sprintf("  mesos: {source: {apt: %s, repository: %q}}\n  marathon: {source: {apt: %s, repository: %q}}\n", mesos, line, marathon, line)
	if zooKeeper != "" {
		components += fmt.Sprintf("  zookeeper: {source: {archive: %s}}\n", zooKeeper)
	}
	b.write(clusterText(b.lab.Hosts, b.lab.KeyFile, components))
}

func clusterText(hosts []terraform.Host, key, components string) string {
	var text strings.Builder
	text.WriteString("apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n")
	for _, h := range hosts {
		fmt.Fprintf(&text, "  - {name: %s, address: %s, roles: [%s], reserve: {cpus: 0.1, mem: 256MiB}}\n", h.Name, h.Address, strings.Join(h.Roles, ", "))
	}
	fmt.Fprintf(&text, "ssh: {user: admin, identityFile: %s}\ncomponents:\n%sjenkins: {war: standin, cloud: {templates: [{label: mesos, idle: 2s}]}}\n", key, components)
	return text.String()
}

// upgradePlatform may take longer than other commands.
func (b *platformBench) upgradePlatform(verb string, more ...string) result {
	b.t.Helper()
	_, end := b.talking(append([]string{verb, "--yes"}, more...)...)
	return end()
}

// runs says which versions tell that they run: the master's, Marathon's and those of the agents.
func (b *platformBench) runs(mesos, marathon string) {
	b.t.Helper()
	ask := func(host string, port int, path string) string {
		return b.on(host, fmt.Sprintf("curl -sf http://%s:%d%s", b.lab.Host(host).Address, port, path))
	}
	require.Contains(b.t, ask("m1", provision.MasterPort, "/version"), `"`+mesos+`"`)
	require.Contains(b.t, ask("m1", provision.MarathonPort, "/v2/info"), `"`+marathon+`"`)
	for _, host := range []string{"a1", "a2"} {
		require.Contains(b.t, ask(host, provision.AgentPort, "/version"), `"`+mesos+`"`, host)
		require.Contains(b.t, b.on(host, "dpkg-query -W mesos"), mesos, host)
	}
	require.Contains(b.t, b.on("m1", "dpkg-query -W mesos marathon"), mesos)
	require.Equal(b.t, b.task, b.ready(time.Minute).Controller.Task, "the controller ran on")
	for _, state := range b.states() {
		require.Equal(b.t, "active", state)
	}
}

func pointsToIt(b *platformBench) {
	before := b.status().pids()
	b.wants("mesos=1.11.0-1", "marathon=1.10.19-1", "")
	r := b.install().exits(3)
	require.Contains(b.t, r.errOut, "jomctl upgrade-platform")
	b.wants("mesos=1.10.0-1", "marathon=1.10.19-1", "")
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
	require.Equal(b.t, before, b.status().pids())
	b.run("upgrade-platform", "--yes").ok()
}

// wayBackGone has neither the cache of this machine nor the repository have the old version.
func wayBackGone(b *platformBench) {
	before := b.status().pids()
	cache := b.path(".jomctl", "cache")
	require.NoError(b.t, os.Rename(cache, cache+".away"))
	old := b.path("repo", "pool", "mesos_1.10.0-1_"+runtime.GOARCH+".deb")
	require.NoError(b.t, os.Rename(old, old+".away"))
	b.wants("mesos=1.11.0-1", "marathon=1.10.19-1", "")
	r := b.run("upgrade-platform", "--yes").exits(3)
	require.NoError(b.t, os.RemoveAll(cache))
	require.NoError(b.t, os.Rename(cache+".away", cache))
	require.Contains(b.t, r.errOut, "the way back")
	require.Equal(b.t, before, b.status().pids())
	// From now on the old version is in this machine's cache alone.
}

func brokenMesos(b *platformBench) {
	b.wants("mesos=1.11.1-1", "marathon=1.10.19-1", "")
	r := b.upgradePlatform("upgrade-platform", "--instance-timeout", "20s").exits(7)
	require.Contains(b.t, r.errOut, "taking it back")
	require.Equal(b.t, "rolled back", b.platformState().Outcome)
	b.runs("1.10.0", "1.10.19")
}

func brokenMarathon(b *platformBench) {
	b.wants("mesos=1.10.0-1", "marathon=1.11.27-1", "")
	b.upgradePlatform("upgrade-platform", "--instance-timeout", "20s").exits(7)
	state := b.platformState()
	require.Equal(b.t, "rolled back", state.Outcome)
	require.NotEmpty(b.t, state.Backup)
	b.runs("1.10.0", "1.10.19")
	b.wants("mesos=1.10.0-1", "marathon=1.10.19-1", "")
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}

// upgradedAtOnce changes all three. A build that runs survives the steps of ZooKeeper, master and Marathon, and ends before its own agent is changed.
func upgradedAtOnce(b *platformBench) {
	b.run("agents", "drain", "a1", "--yes").ok()
	release := b.hold("survivor", "a2")
	b.run("agents", "undrain", "a1", "--yes").ok()
	b.zooKeeperArchive("zookeeper-3.8.0-bin.tar.gz")
	b.wants("mesos=1.11.0-1", "marathon=1.11.26-1", "./zookeeper-3.8.0-bin.tar.gz")
	plan := b.run("upgrade-platform", "--plan").ok()
	for _, want := range []string{"zookeeper of m1", "mesos-master of m1: 1.10.0", "only the backup leads back", "mesos-agent of a2"} {
		require.Contains(b.t, plan.out, want)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := b.command(ctx, "upgrade-platform", "--yes")
	require.NoError(b.t, cmd.Start())
	testkit.Eventually(b.t, 6*time.Minute, "the master is being changed", func(context.Context) bool {
		data, _ := os.ReadFile(b.path(".jomctl", "platform", "run.json"))
		return strings.Contains(string(data), `"mesos-master-`)
	})
	kill(b.t, cmd.Process.Pid)
	require.Error(b.t, cmd.Wait())
	require.Contains(b.t, b.run("install", "--yes").exits(3).errOut, "half-way")

	talk, end := b.talking("resume", "--yes", "--verbose")
	testkit.Eventually(b.t, 6*time.Minute, "the agent of the build is to be drained", func(context.Context) bool { return strings.Contains(talk(), "survivor #1") })
	build, err := b.jenkins().Build(b.t.Context(), "survivor", 1)
	require.NoError(b.t, err)
	require.True(b.t, build.Building, "it has survived what came before")
	release()
	end().ok()
	require.Equal(b.t, "SUCCESS", b.ended("survivor"))
	state := b.platformState()
	require.Equal(b.t, "proven", state.Outcome)
	require.Equal(b.t, []string{"zookeeper", "mesos-master", "marathon", "mesos-agent"}, state.Proven)
	b.runs("1.11.0", "1.11.26")
	require.Contains(b.t, b.on("m1", "tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value jomctl-zookeeper)/cmdline"), "/opt/jomctl/zookeeper-")
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
	b.run("prove", "--yes", "--sleep", "1s").ok()
}

// zooKeeperArchive packs this machine's ZooKeeper as the project packs its own. What it needs besides is on the hosts already.
func (b *platformBench) zooKeeperArchive(name string) {
	b.t.Helper()
	file, err := os.Create(b.path(name))
	require.NoError(b.t, err)
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	for to, from := range map[string]string{"zookeeper-3.8.0.jar": "zookeeper.jar", "slf4j-simple.jar": "slf4j-simple.jar"} {
		data, err := os.ReadFile(filepath.Join("/usr/share/java", from))
		require.NoError(b.t, err)
		require.NoError(b.t, archive.WriteHeader(&tar.Header{Name: "apache-zookeeper-3.8.0-bin/lib/" + to, Mode: 0o644, Size: int64(len(data))}))
		_, err = archive.Write(data)
		require.NoError(b.t, err)
	}
	require.NoError(b.t, archive.Close())
	require.NoError(b.t, packed.Close())
	require.NoError(b.t, file.Close())
}
