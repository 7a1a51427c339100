package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
)

// upgradeBench is a lab in which controller and build agents run in containers, the home is kept in git on m1 and backed up there.
type upgradeBench struct {
	*homeBench
	kept string // the home before any upgrade
}

const homeThere = "/var/lib/jomctl/jenkins_home"

// TestHostsUpgradeJenkins goes from one release to the other and back on hosts, in containers, and meets trouble on the way. Its parts
// build on each other.
func TestHostsUpgradeJenkins(t *testing.T) {
	needsLab(t)
	b := &upgradeBench{homeBench: &homeBench{labBench: newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"))}}
	built := b.buildBase()
	home := b.path("user")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
	t.Setenv("HOME", home)
	keys, err := exec.Command("ssh-keyscan", "-t", "ed25519", b.lab.Host("m1").Address).Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), keys, 0o600))
	b.on("m1", "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq 2>&1 && apt-get install -qy git 2>&1 | tail -n 5; mkdir -p /srv/backup; git init --quiet --bare /srv/home.git")
	b.write(b.text("") + "release: previous # the line before\n" + madeOf + "\n")
	require.NoError(t, <-built)
	for _, part := range []struct {
		name string
		run  func(*upgradeBench)
	}{
		{"a cluster of the line before", lineBefore},
		{"a release that does not start is taken back", brokenRelease},
		{"a new version that has written is taken back with the home", failedCanary},
		{"killed in the exchange, and gone on with", killedExchanging},
		{"back to the line before with the home of then", backToThen},
		{"a registry that is down is found before anything is begun", registryDown},
		{"killed in the rehearsal, which the next run cleans away", killedRehearsing},
		{"the host of the controller loses its power in the exchange", powerLost},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			inner, of := *b, *b.homeBench
			of.labBench = b.in(t)
			inner.homeBench = &of
			part.run(&inner)
			b.kept, b.url = inner.kept, inner.url
		}) {
			t.FailNow()
		}
	}
}

func (b *upgradeBench) upgrade(more ...string) result {
	b.t.Helper()
	_, end := b.talking(append([]string{"upgrade-jenkins", "--now", "--yes"}, more...)...)
	return end()
}

// sums are content, mode and owner of what nobody may lose: jobs, builds, accounts, secrets.
func (b *upgradeBench) sums() string {
	b.t.Helper()
	return b.on("a1", "cd "+homeThere+" && find jobs users secrets -type f -printf '%p %m %U\\n' | sort; find jobs users secrets -type f | sort | xargs sha256sum")
}

// image is what the controller's container on a1 runs.
func (b *upgradeBench) image() string {
	b.t.Helper()
	return b.on("a1", "docker inspect -f '{{.Config.Image}}' $(docker ps -q --filter volume="+homeThere+")")
}

// isBackThere asks for everything that a rollback promises.
func (b *upgradeBench) isBackThere() {
	b.t.Helper()
	require.Equal(b.t, "2.555.3", b.browser(b.url).version())
	require.Equal(b.t, b.kept, b.sums(), "the old home")
	require.Empty(b.t, b.on("a1", "find "+homeThere+" ! -uid 1500"), "all of the home is the controller's")
	state := b.upgradeState()
	require.Equal(b.t, "rolled back", state.Outcome)
	require.NotEmpty(b.t, state.Cause)
	b.rehearsalGone()
	require.Contains(b.t, b.run("install", "--plan").ok().out, "nothing to do")
}

func (b *upgradeBench) rehearsalGone() {
	b.t.Helper()
	require.Empty(b.t, b.on("a1", "docker ps -aq --filter name=jomctl-rehearsal; systemctl list-units --plain --no-legend --all 'jomctl-rehearsal*'; ls -d "+homeThere+".upgrades/*/rehearsal 2>/dev/null; true"))
}

func lineBefore(b *upgradeBench) {
	var answer installAnswer
	b.install("-o", "json").ok().json(&answer)
	b.url = answer.URL
	web := b.browser(b.url)
	require.Equal(b.t, "2.555.3", web.version())
	web.createJob("kept")
	web.post("/createItem?name=long", longJob)
	b.pushed("jobs/long/config.xml")
	b.kept = b.sums()
}

func brokenRelease(b *upgradeBench) {
	plan := b.run("upgrade-jenkins", "--release", "default", "--now", "--plan").ok()
	require.Contains(b.t, plan.out+plan.errOut, "core 2.555.3 (previous) -> 2.568.3 (default)")
	old := b.image()
	broken := b.ownRelease("broken", "app.json.tmpl", `{{json .Command}}`, `"echo this release is broken >&2; exit 9"`)
	failed := b.upgrade("--release", broken).exits(7)
	require.Contains(b.t, failed.errOut, "this release is broken")
	require.NotEmpty(b.t, b.on("a2", "docker image inspect --format '{{.Id}}' "+b.upgradeState().To.Image), "the image was brought to all agents before")
	b.isBackThere()
	require.Equal(b.t, old, b.image(), "the old digest")
}

func failedCanary(b *upgradeBench) {
	failed := b.upgrade("--release", "default", "--canary-timeout", "300ms").exits(7)
	require.Contains(b.t, failed.errOut, "canary on template mesos")
	b.isBackThere()
	kept := b.upgradeState().FailedHome
	require.Contains(b.t, kept, homeThere+".failed-upgrade-")
	require.NotEmpty(b.t, b.on("a1", "ls "+kept), "the failed home is kept")
}

