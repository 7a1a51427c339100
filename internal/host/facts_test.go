package host

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestScriptsAreClean(t *testing.T) {
	program, err := exec.LookPath("shellcheck")
	if err != nil {
		testkit.Missing(t, "shellcheck")
	}
	scripts := map[string]string{"facts": factsScript, "systemd": systemdScript, "run": runScript, "end": endScript, "files": filesScript,
		"start": startScript, "remove": removeScript, "mask": maskScript}
	for name, script := range scripts {
		cmd := exec.Command(program, "-s", "sh", "-")
		cmd.Stdin = strings.NewReader(script + "\n")
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s: %s", name, out)
	}
}

func TestFactsOfThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the script is for Linux")
	}
	m := locals(t, "a1")[0]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	odd := t.TempDir() + "/not/there yet"
	f, err := GetFacts(t.Context(), m, Question{Paths: []string{"/", odd}, Names: []string{"localhost", "no.such.name.invalid"},
		Packages: []string{"coreutils", "no-such-package"}})
	require.NoError(t, err)
	assert.NotEmpty(t, f.OS.ID)
	assert.NotEmpty(t, f.Kernel)
	assert.Positive(t, f.CPUs)
	assert.Positive(t, f.Uptime)
	assert.Greater(t, f.Memory.Total, f.Memory.Available)
	assert.Greater(t, f.Memory.Available, int64(1<<20))
	assert.Equal(t, os.Geteuid() == 0, f.Root)
	name, err := os.Hostname()
	require.NoError(t, err)
	assert.Equal(t, name, f.Hostname)
	assert.Contains(t, f.Names, name)

	require.Len(t, f.Disks, 2)
	assert.Equal(t, "/", f.Disks[0].Mount)
	assert.Equal(t, odd, f.Disks[1].Path)
	assert.NotContains(t, f.Disks[1].Existing, "there yet")
	for _, d := range f.Disks {
		assert.Greater(t, d.Size, d.Free)
		assert.NotEmpty(t, d.Type)
	}
	assert.True(t, f.Names["localhost"][0].IsLoopback())
	assert.Contains(t, f.Names, "no.such.name.invalid")
	assert.Empty(t, f.Names["no.such.name.invalid"])
	if f.Packager != "" {
		assert.NotEmpty(t, f.Packages["coreutils"])
		assert.NotContains(t, f.Packages, "no-such-package")
	}
	var mine Listener
	for _, l := range f.Listening {
		if l.Address.String() == listener.Addr().String() {
			mine = l
		}
	}
	require.True(t, mine.Address.IsValid(), "%v", f.Listening)
	if mine.Program != "" {
		assert.Equal(t, os.Getpid(), mine.PID)
	}
	assert.False(t, f.Clock.Apart(time.Second), "%+v", f.Clock)
	for _, p := range f.Leftovers.Processes {
		assert.NotContains(t, p.Command, "time.first", "the script does not find itself")
	}
}

