package hosts

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
	"github.com/jomctl/jomctl/provision"
)

const home = "/var/lib/jomctl/jenkins_home"

// full is a host with everything on it, and a home.
func full(t *testing.T) *rig {
	t.Helper()
	r, _ := withServices(t, "a1")
	r.machine.Put(home+"/config.xml", "precious", 0o644)
	r.machine.Put("/opt/jomctl/standin/bin/standin", "x", 0o755)
	r.machine.Put("/etc/apt/sources.list.d/jomctl-mesos.list", "x", 0o644)
	r.machine.On("sh jomctl-tasks", func([]string) (host.Output, error) { return hostfake.Said("2\n") })
	return r
}

func (r *rig) removal(dropHome bool) Removal {
	return NewRemoval(r.c, r.h, r.machine, r.keeper, dropHome)
}

func TestARemovalLeavesTheHomeAndWhatIsNotOurs(t *testing.T) {
	r := full(t)
	done, changes, err := r.removal(false).Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done)
	text := strings.Join(changes, "\n")
	assert.Contains(t, text, "a1: stop and remove mesos-agent, and end the tasks there")
	assert.Contains(t, text, "a1: unmask docker-registry, haproxy, ")
	assert.Contains(t, text, "a1: remove /var/lib/jomctl, but not "+home)
	assert.Contains(t, text, "a1: the packages docker.io, git stay")

	changed, err := r.removal(false).Apply(t.Context())
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, "precious", r.machine.Text(home+"/config.xml"))
	for _, path := range r.machine.Paths() {
		assert.False(t, strings.HasPrefix(path, "/opt/jomctl"), path)
		assert.NotContains(t, path, "jomctl-mesos.list")
		assert.True(t, !below(host.RemoteDir, path) || path == host.RemoteDir || below(home, path), path)
	}
	assert.NotEmpty(t, r.machine.Text(daemonPath))
	assert.Empty(t, r.machine.FakeUnits().Masked())
	_, known := r.machine.FakeUnits().Spec("mesos-agent")
	assert.False(t, known)
	assert.Contains(t, strings.Join(r.machine.Ran(), "\n"), "kill -USR1", "the agent signed off")

	done, changes, err = r.removal(false).Probe(t.Context())
	require.NoError(t, err)
	assert.True(t, done, changes)
}

func TestAHomeGoesWhenItIsAskedForByName(t *testing.T) {
	r := full(t)
	_, err := r.removal(true).Apply(t.Context())
	require.NoError(t, err)
	for _, path := range r.machine.Paths() {
		assert.False(t, below(host.RemoteDir, path), path)
	}
	backup := cluster(t, 1, 1, func(c *config.Cluster) {
		c.Backup = &config.Backup{Repository: "/var/lib/jomctl/backup", Password: "file:x"}
	})
	assert.Equal(t, []string{"/var/lib/jomctl/backup"}, NewRemoval(backup, r.h, r.machine, r.keeper, true).Keep)
}

// beside are homes that restores and upgrades have kept.
var beside = []string{".before-restore-20261101T020304Z", ".before-rollback-20261101T020304Z", ".failed-upgrade-20261101T020304Z"}

func TestHomesThatWereKeptStayAndGoWithTheHome(t *testing.T) {
	for _, at := range []string{home, "/srv/ci/jenkins_home"} {
		r := full(t)
		r.c.Jenkins.Home.Path = at
		for _, ending := range append(beside, "", ".upgrades", ".of-somebody-else", ".before-restore-soon") {
			r.machine.Put(at+ending+"/config.xml", "precious", 0o600)
		}
		r.machine.Put("/srv/other/config.xml", "not ours", 0o600)
		_, err := r.removal(false).Apply(t.Context())
		require.NoError(t, err)
		for _, ending := range append(beside, "") {
			assert.Equal(t, "precious", r.machine.Text(at+ending+"/config.xml"), at+ending)
		}
	}

	r := full(t)
	at := "/srv/ci/jenkins_home"
	r.c.Jenkins.Home.Path = at
	for _, ending := range append(beside, "", ".restoring-0123abcd", ".upgrades", ".of-somebody-else", ".before-restore-soon") {
		r.machine.Put(at+ending+"/config.xml", "precious", 0o600)
	}
	_, changes, err := r.removal(true).Probe(t.Context())
	require.NoError(t, err)
	assert.Contains(t, strings.Join(changes, "\n"), "a1: remove the home "+at+" with all jobs")
	_, err = r.removal(true).Apply(t.Context())
	require.NoError(t, err)
	for _, ending := range append(beside, "", ".restoring-0123abcd", ".upgrades") {
		assert.Empty(t, r.machine.Text(at+ending+"/config.xml"), at+ending)
	}
	for _, ending := range []string{".of-somebody-else", ".before-restore-soon"} {
		assert.Equal(t, "precious", r.machine.Text(at+ending+"/config.xml"), "only what jomctl names so is its own")
	}
}

