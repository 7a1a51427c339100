package cli

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/bundles/updatecenter/uctest"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/ui"
)

// installed makes the folder of the cluster file look like one of a cluster that runs a release.
func (b *bench) installed(release string) *config.Cluster {
	b.t.Helper()
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\nrelease: "+release+"\n")
	c, err := config.Load(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	require.NoError(b.t, os.MkdirAll(c.StateDir(), 0o755))
	b.write(".jomctl/installed.yaml", string(config.Show(c)))
	return c
}

func TestUpgradeMakesAReleaseOfItsOwn(t *testing.T) {
	s := newReleaseSite(t)
	c := s.installed("previous")
	s.write("wanted.txt", "git\nmesos:=2.0\n")
	plugins := []uctest.Object{s.plugin("git", "5.10", "credentials 1400"), s.plugin("credentials", "1500"), s.plugin("mesos", "2.0"), s.plugin("spare", "1")}
	file := s.center("uc.json", uctest.Center(time.Now(), plugins...))
	streams, _, _, said := ui.Buffers()
	a := &app{streams: streams, log: &logFile{}}
	want := ownRelease{core: "2.568.3", plugins: s.path("wanted.txt"), centers: centerOptions{places: []string{file}, mirrors: []string{s.server.URL}, roots: []string{s.root}}}
	store, err := upgrade.Open(s.path(".jomctl", "upgrade"))
	require.NoError(t, err)

	made, err := want.release(t.Context(), a, c, store)
	require.NoError(t, err, said.String())
	require.True(t, strings.HasPrefix(made.path, "./releases/jenkins-2.568.3-"), made.path)
	require.Contains(t, strings.Join(made.lines(map[string][]string{})["bring-near"], "\n"), made.path+": made from previous, 3 plugins locked")
	release, err := bundles.Load(c.Resolve(made.path))
	require.NoError(t, err)
	require.Empty(t, release.Audit())
	require.Equal(t, "2.568.3", release.Core.Version)
	require.NotEmpty(t, release.Core.SHA256)
	require.Equal(t, []int{21, 25}, release.Java, "of the line of the new core")
	require.Equal(t, "Jenkins 2.568.3 with 3 plugins, made by an upgrade from previous", release.Title)
	require.Len(t, release.Lock.Plugins, 3)

	// The same wishes are the same release, a later look at the same plugins too, and another plugin makes another one.
	want.centers.places = []string{s.center("later.json", uctest.Center(time.Now().Add(-time.Hour), plugins...))}
	second, err := want.release(t.Context(), a, c, store)
	require.NoError(t, err)
	require.Equal(t, made.path, second.path)
	require.NoError(t, second.discard(store), "it was there before")
	require.DirExists(t, made.dir)
	s.write("wanted.txt", "git\nmesos:=2.0\nspare\n")
	other, err := want.release(t.Context(), a, c, store)
	require.NoError(t, err)
	require.NotEqual(t, made.path, other.path)
	require.NoError(t, other.discard(store))
	require.NoDirExists(t, other.dir, "nothing was begun with it")

	// A run that has begun keeps it, and goes on with it whatever the update centers say by then.
	store.Begin(upgrade.State{Run: "r", To: upgrade.Version{Release: made.path, Core: "2.568.3"}})
	store.State.Begun["bring-near"] = time.Now()
	require.NoError(t, made.discard(store))
	require.DirExists(t, made.dir)
	want.centers.places = []string{s.path("gone.json")}
	a.again = &again{journal: "j"}
	resumed, err := want.release(t.Context(), a, c, store)
	require.NoError(t, err)
	require.Equal(t, made.path, resumed.path)
	a.again, store.State.Begun["announce"] = nil, time.Now()
	want.core = "2.568.2"
	_, err = want.release(t.Context(), a, c, store)
	require.ErrorContains(t, err, "half-way")
}

func TestUpgradeThatIsRefusedLeavesNoReleaseBehind(t *testing.T) {
	s := newReleaseSite(t)
	s.write("wanted.txt", "git\n")
	flags := append([]string{"upgrade-jenkins", "--plan", "--core", "2.568.3", "--plugins", s.path("wanted.txt")}, s.trusting(s.center("uc.json", uctest.Center(time.Now(), s.plugin("git", "5.10"))))...)
	code, _, text := s.run(flags...)
	require.Equal(t, 3, code)
	require.Contains(t, text, "nothing is installed")
	s.installed("previous")
	code, _, text = s.runContext(context.Background(), flags...)
	require.NotZero(t, code)
	require.Contains(t, text, "signed by", "the release was made")
	require.NoDirExists(t, s.path("releases"))
	for _, wrong := range [][]string{{"--release", "default"}, {"--sha256", "0"}, {"--plugins", s.path("none.txt")}, {"--core", "2.1"}} {
		code, _, text := s.run(append(flags, wrong...)...)
		require.Equal(t, 2, code, "%v: %s", wrong, text)
	}
	s.write("wanted.txt", "nosuch\n")
	code, _, text = s.run(flags...)
	require.NotZero(t, code)
	require.Contains(t, text, "nosuch")
	require.NoDirExists(t, s.path("releases"))
}
