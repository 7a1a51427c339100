package scheduler

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// Config is what a Driver needs.
type Config struct {
	Master    string
	Framework mesos.FrameworkInfo // ID is set from the second start on
	// Login, where set, is shown with every call.
	Login *Login
	// Silence after which the connection counts as lost (Marathon: 15 s x 5).
	Silence time.Duration
	Session time.Duration // of the ZooKeeper session that detects the master
	// BeforeSend runs before each batch of calls, so that what they say is stored first.
	BeforeSend func() error
	Events     func(*sched.Event)
	Log        func(format string, args ...any)
}

// Login is a Mesos credential.
type Login struct{ Principal, Secret string }

// ErrDisconnected ends a Driver when the leading master changed or fell silent. Marathon ends itself then.
var ErrDisconnected = errors.New("disconnected from Mesos")

// ErrorEvent is an ERROR event of the master, after which the subscription is over for good.
type ErrorEvent struct{ Message string }

func (e *ErrorEvent) Error() string { return "error from Mesos: " + e.Message }

// Driver is one subscription that is renewed as long as the same master leads.
type Driver struct {
	cfg    Config
	client *http.Client
	mu     sync.Mutex
	addr   string
	stream string
	id     *mesos.FrameworkID
	queue  []*sched.Call
	since  time.Time
	wake   chan struct{}
}

const path = "/api/v1/scheduler"

// New makes a Driver; Run starts it.
func New(cfg Config) *Driver {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Driver{cfg: cfg, client: client, id: cfg.Framework.ID, wake: make(chan struct{}, 1)}
}

// Send queues a call; calls are sent in order, and dropped while there is no subscription (reconciliation makes up for that).
func (d *Driver) Send(call *sched.Call) {
	d.mu.Lock()
	d.queue = append(d.queue, call)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run subscribes and hands on events until the context ends (nil), the master is lost (ErrDisconnected) or refuses (*ErrorEvent).
func (d *Driver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leaders, err := Detect(ctx, d.cfg.Master, d.cfg.Session)
	if err != nil {
		return err
	}
	go d.sender(ctx)
	r := &runner{Driver: d, leaders: leaders}
	for {
		for r.leader.Addr == "" {
			select {
			case r.leader = <-leaders:
			case <-ctx.Done():
				return nil
			}
		}
		err := r.session(ctx)
		d.forget()
		if over, err := r.over(ctx, err); over {
			return err
		}
	}
}

const (
	firstWait = 50 * time.Millisecond
	longWait  = 10 * time.Second
)

// runner is what Run remembers between two subscriptions.
type runner struct {
	*Driver
	leaders    <-chan Leader
	leader     Leader
	next       *Leader // the leader that ended the last session by taking over
	subscribed atomic.Bool
	wait       time.Duration
}

// session is one subscription; it ends with the stream, or when another master leads.
func (r *runner) session(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	addr := r.leader.Addr
	go func() { ended <- r.subscribe(ctx, addr, func() { r.subscribed.Store(true) }) }()
	r.next = nil
	select {
	case next := <-r.leaders:
		r.next = &next
		stop()
		return <-ended
	case err := <-ended:
		return err
	}
}

// over decides what follows a session: the end of Run, or (after a pause) another session.
func (r *runner) over(ctx context.Context, err error) (bool, error) {
	var fatal *ErrorEvent
	switch {
	case ctx.Err() != nil:
		return true, nil
	case errors.As(err, &fatal):
		return true, err
	case r.subscribed.Load() && (r.next != nil || errors.Is(err, ErrDisconnected)):
		return true, ErrDisconnected
	case r.next != nil:
		r.leader = *r.next
		return false, nil
	}
	if r.wait == 0 || time.Since(r.started()) > longWait {
		r.wait = firstWait
	}
	r.cfg.Log("subscription to %s ended: %v; again in %s", r.leader.Addr, err, r.wait)
	select {
	case next := <-r.leaders:
		if r.subscribed.Load() {
			return true, ErrDisconnected
		}
		r.leader = next
	case <-time.After(r.wait):
		r.wait = min(r.wait*2, longWait)
	case <-ctx.Done():
		return true, nil
	}
	return false, nil
}

// started is when the last subscription began.
func (d *Driver) started() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.since
}

