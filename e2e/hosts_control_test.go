package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision/terraform"
)

// TestHostsControlFromOneToThreeAndBack lets the control hosts of one cluster come and go. Its parts build on each other.
func TestHostsControlFromOneToThreeAndBack(t *testing.T) {
	needsLab(t)
	b := &controlBench{labBench: newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Control("m2"), lab.Control("m3"), lab.Control("m4"))}
	b.control = []string{"m1"}
	all := b.lab.Hosts
	b.lab.Hosts = slices.DeleteFunc(slices.Clone(all), func(h terraform.Host) bool { return slices.Contains([]string{"m2", "m3", "m4"}, h.Name) })
	b.file("mesos")
	b.lab.Hosts = all
	b.run(append([]string{"install", "--yes", "--accept-host-keys", "--proof-sleep", "1s"}, few...)...).ok()
	b.task = b.ready(time.Minute).Controller.Task
	for _, part := range []struct {
		name string
		run  func(*controlBench)
	}{
		{"one becomes three, though jomctl dies on the way", cutOffAndResumed},
		{"the leading master's host loses its power", leaderDies},
		{"another host stands in for it", deadReplaced},
		{"three become one", becomeOne},
		{"a destroy leaves nothing, also of hosts that were to join", nothingLeft},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			b.labBench = b.in(t)
			part.run(b)
		}) {
			t.FailNow() // the parts after it stand on it
		}
	}
}

// controlBench is a lab whose control hosts change.
type controlBench struct {
	*labBench
	// control are the control hosts now, gone those that were removed, dead the one without power, task the controller's.
	control    []string
	gone       []string
	dead, task string
}

// patience is for bringing packages to hosts that all share one busy machine.
const patience = 12 * time.Minute

// run is that of the bench with more patience.
func (b *controlBench) run(args ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	cmd := b.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		require.NoError(b.t, err)
	}
	return result{t: b.t, args: args, code: cmd.ProcessState.ExitCode(), out: out.String(), errOut: errOut.String()}
}

// few are builds that one Mesos agent of a small machine can run beside the controller.
var few = []string{"--proof-builds", "3"}

// change is a command that changes the control hosts.
func (b *controlBench) change(args ...string) []string {
	return append(append(append([]string{"control"}, args...), "--yes", "--accept-host-keys", "--proof-sleep", "1s"), few...)
}

func (b *controlBench) at(name string) string { return name + "=" + b.lab.Host(name).Address }

// nameOf is the host at an address host:port.
func (b *controlBench) nameOf(address string) string {
	ip, _, err := net.SplitHostPort(address)
	require.NoError(b.t, err)
	for _, h := range b.lab.Hosts {
		if h.Address == ip {
			return h.Name
		}
	}
	require.Fail(b.t, "nobody has address "+address)
	return ""
}

// settled is the cluster when all is well and its masters and Marathons are those of the control hosts.
func (b *controlBench) settled() status {
	s := b.ready(2 * time.Minute)
	require.Contains(b.t, b.control, b.nameOf(s.Mesos.Leader))
	require.Contains(b.t, b.control, b.nameOf(s.Marathon.Leader))
	for _, h := range s.Hosts {
		for _, u := range h.Units {
			require.Equal(b.t, "running", u.State, "%s on %s", u.Name, h.Name)
		}
	}
	quorum := fmt.Sprintf("--quorum=%d", len(b.control)/2+1)
	for _, name := range b.control {
		require.Contains(b.t, b.on(name, "tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value jomctl-mesos-master)/cmdline"), quorum)
		require.Equal(b.t, len(b.control) > 1, strings.Contains(b.on(name, "cat /var/lib/jomctl/zookeeper/zoo.cfg"), "server.1="))
	}
	return s
}

