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

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// TestUpgradeLong goes to another release and back, with the home's history in git, and meets the end of a window.
func TestUpgradeLong(t *testing.T) {
	if os.Getenv("JOMCTL_TEST_LAB") == "" {
		t.Skip("takes minutes: make test-lab runs it")
	}
	needs(t)
	if _, err := exec.LookPath("restic"); err != nil {
		testkit.Missing(t, "restic (apt-get install restic)")
	}
	b := newBench(t)
	out, err := exec.Command("git", "init", "--quiet", "--bare", b.path("history.git")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	file := "apiVersion: jomctl/v1\nname: upl\nrelease: previous\ntarget: local\nlocal: {address: " + b.address + "}\nbackup: {repository: ./backups}\n" +
		"jenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}, scm: {repository: ./history.git, debounce: 100ms, maxDelay: 1s}}\n"
	b.write(file)
	var answer installAnswer
	b.run("install", "--yes", "-o", "json", "--proof-sleep", "1s").ok().json(&answer)
	web := b.browser(answer.URL)
	web.createJob("before")
	web.post("/createItem?name=long", longJob)
	b.run("rollback", "--to", "default", "--yes").exits(3)

	b.run("upgrade-jenkins", "--release", "default", "--yes").ok()
	require.Equal(t, "2.568.3", web.version())
	web.createJob("after")
	b.inHistory("jobs/after/config.xml")
	b.run("upgrade-jenkins", "--release", "previous", "--yes").exits(3)

	require.Contains(t, b.run("rollback", "--to", "previous", "--plan").ok().out, "the home becomes that of")
	b.run("rollback", "--to", "previous", "--yes").ok()
	require.Equal(t, "2.555.3", web.version())
	code, _ := web.do(http.MethodGet, "/job/before/config.xml", "")
	require.Equal(t, 200, code)
	code, _ = web.do(http.MethodGet, "/job/after/config.xml", "")
	require.Equal(t, 404, code, "the home is that of then")
	kept, err := filepath.Glob(b.path(".jomctl", "hosts", "*", "jenkins_home.before-rollback-*", "jobs", "after", "config.xml"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	testkit.Eventually(t, time.Minute, "the history has gone on", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	require.Contains(t, b.run("install", "--plan").ok().out, "nothing to do")

	b.windowCloses(web, file)
}

// windowCloses runs into the reserve with a build that does not end.
func (b *bench) windowCloses(web *browser, file string) {
	t := b.t
	web.crumb()
	web.post("/job/long/buildWithParameters?SECONDS=600&delay=0sec", "")
	testkit.Eventually(t, 2*time.Minute, "a build runs", func(context.Context) bool {
		code, text := web.do(http.MethodGet, "/job/long/1/api/json?tree=building", "")
		return code == 200 && strings.Contains(text, "true")
	})
	now := time.Now().UTC()
	b.write(file + fmt.Sprintf("maintenance: {reserve: 1m, windows: [{days: [%s], start: %q, length: 4m, zone: UTC}]}\n", strings.ToLower(now.Format("Mon")), now.Format("15:04")))
	failed := b.run("upgrade-jenkins", "--release", "default", "--yes").exits(7)
	require.Contains(t, failed.errOut, "kept for the way back")
	require.Equal(t, "2.555.3", web.version())
	code, text := web.do(http.MethodGet, "/job/long/1/api/json?tree=building", "")
	require.Equal(t, 200, code)
	require.Contains(t, text, "true", "the build goes on, as the old version was never stopped")
}
