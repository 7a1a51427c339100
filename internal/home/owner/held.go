package owner

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// Held is a lock in hand.
type Held struct {
	lock  Lock
	me    Holder
	conn  *zk.Conn
	wire  *wire
	epoch atomic.Int64
	asked atomic.Int64              // the epoch that was last sent to ZooKeeper: it can be read there before the answer is here
	ends  atomic.Pointer[time.Time] // when the lock must be taken for lost
	until atomic.Pointer[time.Time] // the lease's end

	once   sync.Once
	reason error
	lost   chan struct{}
	stop   sync.Once
	quit   chan struct{}
	ended  chan struct{}
}

// Lost is closed when the lock must be taken for lost: the controller has to be dead a quarter of a session timeout later.
func (h *Held) Lost() <-chan struct{} { return h.lost }

// Reason says why the lock is lost; nil while it is not.
func (h *Held) Reason() error {
	select {
	case <-h.lost:
		return h.reason
	default:
		return nil
	}
}

// Sure returns the owner's epoch as long as the lock is in hand beyond doubt. Unlike Reason it looks at the clock itself: after a stop
// of this process it knows before the loop that watches the lock has come to it.
func (h *Held) Sure() (int64, error) {
	if err := h.Reason(); err != nil {
		return 0, err
	}
	if end := h.until.Load(); end == nil || !time.Now().Before(*end) {
		return 0, fmt.Errorf("%w, or may be: ZooKeeper has not confirmed it in time", ErrLost)
	}
	return h.epoch.Load(), nil
}

// Left is how long the controller may live from now on if nobody confirms the lock again. It is less than 0 for a lost lock whose time is
// over, and always ends before another can have the lock.
func (h *Held) Left() time.Duration {
	ends := h.ends.Load()
	if ends == nil {
		return h.lock.Session / 2 // it was taken just now
	}
	return time.Until(*ends) + h.wire.granted(h.lock.Session)/8
}

// Release gives the lock back at once. It may be called more than once, also after the lock was lost.
func (h *Held) Release() {
	h.stop.Do(func() {
		close(h.quit)
		h.conn.Close() // ends the session, and with it the node
		<-h.ended
	})
}

func (h *Held) lose(format string, args ...any) {
	h.once.Do(func() {
		h.reason = fmt.Errorf("%w: %s", ErrLost, fmt.Sprintf(format, args...))
		close(h.lost)
	})
}

// answer is what one look at the two nodes found.
type answer struct {
	sent  time.Time // when the question was sent
	mine  bool
	known bool // the servers answered
	epoch int64
}

// watch is the loop that the package's comment argues about: lease says when the lock ends unless another answer comes.
func (h *Held) watch(events <-chan zk.Event, taken time.Time) {
	defer close(h.ended)
	granted := h.wire.granted(h.lock.Session)
	beat := time.NewTicker(granted / 10)
	defer beat.Stop()
	lease := newLease(taken, granted)
	note := func() {
		ends := lease.end()
		h.ends.Store(&ends)
	}
	note()
	h.sureUntil(lease.end())
	timer := time.NewTimer(time.Until(lease.end()))
	defer timer.Stop()
	answers := make(chan answer, 1)
	asking := false
	for {
		select {
		case <-h.quit:
			return
		case <-timer.C:
			h.lose("ZooKeeper has not confirmed it for %s of a session of %s", lease.silence(time.Now()).Round(time.Millisecond), lease.session)
			return
		case event := <-events:
			if event.State == zk.StateExpired {
				h.lose("its session expired")
				return
			}
		case a := <-answers:
			asking = false
			switch {
			case a.known && !a.mine:
				h.lose("the node %s is not ours any more", h.lock.node())
				return
			case a.known && h.epoch.Load() > 0 && a.epoch > max(h.epoch.Load(), h.asked.Load()):
				h.lose("epoch %d has begun, ours is %d", a.epoch, h.epoch.Load())
				return
			case a.known:
				lease.confirm(a.sent, h.wire.granted(h.lock.Session))
				note()
				timer.Reset(time.Until(lease.end()))
				h.sureUntil(lease.end())
			}
		case <-beat.C:
			if !asking {
				asking = true
				go func() { answers <- h.look() }()
			}
		}
		// After a long stop several of the cases above are due at once, and any may come first: the clock decides.
		if !time.Now().Before(lease.end()) {
			h.lose("this process did not run, or ZooKeeper did not answer, for %s of a session of %s", lease.silence(time.Now()).Round(time.Millisecond), lease.session)
			return
		}
	}
}

func (h *Held) sureUntil(end time.Time) { h.until.Store(&end) }

func (h *Held) look() answer {
	a := answer{sent: time.Now()}
	_, stat, err := h.conn.Exists(h.lock.node())
	if err != nil {
		return a
	}
	a.known, a.mine = true, stat.EphemeralOwner == h.conn.SessionID() && stat.Version >= 0
	if data, _, err := h.conn.Get(h.lock.epoch()); err == nil {
		if e, err := parseEpoch(data); err == nil {
			a.epoch = e.Number
		}
	}
	return a
}

// lease is the arithmetic of the package's comment.
type lease struct {
	from    time.Time // the last question that was answered was sent then
	session time.Duration
}

func newLease(from time.Time, session time.Duration) *lease { return &lease{from, session} }

func (l *lease) confirm(sent time.Time, session time.Duration) {
	if sent.After(l.from) {
		l.from, l.session = sent, session
	}
}

func (l *lease) end() time.Time                      { return l.from.Add(l.session - l.session/4) }
func (l *lease) silence(now time.Time) time.Duration { return now.Sub(l.from) }

// wire is the way to the servers. It reads the session timeout that a server grants, which the library keeps to itself, and
// shortens the library's patience: it would wait for a silent server for two thirds of the session, and for the first answer
// of one that is only half up ten times as long, when there is no time left to ask another server.
type wire struct {
	asked  time.Duration
	millis atomic.Int64
}

// granted is the timeout of the session, or what was asked for while no server has answered.
func (w *wire) granted(asked time.Duration) time.Duration {
	if ms := w.millis.Load(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return asked
}

func (w *wire) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, min(timeout, w.granted(w.asked)/4))
	if err != nil {
		return nil, err
	}
	return &sniffed{Conn: conn, wire: w}, nil
}

// sniffed looks at the first answer: length, protocol version, timeout (4 bytes each), session id and password.
type sniffed struct {
	net.Conn
	wire    *wire
	head    []byte
	greeted atomic.Bool
}

// SetReadDeadline allows for a tenth of the session until the first answer, and then for a little more than the library's
// interval between two pings.
func (s *sniffed) SetReadDeadline(at time.Time) error { return s.Conn.SetReadDeadline(s.sooner(at)) }

// SetWriteDeadline is the same for requests.
func (s *sniffed) SetWriteDeadline(at time.Time) error { return s.Conn.SetWriteDeadline(s.sooner(at)) }

func (s *sniffed) sooner(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	session := s.wire.granted(s.wire.asked)
	patience := session * 2 / 5
	if !s.greeted.Load() {
		patience = max(session/10, 500*time.Millisecond)
	}
	if latest := time.Now().Add(patience); latest.Before(at) {
		return latest
	}
	return at
}

func (s *sniffed) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if len(s.head) < 12 {
		s.head = append(s.head, p[:min(n, 12-len(s.head))]...)
		if len(s.head) == 12 {
			s.greeted.Store(true)
			if ms := int32(binary.BigEndian.Uint32(s.head[8:])); ms > 0 { // 0 means that the session is gone
				s.wire.millis.Store(int64(ms))
			}
		}
	}
	return n, err
}
