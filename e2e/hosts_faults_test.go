package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestHostsFaultsAgentsAndContainers walks one lab through an install that meets one fault after the other, then through the life of its
// Mesos agents, then into containers. Its parts build on each other.
func TestHostsFaultsAgentsAndContainers(t *testing.T) {
	needsLab(t)
	b := newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"), lab.Agent("a3"))
	built, docker := b.buildBase(), make(chan error, 1)
	for _, part := range []struct {
		name string
		run  func(*labBench)
	}{
		{"a clock that is five minutes off is refused", clockOff},
		{"a repository is out of a host's reach", repositoryGone},
		{"a disk becomes full while programs come", fullOfPrograms},
		{"a disk becomes full and a host is cut off while agents start", func(b *labBench) { fullAndCutOff(b, docker) }},
		{"the install is resumed", resumed},
		{"a host comes into the cluster", func(b *labBench) { require.NoError(b.t, <-docker); agentAdded(b) }},
		{"a drain waits for the build that runs", agentDrained},
		{"a further attribute keeps what runs, another one ends it", attributesChanged},
		{"a host goes out of the cluster", agentRemoved},
		{"controller and build agents move into containers", func(b *labBench) { intoContainers(b, built) }},
		{"the controller's container is killed", containerKilled},
		{"destroy leaves no container", containersDestroyed},
	} {
		began := time.Now()
		if !t.Run(part.name, func(t *testing.T) { part.run(b.in(t)) }) {
			t.FailNow() // the parts after it stand on it
		}
		t.Logf("%s: %s", part.name, time.Since(began).Round(time.Second))
	}
}

// describe writes the cluster file with these hosts of the lab; lines, by host, are what else is said about one.
func (b *labBench) describe(jenkins string, lines map[string]string, hosts ...string) {
	b.t.Helper()
	b.file("mesos")
	text, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	var kept []string
	for line := range strings.SplitSeq(string(text), "\n") {
		name, _, isHost := strings.Cut(strings.TrimPrefix(line, "  - {name: "), ",")
		isHost = isHost && strings.HasPrefix(line, "  - {name: ")
		if isHost && !slices.Contains(hosts, name) {
			continue
		}
		if more := lines[name]; isHost && more != "" {
			line = strings.TrimSuffix(line, "}") + ", " + more + "}"
		}
		if strings.HasPrefix(line, "jenkins:") && jenkins != "" {
			line = "jenkins: " + jenkins
		}
		kept = append(kept, line)
	}
	b.write(strings.Join(kept, "\n"))
}