func TestAHomeBehindALinkGoesWithItsJobs(t *testing.T) {
	for name, keeps := range map[string]bool{"all of it": false, "but for a backup in it": true} {
		t.Run(name, func(t *testing.T) {
			r := full(t)
			at := "/srv/ci/jenkins_home"
			r.c.Jenkins.Home.Path = at
			r.machine.Put(at, "", fs.ModeSymlink|0o777)
			r.machine.Put(at+"/config.xml", "precious", 0o600)
			r.machine.On("readlink", func([]string) (host.Output, error) { return hostfake.Said("/disk/home\n") })
			removal := r.removal(true)
			if keeps {
				r.machine.Put(at+"/backup", "", fs.ModeDir|0o755)
				r.machine.Put(at+"/backup/of-all", "kept", 0o600)
				removal.Keep = append(removal.Keep, at+"/backup")
			}
			var said []string
			ctx := provision.WithSay(t.Context(), func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
			require.NoError(t, removal.home(ctx, nil))
			paths := r.machine.Paths()
			assert.NotContains(t, paths, at+"/config.xml")
			if keeps {
				assert.Contains(t, paths, at+"/backup/of-all")
				assert.Contains(t, paths, at, "what is kept is found by it")
				assert.Empty(t, said)
				return
			}
			assert.NotContains(t, paths, at)
			assert.Equal(t, []string{"a1: /disk/home, which " + at + " has led to, is empty and stays"}, said)
		})
	}
}

func TestAHomeOnOneHostIsNotTakenFromAnother(t *testing.T) {
	r := full(t)
	r.c = cluster(t, 1, 2, func(c *config.Cluster) { c.Jenkins.Home.Path = "/srv/ci/jenkins_home" })
	h, known := r.c.Host("a2")
	require.True(t, known)
	r.h = h
	r.machine.Put("/srv/ci/jenkins_home/config.xml", "of somebody else", 0o600)
	r.c.Jenkins.Home.Type = config.HomeShared
	require.Empty(t, r.removal(true).Home, "of those that share it the first removes it")
	first, _ := r.c.Host("a1")
	require.Equal(t, "/srv/ci/jenkins_home", NewRemoval(r.c, first, r.machine, r.keeper, true).Home)
	r.c.Jenkins.Home.Type = config.HomeHost
	removal := r.removal(true)
	require.Empty(t, removal.Home)
	require.NoError(t, removal.home(t.Context(), nil))
	assert.Equal(t, "of somebody else", r.machine.Text("/srv/ci/jenkins_home/config.xml"))
}

func TestARemovalThatWasCutOffIsCompletedByTheNextRun(t *testing.T) {
	apply := func(r *rig, failAt int) (operations int) {
		r.machine.Broken = func(string, string) error {
			if operations++; operations == failAt {
				return errors.New("connection lost")
			}
			return nil
		}
		_, err := r.removal(false).Apply(t.Context())
		r.machine.Broken = nil
		if failAt > 0 {
			require.ErrorContains(t, err, "connection lost")
		}
		return operations
	}
	whole := full(t)
	operations := apply(whole, 0)
	require.Greater(t, operations, 10)
	// The last operation removes what is left of the folder, without the record already.
	for at := 1; at < operations; at++ {
		r := full(t)
		apply(r, at)
		if _, err := r.machine.Stat(t.Context(), RecordPath); err == nil {
			_, err := r.removal(false).Apply(t.Context())
			require.NoError(t, err, "cut off at operation %d", at)
		}
		assert.Equal(t, whole.machine.Paths(), r.machine.Paths(), "cut off at operation %d", at)
	}
}

func TestAHostOfAnotherClusterIsNotRemoved(t *testing.T) {
	r := full(t)
	before := r.machine.Paths()
	r.keeper = NewKeeper("other", "id9", "1.0")
	var foreign *ForeignError
	_, _, err := r.removal(true).Probe(t.Context())
	require.ErrorAs(t, err, &foreign)
	_, err = r.removal(true).Apply(t.Context())
	require.ErrorAs(t, err, &foreign)
	assert.Equal(t, before, r.machine.Paths())
}
