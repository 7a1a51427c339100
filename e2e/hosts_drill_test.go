package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestHostsAreDrilled runs the standard suite on machines of their own, with their network cut by real packet filters and their power off,
// then what needs a disk of the home's own, and a controller in a container.
func TestHostsAreDrilled(t *testing.T) {
	needsLab(t)
	b := newLabBenchOf(t, lab.Control("m1"), lab.Control("m2"), lab.Control("m3"), lab.Agent("a1"), lab.Agent("a2"))
	built := b.buildBase()
	home := b.path("user")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
	t.Setenv("HOME", home)
	for _, part := range []struct {
		name string
		run  func(*labBench)
	}{
		{"a cluster with a history in git over SSH", drillHosts},
		{"the standard suite", drillSuite},
		{"the disk of the home is full", drillDisk},
		{"the registry is away while a container starts", func(b *labBench) { drillContainer(b, built) }},
	} {
		began := time.Now()
		if !t.Run(part.name, func(t *testing.T) { part.run(b.in(t)) }) {
			t.FailNow() // the parts after it stand on it
		}
		t.Logf("%s: %s", part.name, time.Since(began).Round(time.Second))
	}
}

// drillFile writes the cluster file; images is the section of that name, empty without containers.
func (b *labBench) drillFile(images string) {
	b.t.Helper()
	b.file("mesos")
	data, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	scm := "jenkins: {war: standin, scm: {repository: \"ssh://root@" + b.lab.Host("m1").Address + "/srv/home.git\", key: \"file:" + b.lab.KeyFile + "\", debounce: 200ms, maxDelay: 2s},"
	power := "docker %s " + b.lab.Name + `-"$HOST" >/dev/null`
	b.write(strings.Replace(string(data), "jenkins: {war: standin,", scm, 1) + images + "\ndrill: {stage: production, power: {off: '" +
		strings.ReplaceAll(power, "%s", "kill --signal KILL") + "', on: '" + strings.ReplaceAll(power, "%s", "start") + "'}}\n")
}

func drillHosts(b *labBench) {
	b.on("m1", "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq 2>&1 && apt-get install -qy git 2>&1 | tail -n 5; git init --quiet --bare /srv/home.git")
	keys, err := exec.Command("ssh-keyscan", "-t", "ed25519", b.lab.Host("m1").Address).Output()
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts"), keys, 0o600))
	b.drillFile("")
	b.install().ok()
	b.ready(2 * time.Minute)
	b.on("a1", "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends nftables")
	require.Contains(b.t, b.run("drill", "run", "controller-killed", "--yes").exits(2).errOut, "production", "a yes is not enough")
	list := b.run("drill", "list").ok().out
	require.Contains(b.t, list, "the home shares its disk")
	require.Contains(b.t, list, "the controller does not run in a container")
}

// sound says that what was drilled has recovered with nothing lost and one owner, however slow this machine is.
func (b *labBench) sound(all []drilled) {
	b.t.Helper()
	for _, one := range all {
		reasons := strings.Join(one.Reasons, "; ")
		assert.True(b.t, one.Recovered, "%s: %s", one.Name, reasons)
		assert.NotContains(b.t, reasons, "two controllers", one.Name)
		assert.NotContains(b.t, reasons, "should not have noticed", one.Name)
		if one.Name != "home-deleted" {
			assert.Zero(b.t, one.Lost.Configurations, one.Name)
			assert.Zero(b.t, one.Lost.Builds, one.Name)
		}
	}
}

func drillSuite(b *labBench) {
	all, code := b.suite(b.t.(*testing.T), 40*time.Minute, "--confirm", "ci")
	fmt.Printf("load %s\n%s", load(), suiteTable(all))
	b.sound(all)
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	for _, name := range []string{"network-cut", "git-unreachable", "controller-host-off", "mesos-agent-host-off", "control-host-rebooted", "home-deleted", "master-killed"} {
		require.Contains(b.t, names, name)
	}
	require.Contains(b.t, []int{0, 4}, code)
	require.NotContains(b.t, b.on("a1", "nft list tables"), "jomctl_drill", "the rules are gone")
	require.NotContains(b.t, b.on("a1", "systemctl list-timers --all"), "jomctl-drill-undo", "and so is the timer")
	require.Contains(b.t, b.run("drill", "history").ok().out, "network-cut")
	require.NoFileExists(b.t, b.path(".jomctl", "drill", "active.json"))
}

// drill runs scenarios that all must recover.
func (b *labBench) drill(names ...string) {
	b.t.Helper()
	var answer drillAnswer
	r := b.run(append([]string{"drill", "run", "--confirm", "ci", "-o", "json"}, names...)...)
	require.Contains(b.t, []int{0, 4}, r.code, "%s\n%s", r.errOut, r.out)
	r.json(&answer)
	require.Len(b.t, answer.Scenarios, len(names))
	fmt.Print(suiteTable(answer.Scenarios))
	b.sound(answer.Scenarios)
}

// scale has Marathon run so many controllers, and waits for it.
func (b *labBench) scale(instances int) {
	b.t.Helper()
	request, err := http.NewRequest(http.MethodPut, "http://"+b.lab.Host("m1").Address+":8090/v2/apps//ci/jenkins?force=true", strings.NewReader(fmt.Sprintf(`{"instances": %d}`, instances)))
	require.NoError(b.t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(b.t, err)
	_ = response.Body.Close()
	require.Equal(b.t, http.StatusOK, response.StatusCode)
	if instances > 0 {
		b.ready(2 * time.Minute)
		return
	}
	testkit.Eventually(b.t, 2*time.Minute, "the controller has ended", func(context.Context) bool {
		_, err := b.lab.Run("a1", "sh", "-c", "! pgrep -f '[j]omhome run'")
		return err == nil
	})
}

// drillDisk puts the home on a small disk of its own, in memory, and fills that.
func drillDisk(b *labBench) {
	b.scale(0)
	b.on("a1", "cd /var/lib/jomctl && mv jenkins_home was && mkdir jenkins_home && mount -t tmpfs -o size=64m,mode=700 home jenkins_home && cp -a was/. jenkins_home/ && rm -rf was")
	b.scale(1)
	require.Contains(b.t, b.run("drill", "list").ok().out, "a disk is mounted at the home itself")
	b.drill("home-disk-full")
	require.Empty(b.t, b.on("a1", "ls -A /var/lib/jomctl/jenkins_home | grep ballast || true"))
	b.scale(0)
	b.on("a1", "cd /var/lib/jomctl && cp -a jenkins_home was && umount jenkins_home && rmdir jenkins_home && mv was jenkins_home")
	b.scale(1)
}

// drillContainer moves controller and build agents into containers; then the registry is what a start could need.
func drillContainer(b *labBench, built <-chan error) {
	require.NoError(b.t, <-built)
	b.drillFile(madeOf)
	b.install().ok()
	b.ready(2 * time.Minute)
	b.drill("registry-unreachable", "controller-killed")
	require.Equal(b.t, "active", b.on("m1", "systemctl is-active jomctl-registry"))
}
