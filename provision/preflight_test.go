package provision

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func TestAGoodMachineHasNoFindings(t *testing.T) {
	c := newConfig(t)
	installed(t, c)
	programs, findings := PreflightLocal(t.Context(), c, bin(t))
	assert.Empty(t, findings)
	assert.NotEmpty(t, programs.ZooKeeper.Java.Home)
	_, err := os.Stat(c.StateDir())
	assert.ErrorIs(t, err, os.ErrNotExist, "a preflight changes nothing")
}

func TestATakenPortNamesTheProcessAndARunningUnitsDoesNotCount(t *testing.T) {
	c := newConfig(t)
	f := newFleet(t, c, standins())
	h, _ := c.Host("c1")
	listener, err := net.Listen("tcp", hostPort(h.Address, MasterPort))
	require.NoError(t, err)
	defer listener.Close()
	subject := "port " + hostPort(h.Address, MasterPort)
	_, findings := PreflightLocal(t.Context(), c, bin(t))
	assert.Contains(t, about(findings, subject), fmt.Sprintf("is taken by process %d (", os.Getpid()))
	assert.Contains(t, about(findings, subject), "mesos-master of c1 needs it")

	s := sleeperOn(f.Machine("c1"), "good")
	s.Unit.Name = RoleMesosMaster
	apply(t, s)
	_, findings = PreflightLocal(t.Context(), c, bin(t))
	assert.Empty(t, about(findings, subject))
}

func TestAListenerOnAllAddressesTakesThePortToo(t *testing.T) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	defer listener.Close()
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	c := newConfig(t, func(c *config.Cluster) { c.Jenkins.App.HTTPPort = int(port) })
	_, findings := PreflightLocal(t.Context(), c, bin(t))
	for _, h := range c.HostsWith(config.RoleMesosAgent) {
		assert.Contains(t, about(findings, "port "+hostPort(h.Address, int(port))), fmt.Sprintf("process %d ", os.Getpid()))
	}
}

func TestAddressesThatAreNotOfThisMachine(t *testing.T) {
	c := newConfig(t)
	c.Hosts[1].Address = "192.0.2.1"
	_, findings := PreflightLocal(t.Context(), c, bin(t))
	assert.Contains(t, about(findings, "address 192.0.2.1"), "host a1 cannot use it")
	assert.Contains(t, about(findings, "address 192.0.2.1"), "sudo ip addr add 192.0.2.1/8 dev lo")
}

func TestTheStateFolder(t *testing.T) {
	colon := newConfig(t)
	colon.File = filepath.Join(colon.Dir(), "a:b", "cluster.yaml")
	_, findings := PreflightLocal(t.Context(), colon, bin(t))
	assert.Contains(t, about(findings, "state folder"), "in its path")

	blank := newConfig(t) // its folder has one
	_, findings = PreflightLocal(t.Context(), blank, bin(t))
	assert.Empty(t, about(findings, "state folder"))
	blank.Jenkins.War = fakeWar(t, blank.Dir()+"/jenkins.war", "Jenkins-Version: 2.568.2\n")
	_, findings = PreflightLocal(t.Context(), blank, bin(t))
	assert.Contains(t, about(findings, "state folder"), "no build agent of a real Jenkins can start")

	file := newConfig(t)
	writeFile(t, file.StateDir(), "", 0o644)
	_, findings = PreflightLocal(t.Context(), file, bin(t))
	assert.Contains(t, about(findings, "state folder"), "is not a folder")
}

func TestAStateFolderOfSomebodyElse(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("nothing is closed to root")
	}
	c := newConfig(t)
	require.NoError(t, os.Chmod(c.Dir(), 0o500))
	defer os.Chmod(c.Dir(), 0o700)
	_, findings := PreflightLocal(t.Context(), c, bin(t))
	assert.Contains(t, about(findings, "state folder"), "cannot be written to")
}

func TestTheSCMKey(t *testing.T) {
	c := newConfig(t, func(c *config.Cluster) {
		c.Jenkins.SCM = &config.SCM{Repository: "git@git.example:home.git", Key: "file:key"}
	})
	find := func() string {
		_, findings := PreflightLocal(t.Context(), c, bin(t))
		return about(findings, "jenkins.scm.key")
	}
	path := filepath.Join(c.Dir(), "key")
	assert.Contains(t, find(), "ssh-keygen -t ed25519 -N '' -f "+path)
	writeFile(t, path, "secret", 0o644)
	assert.Contains(t, find(), "chmod 600 "+path)
	assert.NotContains(t, find(), "secret")
	require.NoError(t, os.Chmod(path, 0o600))
	assert.Empty(t, find())
}

func TestMemoryIsCountedForEveryHost(t *testing.T) {
	small := preflight{config: newConfig(t), programs: standins()}
	large := preflight{config: newConfig(t, func(c *config.Cluster) { c.Local.Control, c.Local.Agents = 3, 50 }), programs: standins()}
	assert.Greater(t, large.needMemory(), 3*small.needMemory())
	real := preflight{config: small.config, programs: Programs{}}
	assert.Greater(t, real.needMemory(), small.needMemory()+small.config.Jenkins.App.Mem)

	large.config.Jenkins.App.Mem = 1 << 50
	large.programs = Programs{}
	large.memory()
	assert.Contains(t, about(large.findings, "memory"), "local.agents")
	available, err := memAvailable()
	require.NoError(t, err)
	assert.Positive(t, available)
}

func TestProcAddr(t *testing.T) {
	for text, want := range map[string]string{
		"0A0A007F:1F90":                         "127.0.10.10:8080",
		"00000000:0016":                         "0.0.0.0:22",
		"0000000000000000FFFF00000A0A007F:1F90": "127.0.10.10:8080",
	} {
		at, ok := procAddr(text)
		require.True(t, ok, text)
		assert.Equal(t, want, at.String())
	}
	for _, wrong := range []string{"", "zz:zz", "0A0A00:1F90", "0A0A007F:1F"} {
		_, ok := procAddr(wrong)
		assert.False(t, ok, wrong)
	}
}
