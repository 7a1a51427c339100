package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	marathon "github.com/gambol99/go-marathon"

	"github.com/jomctl/jomctl/internal/pause"
)

// Marathon is go-marathon with its faults fenced in. URLs are the base URLs of the Marathons, or the one of the edge.
// Calls go through standbys to the leader by themselves.
type Marathon struct {
	URLs []string
	// Dial leads to the Marathons; nil is the direct way.
	Dial Dial
	// Login, where set, is asked at each call for the user and the password; no user means that Marathon asks for none.
	Login func() (user, password string, err error)
	// Mesos, where set, lets waits and errors show sandbox logs and what the agents have.
	Mesos *Mesos
	// Patience is how long a call goes on while Marathon is down; 0 means 20 s (the leader's session takes 10 s to
	// expire, its successor a moment to start).
	Patience time.Duration
	// Tick is how often WaitDeployed looks; 0 means 1 s.
	Tick time.Duration
}

const marathonPatience = 20 * time.Second

// LockedError says that a deployment holds the app.
type LockedError struct {
	Deployments []string
}

func (e *LockedError) Error() string {
	return "the app is locked by deployment " + strings.Join(e.Deployments, ", ")
}

// Hint says what to do next.
func (e *LockedError) Hint() string {
	return "wait until that deployment ends; one that never ends can be taken back with DELETE /v2/deployments/ID"
}

// fence is the only way from the library to the network. The library has no contexts, keeps the reason of a 5xx to
// itself, sends a POST again to the next member after an error, and probes a failed member for ever; so each client
// gets one member, the caller's context, and a record of what was answered, and its probes are told that all is well.
type fence struct {
	ctx   context.Context
	inner http.RoundTripper
	// ping lets a /ping through that is not a probe.
	ping bool
	// body and query replace what the library would send (it cannot express all that Marathon knows).
	body  []byte
	query string

	mu   sync.Mutex
	last reply
	err  error
}

func (f *fence) RoundTrip(r *http.Request) (*http.Response, error) {
	if !f.ping && strings.HasSuffix(r.URL.Path, "/ping") {
		return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	r = r.Clone(f.ctx)
	if f.body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(f.body)), int64(len(f.body))
		r.GetBody = nil
	}
	if f.query != "" {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&"+f.query, "&")
	}
	resp, err := f.inner.RoundTrip(r)
	if err != nil {
		f.record(reply{url: r.URL.String()}, err)
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	_ = resp.Body.Close()
	f.record(reply{code: resp.StatusCode, header: resp.Header, body: body, url: r.URL.String()}, err)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func (f *fence) record(answer reply, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.err = answer, err
}

// cause is the true reason behind an error of the library.
func (f *fence) cause(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if f.last.code >= 500 {
		return &StatusError{Method: "call", URL: f.last.url, Code: f.last.code, Body: string(f.last.body)}
	}
	return classify(err, f.last)
}

// classify gives the library's error codes the package's own errors.
func classify(err error, last reply) error {
	var api *marathon.APIError
	if !errors.As(err, &api) {
		return err
	}
	switch api.ErrCode {
	case marathon.ErrCodeNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, api.Error())
	case marathon.ErrCodeAppLocked:
		return lockedBy(last.body)
	}
	if last.code == http.StatusBadRequest || last.code == http.StatusUnauthorized {
		// The library drops the details of a 400, and a 401 is a page of HTML.
		return &StatusError{Method: "call", URL: last.url, Code: last.code, Body: string(last.body)}
	}
	return err
}

// attempt is one call and what has to be known to try it again.
type attempt struct {
	what string
	on   string
	// setup, where set, prepares the fence.
	setup func(*fence)
	call  func(marathon.Marathon) error
	// done, where set, is asked before a second try whether the first one has worked in spite of its error.
	done func() (bool, error)
}

// run tries every URL until one answers, and goes on for Patience while Marathon is down.
func (m Marathon) run(ctx context.Context, a attempt) error {
	if len(m.URLs) == 0 {
		return failed(a.what, a.on, errors.New("no Marathon is known"))
	}
	patience := m.Patience
	if patience == 0 {
		patience = marathonPatience
	}
	deadline := time.Now().Add(patience)
	for {
		var down []error
		for _, base := range m.URLs {
			err := m.one(ctx, base, a)
			if err == nil {
				return nil
			}
			if !transient(err) || ctx.Err() != nil {
				return failed(a.what, a.on, err)
			}
			down = append(down, err)
			if a.done != nil {
				if ok, err := a.done(); ok && err == nil {
					return nil
				}
			}
		}
		err := errors.Join(down...)
		if time.Now().After(deadline) {
			if patience >= time.Second { // else nobody has waited for it
				err = fmt.Errorf("Marathon has been down for %s: %w", patience, err)
			}
			return &Error{Op: a.what, On: a.on, Cause: err,
				Next: "look at Marathon's log; it ends itself when it loses ZooKeeper or its leadership and has to be started again"}
		}
		if stop := pause.For(ctx, retryPause); stop != nil {
			return failed(a.what, a.on, fmt.Errorf("%w (%w)", err, stop))
		}
	}
}

// loginError is a password that cannot be read: nothing that waiting would change.
type loginError struct{ error }

// Unwrap returns why.
func (e *loginError) Unwrap() error { return e.error }

func (m Marathon) login() (user, password string, err error) {
	if m.Login == nil {
		return "", "", nil
	}
	user, password, err = m.Login()
	if err != nil {
		return "", "", &loginError{fmt.Errorf("the password of Marathon: %w", err)}
	}
	return user, password, nil
}

// one makes the call once, with a client of its own: a client that has seen a failure refuses all calls for 5 s.
func (m Marathon) one(ctx context.Context, base string, a attempt) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	client := newHTTP(m.Dial)
	defer client.CloseIdleConnections()
	f := &fence{ctx: ctx, inner: client.Transport}
	if a.setup != nil {
		a.setup(f)
	}
	user, password, err := m.login()
	if err != nil {
		return err
	}
	config := marathon.NewDefaultConfig()
	config.URL = withScheme(base)
	config.EventsTransport = marathon.EventsTransportSSE
	config.HTTPBasicAuthUser, config.HTTPBasicPassword = user, password
	config.HTTPClient = &http.Client{Transport: f}
	config.HTTPSSEClient = config.HTTPClient
	library, err := marathon.NewClient(config)
	if err != nil {
		return err
	}
	if err := a.call(library); err != nil {
		return f.cause(err)
	}
	return nil
}

// transient errors are those of a Marathon that is away or between two leaders.
func transient(err error) bool {
	if errors.Is(err, marathon.ErrMarathonDown) {
		return true
	}
	if unreadable := (*loginError)(nil); errors.As(err, &unreadable) {
		return false
	}
	var status *StatusError
	if errors.As(err, &status) {
		// 500 with this text is how Marathon says 404 for a path; it would not help to ask again.
		return status.Code >= 500 && !strings.Contains(status.Body, "URI not found")
	}
	var api *marathon.APIError
	return !errors.As(err, &api) && !errors.Is(err, ErrNotFound) && !isLocked(err) && !isDecode(err)
}

func isLocked(err error) bool {
	var locked *LockedError
	return errors.As(err, &locked)
}

// isDecode knows the library's only error about a 2xx answer that it cannot read.
func isDecode(err error) bool { return strings.Contains(err.Error(), "failed to unmarshal") }
