package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestThreeControlHostsSurviveTheLossOfTheLeaders(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.run("install", "--name", "ha", "--target", "local", "--control", "3", "--agents", "3", "--base-address", b.address, "--idle", "2s", "--proof-sleep", "1s", "--yes").ok()
	before := b.ready(time.Minute)
	require.Len(t, before.Hosts, 6)

	leader := func(address string) string {
		for _, host := range before.Hosts {
			if strings.HasPrefix(address, host.Address+":") {
				return host.Name
			}
		}
		t.Fatalf("nobody has %s", address)
		return ""
	}
	kill(t, before.pids()[leader(before.Mesos.Leader)+"/mesos-master"])
	kill(t, before.pids()[leader(before.Marathon.Leader)+"/marathon"])
	testkit.Eventually(t, time.Minute, "others lead", func(context.Context) bool {
		s := b.status()
		return s.Mesos.Leader != "" && s.Mesos.Leader != before.Mesos.Leader && s.Marathon.Leader != "" && s.Marathon.Leader != before.Marathon.Leader
	})
	after := b.ready(90 * time.Second)
	require.Equal(t, before.Controller.Task, after.Controller.Task)
	b.run("prove", "--yes", "--sleep", "1s").ok()
	require.Contains(t, b.run("install", "--yes").ok().errOut, "nothing to do")
}

func TestInstallNeedsNoRoot(t *testing.T) {
	needs(t)
	if os.Geteuid() != 0 {
		t.Skip("every other test shows it already")
	}
	b := newBench(t)
	b.quick("plain")
	const nobody = 65534
	require.NoError(t, os.Chmod(filepath.Dir(bin), 0o1777))
	require.NoError(t, os.Chmod(bin, 0o755))
	require.NoError(t, os.Chown(b.dir, nobody, nobody))
	require.NoError(t, os.Chmod(b.path("cluster.yaml"), 0o644))
	as := func(args ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		t.Cleanup(cancel)
		cmd := b.command(ctx, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Env = append(cmd.Env, "HOME="+b.dir)
		return cmd
	}
	out, err := as("install", "--yes", "--proof-sleep", "1s").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "Proof passed")
	out, err = as("destroy", "--yes").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, b.processes())
}

func TestAnInterruptedInstallIsResumed(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.quick("stopped")
	cmd := b.command(context.Background(), "install", "--yes", "--proof-sleep", "1s")
	require.NoError(t, cmd.Start())
	testkit.Eventually(t, time.Minute, "the proof has begun", func(context.Context) bool { return b.records()["begin proof"] })
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	require.Equal(t, 6, cmd.ProcessState.ExitCode())
	require.Contains(t, b.run("resume", "--yes").ok().out, "Proof passed")
}

func TestAnAppThatFitsNoAgentAnyMoreSaysWhy(t *testing.T) {
	needs(t)
	b := newBench(t)
	// The second agent alone could carry the controller, and the home is on the first.
	b.quick("full", "hosts:", "  - {name: c1, address: "+b.host(10)+", roles: [control]}",
		"  - {name: a1, address: "+b.host(21)+", roles: [mesos-agent], reserve: {mem: 2GiB}}",
		"  - {name: a2, address: "+b.host(22)+", roles: [mesos-agent]}")
	r := b.run("install", "--yes", "--controller-timeout", "8s").exits(1)
	require.Contains(t, r.errOut, "1 GiB memory")
	require.Contains(t, r.errOut, "resume")
}
