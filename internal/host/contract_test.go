package host_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/contract"
)

// A host of one's own, which is changed and put back: JOMCTL_TEST_SSH=USER@HOST:PORT JOMCTL_TEST_SSH_KEY=FILE.
const (
	hostVariable = "JOMCTL_TEST_SSH"
	keyVariable  = "JOMCTL_TEST_SSH_KEY"
)

func TestContractOnLocal(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	m, err := host.NewLocal("c1", "127.0.10.10", t.TempDir(), program)
	require.NoError(t, err)
	contract.Run(t, m)
}

func TestContractOnAHostOverSSH(t *testing.T) {
	m := ownHost(t)
	contract.Run(t, m)
}

func ownHost(t *testing.T) *host.Remote {
	t.Helper()
	if os.Getenv(hostVariable) == "" {
		t.Skip(hostVariable + " names no host")
	}
	user, address, port, err := host.ParseDestination(os.Getenv(hostVariable))
	require.NoError(t, err)
	o := host.Options{Name: "h1", Address: address, Port: port, User: user, IdentityFile: os.Getenv(keyVariable),
		KnownHosts: filepath.Join(t.TempDir(), "known_hosts")}
	m, err := host.NewRemote(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	var unknown *host.UnknownKeyError
	require.ErrorAs(t, m.Connect(context.Background()), &unknown)
	_, err = host.Pin(o.KnownHosts, unknown.Address, unknown.Key)
	require.NoError(t, err)
	require.NoError(t, m.Connect(context.Background()))
	return m
}

func TestFactsOfAHostOverSSH(t *testing.T) {
	f, err := host.GetFacts(context.Background(), ownHost(t), host.Question{Paths: []string{host.RemoteDir}, Names: []string{"localhost"}, Packages: []string{"systemd"}})
	require.NoError(t, err)
	require.True(t, f.Root && f.Sudo)
	require.Equal(t, "running", f.Systemd.State)
	require.Positive(t, f.Systemd.Version)
	require.NotZero(t, f.Cgroup)
	require.Len(t, f.Disks, 1)
	require.NotEmpty(t, f.Listening)
	require.Empty(t, f.Leftovers)
	t.Logf("%+v", f)
}