func registryDown(b *upgradeBench) {
	b.on("m1", "systemctl stop jomctl-registry")
	refused := b.upgrade("--release", "default").exits(3)
	require.Contains(b.t, refused.errOut, "registry: a1 does not reach "+provision.RegistryAddress(b.cluster()))
	b.on("m1", "systemctl start jomctl-registry")
	require.Equal(b.t, "2.555.3", b.browser(b.url).version())
}

// killedWhen begins an upgrade to default and kills jomctl as soon as a condition holds.
func (b *upgradeBench) killedWhen(what string, holds func() bool) {
	b.t.Helper()
	cmd := b.command(context.Background(), "upgrade-jenkins", "--release", "default", "--now", "--yes")
	require.NoError(b.t, cmd.Start())
	testkit.Eventually(b.t, 5*time.Minute, what, func(context.Context) bool { return holds() })
	kill(b.t, cmd.Process.Pid)
	_ = cmd.Wait()
}

func killedRehearsing(b *upgradeBench) {
	b.killedWhen("the rehearsal runs", func() bool { return b.on("a1", "docker ps -q --filter name=jomctl-rehearsal") != "" })
	require.Equal(b.t, "2.555.3", b.browser(b.url).version())
	b.t.Setenv("LC_ALL", "C")
	failed := b.upgrade("--release", "default", "--canary-timeout", "300ms").exits(7)
	require.Contains(b.t, failed.errOut, "canary on template mesos")
	b.isBackThere()
}

func powerLost(b *upgradeBench) {
	cmd := b.command(context.Background(), "upgrade-jenkins", "--release", "default", "--now", "--yes")
	text := b.path("power.txt")
	file, err := os.Create(text)
	require.NoError(b.t, err)
	cmd.Stdout, cmd.Stderr = file, file
	require.NoError(b.t, cmd.Start())
	testkit.Eventually(b.t, 5*time.Minute, "the new version is being deployed", func(context.Context) bool { return b.deploys() })
	b.lab.PowerOff("a1")
	_ = cmd.Wait()
	said, err := os.ReadFile(text)
	require.NoError(b.t, err)
	require.Equal(b.t, 1, cmd.ProcessState.ExitCode(), string(said))
	require.Contains(b.t, string(said), "jomctl rollback")
	b.lab.PowerOn("a1")
	testkit.Eventually(b.t, 5*time.Minute, "the run can be taken back", func(context.Context) bool { return b.run("rollback", "--yes").code == 7 })
	b.isBackThere()
}

// deploys says that the run that goes on has begun to start the new version. The run before has an outcome.
func (b *upgradeBench) deploys() bool {
	state := b.upgradeState()
	return state.Outcome == "" && !state.Begun["deploy"].IsZero()
}

func killedExchanging(b *upgradeBench) {
	t, web := b.t, b.browser(b.url)
	web.crumb()
	web.post("/job/long/buildWithParameters?SECONDS=20&delay=0sec", "")
	testkit.Eventually(t, 2*time.Minute, "a build runs", func(context.Context) bool {
		code, text := web.do(http.MethodGet, "/job/long/1/api/json?tree=building", "")
		return code == 200 && strings.Contains(text, "true")
	})
	old := b.image()
	b.killedWhen("the new version is being deployed", b.deploys)
	require.Contains(t, b.install().exits(3).errOut, "half-way")
	b.run("resume", "--yes").ok()
	web = b.browser(b.url)
	require.Equal(t, "2.568.3", web.version())
	var first struct{ Result string }
	web.get("/job/long/1/api/json", &first)
	require.Equal(t, "SUCCESS", first.Result, "the drain has let it end")
	require.Contains(t, b.run("install", "--plan").ok().out, "nothing to do")
	b.rehearsalGone()

	var answer struct {
		Runs []struct {
			Outcome  string
			From, To struct{ Image string }
		}
	}
	r := b.run("releases", "-o", "json").ok()
	require.NoError(t, json.Unmarshal([]byte(r.out), &answer), r.out)
	require.Equal(t, "proven", answer.Runs[0].Outcome)
	require.Equal(t, old, answer.Runs[0].From.Image)
	require.Equal(t, b.image(), answer.Runs[0].To.Image)
	require.NotEqual(t, old, b.image())
	require.Contains(t, b.on("a1", "cat /var/lib/jomctl/backup/backup.json"), `"release": "default"`)
	web.createJob("after")
	b.pushed("jobs/after/config.xml")
}

func backToThen(b *upgradeBench) {
	r := b.run("rollback", "--to", "previous", "--plan").ok()
	require.Contains(b.t, r.out+r.errOut, "the home becomes that of")
	_, end := b.talking("rollback", "--to", "previous", "--yes")
	end().ok()
	web := b.browser(b.url)
	require.Equal(b.t, "2.555.3", web.version())
	code, _ := web.do(http.MethodGet, "/job/kept/config.xml", "")
	require.Equal(b.t, 200, code)
	code, _ = web.do(http.MethodGet, "/job/after/config.xml", "")
	require.Equal(b.t, 404, code, "the home is that of then")
	require.NotEmpty(b.t, b.on("a1", "ls -d "+homeThere+".before-rollback-*/jobs/after"))
	require.Contains(b.t, b.run("install", "--plan").ok().out, "nothing to do")
	b.kept = b.sums()
}
