package backup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

var (
	hashed = "users/admin_" + strings.Repeat("0a", 32)
	tags   = Tags{Cluster: "ci", Release: "default", Epoch: 3}
)

func quiet(string) {}

// put writes files below a folder, as name and text in turn.
func put(t *testing.T, root string, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		name := filepath.Join(root, pairs[i])
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(pairs[i+1]), 0o600))
	}
}

const declared = "<?xml version='1.1' encoding='UTF-8'?>\n"

// newHome is a home as Jenkins leaves it, in a folder whose name is full of patterns.
func newHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home [1]*$HOME")
	put(t, home, "config.xml", declared+"<hudson><securityRealm class=\"hudson.security.HudsonPrivateSecurityRealm\"/></hudson>",
		"credentials.xml", declared+"<x><secret>{AQAAABAAAAAQ0aGVzZSBhcmUgbm90IHNlY3JldHM=}</secret></x>",
		hashed+"/config.xml", declared+"<user><id>admin</id></user>", hashed+"/apiTokenStats.xml", declared+"<stats/>",
		"secrets/master.key", "k", "secrets/hudson.util.Secret", "s", "secrets/hudson.model.User.DIRNAMES", "d", "queue.xml", declared+"<queue/>",
		"jobs/a/config.xml", declared+"<project><description>&#x1b;[0m</description></project>", "jobs/a/nextBuildNumber", "3\n",
		"jobs/a/builds/1/build.xml", declared+"<build/>", "jobs/a/builds/1/log", "text", "jobs/a/builds/1/changelog.xml", "commit 1 <no xml>",
		"jobs/f/config.xml", declared+"<folder/>", "jobs/f/jobs/workspace/config.xml", declared+"<project/>", "jobs/f/jobs/workspace/workspace/x", "x",
		"plugins/git.jpi", "zip", "plugins/git/META-INF/MANIFEST.MF", "x", "war/index.html", "x", ".jomctl/owner", "pid 1", ".jomctl/home.json", "{}",
		"log/mine.xml", declared+"<log/>", "userContent/half.xml", "<a>")
	require.NoError(t, os.Symlink("builds/1", filepath.Join(home, "jobs/a/lastSuccessful")))
	return home
}

// newRepository is one of the real restic, not made yet.
func newRepository(t *testing.T) Repository {
	t.Helper()
	if _, err := exec.LookPath("restic"); err != nil {
		testkit.Missing(t, "restic (apt-get install restic)")
	}
	dir := t.TempDir()
	put(t, dir, "password", "pass word\n")
	return Repository{Location: filepath.Join(dir, "repository"), PasswordFile: filepath.Join(dir, "password"), Cache: filepath.Join(dir, "cache")}
}

func made(t *testing.T) Repository {
	t.Helper()
	r := newRepository(t)
	require.NoError(t, r.Init(t.Context()))
	return r
}
