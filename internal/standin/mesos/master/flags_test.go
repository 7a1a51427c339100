package master

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFlags(t *testing.T) {
	f := newFlags()
	require.NoError(t, f.load(
		[]string{"--slave_ping_timeout=2secs", "--no-hostname_lookup", "--quiet", "--cluster=a=b", "--port=5051"},
		[]string{"MESOS_PORT=1", "MESOS_QUORUM=2", "MESOS_NATIVE_JAVA_LIBRARY=x", "HOME=/root"}))
	require.Equal(t, 2*time.Second, f.duration("agent_ping_timeout"), "the old name means the same")
	require.False(t, f.yes("hostname_lookup"))
	require.True(t, f.yes("quiet"))
	require.Equal(t, "a=b", f.get("cluster"))
	require.Equal(t, 5051, f.number("port"), "the command line wins")
	require.Equal(t, 2, f.number("quorum"))
	require.Equal(t, 10*time.Minute, f.duration("agent_reregister_timeout"))
	require.False(t, f.given("zk"))
}

func TestFlagErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"--nope":                        "Failed to load unknown flag 'nope'",
		"--no-zk":                       "Failed to load unknown flag 'no-zk'",
		"--zk":                          "Failed to load non-boolean flag 'zk': Missing value",
		"zk":                            "Failed to parse command line: unexpected argument 'zk'",
		"--quorum=abc":                  "Failed to load flag 'quorum': Failed to load value 'abc': Failed to convert into required type",
		"--agent_ping_timeout=5":        "Failed to load flag 'agent_ping_timeout': Failed to load value '5': Invalid duration '5'",
		"--allocation_interval=5months": "Failed to load flag 'allocation_interval': Failed to load value '5months': Unknown duration unit 'months'",
		"--quiet=perhaps":               "Failed to load flag 'quiet': Failed to load value 'perhaps': Expecting a boolean (e.g., true or false)",
	} {
		require.EqualError(t, newFlags().load([]string{arg}, nil), want)
	}
	require.EqualError(t, newFlags().load([]string{"--port=1", "--port=2"}, nil), "Flag 'port' is already loaded via command line")
}

func TestWhatIsLeftOutIsRefused(t *testing.T) {
	for _, arg := range []string{"--authenticate_http_readwrite", "--authenticate_http_readonly", "--acls={}"} {
		f := newFlags()
		require.NoError(t, f.load([]string{arg, "--work_dir=" + t.TempDir()}, nil))
		_, err := checkFlags(f)
		require.ErrorContains(t, err, "The stand-in leaves out auth", arg)
	}
}

func TestIgnoredFlagsAreNamed(t *testing.T) {
	f := newFlags()
	require.NoError(t, f.load([]string{"--weights=a=2", "--quorum=1"}, []string{"MESOS_RATE_LIMITS={}", "MESOS_ZK=zk://a/b"}))
	require.Equal(t, []string{"--rate_limits", "--weights"}, f.ignored())
	for _, name := range heeded() {
		require.Contains(t, f.byName, name)
	}
}

func TestHelpNamesTheFlags(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run([]string{"--help"}, nil, &out, &out))
	require.Contains(t, out.String(), "stand-in")
	require.Contains(t, out.String(), "--agent_ping_timeout=VALUE (default: 15secs)")
	require.Contains(t, out.String(), "--[no-]hostname_lookup")
	out.Reset()
	require.NoError(t, run([]string{"--version"}, nil, &out, &out))
	require.Equal(t, "mesos 1.11.0 (stand-in)\n", out.String())
}

func TestZKFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zk")
	require.NoError(t, os.WriteFile(file, []byte("zk://a:1,b:2/mesos\n"), 0o600))
	f := newFlags()
	require.NoError(t, f.load([]string{"--zk=file://" + file, "--quorum=1", "--work_dir=" + t.TempDir()}, nil))
	place, err := checkFlags(f)
	require.NoError(t, err)
	require.Equal(t, &zkURL{servers: []string{"a:1", "b:2"}, path: "/mesos"}, place)
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"75secs": 75 * time.Second, "1.5mins": 90 * time.Second, "500ms": 500 * time.Millisecond, "2weeks": 14 * 24 * time.Hour, "1hrs": time.Hour} {
		got, err := parseDuration(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestParseZKURL(t *testing.T) {
	u, err := parseZKURL("zk://user:pass@a:1,b:2/mesos/one/")
	require.NoError(t, err)
	require.Equal(t, zkURL{servers: []string{"a:1", "b:2"}, path: "/mesos/one", auth: "user:pass"}, u)
	require.Len(t, u.acl(), 2, "everybody reads, the creator writes")
	for text, want := range map[string]string{
		"a:1/mesos": "Error parsing ZooKeeper URL: Expecting 'zk://' at the beginning of the URL",
		"zk://a:1":  "Failed to create a master contender: Expecting a (chroot) path for ZooKeeper ('/' is not supported)",
		"zk://a:1/": "Failed to create a master contender: Expecting a (chroot) path for ZooKeeper ('/' is not supported)",
	} {
		_, err := parseZKURL(text)
		require.EqualError(t, err, want)
	}
}
