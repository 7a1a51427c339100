package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/pause"
	"github.com/jomctl/jomctl/internal/zkclient"
)

// LeaseSession is the session timeout of a Lease that names none: a run that died is out of the way after it.
const LeaseSession = 20 * time.Second

// Lease is a lock in ZooKeeper: an ephemeral node that holds who owns it. It belongs to one run.
type Lease struct {
	ZooKeeper ZooKeeper
	// Path is the node, LeasePath(name) as a rule.
	Path string
	// Session is the session timeout; 0 means LeaseSession. The servers may shorten it.
	Session time.Duration
}

// LeasePath is where the lock of a cluster lies.
func LeasePath(cluster string) string { return "/jomctl/" + cluster + "/lock" }

// HeldError means that somebody else has the lease. Owner is what the other one wrote about itself.
type HeldError struct {
	Path  string
	Owner []byte
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is held by %s", e.Path, e.Owner)
}

// Hint says what to do next.
func (e *HeldError) Hint() string {
	return "wait for the other run; the lock of a dead one disappears with its ZooKeeper session"
}

// Acquire takes the lease and writes ownerJSON into it, or returns an error that is a *HeldError when another one has
// it. lost is closed as soon as the lease cannot be relied on any more: the node is gone, the session expired, or
// ZooKeeper has been out of reach for so long that the session may have expired. release gives the lease back; it
// may be called more than once, also after lost.
func (l *Lease) Acquire(ctx context.Context, ownerJSON []byte) (lost <-chan struct{}, release func(), err error) {
	timeout := l.Session
	if timeout == 0 {
		timeout = LeaseSession
	}
	conn, events, err := l.ZooKeeper.session(timeout)
	if err != nil {
		return nil, nil, failed("take the lease", l.Path, err)
	}
	done := make(chan error, 1)
	go func() { done <- create(ctx, conn, l.Path, ownerJSON) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, nil, failed("take the lease", l.Path, err)
	}
	h := &holding{path: l.Path, conn: conn, timeout: timeout, lost: make(chan struct{}), quit: make(chan struct{})}
	go h.watch(events)
	return h.lost, h.release, nil
}

// Break removes the lease of a run that is known to be dead: only if it still says exactly owner. It returns
// ErrNotFound when there is no lease, and a *HeldError when it says something else.
func (l *Lease) Break(ctx context.Context, owner []byte) error {
	err := l.ZooKeeper.ask(ctx, func(conn *zk.Conn) error {
		data, stat, err := conn.Get(l.Path)
		switch {
		case err == zk.ErrNoNode:
			return ErrNotFound
		case err != nil:
			return err
		case !bytes.Equal(data, owner):
			return &HeldError{Path: l.Path, Owner: data}
		}
		return conn.Delete(l.Path, stat.Version)
	})
	return failed("break the lease", l.Path, err)
}

// create makes the node and its parents. A lost connection may hide that the node was made: then it is ours when
// its owner is our session.
func create(ctx context.Context, conn *zk.Conn, node string, data []byte) error {
	for {
		err := zkclient.MakeDir(conn, path.Dir(node))
		if err == nil {
			_, err = conn.Create(node, data, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		}
		switch {
		case err == nil:
			return nil
		case err == zk.ErrNodeExists:
			other, stat, err := conn.Get(node)
			if err == nil && stat.EphemeralOwner == conn.SessionID() {
				return nil
			}
			if err == nil {
				return &HeldError{Path: node, Owner: other}
			}
			if err != zk.ErrNoNode && !passing(err) {
				return err
			}
		case !passing(err):
			return err
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// passing errors come with a change of server and are worth another try.
func passing(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionMoved)
}

// holding is a lease in hand.
type holding struct {
	path    string
	conn    *zk.Conn
	timeout time.Duration
	lost    chan struct{}
	quit    chan struct{}
	once    sync.Once
}

func (h *holding) release() {
	// Closing the session removes the node, also when its creation was never acknowledged.
	h.once.Do(func() { close(h.quit); h.conn.Close() })
}

// watch ends when the lease is lost or released. The library notices silence after two thirds of the session
// timeout, so from its notice on one third is left until the server may have given the lease to somebody else.
func (h *holding) watch(events <-chan zk.Event) {
	grace := time.NewTimer(time.Hour)
	grace.Stop()
	defer grace.Stop()
	verdict := make(chan bool, 1)
	checking, again := true, false
	go h.check(verdict)
	for {
		select {
		case <-h.quit:
			return
		case <-grace.C:
			close(h.lost)
			return
		case ours := <-verdict:
			checking = false
			if !ours {
				close(h.lost)
				return
			}
			if again {
				checking, again = true, false
				go h.check(verdict)
			}
		case event, open := <-events:
			switch {
			case !open || event.State == zk.StateExpired:
				if !released(h.quit) {
					close(h.lost)
				}
				return
			case event.State == zk.StateDisconnected:
				grace.Reset(h.timeout / 3)
			case event.State == zk.StateHasSession || event.Type != zk.EventSession:
				grace.Stop()
				if checking {
					again = true
				} else {
					checking = true
					go h.check(verdict)
				}
			}
		}
	}
}

// check says whether the node still is ours, and leaves a watch behind whose event wakes the loop above.
func (h *holding) check(verdict chan<- bool) {
	_, stat, _, err := h.conn.ExistsW(h.path)
	// While ZooKeeper is out of reach the timer decides, not this.
	verdict <- err != nil && err != zk.ErrNoNode || err == nil && stat.EphemeralOwner == h.conn.SessionID()
}

func released(quit <-chan struct{}) bool {
	select {
	case <-quit:
		return true
	default:
		return false
	}
}
