package op_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

// onSmallDisk runs the test once more where DISK is a disk of 16 KiB that only that process sees; it is true in there.
func onSmallDisk(t *testing.T) (disk string, there bool) {
	if disk := os.Getenv("DISK"); disk != "" {
		return disk, true
	}
	if out, err := exec.Command("unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("no disk of its own can be made here: %v: %s", err, out)
	}
	cmd := exec.Command("unshare", "-rm", "sh", "-c", `mount -t tmpfs -o size=16k none "$DISK" && exec "$0" -test.run "^$1\$"`, os.Args[0], t.Name())
	cmd.Env = append(os.Environ(), "DISK="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return "", false
}

// fill takes all room that is left, and returns what gives it back.
func fill(t *testing.T, disk string) (empty func()) {
	t.Helper()
	path := filepath.Join(disk, "filler")
	require.True(t, op.NoRoom(os.WriteFile(path, make([]byte, 1<<20), 0o600)))
	return func() { require.NoError(t, os.Remove(path)) }
}

func TestAFullDiskKeepsNobodyFromMakingRoom(t *testing.T) {
	disk, there := onSmallDisk(t)
	if !there {
		return
	}
	empty := fill(t, disk)
	_, _, err := op.AcquireLock(context.Background(), disk, op.CurrentOwner("r0", "install"), op.LockOptions{})
	require.ErrorContains(t, err, "no space left")
	require.Contains(t, hint(t, err), "make room on the disk of "+disk)

	lock, held := acquire(t, disk, op.LockOptions{Unwritten: true, Lease: 30 * time.Millisecond})
	_, _, err = op.AcquireLock(context.Background(), disk, op.CurrentOwner("r2", "install"), op.LockOptions{Unwritten: true})
	require.Equal(t, 5, exitCode(t, err))
	journal, err := op.CreateJournal(disk, "destroy")
	require.NoError(t, err)
	journal.WaitForRoom()
	plan := edit(world{t.TempDir()}.plan(), "a2", func(s *op.Step) {
		do := s.Do
		s.Do = func(ctx context.Context, say op.Say) error { empty(); return do(ctx, say) }
	})
	_, err = op.Run(held, plan, op.Options{Journal: journal})
	require.NoError(t, err)
	require.NoError(t, journal.Close())
	log, err := op.ReadJournal(journal.Path())
	require.NoError(t, err)
	require.Equal(t, op.OutcomeDone, log.Outcome())
	require.Equal(t, sorted(planIDs), sorted(log.Begun()), "what had to wait is in the journal, too")
	require.NoError(t, held.Err())
	require.NoError(t, lock.Release())
}

func TestAFullDiskStopsARunThatNeedsRoom(t *testing.T) {
	disk, there := onSmallDisk(t)
	if !there {
		return
	}
	journal, err := op.CreateJournal(disk, "install")
	require.NoError(t, err)
	fill(t, disk)
	_, err = op.Run(context.Background(), edit(world{t.TempDir()}.plan(), "a2", func(*op.Step) {}), op.Options{
		Journal: journal, Meta: op.Meta{Args: []string{string(make([]byte, 8192))}}})
	require.ErrorContains(t, err, "writing the journal")
	require.Contains(t, hint(t, err), "make room")
}
