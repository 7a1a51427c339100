package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab/repo"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestHostsFromPackagesToNothing walks one lab of three hosts through the life of a cluster. Its parts build on each other.
func TestHostsFromPackagesToNothing(t *testing.T) {
	needsLab(t)
	b := newLabBench(t)
	b.file("mesos")
	for _, part := range []struct {
		name string
		run  func(*labBench)
	}{
		{"what speaks against it is found before a host is touched", refusals},
		{"a host dies in the middle", dies},
		{"all programs are jomctl's own", masked},
		{"a second install has nothing to do", nothingToDo},
		{"drift is shown and repaired", drift},
		{"a changed host key stops everything", changedKey},
		{"the control host loses its power", powerLoss},
		{"destroy removes everything", destroyed},
		{"the other layout of packages, and a full disk", otherLayout},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(b.in(t)) }) {
			t.FailNow() // the parts after it stand on it
		}
	}
}

// refusals are installs that must end before anything is on a host.
func refusals(b *labBench) {
	key := b.path("another")
	b.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	b.fileWith("mesos", key)
	r := b.install().exits(3)
	for _, h := range b.lab.Hosts {
		require.Contains(b.t, r.errOut, h.Name)
	}
	require.Contains(b.t, r.errOut, "another", "the key that was refused is named")
	b.file("mesos")

	for fault, want := range map[repo.Fault]string{repo.ExpiredKey: "expired", repo.WrongKey: "sign", repo.Stale: "was valid until"} {
		b.publish(fault)
		r := b.install().exits(3)
		require.Contains(b.t, r.errOut, want, fault)
		require.Contains(b.t, r.errOut, "fix: ", fault)
	}
	b.publish(repo.WrongHash)
	require.Contains(b.t, b.install().exits(3).errOut, "the sha256 is")
	b.publish("")
	require.NoError(b.t, b.server.Down())
	require.Contains(b.t, b.install().exits(3).errOut, b.server.URL())
	require.NoError(b.t, b.server.Up())
	b.untouched()
}

// dies takes a host's power while dpkg works on it; the install that follows must complete.
func dies(b *labBench) {
	end := b.begin()
	testkit.Eventually(b.t, 5*time.Minute, "dpkg works on a1", func(context.Context) bool {
		out, _ := b.lab.Run("a1", "sh", "-c", "pgrep -x dpkg; grep -c 'Status: install ok unpacked' /var/lib/dpkg/status")
		return strings.Count(out, "\n") > 0 && !strings.HasSuffix(out, "\n0")
	})
	b.lab.PowerOff("a1")
	r := end()
	require.NotZero(b.t, r.code)
	require.Contains(b.t, r.errOut, "a1")
	b.lab.PowerOn("a1")
	r = b.install().ok()
	require.Contains(b.t, r.out, "Proof passed")
	s := b.ready(2 * time.Minute)
	require.Len(b.t, s.Mesos.Agents, 2)
}

func masked(b *labBench) {
	for _, h := range b.lab.Hosts {
		require.Empty(b.t, b.on(h.Name, foreign), h.Name)
	}
	require.Contains(b.t, b.on("m1", "tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value jomctl-mesos-master)/cmdline"), "/usr/")
}

func nothingToDo(b *labBench) {
	before := b.status().pids()
	r := b.install().ok()
	require.Contains(b.t, r.errOut, "nothing to do")
	require.Equal(b.t, before, b.status().pids())
}