// talking is a command in the background: talk is what it has written on stderr so far, end waits for it.
func (b *labBench) talking(args ...string) (talk func() string, end func() result) {
	b.t.Helper()
	file, err := os.CreateTemp(b.dir, "stderr-*")
	require.NoError(b.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	b.t.Cleanup(cancel)
	cmd := b.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, file
	require.NoError(b.t, cmd.Start())
	talk = func() string {
		text, err := os.ReadFile(file.Name())
		require.NoError(b.t, err)
		return string(text)
	}
	return talk, func() result {
		b.t.Helper()
		defer cancel()
		_ = cmd.Wait() // the exit code tells
		_ = file.Close()
		return result{t: b.t, args: args, code: cmd.ProcessState.ExitCode(), out: out.String(), errOut: talk()}
	}
}

// during installs, calls fault as soon as the stage has begun, and returns how it ended.
func (b *labBench) during(stage string, fault func()) result {
	b.t.Helper()
	talk, end := b.talking("install", "--yes", "--accept-host-keys", "--proof-sleep", "1s")
	testkit.Eventually(b.t, 5*time.Minute, stage+" has begun", func(context.Context) bool { return strings.Contains(talk(), "\n"+stage+"\n") })
	fault()
	return end()
}

func clockOff(b *labBench) {
	b.describe("", nil, "m1", "a1", "a2")
	// All machines of a lab share one clock.
	b.on("a2", `printf '#!/bin/sh\nexec /bin/date -d "5 minutes ago" "$@"\n' >/usr/local/sbin/date && chmod 755 /usr/local/sbin/date`)
	r := b.install().exits(3)
	b.on("a2", "rm /usr/local/sbin/date")
	require.Regexp(b.t, `a2: clock: is [45]m[0-9.]+s behind the others`, r.errOut)
	require.Contains(b.t, r.errOut, "fix: timedatectl set-ntp true")
	require.NotContains(b.t, r.errOut, "a1: clock", "the other hosts' clocks are right")
	b.untouched()
}

// small mounts a disk of this size on a folder of a host.
func (b *labBench) small(host, folder, size string) {
	b.t.Helper()
	b.on(host, fmt.Sprintf("mkdir -p %s && mount -t tmpfs -o mode=755,size=%s small %s", folder, size, folder))
}

// room puts the files of a small disk on the host's own one.
func (b *labBench) room(host, folder string) {
	b.t.Helper()
	b.on(host, fmt.Sprintf("cp -a %s /root/saved && umount %s && cp -a /root/saved/. %s/ && rm -r /root/saved", folder, folder, folder))
}

// sums are the checksums of all files below a folder.
func (b *labBench) sums(host, folder string) []string {
	b.t.Helper()
	return strings.Split(b.on(host, "cd "+folder+" && find . -type f | sort | xargs -r sha256sum"), "\n")
}

func fullOfPrograms(b *labBench) {
	const folder = "/var/lib/jomctl/bin"
	r := b.during("Hosts", func() { b.small("a1", folder, "1m") }).exits(1)
	require.Contains(b.t, r.errOut, "a1: ")
	require.Contains(b.t, r.errOut, "no space is left on the disk of "+folder)
	require.Contains(b.t, r.errOut, "make room on the disk of "+folder)
	require.Empty(b.t, b.on("a1", "find "+folder+" -type f"), "nothing half-written stays")
	b.room("a1", folder)
}

// repositoryGone cuts one host off: this machine can still verify everything before.
func repositoryGone(b *labBench) {
	const nowhere = "/etc/apt/apt.conf.d/zz-nowhere"
	b.on("a1", fmt.Sprintf(`echo 'Acquire::http::Proxy::%s "http://127.0.0.1:9";' >%s`, b.gateway(), nowhere))
	r := b.install().exits(1)
	b.on("a1", "rm "+nowhere)
	require.Contains(b.t, r.errOut, b.server.URL())
	require.Contains(b.t, r.errOut, "jomctl resume")
	require.Empty(b.t, b.on("a1", "find /etc/apt/sources.list.d -name 'jomctl-*'"), "a line that does not work would keep all of apt from working")
}

const agentFolder = "/var/lib/jomctl/mesos-agent"

// fullAndCutOff waits a minute for the host that is cut off, in which a3 gets a Docker Engine of its user's own.
func fullAndCutOff(b *labBench, docker chan<- error) {
	r := b.during("ZooKeeper", func() {
		go func() {
			_, err := b.lab.Run("a3", "sh", "-c", "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends docker.io git")
			docker <- err
		}()
		b.small("a1", agentFolder, "4k")
		b.lab.Cut("a2", "m1")
	})
	b.lab.Mend("a2")
	r.exits(1)
	require.Contains(b.t, r.errOut, "no space is left on the disk of "+agentFolder)
	require.Regexp(b.t, `a2 cannot reach TCP 2181, .*5050.* of m1 \(no answer\)`, r.errOut)
}

func resumed(b *labBench) {
	require.Empty(b.t, b.on("a1", "find "+agentFolder+" /etc/jomctl /etc/systemd/system -name '.jomctl-*' 2>/dev/null || true"), "nothing half-written stays")
	whole := b.sums("a1", agentFolder)
	b.room("a1", agentFolder)
	require.Contains(b.t, b.run("resume", "--yes").ok().out, "Proof passed")
	b.ready(time.Minute)
	require.Subset(b.t, b.sums("a1", agentFolder), whole, "every file that was there was whole")
}
