package lifecycle

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/status"
)

func TestAFaultThatAKilledDrillHasLeftIsAnError(t *testing.T) {
	state := t.TempDir()
	require.Nil(t, DrillLeft(state))
	write := func(text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(DrillFile(state)), 0o700))
		require.NoError(t, os.WriteFile(DrillFile(state), []byte(text), 0o600))
	}
	write(`{"scenario": "zookeeper-lost", "began": "2026-11-21T12:00:00Z", "faults": [{}], "said": ["kill -STOP zookeeper on c1"]}`)
	left := DrillLeft(state)
	require.Equal(t, status.Error, left.Severity)
	require.Equal(t, "drill zookeeper-lost", left.Subject)
	require.Contains(t, left.Problem, "of 2026-11-21 12:00 UTC is still in force: kill -STOP zookeeper on c1")
	require.Contains(t, left.Fix, "jomctl drill undo")

	// While the drill goes on it is no error: it takes it back itself.
	lock, _, err := op.AcquireLock(context.Background(), state, op.CurrentOwner("r1", DrillVerb), op.LockOptions{})
	require.NoError(t, err)
	require.Equal(t, status.Info, DrillLeft(state).Severity)
	require.NoError(t, lock.Release())
	lock, _, err = op.AcquireLock(context.Background(), state, op.CurrentOwner("r2", "install"), op.LockOptions{})
	require.NoError(t, err)
	require.Equal(t, status.Error, DrillLeft(state).Severity, "another run does not")
	require.NoError(t, lock.Release())

	write("half a fi")
	left = DrillLeft(state)
	require.Equal(t, status.Error, left.Severity)
	require.Contains(t, left.Fix, DrillFile(state))
}
