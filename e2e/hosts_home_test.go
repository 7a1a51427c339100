package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/testkit"
)

// homeBench is a lab whose control host has an SSH server with the repositories of the history and of the backups.
type homeBench struct {
	*labBench
	url string // where people reach Jenkins
}

// TestHostsKeepAHomeAndItsBackups walks a home through its life: kept in git over SSH, backed up by the hosts themselves, and made again on
// another host when the first is lost. Its parts build on each other.
func TestHostsKeepAHomeAndItsBackups(t *testing.T) {
	needsLab(t)
	b := &homeBench{labBench: newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"))}
	home := b.path("user")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
	t.Setenv("HOME", home)
	b.write(b.text(""))
	for _, part := range []struct {
		name string
		run  func(*homeBench)
	}{
		{"what cannot be reached is found before a host is touched", unreachable},
		{"the home is kept in git", keptInGit},
		{"the host backs it up by itself", backsUp},
		{"a backup that fails is seen", failsToBackUp},
		{"the host is lost, and another has the home", otherHost},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			inner := *b
			inner.labBench = b.in(t)
			part.run(&inner)
			b.url = inner.url
		}) {
			t.FailNow()
		}
	}
}

// TestHostsKeepTheHomeOfAContainer moves the controller into a container that an install makes: the program in it goes on with the home's history in
// git, and makes the home again on another host.
func TestHostsKeepTheHomeOfAContainer(t *testing.T) {
	needsLab(t)
	b := &homeBench{labBench: newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"))}
	home := b.path("user")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
	t.Setenv("HOME", home)
	built := b.buildBase()
	server := b.lab.Host("m1").Address
	keys, err := exec.Command("ssh-keyscan", "-t", "ed25519", server).Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(home, ".ssh", "known_hosts"), keys, 0o600))
	b.on("m1", "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq 2>&1 && apt-get install -qy git 2>&1 | tail -n 5; mkdir -p /srv/backup; git init --quiet --bare /srv/home.git")
	b.write(b.text(""))
	var answer installAnswer
	b.install("-o", "json").ok().json(&answer)
	b.url = answer.URL
	b.browser(b.url).createJob("before")
	b.pushed("jobs/before/config.xml")
	require.NoError(t, <-built)
	b.write(b.text("") + "\n" + madeOf + "\n")
	b.install().ok()
	a1, a2 := b.lab.Host("a1").Address, b.lab.Host("a2").Address
	controller := b.running()["controller"]
	require.Len(t, b.containers(controller, "a1")["a1"], 1)
	require.Equal(t, "400 1500", b.on("a1", "stat -c '%a %u' /var/lib/jomctl/scm/key"), "its own user reads the key")
	b.browser(b.url).createJob("kept")
	b.pushed("jobs/kept/config.xml")
	testkit.Eventually(t, 2*time.Minute, "the home is what is pushed", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	b.run("backup", "--verify").ok()
	require.Contains(t, b.install().ok().errOut, "nothing to do")

	b.lab.PowerOff("a1")
	b.write(b.text("app: {constraints: [[hostname, CLUSTER, "+a2+"]]}, ") + "\n" + madeOf + "\n")
	b.run("agents", "remove", "a1", "--force", "--yes").ok()
	testkit.Eventually(t, 3*time.Minute, "the job is there on the other host", func(context.Context) bool {
		code, _ := b.browser(b.url).do("GET", "/job/kept/config.xml", "")
		return code == 200
	})
	require.Regexp(t, `(?s)epoch 1 starts on `+a1+`.*epoch \d+ starts on `+a2, b.history("log --reverse --format=%s main"))
	require.Equal(t, "1500", b.on("a2", "stat -c %u /var/lib/jomctl/jenkins_home/jobs/kept/config.xml"))
	b.browser(b.url).createJob("later")
	b.pushed("jobs/later/config.xml")
	b.run("restore", "--in-place", "--stop", "--yes").ok()
	testkit.Eventually(t, 2*time.Minute, "the home is what is pushed", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	require.Contains(t, b.install().ok().errOut, "nothing to do")
}

// text is the cluster file; app are more settings of the controller's app.
func (b *homeBench) text(app string) string {
	b.t.Helper()
	b.file("mesos")
	data, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	server := b.lab.Host("m1").Address
	return strings.Replace(string(data), "jenkins: {war: standin,", "backup: {repository: \"sftp:root@"+server+":/srv/backup\", key: \"file:"+b.lab.KeyFile+"\", schedule: \"sat 03:00\", keep: {last: 3}}\n"+
		"jenkins: {war: standin, "+app+"scm: {repository: \"ssh://root@"+server+"/srv/home.git\", key: \"file:"+b.lab.KeyFile+"\", debounce: 200ms, maxDelay: 2s},", 1)
}

func (b *homeBench) history(args string) string {
	return b.on("m1", "git --git-dir /srv/home.git "+args)
}

func (b *homeBench) pushed(name string) {
	b.t.Helper()
	testkit.Eventually(b.t, 2*time.Minute, name+" is pushed", func(context.Context) bool {
		_, err := b.lab.Run("m1", "git", "--git-dir", "/srv/home.git", "cat-file", "-e", "main:"+name)
		return err == nil
	})
}

func unreachable(b *homeBench) {
	r := b.install().exits(3)
	require.Contains(b.t, r.errOut, "has no key of "+b.lab.Host("m1").Address)
	b.untouched()
	keys, err := exec.Command("ssh-keyscan", "-t", "ed25519", b.lab.Host("m1").Address).Output()
	require.NoError(b.t, err)
	require.NotEmpty(b.t, keys)
	require.NoError(b.t, os.WriteFile(filepath.Join(os.Getenv("HOME"), ".ssh", "known_hosts"), keys, 0o600))
	b.on("m1", "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq 2>&1 && apt-get install -qy git 2>&1 | tail -n 5; mkdir -p /srv/backup; git --version")
	r = b.install()
	require.NotZero(b.t, r.code)
	require.Contains(b.t, r.errOut, "cannot be used from a1", "there is no repository yet")
	b.on("m1", "git init --quiet --bare /srv/home.git")
}

func keptInGit(b *homeBench) {
	var answer installAnswer
	b.install("-o", "json").ok().json(&answer)
	b.url = answer.URL
	b.pushed("config.xml")
	b.browser(b.url).createJob("kept")
	b.pushed("jobs/kept/config.xml")
	b.pushed("users/admin/config.xml")
	require.Contains(b.t, b.history("log -1 --format=%B main"), "Controller-Host: "+b.lab.Host("a1").Address)
	require.Empty(b.t, b.history("for-each-ref refs/jom/probe"))
	require.Equal(b.t, "600 root", b.on("a1", "stat -c '%a %U' /var/lib/jomctl/scm/key"))
	key, err := os.ReadFile(b.lab.KeyFile)
	require.NoError(b.t, err)
	secret := strings.Split(string(key), "\n")[1]
	require.NotContains(b.t, b.on("a1", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"), secret, "no process has the key as an argument")

	testkit.Eventually(b.t, 2*time.Minute, "the home is what is pushed", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	require.Contains(b.t, b.run("home", "status").ok().out, "everything, last")
	var commits struct {
		Commits []struct{ Commit, Subject string }
	}
	b.run("home", "history", "jobs/kept", "-o", "json").ok().json(&commits)
	require.NotEmpty(b.t, commits.Commits)
	first := commits.Commits[len(commits.Commits)-1].Commit
	web := b.browser(b.url)
	web.crumb()
	code, text := web.do("POST", "/job/kept/config.xml", "<project><description>spoilt</description></project>")
	require.Equal(b.t, 200, code, text)
	testkit.Eventually(b.t, 2*time.Minute, "the change is pushed", func(context.Context) bool {
		return strings.Contains(b.run("home", "diff", first, "--only", "jobs/kept").ok().out, "spoilt")
	})
	require.Contains(b.t, b.run("home", "restore", "--at", "nonesuch", "--yes").exits(2).errOut, "no commit")
	b.run("home", "restore", "--at", first, "--only", "jobs/kept", "--yes").ok()
	_, text = b.browser(b.url).do("GET", "/job/kept/config.xml", "")
	require.Contains(b.t, text, "<description>kept</description>")
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}

func backsUp(b *homeBench) {
	require.Equal(b.t, "active", b.on("a1", "systemctl is-active jomctl-backup.timer"))
	b.on("a1", "install -m 600 /dev/null /var/lib/jomctl/jenkins_home/secrets.only-in-backup")
	b.on("a1", "systemctl start jomctl-backup.service")
	r := b.run("backups").ok()
	require.Contains(b.t, r.out, "yes,")
	require.Equal(b.t, "400 root", strings.Replace(b.on("a1", "stat -c '%a %U' /var/lib/jomctl/backup/password"), "600", "400", 1))
	b.on("a1", "systemctl start jomctl-backup.service")
	require.Contains(b.t, b.on("a1", "journalctl -q -u jomctl-backup -n 5 -o cat"), "no backup is made: the last backup is of")
	b.run("backup", "--verify").ok()
	b.run("restore", "--to", "/srv/look").ok()
	require.Equal(b.t, "/srv/look/config.xml", b.on("a1", "ls /srv/look/config.xml"))
	require.Contains(b.t, b.run("status").ok().out, "No findings.")
}

func failsToBackUp(b *homeBench) {
	b.on("m1", "mv /srv/backup /srv/away")
	b.on("a1", "! systemctl start jomctl-backup.service 2>/dev/null")
	require.Contains(b.t, b.run("status").exits(4).out, "ago, failed: ")
	seen := b.run("doctor").exits(4)
	require.Contains(b.t, seen.out, "the last run of the timer on a1 ended with exit-code")
	b.on("m1", "rm -rf /srv/backup; mv /srv/away /srv/backup")
	b.run("backup", "--verify").ok()
	b.run("status").ok()
}

func otherHost(b *homeBench) {
	b.lab.PowerOff("a1")
	r := b.run("home", "history").ok()
	require.Contains(b.t, r.errOut, "this is what")
	require.Contains(b.t, r.out, "jobs/kept")
	b.write(b.text("app: {constraints: [[hostname, CLUSTER, " + b.lab.Host("a2").Address + "]]}, "))
	b.run("agents", "remove", "a1", "--force", "--yes").ok()
	testkit.Eventually(b.t, 3*time.Minute, "the job is there on the other host", func(context.Context) bool {
		code, _ := b.browser(b.url).do("GET", "/job/kept/config.xml", "")
		return code == 200
	})
	require.Regexp(b.t, `(?s)epoch 1 starts on `+b.lab.Host("a1").Address+`.*epoch \d+ starts on `+b.lab.Host("a2").Address, b.history("log --reverse --format=%s main"))
	require.Empty(b.t, b.on("a2", "ls /var/lib/jomctl/jenkins_home/secrets.only-in-backup 2>/dev/null || true"))
	b.run("restore", "--in-place", "--stop", "--yes").ok()
	require.NotEmpty(b.t, b.on("a2", "ls /var/lib/jomctl/jenkins_home/secrets.only-in-backup"), "what git does not keep came from the backup")
	b.pushed("jobs/kept/config.xml")
	testkit.Eventually(b.t, 2*time.Minute, "the home is what is pushed", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	require.Equal(b.t, "active", b.on("a2", "systemctl is-active jomctl-backup.timer"))
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}
