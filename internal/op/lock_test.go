package op_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

const waitFor = 10 * time.Second

func acquire(t *testing.T, dir string, opts op.LockOptions) (*op.Lock, context.Context) {
	t.Helper()
	lock, ctx, err := op.AcquireLock(context.Background(), dir, op.CurrentOwner("run-1", "install"), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = lock.Release() })
	return lock, ctx
}

// leave writes a lock file as a process that was killed leaves it.
func leave(t *testing.T, dir string, owner op.Owner) {
	t.Helper()
	data, err := json.Marshal(owner)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), data, 0o600))
}

func ended(t *testing.T, ctx context.Context) error {
	t.Helper()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(waitFor):
		t.Fatal("the context of the lock did not end")
		return nil
	}
}

func TestTheSecondRunIsToldWhoHasTheLock(t *testing.T) {
	dir := t.TempDir()
	lock, ctx := acquire(t, dir, op.LockOptions{})
	_, _, err := op.AcquireLock(context.Background(), dir, op.CurrentOwner("run-2", "destroy"), op.LockOptions{})
	var locked *op.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, "run-1", locked.Owner.RunID)
	require.ErrorContains(t, err, `locked by "install" of `)
	require.ErrorContains(t, err, lock.Owner().Host)
	require.Equal(t, 5, exitCode(t, err))
	require.Contains(t, hint(t, err), "jomctl unlock --force")
	owner, held, err := op.ReadLock(dir)
	require.NoError(t, err)
	require.True(t, held)
	require.Equal(t, "install", owner.Verb)
	require.NoError(t, ctx.Err())

	require.NoError(t, lock.Release())
	require.NoError(t, lock.Release())
	require.ErrorIs(t, ended(t, ctx), context.Canceled)
	_, held, err = op.ReadLock(dir)
	require.NoError(t, err)
	require.False(t, held)
	acquire(t, dir, op.LockOptions{Note: func(text string) { t.Errorf("nothing to take over, but: %s", text) }})
}

func TestStaleLocksAreTakenOver(t *testing.T) {
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	here := op.CurrentOwner("old", "upgrade")
	here.PID, here.Renewed, here.Lease = gone.ProcessState.Pid(), time.Now(), time.Hour
	away := op.Owner{RunID: "old", Verb: "upgrade", User: "ann", Host: "elsewhere", PID: 1, Renewed: time.Now().Add(-time.Minute), Lease: time.Second}
	for name, test := range map[string]struct {
		owner op.Owner
		want  string
	}{
		"dead process":   {here, "its process has ended"},
		"passed lease":   {away, "not renewed for 1m"},
		"nobody's":       {op.Owner{}, ""},
		"its own number": {func() op.Owner { o := here; o.PID = os.Getpid(); return o }(), "its process has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, notes := t.TempDir(), ""
			leave(t, dir, test.owner)
			lock, _ := acquire(t, dir, op.LockOptions{Note: func(text string) { notes += text }})
			require.Contains(t, notes, test.want)
			require.Equal(t, test.want == "", notes == "")
			require.Equal(t, "run-1", lock.Owner().RunID)
		})
	}
}

func TestALiveLockOfAnotherHostIsRespected(t *testing.T) {
	dir := t.TempDir()
	leave(t, dir, op.Owner{RunID: "far", Verb: "upgrade", User: "ann", Host: "elsewhere", PID: 1, Started: time.Now().Add(-90 * time.Second), Renewed: time.Now(), Lease: time.Hour})
	_, _, err := op.AcquireLock(context.Background(), dir, op.CurrentOwner("run-2", "install"), op.LockOptions{})
	require.ErrorContains(t, err, `locked by "upgrade" of ann@elsewhere, pid 1, started 1m30s ago`)
	_, err = op.Unlock(dir, false)
	require.ErrorContains(t, err, "elsewhere")
	owner, err := op.Unlock(dir, true)
	require.NoError(t, err)
	require.Equal(t, "far", owner.RunID)
	acquire(t, dir, op.LockOptions{})
}

func TestAGarbledLockIsNobodys(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), []byte(`{"run":"x`), 0o600))
	_, held, err := op.ReadLock(dir)
	require.NoError(t, err)
	require.False(t, held)
	acquire(t, dir, op.LockOptions{})
}

