package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/war"
	"github.com/jomctl/jomctl/provision/source"
)

// jenkinsSources writes a cluster file of stand-ins whose Jenkins is real.
func (b *bench) jenkinsSources(jenkins string) {
	text := strings.NewReplacer("MESOS", "standin", "MARATHON", "standin", "{war: standin}", jenkins).Replace(hostsCluster)
	b.write("cluster.yaml", text)
}

func TestTheWarAndItsPluginsTravel(t *testing.T) {
	b := newBench(t)
	b.jenkinsSources("{war: jenkins/jenkins.war}")
	require.NoError(t, os.MkdirAll(b.path("jenkins/plugins"), 0o755))
	b.write("jenkins/jenkins.war", "the war")
	b.write("jenkins/plugins/git.hpi", "git")
	b.write("jenkins/plugins/mesos.jpi", "mesos")
	b.write("jenkins/plugins/README", "no plugin")
	const on = "debian/bookworm/amd64"
	out, _ := b.ok("sources", "check", "--for", on)
	require.Contains(t, out, "ok        jenkins.war: war jenkins/jenkins.war, for any")
	require.Contains(t, out, "ok        jenkins: 2 plugins")
	out, _ = b.ok("sources", "pack", b.path("all.tar"), "--for", on)
	require.Contains(t, out, "3 files")
	lock, err := os.ReadFile(b.path("cluster.lock.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(lock), hexSum("mesos"))

	b.write("jenkins/jenkins.war", "another")
	code, out, _ := b.run("sources", "check", "--for", on)
	require.Equal(t, 3, code)
	require.Contains(t, out, "the sha256 was "+hexSum("the war")+" when it was locked")
	require.NoError(t, os.Remove(b.path("jenkins/plugins/git.hpi")))
	b.ok("sources", "lock", "--update", "--for", on)
	lock, err = os.ReadFile(b.path("cluster.lock.yaml"))
	require.NoError(t, err)
	require.NotContains(t, string(lock), "plugin git", "one that is gone is locked no more")

	away := newBench(t)
	code, _, errOut := away.run("sources", "unpack", b.path("all.tar"))
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "the pack was made for the war jenkins/jenkins.war")
	away.jenkinsSources("{war: jenkins/jenkins.war}")
	_, errOut = away.ok("sources", "unpack", b.path("all.tar"))
	require.Contains(t, errOut, "Jenkins's files are in "+away.path("jenkins"))
	for file, text := range map[string]string{"jenkins.war": "the war", "plugins/git.hpi": "git", "plugins/mesos.jpi": "mesos"} {
		got, err := os.ReadFile(away.path("jenkins/" + file))
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	away.ok("sources", "unpack", b.path("all.tar"))
	away.ok("sources", "check", "--offline", "--for", on)
	away.write("jenkins/jenkins.war", "mine")
	code, _, errOut = away.run("sources", "unpack", b.path("all.tar"))
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "another file is there")
}

func TestADownloadedWarIsFoundByAnInstallation(t *testing.T) {
	server := serveFiles(t, map[string]string{"/jenkins.war": "the war"})
	b, away := newBench(t), newBench(t)
	jenkins := `{war: "` + server.URL + `/jenkins.war", sha256: ` + hexSum("the war") + `}`
	b.jenkinsSources(jenkins)
	b.ok("sources", "pack", b.path("all.tar"), "--for", "debian/bookworm/amd64")
	server.Close()
	away.jenkinsSources(jenkins)
	away.ok("sources", "unpack", b.path("all.tar"))
	c, err := config.Load(away.path("cluster.yaml"))
	require.NoError(t, err)
	got, err := os.ReadFile(war.CachePath(c, hexSum("the war")))
	require.NoError(t, err)
	require.Equal(t, "the war", string(got))

	b.jenkinsSources(strings.Replace(jenkins, hexSum("the war"), hexSum("a newer war"), 1))
	code, out, _ := b.run("sources", "check", "--offline", "--for", "debian/bookworm/amd64")
	require.Equal(t, 3, code)
	require.Contains(t, out, "nothing is locked for any")
	b.jenkinsSources("{war: none.war}")
	code, out, _ = b.run("sources", "check", "--for", "debian/bookworm/amd64")
	require.Equal(t, 3, code)
	require.Contains(t, out, "correct jenkins.war")
}

func TestAReleasesFilesAreSources(t *testing.T) {
	b := newBench(t)
	b.jenkinsSources("{}")
	c, err := config.Load(b.path("cluster.yaml"))
	require.NoError(t, err)
	plans, err := jenkinsPlans(c)
	require.NoError(t, err)
	release, err := bundles.Load(c.Release)
	require.NoError(t, err)
	require.Len(t, plans, len(release.Files()))
	require.Equal(t, release.Core.SHA256, plans[0].Artefact.SHA256)

	t.Setenv("XDG_CACHE_HOME", b.path("home"))
	place := func(l source.Locked) string {
		to, err := jenkinsPlace(c, l)
		require.NoError(t, err)
		return to
	}
	require.Equal(t, filepath.Join(b.path("home"), "jomctl/releases", hexSum("x"), "git.hpi"), place(source.Locked{Component: "plugin git", Kind: source.KindPlugin, Source: "release default", URL: "https://x", SHA256: hexSum("x")}))
	for _, bad := range []source.Locked{{Kind: source.KindPlugin, Component: "plugin x", Source: "file ../../x.hpi"}, {Kind: source.KindWar, Source: "war other.war"}} {
		_, err = jenkinsPlace(c, bad)
		require.Error(t, err)
	}
	b.jenkinsSources("{plugins: nowhere}")
	code, _, errOut := b.run("sources", "check")
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "jenkins.plugins: open")
}
