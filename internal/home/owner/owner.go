// Package owner is the lock that one controller holds on a home, in ZooKeeper: an ephemeral node that says who owns, and a
// lasting one with the epoch, the number of the controller generation.
//
// # Why no two controllers run at once
//
// A server forgets a session, and so gives the lock away, no sooner than one session timeout T after it last heard of it; a
// change of leader only makes it later, because a new leader counts T from its own beginning. The holder asks every T/10
// whether the node is still its own. When an answer comes, the question was sent at some earlier moment s, and from s on the lock is
// safe until s+T. The holder's word for "lost" comes at s+T-T/4 at the latest, counted on the holder's monotonic clock: the
// controller is then killed (SIGKILL, no time to say goodbye), with T/4 left before anybody else can be told that the lock is free.
// T is what the server granted, read from the wire, not what was asked for.
//
// So ZooKeeper may be away, or the network, for T-T/4-T/10 (19 s of the default 30 s) without any harm: the session goes on.
// A notice that the session expired, or a node that is another's, ends it at once.
//
// A process that was stopped (SIGSTOP, a frozen machine) and wakes up late cannot have looked at a clock meanwhile. Its
// first look then says "lost"; but what it was about to do goes on for a moment. Therefore the lock alone guards no
// history: every push is compared at the remote against what the epoch left there (package claim), and a late one is refused.
package owner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/pause"
	"github.com/jomctl/jomctl/internal/zkclient"
)

// Session is the session timeout that is asked for: long enough for a restart of ZooKeeper, short enough for a failover.
const Session = 30 * time.Second

// Lock names a home's lock.
type Lock struct {
	// Servers are host:port of the ensemble.
	Servers []string
	// Path is the folder in ZooKeeper that holds the two nodes, Path(cluster) as a rule.
	Path string
	// Session is the session timeout to ask for; 0 means Session. The servers may grant another.
	Session time.Duration
	// Say, where set, is told what is waited for.
	Say func(format string, args ...any)
}

// Path is where the lock of a cluster's home lies.
func Path(cluster string) string { return "/jomctl/" + cluster + "/home" }

// Holder is what the owner writes about itself into the node.
type Holder struct {
	Host string `json:"host"`
	Task string `json:"task,omitempty"`
	PID  int    `json:"pid"`
	// Epoch is the owner's own, 0 until it is known.
	Epoch int64 `json:"epoch"`
	// Address is host:port of the controller, for whoever sends requests to the owner.
	Address string `json:"address,omitempty"`
	// Boot and File identify the machine since its last boot and the home's lock file on it. Whoever holds that file's lock
	// knows that an earlier holder with the same two is dead.
	Boot string `json:"boot,omitempty"`
	File string `json:"file,omitempty"`
}

// ErrLost is the reason of a lock that is, or may soon be, another's.
var ErrLost = errors.New("the owner lock of the home is lost")

func (l Lock) node() string  { return path.Join(l.Path, "owner") }
func (l Lock) epoch() string { return path.Join(l.Path, "epoch") }

func (l Lock) say(format string, args ...any) {
	if l.Say != nil {
		l.Say(format, args...)
	}
}

// Acquire waits until the lock is free and takes it. It returns an error only when the context ends or the servers refuse
// what nobody would ask again for. A holder that was this machine's and, by File, is known to be dead is not waited for.
func (l Lock) Acquire(ctx context.Context, me Holder) (*Held, error) {
	if l.Session == 0 {
		l.Session = Session
	}
	wire := &wire{asked: l.Session}
	conn, events, err := zk.Connect(l.Servers, l.Session, zk.WithLogger(silent{}), zk.WithLogInfo(false), zk.WithDialer(wire.dial))
	if err != nil {
		return nil, fmt.Errorf("taking the owner lock %s: %w", l.node(), err)
	}
	h := &Held{lock: l, me: me, conn: conn, wire: wire, lost: make(chan struct{}), quit: make(chan struct{}), ended: make(chan struct{})}
	// The library blocks without end while no server answers; closing the connection sets it free.
	stop := context.AfterFunc(ctx, conn.Close)
	sent, err := h.take(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("taking the owner lock %s: %w", l.node(), err)
	}
	forget(events)
	go h.watch(events, sent)
	return h, nil
}

// forget drops what happened before the lock was taken: an earlier session may have expired while it was waited for.
func forget(events <-chan zk.Event) {
	for {
		select {
		case <-events:
		default:
			return
		}
	}
}