func TestTheLockIsRenewed(t *testing.T) {
	dir := t.TempDir()
	lock, ctx := acquire(t, dir, op.LockOptions{Lease: 30 * time.Millisecond})
	require.Eventually(t, func() bool {
		owner, held, err := op.ReadLock(dir)
		return err == nil && held && owner.Renewed.After(lock.Owner().Started)
	}, waitFor, 5*time.Millisecond)
	require.NoError(t, ctx.Err())
}

func TestForcedUnlockStopsTheHolder(t *testing.T) {
	dir := t.TempDir()
	lock, ctx := acquire(t, dir, op.LockOptions{Lease: 30 * time.Millisecond})
	_, err := op.Unlock(dir, false)
	require.ErrorContains(t, err, "locked by")
	owner, err := op.Unlock(dir, true)
	require.NoError(t, err)
	require.Equal(t, "run-1", owner.RunID)
	cause := ended(t, ctx)
	require.ErrorIs(t, cause, op.ErrLeaseLost)
	require.ErrorContains(t, cause, "taken over or removed")

	next, _, err := op.AcquireLock(context.Background(), dir, op.CurrentOwner("run-2", "install"), op.LockOptions{})
	require.NoError(t, err)
	require.NoError(t, lock.Release())
	_, held, err := op.ReadLock(dir)
	require.NoError(t, err)
	require.True(t, held, "the old holder's release leaves the new lock alone")
	require.NoError(t, next.Release())
}

func TestATakenOverLockStopsTheHolder(t *testing.T) {
	dir := t.TempDir()
	_, ctx := acquire(t, dir, op.LockOptions{Lease: 30 * time.Millisecond})
	leave(t, dir, op.Owner{RunID: "far", Host: "elsewhere", Renewed: time.Now(), Lease: time.Hour})
	require.ErrorIs(t, ended(t, ctx), op.ErrLeaseLost)
}

func TestUnlockOfNothing(t *testing.T) {
	dir := t.TempDir()
	owner, err := op.Unlock(dir, true)
	require.NoError(t, err)
	require.Empty(t, owner)
	lock, _ := acquire(t, dir, op.LockOptions{})
	require.NoError(t, lock.Release())
	owner, err = op.Unlock(dir, false)
	require.NoError(t, err)
	require.Empty(t, owner)
	leave(t, dir, op.Owner{RunID: "old", Host: "elsewhere"})
	owner, err = op.Unlock(dir, false)
	require.NoError(t, err)
	require.Equal(t, "old", owner.RunID)
}

// lease is a second lock under the test's control.
type lease struct {
	lost     chan struct{}
	released int
	owner    op.Owner
	err      error
}

var _ op.Lease = (*lease)(nil)

func (l *lease) Acquire(_ context.Context, owner op.Owner) (<-chan struct{}, func(), error) {
	l.owner = owner
	return l.lost, func() { l.released++ }, l.err
}

func TestSecondLease(t *testing.T) {
	lock, ctx := acquire(t, t.TempDir(), op.LockOptions{})
	first, second := &lease{lost: make(chan struct{})}, &lease{lost: make(chan struct{})}
	require.NoError(t, lock.AddLease(context.Background(), first))
	require.NoError(t, lock.AddLease(context.Background(), second))
	require.Equal(t, "run-1", first.owner.RunID)
	require.ErrorIs(t, lock.AddLease(context.Background(), &lease{err: errBoom}), errBoom)
	close(second.lost)
	require.ErrorIs(t, ended(t, ctx), op.ErrLeaseLost)
	require.NoError(t, lock.Release())
	require.Equal(t, []int{1, 1}, []int{first.released, second.released})
	late := &lease{}
	require.Error(t, lock.AddLease(context.Background(), late))
	require.Equal(t, 1, late.released)
}

func TestALostLockStopsTheRunThatHoldsIt(t *testing.T) {
	w, dir := world{t.TempDir()}, t.TempDir()
	lock, ctx := acquire(t, dir, op.LockOptions{Lease: 30 * time.Millisecond})
	plan := edit(w.plan(), "a2", func(s *op.Step) {
		s.Do = func(ctx context.Context, _ op.Say) error {
			_, err := op.Unlock(dir, true)
			<-ctx.Done()
			return errors.Join(err, ctx.Err())
		}
	})
	_, err := op.Run(ctx, plan, op.Options{})
	require.ErrorIs(t, err, op.ErrLeaseLost)
	require.Equal(t, 6, exitCode(t, err))
	require.NoError(t, lock.Release())
}