func TestFactsAreParsed(t *testing.T) {
	text := strings.Join([]string{
		"time.first=1700000010000000000", `os.ID="rocky"`, `os.ID_LIKE="rhel centos fedora"`, `os.VERSION_ID="9.4"`, "arch=aarch64", "hostname=m1",
		"mem.MemTotal=4", "mem.SwapTotal=1", "uptime=12.50", "uid=0", "sudo.works=yes", "systemd.version=239", "systemd.state=degraded", "cgroup.version=2",
		"cgroup.controllers=cpu memory", "disk=/var\t/var\t100\t50\t7\txfs\t/\trw,ro,x", "disk=/y\t/\t-\t-\t-", "name=m2\t10.0.0.2 fe80::1 ", "name=m3\t",
		"name.self=127.0.1.1 ", "route=eth0\t10.0.0.1", "address=10.0.0.1\teth0", "listen=*:22\tsshd\t7", "listen=[::1]:25\t", "listen=127.0.0.53%lo:53\tr\t9",
		"listen=garbage", "listen.hex=0100007F:1F90", "listen.hex=00000000000000000000000001000000:0050", "java=/opt/j\t1.8.0_402", "packager=rpm",
		"package=zookeeper\t3.8-1", "leftover.unit=mesos-master\t/lib/x.service", "leftover.unit=marathon\t/etc/init.d/marathon", "leftover.state=mesos-master\tenabled\tactive",
		"leftover.process=12\tjava QuorumPeerMain \tzk.service", "leftover.path=/etc/mesos/zk", "selinux=Enforcing", "selinux.permissive=haproxy_t", "firewall=ufw active", "noise", "time.last=1700000013000000000", "",
	}, "\n")
	before := time.Unix(1700000000, 0)
	f, err := parseFacts(text, before, before.Add(4*time.Second))
	require.NoError(t, err)
	assert.Equal(t, OS{ID: "rocky", Like: "rhel centos fedora", Version: "9.4"}, f.OS)
	assert.Equal(t, Memory{Total: 4096, Swap: 1024}, f.Memory)
	assert.Equal(t, 12500*time.Millisecond, f.Uptime)
	assert.True(t, f.Root && f.Sudo)
	assert.Equal(t, Systemctl{Version: 239, State: "degraded"}, f.Systemd)
	assert.Equal(t, 2, f.Cgroup)
	assert.Equal(t, []Disk{{Path: "/var", Existing: "/var", Size: 102400, Free: 51200, FreeFiles: 7, Type: "xfs", Mount: "/", ReadOnly: true}, {Path: "/y", Existing: "/"}}, f.Disks)
	assert.Equal(t, map[string][]netip.Addr{"m1": {netip.MustParseAddr("127.0.1.1")}, "m2": {netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fe80::1")}, "m3": nil}, f.Names)
	assert.Equal(t, Route{"eth0", netip.MustParseAddr("10.0.0.1")}, f.Route)
	var listening []string
	for _, l := range f.Listening {
		listening = append(listening, l.Address.String()+" "+l.Program)
	}
	assert.Equal(t, []string{"127.0.0.1:8080 ", "127.0.0.53:53 r", "[::]:22 sshd", "[::1]:25 ", "[::1]:80 "}, listening)
	assert.Equal(t, []JavaFact{{"/opt/j", "1.8.0_402"}}, f.Java)
	assert.Equal(t, []string{"Enforcing", "haproxy_t"}, append([]string{f.SELinux}, f.Permissive...))
	assert.Equal(t, map[string]string{"zookeeper": "3.8-1"}, f.Packages)
	assert.Equal(t, Leftovers{Units: []LeftoverUnit{{"mesos-master", "/lib/x.service", "enabled", "active"}, {Name: "marathon", File: "/etc/init.d/marathon"}},
		Processes: []LeftoverProcess{{12, "java QuorumPeerMain", "zk.service"}}, Paths: []string{"/etc/mesos/zk"}}, f.Leftovers)
	assert.Equal(t, Clock{Skew: 9500 * time.Millisecond, Error: 500 * time.Millisecond}, f.Clock)
	assert.True(t, f.Clock.Apart(8*time.Second))
	assert.False(t, f.Clock.Apart(9*time.Second))

	_, err = parseFacts("time.first=1\n", before, before)
	require.ErrorContains(t, err, "cut off")
}

// TestTheJavaOfARedHatHasALastingName has the script look at folders as those systems lay them out.
func TestTheJavaOfARedHatHasALastingName(t *testing.T) {
	jvm, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	const long = "java-17-openjdk-17.0.11.0.9-2.el9.x86_64"
	require.NoError(t, os.MkdirAll(filepath.Join(jvm, long, "bin"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(jvm, long, "bin", "java"), nil, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(jvm, long, "release"), []byte("JAVA_VERSION=\"17.0.11\"\n"), 0o600))
	for _, link := range []string{"jre", "jre-17", "jre-17-openjdk"} {
		require.NoError(t, os.Symlink(long, filepath.Join(jvm, link)))
	}
	out, err := exec.Command("/bin/sh", "-c", strings.ReplaceAll(factsScript, "/usr/lib/jvm", jvm), "jomctl").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "java="+jvm+"/jre-17-openjdk\t17.0.11\n", "an update of the package takes the folder away")
	assert.NotContains(t, string(out), "java="+jvm+"/java-17-openjdk-17")
}