// killed begins a command and kills it as soon as a host has a ZooKeeper server.
func (b *controlBench) killed(host string, args ...string) {
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	cmd := b.command(ctx, args...)
	require.NoError(b.t, cmd.Start())
	testkit.Eventually(b.t, patience, "there is a ZooKeeper server on "+host, func(context.Context) bool {
		out, _ := b.lab.Run(host, "systemctl", "is-active", "jomctl-zookeeper")
		return out == "active"
	})
	require.NoError(b.t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
}

// cutOffAndResumed kills jomctl between two ZooKeeper servers.
func cutOffAndResumed(b *controlBench) {
	require.Contains(b.t, b.run(b.change("add", b.at("m2"))...).exits(3).errOut, "bear no more failures than 1")
	b.killed("m2", b.change("add", b.at("m2"), b.at("m3"))...)
	require.Contains(b.t, b.install().exits(3).errOut, "jomctl resume", "an install knows no safe order")
	require.Contains(b.t, b.run("rollback", "--yes").exits(3).errOut, "jomctl resume", "a server counts with the new ones")
	r := b.run("resume", "--yes").ok()
	require.Contains(b.t, r.out, "Control hosts: m1, m2, m3")
	b.control = []string{"m1", "m2", "m3"}
	require.Equal(b.t, b.task, b.settled().Controller.Task, "the controller was left alone")
}

// leaderDies also wants a status that blames nobody else.
func leaderDies(b *controlBench) {
	s := b.status()
	b.dead = b.nameOf(s.Mesos.Leader)
	b.lab.PowerOff(b.dead)
	r := b.run("status").exits(4)
	require.Contains(b.t, r.out, "host "+b.dead+": ")
	for _, other := range []string{"m1", "m2", "m3", "a1"} {
		if other != b.dead {
			require.NotContains(b.t, r.out, "host "+other+": ", "a host that lives is not blamed")
		}
	}
	testkit.Eventually(b.t, 2*time.Minute, "another master leads", func(context.Context) bool {
		s := b.status()
		return s.Mesos.Leader != "" && b.nameOf(s.Mesos.Leader) != b.dead && len(s.Mesos.Agents) == 1 && s.Mesos.Agents[0].Active
	})
	require.Contains(b.t, b.run(b.change("remove", b.dead)...).exits(3).errOut, "bear no more failures than 1")
}

func deadReplaced(b *controlBench) {
	require.Contains(b.t, b.run(b.change("replace", b.dead, b.at("m4"))...).exits(3).errOut, "--force")
	r := b.run(b.change("replace", b.dead, b.at("m4"), "--force")...).ok()
	require.Contains(b.t, r.errOut, "wipe it before it gets into this network")
	b.control[slices.Index(b.control, b.dead)] = "m4"
	s := b.settled()
	if b.dead != "m1" { // whose address is that of Jenkins
		require.Equal(b.t, b.task, s.Controller.Task, "the controller was left alone")
	}
	b.task = s.Controller.Task
}

func becomeOne(b *controlBench) {
	b.gone = slices.Sorted(slices.Values(b.control[1:]))
	r := b.run(b.change(append([]string{"remove"}, b.gone...)...)...).ok()
	require.Contains(b.t, r.errOut, "with one control host nothing bears its loss")
	require.Contains(b.t, r.out, "Control hosts: "+b.control[0]+"\n")
	b.control = b.control[:1]
	require.Equal(b.t, b.task, b.settled().Controller.Task, "the controller was left alone")
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
	for _, name := range b.gone {
		require.Empty(b.t, b.on(name, traces), "%s has something of jomctl", name)
	}
}

// nothingLeft ends everything in the middle of a change, whose joining hosts the installed cluster does not know.
func nothingLeft(b *controlBench) {
	b.killed(b.gone[0], b.change("add", b.at(b.gone[0]), b.at(b.gone[1]))...)
	b.run("destroy", "--yes", "--home", "/var/lib/jomctl/jenkins_home").ok()
	b.lab.Hosts = slices.DeleteFunc(slices.Clone(b.lab.Hosts), func(h terraform.Host) bool { return h.Name == b.dead })
	b.untouched()
}
