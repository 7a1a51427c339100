package op

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// lockFile is the lock's name in the state folder.
const lockFile = "lock"

// defaultLease is how long a lock without renewal is still respected by other hosts, clocks a little apart included.
const defaultLease = 2 * time.Minute

// Lease is a second lock that is kept somewhere else, such as an ephemeral node in ZooKeeper. Acquire fails with a
// *LockedError when somebody else has it; lost is closed when it can no longer be kept; release gives it back.
type Lease interface {
	Acquire(ctx context.Context, owner Owner) (lost <-chan struct{}, release func(), err error)
}

// LockOptions change how a lock is taken. The zero value is good.
type LockOptions struct {
	// Lease is how long the lock outlives its last renewal; 0 means two minutes. It is renewed three times in that.
	Lease time.Duration
	// Note is told when a stale lock is taken over.
	Note func(text string)
	// Unwritten lets a full disk keep nobody out: the flock then is all of the lock until the owner's name fits. It is for
	// runs that make room.
	Unwritten bool
}

// Lock is the right to change the cluster, held by one run at a time.
type Lock struct {
	path  string
	file  *os.File
	owner Owner
	// unwritten says that the owner's name is not in the file yet.
	unwritten bool
	cancel    context.CancelCauseFunc
	done      chan struct{}
	wg        sync.WaitGroup

	mu       sync.Mutex
	releases []func()
	released bool
}

// AcquireLock takes the lock in the state folder, without waiting: *LockedError when another run has it. The context
// that it returns ends with the cause ErrLeaseLost when the lock is lost, and when it is released.
func AcquireLock(ctx context.Context, state string, owner Owner, opts LockOptions) (*Lock, context.Context, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, nil, fmt.Errorf("taking the lock: %w", err)
	}
	path := filepath.Join(state, lockFile)
	file, err := openLocked(path)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now().UTC()
	if before := readOwner(file); before.RunID != "" {
		why := before.gone(now)
		if why == "" {
			file.Close()
			return nil, nil, lockedBy(before, path)
		}
		if opts.Note != nil {
			opts.Note(fmt.Sprintf("taking over the lock of %q of %s: %s", before.Verb, before, why))
		}
	}
	owner.Started, owner.Renewed, owner.Lease = now, now, opts.Lease
	if owner.Lease <= 0 {
		owner.Lease = defaultLease
	}
	err = writeOwner(file, owner)
	unwritten := opts.Unwritten && NoRoom(err)
	switch {
	case unwritten:
		_ = file.Truncate(0) // half a name, or that of a dead owner, is nobody's
	case err != nil:
		file.Close()
		return nil, nil, fmt.Errorf("writing the lock %s: %w", path, noRoom(err, state))
	}
	held, cancel := context.WithCancelCause(ctx)
	lock := &Lock{path: path, file: file, owner: owner, unwritten: unwritten, cancel: cancel, done: make(chan struct{})}
	lock.wg.Go(lock.renew)
	return lock, held, nil
}

// openLocked opens the lock file and takes its flock. It looks again when the file was removed in between, because the
// flock of a file that has no name any more keeps nobody out, and when the holder has no live name: then it is one that
// is just writing it, or a ReadLock.
func openLocked(path string) (*os.File, error) {
	for try := 0; ; try++ {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("taking the lock: %w", err)
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && sameFile(file, path) {
			return file, nil
		}
		owner := readOwner(file)
		file.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("taking the lock %s: %w", path, err)
		}
		if err != nil && (try == 10 || owner.gone(time.Now()) == "") {
			return nil, lockedBy(owner, path)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func sameFile(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}

func lockedBy(owner Owner, what string) *LockedError {
	return &LockedError{Owner: owner, Age: time.Since(owner.Started), What: what}
}

// renew writes the time of renewal until the lock is released, and gives the lock up when it is not ours any more.
func (l *Lock) renew() {
	ticker := time.NewTicker(l.owner.Lease / 3)
	defer ticker.Stop()
	owner, unwritten := l.owner, l.unwritten
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
		}
		if !sameFile(l.file, l.path) || !unwritten && readOwner(l.file).RunID != owner.RunID {
			l.cancel(fmt.Errorf("%w: %s was taken over or removed", ErrLeaseLost, l.path))
			return
		}
		next := owner
		next.Renewed = time.Now().UTC()
		if err := writeOwner(l.file, next); err == nil {
			owner, unwritten = next, false
		} else if !unwritten && time.Since(owner.Renewed) > owner.Lease {
			l.cancel(fmt.Errorf("%w: renewing %s: %w", ErrLeaseLost, l.path, err))
			return
		}
	}
}

// AddLease takes a second lock with the same owner and the same fate: losing it ends the context of AcquireLock with
// ErrLeaseLost, and Release gives it back. The error is that of the lease.
func (l *Lock) AddLease(ctx context.Context, lease Lease) error {
	owner := l.Owner()
	lost, release, err := lease.Acquire(ctx, owner)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		release()
		return errors.New("taking a lease: the lock was released")
	}
	l.releases = append(l.releases, release)
	l.wg.Go(func() {
		select {
		case <-l.done:
		case <-lost:
			l.cancel(ErrLeaseLost)
		}
	})
	return nil
}

// Owner returns who holds this lock, as it was when it was taken.
func (l *Lock) Owner() Owner { return l.owner }

// Release gives the leases and the lock back. It may be called twice.
func (l *Lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	l.released = true
	close(l.done)
	l.wg.Wait()
	for i := len(l.releases) - 1; i >= 0; i-- {
		l.releases[i]()
	}
	l.cancel(context.Canceled)
	var err error
	if sameFile(l.file, l.path) && readOwner(l.file).RunID == l.owner.RunID {
		err = l.file.Truncate(0)
	}
	return join(err, l.file.Close())
}

// ReadLock says who holds the lock in the state folder; ok is false when nobody does. A stale owner counts as nobody.
func ReadLock(state string) (owner Owner, ok bool, err error) {
	file, err := os.OpenFile(filepath.Join(state, lockFile), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return Owner{}, false, nil
	}
	if err != nil {
		return Owner{}, false, fmt.Errorf("reading the lock: %w", err)
	}
	defer file.Close()
	owner = readOwner(file)
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return owner, true, nil
	}
	return owner, owner.gone(time.Now()) == "", nil
}

// Unlock clears a lock that is left over and returns whose it was (the zero Owner where there was none). A lock that is
// held is a *LockedError, unless force: then its file goes, and the holder stops at its next renewal.
func Unlock(state string, force bool) (Owner, error) {
	path := filepath.Join(state, lockFile)
	owner, held, err := ReadLock(state)
	if err != nil || owner.RunID == "" && !held {
		return Owner{}, err
	}
	if force {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return owner, fmt.Errorf("removing the lock: %w", err)
		}
		return owner, nil
	}
	file, err := openLocked(path)
	if err != nil {
		return owner, err
	}
	defer file.Close()
	if owner = readOwner(file); owner.gone(time.Now()) == "" {
		return owner, lockedBy(owner, path)
	}
	if err := file.Truncate(0); err != nil {
		return owner, fmt.Errorf("clearing the lock: %w", err)
	}
	return owner, nil
}
