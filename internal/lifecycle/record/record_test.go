package record

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision/source"
)

const hostsFile = `apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 10.0.0.1, roles: [control]}
  - {name: a1, address: 10.0.0.50, roles: [mesos-agent]}
`

func parsed(t *testing.T, dir, text string) *config.Cluster {
	t.Helper()
	c, err := config.Parse([]byte(text), filepath.Join(dir, "cluster.yaml"))
	require.NoError(t, err)
	return c
}

func TestWhatIsInstalledIsReadAgain(t *testing.T) {
	c := parsed(t, t.TempDir(), hostsFile)
	_, err := Installed(c.File)
	require.ErrorIs(t, err, fs.ErrNotExist)
	same, err := InstalledOr(c)
	require.NoError(t, err)
	require.Same(t, c, same)
	require.NoError(t, WriteInstalled(c))
	old, err := Installed(c.File)
	require.NoError(t, err)
	require.Equal(t, c.Hosts, old.Hosts)
	require.NoError(t, os.WriteFile(InstalledFile(c.StateDir()), []byte("nonsense"), 0o600))
	_, err = InstalledOr(c)
	require.ErrorContains(t, err, "installed.yaml cannot be used")
}

func TestTheIDOutlivesThePlaceOfTheFolder(t *testing.T) {
	c := parsed(t, t.TempDir(), hostsFile)
	made := ClusterID(c)
	require.Equal(t, made, ClusterID(c))
	require.NotEqual(t, made, ClusterID(parsed(t, t.TempDir(), hostsFile)))
	require.NoError(t, os.MkdirAll(c.StateDir(), 0o700))
	require.NoError(t, os.WriteFile(IDFile(c), []byte("kept\n"), 0o600))
	require.Equal(t, "kept", ClusterID(c))
}

func TestAChangeUnderWayAddsItsHostsAndLeavesOutTheLost(t *testing.T) {
	c := parsed(t, t.TempDir(), hostsFile)
	none, err := ReadControlChange(c.File)
	require.NoError(t, err)
	require.Nil(t, none)
	to := c.Clone()
	to.Hosts[0] = config.Host{Name: "m9", Address: "10.0.0.9", Roles: []config.Role{config.RoleControl}}
	data, err := json.Marshal(ControlChange{Cluster: string(config.Show(to)), GivenUp: []string{"m1"}, To: c})
	require.NoError(t, err)
	require.NotContains(t, string(data), `"To"`)
	file := ControlChangeFile(c.StateDir())
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, data, 0o600))
	under, err := ReadControlChange(c.File)
	require.NoError(t, err)
	require.True(t, SameControl(to, under.To))
	require.False(t, SameControl(c, under.To))
	all, err := WithJoining(c)
	require.NoError(t, err)
	require.Equal(t, "m9", ControlNames(all))
	require.Equal(t, []string{"remove " + file}, Removals(Present([]string{file, file + ".none"})))
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err = WithJoining(c)
	require.ErrorContains(t, err, "control-change.json cannot be used")
}

func TestHostsThatCannotBeChanged(t *testing.T) {
	old := parsed(t, t.TempDir(), hostsFile)
	for name, test := range map[string]struct {
		change   func(c *config.Cluster)
		intended []string
		subject  string
	}{
		"nothing":            {func(*config.Cluster) {}, nil, ""},
		"another address":    {func(c *config.Cluster) { c.Hosts[0].Address = "10.0.0.2" }, nil, "hosts.m1.address: 10.0.0.2"},
		"another name":       {func(c *config.Cluster) { c.Hosts[1].Name = "b1" }, []string{"a1"}, "hosts.b1.name: b1"},
		"an agent less":      {func(c *config.Cluster) { c.Hosts = c.Hosts[:1] }, nil, "hosts: without a1"},
		"an agent that goes": {func(c *config.Cluster) { c.Hosts = c.Hosts[:1] }, []string{"a1"}, ""},
		"no control host":    {func(c *config.Cluster) { c.Hosts = c.Hosts[1:] }, nil, "the control hosts: "},
	} {
		t.Run(name, func(t *testing.T) {
			now := old.Clone()
			test.change(now)
			d := Difference{File: "cluster.yaml", Intended: test.intended}
			d.Compare("name", old.Name, now.Name, "it stays")
			d.Hosts(old, now)
			if test.subject == "" {
				require.Empty(t, d.Findings)
				return
			}
			require.Len(t, d.Findings, 1)
			require.Equal(t, "cluster.yaml: "+test.subject, d.Findings[0].Subject)
			require.Contains(t, d.Findings[0].Fix, "jomctl destroy")
		})
	}
	moved := old.Clone()
	moved.Hosts[0].Address = "10.0.0.7"
	require.True(t, Moved(old, moved))
	require.False(t, Moved(old, old))
}

func TestTheInstalledLockIsTheOneThatWasKept(t *testing.T) {
	c := parsed(t, t.TempDir(), hostsFile)
	wanted, err := source.ReadLock(source.LockFile(c))
	require.NoError(t, err)
	wanted.Set(source.Locked{Component: source.Mesos, Source: "now", For: "x", Version: "2"})
	require.NoError(t, wanted.Write(source.LockFile(c)))
	lock, err := InstalledLock(c)
	require.NoError(t, err)
	require.Equal(t, "2", lock.Sources[0].Version, "as long as none was kept")
	kept, err := source.ReadLock(InstalledLockFile(c.StateDir()))
	require.NoError(t, err)
	kept.Set(source.Locked{Component: source.Mesos, Source: "then", For: "x", Version: "1"})
	require.NoError(t, os.MkdirAll(c.StateDir(), 0o700))
	require.NoError(t, kept.Write(InstalledLockFile(c.StateDir())))
	lock, err = InstalledLock(c)
	require.NoError(t, err)
	require.Equal(t, "1", lock.Sources[0].Version)
}

func TestAReaderFollowsTheRecord(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	r := &Reader{}
	_, err := r.Installed(file)
	require.ErrorIs(t, err, fs.ErrNotExist)
	write := func(name string) {
		c, err := config.Parse([]byte("apiVersion: jomctl/v1\ntarget: local\nname: "+name+"\n"), file)
		require.NoError(t, err)
		require.NoError(t, WriteInstalled(c))
	}
	write("one")
	began := time.Now()
	testkit.Eventually(t, time.Minute, "it is read for a while", func(context.Context) bool {
		c, err := r.Installed(file)
		require.NoError(t, err)
		require.Equal(t, "one", c.Name)
		require.NotEmpty(t, c.Hosts[0].Address)
		c.Name, c.Hosts[0].Address = "what a reader makes of it is its own", ""
		return time.Since(began) > 2500*time.Millisecond
	})
	write("two")
	c, err := r.Installed(file)
	require.NoError(t, err)
	require.Equal(t, "two", c.Name)
	require.NoError(t, os.WriteFile(InstalledFile(c.StateDir()), []byte("nonsense"), 0o600))
	_, err = r.Installed(file)
	require.ErrorContains(t, err, "cannot be used")
	require.NoError(t, os.Remove(InstalledFile(c.StateDir())))
	_, err = r.Installed(file)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
