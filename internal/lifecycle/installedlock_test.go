package lifecycle

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision/source"
)

var bookworm = source.Facts{System: "debian", Suite: "bookworm", Arch: "amd64"}

func lockedMesos(title, version string) source.Locked {
	return source.Locked{Component: source.Mesos, Source: title, For: bookworm.String(), Kind: source.KindApt, Version: version, SHA256: "sum of " + version}
}

// locksOf are hosts whose one plan is Mesos from a package.
func locksOf(t *testing.T, c *config.Cluster, apt string) *ownHosts {
	t.Helper()
	lock, err := source.ReadLock(filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	c.Components.Mesos.Source = config.Source{Apt: apt, Repository: "deb http://repo.example bookworm main"}
	plan := source.Plan{Component: source.Mesos, Kind: source.KindApt, Title: c.Components.Mesos.Source.Title(), Package: "mesos", Facts: bookworm, Repository: &source.Repository{}}
	return &ownHosts{config: c, checker: &source.Checker{Lock: lock}, plans: map[string][]source.Plan{c.Hosts[0].Name: {plan}}, got: map[string]source.Fetched{}, wants: map[string]source.Locked{}}
}

func TestTheLockOfWhatIsInstalledIsKept(t *testing.T) {
	c := lifecycletest.Local(t, "")
	recorded(t, c)
	lock, err := record.InstalledLock(c)
	require.NoError(t, err)
	require.Empty(t, lock.Sources)
	o := locksOf(t, c, "mesos=1.10.0-1")
	old := lockedMesos(c.Components.Mesos.Source.Title(), "1.10.0-1")
	o.checker.Lock.Set(old)
	require.NoError(t, o.checker.Lock.Write(source.LockFile(c)))
	lock, err = record.InstalledLock(c)
	require.NoError(t, err)
	require.Equal(t, []source.Locked{old}, lock.Sources, "as long as none was kept")
	require.False(t, o.lockKept())
	require.NoError(t, o.keepLock())
	require.True(t, o.lockKept())

	now := c.Clone()
	changed := locksOf(t, now, "mesos=1.11.0-1")
	changed.checker.Lock.Set(lockedMesos(now.Components.Mesos.Source.Title(), "1.11.0-1"))
	require.NoError(t, changed.checker.Lock.Write(source.LockFile(now)))
	require.False(t, changed.lockKept())
	lock, err = record.InstalledLock(c)
	require.NoError(t, err)
	require.Equal(t, []source.Locked{old}, lock.Sources, "another lock does not touch it")

	back, err := record.WantedLock(c)
	require.NoError(t, err)
	locked, known := back.Find(o.plans[c.Hosts[0].Name][0])
	require.True(t, known, "a file that is set back finds what is installed")
	require.Equal(t, old, locked)
	stays, err := record.WantedLock(now)
	require.NoError(t, err)
	locked, known = stays.Find(changed.plans[c.Hosts[0].Name][0])
	require.True(t, known)
	require.Equal(t, "1.11.0-1", locked.Version)

	p := &Platform{Old: &Env{Cluster: c, own: o}, New: &Env{Cluster: now, own: changed}}
	require.NoError(t, p.recordLock([]string{source.ZooKeeper}))
	require.False(t, changed.lockKept(), "it is not proven")
	require.NoError(t, p.recordLock([]string{source.Mesos}))
	require.True(t, changed.lockKept())
}

func TestWhatAPlanBrings(t *testing.T) {
	archive := func(url string) source.Plan {
		return source.Plan{Kind: source.KindArchive, Artefact: &source.Artefact{URL: url}}
	}
	require.Equal(t, "3.8.4", versionIn(archive("https://archive.apache.org/dist/zookeeper/zookeeper-3.8.4/apache-zookeeper-3.8.4-bin.tar.gz"), source.Fetched{}))
	require.Equal(t, "1.11.24", versionIn(archive("https://x/marathon-1.11.24-7a4a0ccb2.tgz"), source.Fetched{}))
	require.Empty(t, versionIn(archive("https://x/1.2.3/marathon.tgz"), source.Fetched{}), "a folder is no name")
	require.Equal(t, "1.11.0-2", versionIn(source.Plan{Version: "1"}, source.Fetched{Locked: source.Locked{Version: "1.11.0-2"}}))
	require.Equal(t, "1", versionIn(source.Plan{Version: "1"}, source.Fetched{}))
}

func TestOnlyWhatChangesIsBrought(t *testing.T) {
	c := lifecycletest.Local(t, "")
	o := locksOf(t, c, "mesos=1.11.0-1")
	p := &Platform{Old: &Env{Cluster: c, own: o}, New: &Env{Cluster: c, own: o}, Store: &platform.Store{}}
	require.Empty(t, p.changing(platform.New))
	p.Store.State.Parts = []platform.Part{{Component: source.Mesos}}
	require.Len(t, p.changing(platform.New), 1)
	require.Equal(t, "mesos", p.packageName(p.New, p.changing(platform.New)[0]))
	o.got[planKey(p.changing(platform.New)[0])] = source.Fetched{Inside: source.Contents{Package: "aventer-mesos"}}
	require.Equal(t, "aventer-mesos", p.packageName(p.New, p.changing(platform.New)[0]), "what the file says counts")
}
