package home

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// idle is a process that does nothing, and a channel that yields how it ended.
func idle(t *testing.T) (pid int, ended <-chan error) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	all := make(chan error, 1)
	go func() { all <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd.Process.Pid, all
}

func killed(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		require.Equal(t, 128+int(syscall.SIGKILL), exitCode(err))
	case <-time.After(time.Minute):
		t.Fatal("it lives on")
	}
}

func TestAWatchdogKillsWhatItIsNotToldToLetLive(t *testing.T) {
	for name, words := range map[string]string{"told for too long": "50\n", "told that it is over": "600000\n0\n", "told nonsense": "x\n"} {
		pid, ended := idle(t)
		in, out := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- watchOver(pid, in) }()
		_, _ = io.WriteString(out, words) // it may have seen enough before the end
		killed(t, ended)
		if err := <-done; strings.Contains(name, "too long") {
			require.ErrorContains(t, err, "its jomhome has not said for 50ms that it may live", "the log says why the controller has ended")
		} else {
			require.NoError(t, err, name)
		}
		require.NoError(t, in.Close())
	}
	pid, ended := idle(t)
	in, out := io.Pipe()
	require.NoError(t, out.Close())
	require.NoError(t, watchOver(pid, in), "its owner is gone")
	killed(t, ended)
	require.Error(t, watchOver(pid, in), "there is no such process any more")
}

func TestAWatchdogIsAProcessOfItsOwnThatIsKept(t *testing.T) {
	pid, ended := idle(t)
	left, out, done := atomic.Int64{}, &lockedBuffer{}, make(chan struct{})
	left.Store(int64(time.Hour))
	over := make(chan struct{})
	go func() {
		defer close(over)
		guarded(pid, func() time.Duration { return time.Duration(left.Load()) }, Streams{Out: out, Err: out}, done)
	}()
	left.Store(0)
	killed(t, ended)
	testkit.Eventually(t, time.Minute, "a watchdog that has ended is started again", func(context.Context) bool { return out.String() != "" })
	close(done)
	<-over
}
