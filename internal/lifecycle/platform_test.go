package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// mesosTree is an unpacked Mesos that tells a version.
func mesosTree(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sbin/mesos-master", "sbin/mesos-agent", "libexec/mesos/mesos-containerizer"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho mesos "+version+"\n"), 0o755)) //nolint:gosec // it is a program
	}
	return dir
}

func mesosFrom(dir string) string {
	return fmt.Sprintf("name: ci\ncomponents: {mesos: {source: {path: %s}}, marathon: {source: standin}}\n", dir)
}

func TestAnInstallDoesNotChangeVersionsThatRun(t *testing.T) {
	old, patched := mesosTree(t, "1.10.0"), mesosTree(t, "1.11.0")
	c := edited(t, lifecycletest.Local(t, ""), mesosFrom(old))
	recorded(t, c)
	look := func(dir string) []provision.Finding {
		now := edited(t, c, mesosFrom(dir))
		programs, _ := provision.FindPrograms(t.Context(), now, "")
		e, err := open(now, programs)
		require.NoError(t, err)
		found, err := e.otherVersions(t.Context())
		require.NoError(t, err)
		return found
	}
	require.Empty(t, look(patched), "nothing runs")

	self, err := os.Executable()
	require.NoError(t, err)
	h := c.HostsWith(config.RoleControl)[0]
	m, err := host.NewLocal(h.Name, h.Address, filepath.Join(c.StateDir(), "hosts", h.Name), self)
	require.NoError(t, err)
	_, err = m.Units().Apply(t.Context(), host.Unit{Name: provision.RoleMesosMaster, Argv: []string{"/bin/sleep", "1000"}, Dir: c.StateDir(), LogFile: filepath.Join(c.StateDir(), "log"), KillMode: host.KillGroup})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Units().Remove(t.Context(), provision.RoleMesosMaster)) })

	found := look(patched)
	require.Len(t, found, 1)
	require.Equal(t, "components.mesos.source", found[0].Subject)
	require.Contains(t, found[0].Problem, "1.10.0 runs, and 1.11.0 is wanted")
	require.Contains(t, found[0].Fix, "jomctl upgrade-platform")
	require.Empty(t, look(old), "nothing changes")
	require.Empty(t, look(mesosTree(t, "1.10.0")), "another folder with the same version")
}

func TestThePlatformRecordsWhatIsProven(t *testing.T) {
	c := edited(t, lifecycletest.Local(t, ""), mesosFrom("/opt/mesos-1.10"))
	recorded(t, c)
	now := c.Clone()
	now.Components.Mesos.Source.Path, now.Components.ZooKeeper.Source = "/opt/mesos-1.11", config.Source{Path: "/opt/zk"}
	p := &Platform{Old: &Env{Cluster: c}, New: &Env{Cluster: now}}
	require.NoError(t, p.Record(t.Context(), []string{source.ZooKeeper}))
	kept, err := record.Installed(c.File)
	require.NoError(t, err)
	require.Equal(t, []string{"/opt/zk", "/opt/mesos-1.10"}, []string{kept.Components.ZooKeeper.Source.Path, kept.Components.Mesos.Source.Path})
	require.NoError(t, p.Record(t.Context(), []string{source.ZooKeeper, source.Mesos}))
	kept, err = record.Installed(c.File)
	require.NoError(t, err)
	require.Equal(t, "/opt/mesos-1.11", kept.Components.Mesos.Source.Path)
}

func TestThePlatformIsOfTheTargetThatIsInstalled(t *testing.T) {
	c := lifecycletest.Local(t, "")
	_, err := OpenPlatform(t.Context(), c, &platform.Store{}, inventory.Access{})
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Problem, "nothing is installed")
	recorded(t, c)
	other := c.Clone()
	other.Target = config.TargetHosts
	_, err = OpenPlatform(t.Context(), other, &platform.Store{}, inventory.Access{})
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Problem, "target local is installed")
}

func TestPlatformDescribesDifferences(t *testing.T) {
	old, now := &Env{}, &Env{}
	old.Programs.Mesos, now.Programs.Mesos = provision.MesosPrograms{Version: "1.10.0"}, provision.MesosPrograms{Version: "1.11.0"}
	now.Programs.ZooKeeper.Version = "3.8.0"
	require.False(t, samePrograms(old, now, provision.RoleMesosAgent))
	require.True(t, samePrograms(old, now, provision.RoleMarathon))
	require.False(t, samePrograms(old, now, provision.RoleZooKeeper))
	require.Equal(t, []string{"3.8.0", "1.11.0", "", "1.11.0"}, []string{now.versionOf(componentOf(provision.RoleZooKeeper)), now.versionOf(componentOf(provision.RoleMesosMaster)),
		now.versionOf(componentOf(provision.RoleMarathon)), now.versionOf(componentOf(provision.RoleMesosAgent))})
	p := &Platform{}
	reasons, err := p.Judge([]platform.Part{{Component: source.Mesos, From: "1.11.0", To: "1.10.0"}, {Component: source.Mesos, From: "1.11.0", To: "1.10.0"}, {Component: source.Marathon, From: "1.9.1", To: "1.10.2"}})
	require.NoError(t, err)
	require.Len(t, reasons, 1, "masters and agents are told once")
}

func TestMarathonsStateComesBackFromItsFile(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	z := cluster.ZooKeeper{Servers: []string{server.Addr}}
	p := &Platform{New: &Env{ZooKeeper: z}}
	old := []cluster.Node{{Path: ""}, {Path: "/framework-id", Data: []byte("one")}}
	require.NoError(t, z.ReplaceTree(t.Context(), marathonState, old))
	file := filepath.Join(t.TempDir(), "run", "marathon.json.gz")
	require.NoError(t, p.BackUp(t.Context(), file))
	require.NoError(t, z.ReplaceTree(t.Context(), marathonState, append(old, cluster.Node{Path: "/migration-in-progress"})))
	require.NoError(t, p.Restore(t.Context(), file))
	back, err := z.Tree(t.Context(), marathonState)
	require.NoError(t, err)
	require.Len(t, back, 2)
	require.Equal(t, "one", string(back[1].Data))

	require.NoError(t, os.WriteFile(file, []byte("cut off"), 0o600))
	require.ErrorContains(t, p.Restore(t.Context(), file), "reading the backup of Marathon's state "+file)
	again, err := z.Tree(t.Context(), marathonState)
	require.NoError(t, err)
	require.Equal(t, back, again, "a file that cannot be read changes nothing")
}
