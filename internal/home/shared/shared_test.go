package shared

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// The test binary holds locks in the folder that this variable names, as another host would.
const holder = "JOMCTL_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holder); dir != "" {
		if err := Hold(context.Background(), dir, "t"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestLocksOfAnotherHoldInASharedFolder(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holder+"="+dir)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.NoError(t, Try(t.Context(), dir, "t"))
	require.NoError(t, cmd.Wait())
	require.NoDirExists(t, place(dir, "t"))
}

func TestAFolderThatIsNotShared(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, Try(ctx, t.TempDir(), "t"), "not one folder")
	require.ErrorContains(t, Hold(ctx, t.TempDir(), "t"), "has not tried it")
	require.NoError(t, os.WriteFile(filepath.Join(t.TempDir(), "file"), nil, 0o600))
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, Hold(t.Context(), file, "t"), "cannot be written")
}

func TestLocksThatDoNotHoldAreFound(t *testing.T) {
	dir, done := t.TempDir(), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- Hold(ctx, dir, "t") }()
	testkit.Eventually(t, time.Minute, "the locks are held", func(context.Context) bool {
		_, err := os.Stat(filepath.Join(place(dir, "t"), "ready"))
		return err == nil
	})
	require.ErrorContains(t, Try(t.Context(), dir, "t"), "fcntl lock of another host", "one process gets its own fcntl locks twice")
	require.NoError(t, os.Remove(filepath.Join(place(dir, "t"), "flock")))
	require.NoError(t, os.WriteFile(filepath.Join(place(dir, "t"), "flock"), nil, 0o600))
	require.ErrorContains(t, Try(t.Context(), dir, "t"), "flock of another host")
	cancel()
	require.Error(t, errors.Join(<-done))
}
