// Package testkit starts the real programs that tests talk to. Where a program is not installed the test is skipped,
// unless JOMCTL_TEST_REAL=1 (set by `make test`) says that it must be there.
package testkit

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	zooKeeperJar = "/usr/share/java/zookeeper.jar"
	// loggerJar comes with ZooKeeper and writes to stderr, which a failed test shows.
	loggerJar = "/usr/share/java/slf4j-simple.jar"
)

// ZooKeeper is one real ZooKeeper server (Debian's package) on loopback that ends with the test.
type ZooKeeper struct {
	Addr string // host:port
	dir  string
	t    testing.TB
	cmd  *exec.Cmd
}

// Missing skips the test because what is not installed, or fails it where everything must be there.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("JOMCTL_TEST_REAL") == "1" {
		t.Fatalf("%s is not installed, and JOMCTL_TEST_REAL=1 says it must be", what)
	}
	t.Skipf("%s is not installed", what)
}

// StartZooKeeper starts a standalone ZooKeeper with an empty data folder on a free port and waits until it serves.
func StartZooKeeper(t testing.TB) *ZooKeeper {
	t.Helper()
	if _, err := os.Stat(zooKeeperJar); err != nil {
		Missing(t, "ZooKeeper (apt-get install zookeeper)")
	}
	if _, err := exec.LookPath("java"); err != nil {
		Missing(t, "java")
	}
	z := &ZooKeeper{Addr: FreeAddr(t, "127.0.0.1"), dir: t.TempDir(), t: t}
	t.Cleanup(func() {
		z.Kill()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(z.dir, "zookeeper.log"))
			t.Logf("ZooKeeper's log ends with:\n%s", log[max(0, len(log)-8000):])
		}
	})
	z.Start()
	return z
}

// Start starts the server again on the same address and data, after Kill.
func (z *ZooKeeper) Start() {
	z.t.Helper()
	host, port, err := net.SplitHostPort(z.Addr)
	require.NoError(z.t, err)
	config := filepath.Join(z.dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\nclientPortAddress=%s\nadmin.enableServer=false\nmaxSessionTimeout=40000\nmaxClientCnxns=0\n",
		filepath.Join(z.dir, "data"), port, host)
	require.NoError(z.t, os.WriteFile(config, []byte(text), 0o600))
	log, err := os.OpenFile(filepath.Join(z.dir, "zookeeper.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(z.t, err)
	defer log.Close()
	z.cmd = exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", loggerJar+":"+zooKeeperJar, "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		// Tests outlive no power failure: what is written is enough without waiting for the disk.
		"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=4096",
		"-Dzookeeper.log.dir="+z.dir, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	z.cmd.Dir, z.cmd.Stdout, z.cmd.Stderr = z.dir, log, log
	z.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(z.t, z.cmd.Start())
	Eventually(z.t, time.Minute, "ZooKeeper serves on "+z.Addr, func(ctx context.Context) bool {
		return strings.Contains(fourLetter(z.Addr, "srvr"), "Zookeeper version")
	})
}

// Kill ends the server at once, as kill -9 does.
func (z *ZooKeeper) Kill() {
	if z.cmd != nil && z.cmd.Process != nil {
		_ = z.cmd.Process.Kill()
		_ = z.cmd.Wait()
		z.cmd = nil
	}
}

// Signal sends a signal (SIGSTOP and SIGCONT make it hang and go on).
func (z *ZooKeeper) Signal(sig syscall.Signal) {
	z.t.Helper()
	require.NoError(z.t, z.cmd.Process.Signal(sig))
}

func fourLetter(addr, word string) string {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(word)); err != nil {
		return ""
	}
	buf := make([]byte, 1024)
	n, _ := conn.Read(buf)
	return string(buf[:n])
}