func (d *Driver) forget() {
	d.mu.Lock()
	d.addr, d.stream, d.queue = "", "", nil
	d.mu.Unlock()
}

func (d *Driver) subscribe(ctx context.Context, addr string, done func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	info := d.cfg.Framework
	d.mu.Lock()
	info.ID = d.id
	d.mu.Unlock()
	call := &sched.Call{Type: sched.Call_SUBSCRIBE, FrameworkID: info.ID, Subscribe: &sched.Call_Subscribe{FrameworkInfo: &info}}
	resp, addr, err := d.post(ctx, addr, call)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return &ErrorEvent{Message: strings.TrimSpace(string(text))} // as libmesos says it
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("subscribe to %s: %s: %s", addr, resp.Status, strings.TrimSpace(string(text)))
	}
	d.mu.Lock()
	d.addr, d.stream, d.since = addr, resp.Header.Get("Mesos-Stream-Id"), time.Now()
	d.mu.Unlock()
	silence := time.AfterFunc(d.cfg.Silence, func() { cancel(ErrDisconnected) })
	defer silence.Stop()
	reader := bufio.NewReader(resp.Body)
	for {
		data, err := ReadRecord(reader)
		if cause := context.Cause(ctx); errors.Is(cause, ErrDisconnected) {
			return cause
		}
		if err != nil {
			return fmt.Errorf("read events of %s: %w", addr, err)
		}
		silence.Reset(d.cfg.Silence)
		var event sched.Event
		if err := event.Unmarshal(data); err != nil {
			return fmt.Errorf("decode an event of %s: %w", addr, err)
		}
		switch {
		case event.Type == sched.Event_ERROR && event.Error != nil:
			return &ErrorEvent{Message: event.Error.Message}
		case event.Type == sched.Event_SUBSCRIBED && event.Subscribed != nil:
			d.mu.Lock()
			d.id = event.Subscribed.FrameworkID
			d.mu.Unlock()
			done()
		}
		d.cfg.Events(&event)
	}
}

// ReadRecord reads one RecordIO record: decimal length, newline, that many bytes.
func ReadRecord(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < 0 || n > 64<<20 {
		return nil, fmt.Errorf("%q is no record length", line)
	}
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	return data, err
}

// post follows up to three redirects to the leading master and returns the address that answered.
func (d *Driver) post(ctx context.Context, addr string, call *sched.Call) (*http.Response, string, error) {
	body, err := call.Marshal()
	if err != nil {
		return nil, addr, fmt.Errorf("encode a %s call: %w", call.Type, err)
	}
	for range 4 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
		if err != nil {
			return nil, addr, err
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("Accept", "application/x-protobuf")
		req.Header.Set(wire.DriverHeader, "1")
		if d.cfg.Login != nil {
			req.SetBasicAuth(d.cfg.Login.Principal, d.cfg.Login.Secret)
		}
		d.mu.Lock()
		if d.stream != "" && call.Type != sched.Call_SUBSCRIBE {
			req.Header.Set("Mesos-Stream-Id", d.stream)
		}
		d.mu.Unlock()
		resp, err := d.client.Do(req)
		if err != nil {
			return nil, addr, fmt.Errorf("send %s to %s: %w", call.Type, addr, err)
		}
		if resp.StatusCode != http.StatusTemporaryRedirect {
			return resp, addr, nil
		}
		resp.Body.Close()
		to, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || to.Host == "" || to.Host == addr {
			return nil, addr, fmt.Errorf("send %s to %s: redirected to %q", call.Type, addr, resp.Header.Get("Location"))
		}
		addr = to.Host
	}
	return nil, addr, fmt.Errorf("send %s: too many redirects", call.Type)
}

func (d *Driver) sender(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		d.mu.Lock()
		calls, addr, id := d.queue, d.addr, d.id
		d.queue = nil
		d.mu.Unlock()
		if len(calls) == 0 || addr == "" {
			continue
		}
		if err := d.cfg.BeforeSend(); err != nil {
			d.cfg.Log("calls not sent: %v", err)
			return
		}
		for _, call := range calls {
			call.FrameworkID = id
			resp, _, err := d.post(ctx, addr, call)
			if err != nil {
				d.cfg.Log("%v", err)
				continue
			}
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				d.cfg.Log("%s answered %s: %s", call.Type, resp.Status, strings.TrimSpace(string(text)))
			}
		}
	}
}
