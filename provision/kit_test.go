package provision

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestMain lets the test binary be the supervisor, as jomctl is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(host.Supervise(context.Background(), os.Args[2]))
	}
	os.Exit(m.Run())
}

// newConfig is a local cluster in a folder of its own, with a network of its own, so that tests do not meet.
func newConfig(t *testing.T, change ...func(*config.Cluster)) *config.Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "j p") // not t.TempDir, whose paths are too long for a socket; blanks must do no harm
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal,
		File: filepath.Join(dir, "cluster.yaml"), Local: &config.Local{Address: freeNetwork(t)}}
	for _, f := range change {
		f(c)
	}
	config.Default(c)
	return c
}

// freeNetwork is a loopback network that nobody on this machine listens in.
func freeNetwork(t *testing.T) string {
	t.Helper()
	used, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	for {
		b, d := 1+rand.IntN(250), 1+rand.IntN(250)
		if !strings.Contains(string(used), fmt.Sprintf("%02X%02X7F:", d, b)) {
			return fmt.Sprintf("127.%d.%d.0", b, d)
		}
	}
}

// standins are programs as a laptop without anything real has them.
func standins() Programs {
	return Programs{Jomctl: os.Args[0], Standin: "/opt/jomctl/bin/standin", Jomhome: "/opt/jomctl/bin/jomhome",
		ZooKeeper: ZooKeeperProgram{Classpath: zooKeeperJar, Java: Java{Home: "/usr/lib/jvm/java-17", Major: 17}},
		HAProxy:   HAProxyProgram{Path: "/usr/sbin/haproxy"},
		Mesos:     MesosPrograms{Standin: true}, Marathon: MarathonProgram{Standin: true}, Jenkins: JenkinsProgram{Standin: true}}
}

func newFleet(t *testing.T, c *config.Cluster, p Programs) *Fleet {
	t.Helper()
	f, err := NewLocalFleet(c, p)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, m := range f.Machines() {
			units, err := m.Units().List(context.Background())
			assert.NoError(t, err)
			for _, u := range units {
				assert.NoError(t, m.Units().Remove(context.Background(), u.Name))
			}
		}
	})
	return f
}

// installed are the programs of this machine, or the test is skipped.
func installed(t *testing.T, c *config.Cluster) Programs {
	t.Helper()
	p, _ := FindPrograms(t.Context(), c, t.TempDir())
	if p.HAProxy.Path == "" || p.ZooKeeper.Classpath == "" || p.ZooKeeper.Java.Home == "" {
		testkit.Missing(t, "haproxy, zookeeper or java")
	}
	p.Jomctl = os.Args[0]
	return p
}

func apply(t *testing.T, services ...Service) {
	t.Helper()
	for _, s := range services {
		changed, err := s.Apply(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		done, changes, err := s.Probe(t.Context())
		require.NoError(t, err)
		require.True(t, done, "a second preview is empty: %v", changes)
	}
}

func logOf(s Service) string {
	text, _ := os.ReadFile(s.Unit.LogFile)
	return string(text)
}

// fourLetter asks a ZooKeeper server.
func fourLetter(address, word string) string {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(word))
	buf := make([]byte, 4096)
	n, _ := conn.Read(buf)
	return string(buf[:n])
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	return path
}

func script(t *testing.T, path, text string) string {
	t.Helper()
	return writeFile(t, path, "#!/bin/sh\n"+text+"\n", 0o755)
}

func awaitText(t *testing.T, read func() string, want string) {
	t.Helper()
	testkit.Eventually(t, 15*time.Second, fmt.Sprintf("the text is %q", want), func(context.Context) bool { return read() == want })
}
