package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestMain lets the test binary be jomctl with the commands of a bench: with BENCH=dir its arguments are a command line,
// and the step two waits until it is stopped.
func TestMain(m *testing.M) {
	dir := os.Getenv("BENCH")
	if dir == "" {
		os.Exit(m.Run())
	}
	b := &bench{dir: dir, at: func(ctx context.Context, id string, say op.Say) error {
		if id != "two" {
			return nil
		}
		say("waiting for a signal")
		<-ctx.Done()
		if os.Getenv("BENCH_DEAF") != "" {
			<-context.Background().Done()
		}
		return ctx.Err()
	}}
	os.Exit(system(b.commands))
}

// process is a jomctl of its own.
type process struct {
	*exec.Cmd
	stderr *bytes.Buffer
	ended  chan struct{}
}

// started runs `build --yes` until its second step waits.
func (b *bench) started(env ...string) *process {
	b.t.Helper()
	return b.start(exec.Command(os.Args[0], "-f", b.path("cluster.yaml"), "build", "--yes"), env...)
}

func (b *bench) start(cmd *exec.Cmd, env ...string) *process {
	b.t.Helper()
	p := &process{Cmd: cmd, stderr: &bytes.Buffer{}, ended: make(chan struct{})}
	p.Env = append(append(os.Environ(), "BENCH="+b.dir), env...)
	p.Stderr = p.stderr
	require.NoError(b.t, p.Start())
	b.t.Cleanup(func() { _ = p.Process.Kill(); <-p.ended })
	go func() {
		_ = p.Wait()
		close(p.ended)
	}()
	testkit.Eventually(b.t, 20*time.Second, "the step two is begun", func(context.Context) bool {
		log, err := op.LastRun(b.path(".jomctl", "journal"))
		return err == nil && log.Pending("two")
	})
	return p
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, p.Process.Signal(sig))
}

func (p *process) wait(t *testing.T) syscall.WaitStatus {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("the process goes on: %s", p.stderr)
	}
	return p.ProcessState.Sys().(syscall.WaitStatus)
}

func TestSignalsStopAProcessResumably(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(sig) {
				t.Skipf("%s is ignored here, as under nohup, and a child keeps that", sig)
			}
			b := newBench(t)
			p := b.started()
			p.signal(t, sig)
			require.Equal(t, 6, p.wait(t).ExitStatus(), p.stderr)
			require.Contains(t, p.stderr.String(), "stopping as soon as")
			require.Contains(t, p.stderr.String(), "jomctl resume")
			b.ok("resume", "--yes")
			require.Len(t, b.made(), 3)
		})
	}
}

func TestNohupIsRespected(t *testing.T) {
	b := newBench(t)
	p := b.start(exec.Command("nohup", os.Args[0], "-f", b.path("cluster.yaml"), "build", "--yes"))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	require.NoError(t, err)
	match := regexp.MustCompile(`SigIgn:\s*([0-9a-f]+)`).FindSubmatch(status)
	require.NotNil(t, match)
	ignored, err := strconv.ParseUint(string(match[1]), 16, 64)
	require.NoError(t, err)
	require.EqualValues(t, 1, ignored&1, "SIGHUP is signal 1, the lowest bit")
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, 6, p.wait(t).ExitStatus())
}

func TestTheSecondInterruptEndsAProcessThatDoesNotListen(t *testing.T) {
	b := newBench(t)
	p := b.started("BENCH_DEAF=1")
	// The first interrupt gives the signal its default meaning back a moment later; until then another one may be lost.
	testkit.Eventually(t, 20*time.Second, "the process ends", func(context.Context) bool {
		_ = p.Process.Signal(syscall.SIGINT)
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	require.Equal(t, syscall.SIGINT, p.wait(t).Signal())
	b.ok("resume", "--yes")
	require.Len(t, b.made(), 3)
}

func TestAKilledProcessIsTakenOver(t *testing.T) {
	b := newBench(t)
	p := b.started()
	code, _, stderr := b.run("build", "--yes")
	require.Equal(t, 5, code, "while it works it holds the lock")
	require.Contains(t, stderr, `locked by "build"`)
	p.signal(t, syscall.SIGKILL)
	p.wait(t)
	_, stderr = b.ok("resume", "--yes")
	require.Contains(t, stderr, "taking over the lock of \"build\"")
	require.Contains(t, stderr, "its process has ended")
	require.Len(t, b.made(), 3)
	require.Len(t, b.files("journal"), 1)
}