// drift changes a file and a unit by hand, which restarts those two and nothing else.
func drift(b *labBench) {
	before := b.ready(time.Minute).pids()
	b.on("a1", "echo '# by hand' >>/etc/systemd/system/jomctl-mesos-agent.service")
	b.on("m1", "systemctl disable -q --now jomctl-edge; echo '# by hand' >>/var/lib/jomctl/edge/haproxy.cfg")
	r := b.run("install", "--plan")
	require.Contains(b.t, []int{0, 4}, r.code, r.errOut)
	for _, want := range []string{"mesos-agent", "haproxy.cfg"} {
		require.Contains(b.t, r.out+r.errOut, want)
	}
	require.NotContains(b.t, r.out+r.errOut, "zoo.cfg")
	b.install().ok()
	after := b.ready(2 * time.Minute).pids()
	for unit, pid := range before {
		if unit == "m1/edge" || unit == "a1/mesos-agent" {
			require.NotEqual(b.t, pid, after[unit], unit)
			continue
		}
		require.Equal(b.t, pid, after[unit], "%s was restarted", unit)
	}
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}

func changedKey(b *labBench) {
	const keys = "/etc/ssh/ssh_host_*_key*"
	b.on("a2", "mkdir /root/keys && mv "+keys+" /root/keys/ && ssh-keygen -qA && systemctl restart ssh")
	b.on("m1", "systemctl stop jomctl-edge")
	r := b.install()
	b.on("a2", "rm "+keys+" && mv /root/keys/* /etc/ssh/ && rmdir /root/keys && systemctl restart ssh")
	r.exits(3)
	require.Contains(b.t, r.errOut, "a2")
	require.Regexp(b.t, `known_hosts:\d+`, r.errOut, "file and line are named")
	require.Equal(b.t, "inactive", b.on("m1", "systemctl is-active jomctl-edge || true"), "nothing was done on the other hosts")
	b.install().ok()
	b.ready(time.Minute)
}

func powerLoss(b *labBench) {
	before := b.ready(time.Minute)
	b.lab.PowerOff("m1")
	r := b.run("status")
	require.NotZero(b.t, r.code)
	require.Contains(b.t, r.out, "host m1: list units")
	for _, other := range []string{"a1", "a2"} {
		require.NotContains(b.t, r.out, "host "+other+":", "a host that lives is not blamed")
	}
	b.lab.PowerOn("m1")
	after := b.ready(4 * time.Minute)
	require.Equal(b.t, before.Controller.Task, after.Controller.Task, "the controller was left alone")
	b.run("prove", "--yes", "--sleep", "1s").ok()
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}

func destroyed(b *labBench) {
	b.run("destroy", "--yes", "--home", "/var/lib/jomctl/jenkins_home").ok()
	b.untouched()
	for _, h := range b.lab.Hosts {
		require.NotEmpty(b.t, b.on(h.Name, "dpkg-query -W mesos"), "packages stay")
		require.Empty(b.t, b.on(h.Name, "find /etc/systemd/system -name 'mesos-*' -o -name 'marathon*'"), "and would start nothing at the next boot")
	}
}

// otherLayout installs the other package of Mesos on the same hosts, one of which has a disk that becomes full meanwhile.
func otherLayout(b *labBench) {
	for _, h := range b.lab.Hosts {
		b.on(h.Name, "DEBIAN_FRONTEND=noninteractive apt-get purge -qy --allow-change-held-packages $(dpkg-query -W -f '${Package} ' mesos marathon 2>/dev/null) 2>&1")
	}
	b.file(repo.ForkMesos.PackageName())
	b.fullDisk("a2")
	b.install().ok()
	b.ready(time.Minute)
	masked(b)
	b.run("destroy", "--yes", "--home", "/var/lib/jomctl/jenkins_home").ok()
}

// fullDisk has an install fail on a host whose disk is full, and makes room.
func (b *labBench) fullDisk(host string) {
	const small, room = "mount -t tmpfs -o size=1m,mode=755 small /var/lib/jomctl", "umount /var/lib/jomctl && rmdir /var/lib/jomctl"
	b.on(host, "mkdir -p /var/lib/jomctl && "+small)
	r := b.install().exits(3)
	b.on(host, room)
	require.Contains(b.t, r.errOut, host+": disk")
	require.Contains(b.t, r.errOut, "are needed")
}