// take returns when the node is ours, with the moment from which on that is sure.
func (h *Held) take(ctx context.Context) (time.Time, error) {
	told := ""
	for {
		sent := time.Now()
		silence := time.AfterFunc(h.lock.Session/3, func() {
			h.lock.say("waiting for ZooKeeper, which does not answer at %s: it keeps the owner lock of the home, without which no controller starts; see that a majority of its servers runs",
				strings.Join(h.lock.Servers, ", "))
		})
		err := zkclient.MakeDir(h.conn, h.lock.Path)
		if err == nil {
			_, err = h.conn.Create(h.lock.node(), h.me.json(), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		}
		silence.Stop()
		switch {
		case err == nil:
			return sent, nil
		case ctx.Err() != nil:
			return sent, context.Cause(ctx)
		case err == zk.ErrNodeExists:
			sent = time.Now()
			data, stat, gone, err := h.conn.GetW(h.lock.node())
			if err != nil {
				break
			}
			if stat.EphemeralOwner == h.conn.SessionID() {
				return sent, nil // an earlier try came through without its answer
			}
			if h.me.buried(data) {
				_ = h.conn.Delete(h.lock.node(), stat.Version) // whether it worked shows in the next turn
				continue
			}
			if text := string(data); text != told {
				told = text
				h.lock.say("waiting for the owner lock of the home, which is held by %s", text)
			}
			select {
			case <-gone:
			case <-ctx.Done():
				return sent, context.Cause(ctx)
			}
			continue
		case !passing(err):
			return sent, err
		}
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return sent, err
		}
	}
}

func (m Holder) json() []byte {
	data, _ := json.Marshal(m) // of strings and numbers: it cannot fail
	return data
}

// buried says whether the holder that wrote data is known to be dead, because its lock file on this machine is ours now.
func (m Holder) buried(data []byte) bool {
	var other Holder
	return json.Unmarshal(data, &other) == nil && m.File != "" && m.Boot != "" && other.File == m.File && other.Boot == m.Boot
}

// Boot identifies this machine since its last boot, or is empty where that cannot be known.
func Boot() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Epoch is a controller generation: its number, and the home that it runs on.
type Epoch struct {
	Number int64  `json:"number"`
	Home   string `json:"home,omitempty"`
}

func parseEpoch(data []byte) (Epoch, error) {
	var e Epoch
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("reading an epoch from %q: %w", data, err)
	}
	return e, nil
}

// Epoch returns the last epoch that began; its Number is 0 when there was none.
func (h *Held) Epoch(ctx context.Context) (Epoch, error) {
	var epoch Epoch
	err := h.ask(ctx, func() error {
		data, _, err := h.conn.Get(h.lock.epoch())
		if err == zk.ErrNoNode {
			return nil
		}
		if err == nil {
			epoch, err = parseEpoch(data)
		}
		return err
	})
	if err != nil {
		return Epoch{}, fmt.Errorf("reading the epoch %s: %w", h.lock.epoch(), err)
	}
	return epoch, nil
}

// SetEpoch writes the owner's own epoch, which must be higher than all before; from then on a higher one means "lost".
func (h *Held) SetEpoch(ctx context.Context, epoch Epoch) error {
	text, err := json.Marshal(epoch)
	if err != nil {
		return err
	}
	me := h.me
	me.Epoch = epoch.Number
	h.asked.Store(epoch.Number)
	err = h.ask(ctx, func() error {
		old, stat, err := h.conn.Get(h.lock.epoch())
		switch {
		case err == zk.ErrNoNode:
			_, err = h.conn.Create(h.lock.epoch(), text, 0, zk.WorldACL(zk.PermAll))
		case err == nil:
			if e, bad := parseEpoch(old); bad == nil && e.Number > epoch.Number {
				return fmt.Errorf("%w: there is a higher epoch, %d", ErrLost, e.Number)
			}
			_, err = h.conn.Set(h.lock.epoch(), text, stat.Version)
		}
		if err != nil {
			return err
		}
		// The node is ours as long as its session lives, so any version of it is.
		_, err = h.conn.Set(h.lock.node(), me.json(), -1)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the epoch %d to %s: %w", epoch.Number, h.lock.epoch(), err)
	}
	h.epoch.Store(epoch.Number)
	return nil
}

// ask repeats a question to ZooKeeper until it is answered, the context ends, or the lock is lost.
func (h *Held) ask(ctx context.Context, question func() error) error {
	for {
		done := make(chan error, 1)
		go func() { done <- question() }()
		select {
		case err := <-done:
			if err == nil || !passing(err) && err != zk.ErrBadVersion && err != zk.ErrNodeExists {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.lost:
			return h.Reason()
		}
		if err := pause.For(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// passing errors come with a change of server and are worth another try.
func passing(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionMoved) || errors.Is(err, zk.ErrSessionExpired)
}

type silent struct{}

func (silent) Printf(string, ...any) {}
