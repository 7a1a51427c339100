package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestAHomeComesBackFromABackup(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("restic"); err != nil {
		testkit.Missing(t, "restic (apt-get install restic)")
	}
	b := newBench(t)
	b.quick("saved", "backup: {repository: ./backups, keep: {last: 2}}")
	require.Contains(t, b.run("backups").exits(4).out, "No backups")
	var answer installAnswer
	installed := b.run("install", "--yes", "-o", "json", "--proof-sleep", "1s").ok()
	installed.json(&answer)
	require.Contains(t, installed.errOut, "backup is acted upon by `jomctl backup`")
	b.browser(answer.URL).createJob("saved")

	var made struct {
		Counts bool
		Backup struct{ ID string }
		Proof  struct{ XML, Jobs, Users int }
	}
	b.run("backup", "--verify", "-o", "json").ok().json(&made)
	require.True(t, made.Counts)
	require.Equal(t, 1, made.Proof.Users)
	require.Positive(t, made.Proof.Jobs)
	b.browser(answer.URL).createJob("later")
	require.Contains(t, b.run("backup").ok().out, "does not count yet")
	require.Contains(t, b.run("backups").ok().out, "not verified")
	require.Contains(t, b.run("backups", "check").ok().out, "no errors")

	b.run("restore", "--to", b.path("look")).ok()
	require.FileExists(t, b.path("look", "jobs", "saved", "config.xml"))
	require.NoDirExists(t, b.path("look", "jobs", "later"), "the newest does not count yet")
	require.Contains(t, b.run("restore", "--to", b.path("look")).exits(1).errOut, "is not empty")
	require.Contains(t, b.run("restore", "--in-place", "--yes").exits(3).errOut, "the controller runs")
	b.run("restore", "--to", b.path("look"), "--in-place").exits(2)

	require.Contains(t, b.run("restore", "--in-place", "--stop", "--plan").ok().out, "suspend /saved/jenkins")
	b.run("restore", "--in-place", "--stop", "--yes").ok()
	testkit.Eventually(t, 2*time.Minute, "the cluster is ready", func(context.Context) bool { return b.status().Ready })
	web := b.browser(answer.URL)
	code, text := web.do(http.MethodGet, "/job/saved/config.xml", "")
	require.Equal(t, 200, code, "the job and the account are there")
	require.Contains(t, text, "<description>saved</description>")
	code, _ = web.do(http.MethodGet, "/job/later/config.xml", "")
	require.Equal(t, 404, code)
	kept, err := filepath.Glob(b.path(".jomctl", "hosts", "*", "jenkins_home.before-restore-*", "jobs", "later", "config.xml"))
	require.NoError(t, err)
	require.Len(t, kept, 1, "the home that was there stays")
	b.run("prove", "--yes", "--sleep", "1s").ok()
	scratch, err := os.ReadDir(b.path(".jomctl", "scratch"))
	require.NoError(t, err)
	require.Empty(t, scratch)
}
