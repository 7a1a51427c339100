package home

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jomctl/jomctl/internal/testkit"
)

// The first process of a container gets what others have left.
func TestOrphansAreTakenAway(t *testing.T) {
	require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) // as process 1 does
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	out, err := exec.Command("sh", "-c", "sleep 0.01 > /dev/null 2>&1 & echo $!").Output()
	require.NoError(t, err)
	orphan := strings.TrimSpace(string(out))
	own := exec.Command("sleep", "1000")
	require.NoError(t, own.Start())
	testkit.Eventually(t, time.Minute, "the orphan has ended", func(context.Context) bool { return slices.Contains(endedChildren(), orphan) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() {
		defer close(done)
		reapOrphans(ctx, 10*time.Millisecond)
	}()
	testkit.Eventually(t, time.Minute, "it is taken away", func(context.Context) bool { return !slices.Contains(endedChildren(), orphan) })
	cancel()
	<-done
	require.NoError(t, own.Process.Kill())
	require.EqualError(t, own.Wait(), "signal: killed", "who waits for a child of their own still gets its end")
}

func TestOnlyTheFirstProcessOfAContainerReaps(t *testing.T) {
	require.True(t, reaps(1))
	require.False(t, reaps(2))
}
