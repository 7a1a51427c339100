package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/e2e/lab/repo"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision/terraform"
)

// suite is that of the lab's repository, which is the hosts' own.
const suite = "bookworm"

// labBench is a bench whose cluster is on hosts of a lab, and whose Mesos and Marathon come from a repository on this machine.
type labBench struct {
	*bench
	lab    *lab.Lab
	repo   *repo.Repo
	server *repo.Server
	debs   map[repo.Layout]string
}

// newLabBench brings up one control host, m1, and two Mesos agents.
func newLabBench(t *testing.T) *labBench {
	t.Helper()
	return newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"))
}

// newLabBenchOf brings up hosts; m1 is to be among them.
func newLabBenchOf(t *testing.T, hosts ...terraform.HostVar) *labBench {
	t.Helper()
	needs(t)
	b := &labBench{lab: lab.Up(t, hosts...), bench: newBench(t), debs: map[repo.Layout]string{}}
	var err error
	b.repo, err = repo.New(b.path("repo"), suite, time.Now())
	require.NoError(t, err)
	for layout, version := range map[repo.Layout]string{repo.VendorMesos: "1.11.0-2.0.1", repo.ForkMesos: "1.11.0-0.7.1.debian12", repo.VendorMarathon: "1.11.24-1"} {
		b.debs[layout], err = repo.BuildPackage(b.dir, layout, version, runtime.GOARCH, filepath.Join(bin, "standin"))
		require.NoError(t, err)
		require.NoError(t, b.repo.Add(b.debs[layout]))
	}
	b.publish("")
	b.server, err = repo.Serve(b.path("repo"), net.JoinHostPort(b.gateway(), "0"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.server.Down() })
	return b
}

// gateway is this machine as the lab's hosts see it.
func (b *labBench) gateway() string {
	ip := net.ParseIP(b.lab.Host("m1").Address).To4()
	require.NotNil(b.t, ip)
	ip[3] = 1
	return ip.String()
}

func (b *labBench) publish(fault repo.Fault) {
	b.t.Helper()
	require.NoError(b.t, b.repo.Publish(fault, runtime.GOARCH))
}

// in is the bench as a subtest sees it.
func (b *labBench) in(t *testing.T) *labBench {
	inner, outer := *b.bench, *b
	inner.t, outer.bench = t, &inner
	return &outer
}

// file writes a cluster file that takes Mesos from a package of the repository.
func (b *labBench) file(mesos string) {
	b.t.Helper()
	b.fileWith(mesos, b.lab.KeyFile)
}

func (b *labBench) fileWith(mesos, key string) {
	b.t.Helper()
	line := b.server.Line("repo/"+repo.KeyFile, suite)
	var text strings.Builder
	text.WriteString("apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n")
	for _, h := range b.lab.Hosts {
		// All hosts have the memory of this one machine, so little is kept back.
		fmt.Fprintf(&text, "  - {name: %s, address: %s, roles: [%s], reserve: {cpus: 0.1, mem: 256MiB}}\n", h.Name, h.Address, strings.Join(h.Roles, ", "))
	}
	fmt.Fprintf(&text, "ssh: {user: admin, identityFile: %s}\ncomponents:\n  mesos: {source: {apt: %s, repository: %q}}\n  marathon: {source: {apt: marathon, repository: %q}}\n"+
		"jenkins: {war: standin, cloud: {templates: [{label: mesos, idle: 2s}]}}\n", key, mesos, line, line)
	b.write(text.String())
}

// install is a command that installs without asking and is proven by short builds.
func (b *labBench) install(more ...string) result {
	b.t.Helper()
	return b.begin(more...)()
}

// begin is install in the background; end waits for it. Packages for many hosts take longer than other commands may.
func (b *labBench) begin(more ...string) (end func() result) {
	b.t.Helper()
	args := append([]string{"install", "--yes", "--accept-host-keys", "--proof-sleep", "1s"}, more...)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	cmd := b.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	require.NoError(b.t, cmd.Start())
	b.t.Cleanup(cancel)
	return func() result {
		b.t.Helper()
		defer cancel()
		_ = cmd.Wait() // the exit code tells
		return result{t: b.t, args: args, code: cmd.ProcessState.ExitCode(), out: out.String(), errOut: errOut.String()}
	}
}

// on runs a shell command on a host as root.
func (b *labBench) on(host, text string) string {
	b.t.Helper()
	out, err := b.lab.Run(host, "sh", "-c", text)
	require.NoError(b.t, err)
	return out
}

// untouched says that hosts have nothing of jomctl.
func (b *labBench) untouched() {
	b.t.Helper()
	for _, h := range b.lab.Hosts {
		require.Empty(b.t, b.on(h.Name, traces), "%s has something of jomctl", h.Name)
	}
}

// traces lists everything that jomctl could have put on a host, besides the packages.
const traces = `ls -Ad /var/lib/jomctl /etc/jomctl /opt/jomctl /usr/sbin/policy-rc.d 2>/dev/null
find /etc/systemd/system /etc/apt -name '*jomctl*'
find /etc/systemd/system -lname /dev/null -name '[mhz]*' ! -name 'systemd*'
ps -eo args | grep -v grep | grep -E '[/]var/lib/jomctl|mesos-(master|agent|slave)|marathon|zookeeper|haproxy'
true`

// foreign lists what of the packages' own units is not masked or runs, and the programs that are not started by jomctl's units.
const foreign = `for unit in mesos-master mesos-agent mesos-slave marathon zookeeper haproxy docker-registry; do
	state=$(systemctl show -p LoadState --value $unit.service) active=$(systemctl is-active $unit.service)
	[ $state = masked ] && [ $active = inactive ] || echo "$unit: $state $active"
done
for pid in $(pgrep -x 'mesos-.*|marathon|standin|haproxy|java'); do
	grep -Eq '/jomctl-|/mesos_executors.slice' /proc/$pid/cgroup || echo "$(tr '\0' ' ' </proc/$pid/cmdline) is nobody's"
done`

// needsLab fails where a lab cannot run, and skips where nobody asked for one.
func needsLab(t *testing.T) {
	t.Helper()
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("a lab of real hosts needs JOMCTL_TEST_LAB=1")
	}
	for _, program := range []string{"terraform", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			testkit.Missing(t, program)
		}
	}
}

// must runs a program of this machine.
func (b *labBench) must(argv ...string) {
	b.t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	require.NoError(b.t, err, string(out))
}
