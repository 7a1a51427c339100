package home

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Verdict is what a look at a controller, as a stranger, found.
type Verdict int

// The verdicts.
const (
	// Starting: refused, or 503 while it loads.
	Starting Verdict = iota
	// Secured: it is up and refuses strangers.
	Secured
	// Open: it is up and lets strangers in.
	Open
	// BootFailed: it answers 500 on /login and will never be up.
	BootFailed
)

// guard looks at one controller without credentials.
type guard struct {
	url    string
	client *http.Client
}

func newGuard(url string) guard {
	return guard{url: strings.TrimRight(url, "/"), client: &http.Client{
		Timeout: 10 * time.Second,
		// A redirect to the login page is a refusal; followed, it would look like an open door.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (g guard) status(ctx context.Context, path string) (int, http.Header) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+path, nil)
	if err != nil {
		return 0, nil
	}
	response, err := g.client.Do(request)
	if err != nil {
		return 0, nil
	}
	response.Body.Close()
	return response.StatusCode, response.Header
}

// look asks as a stranger: first whether it is up, then whether it lets a stranger read. Everything that is not a clear
// refusal of an instance that is up counts as open, as the safe mistake is to stop a controller too much.
func (g guard) look(ctx context.Context) Verdict {
	switch login, _ := g.status(ctx, "/login"); {
	case login == 0 || login == http.StatusServiceUnavailable:
		return Starting
	case login == http.StatusInternalServerError:
		return BootFailed
	}
	switch api, _ := g.status(ctx, "/api/json"); {
	case api == http.StatusForbidden || api == http.StatusUnauthorized:
		return Secured
	case api == 0 || api == http.StatusServiceUnavailable:
		return Starting
	default:
		return Open
	}
}

func (g guard) agentPortOpen(ctx context.Context) bool {
	status, header := g.status(ctx, "/tcpSlaveAgentListener/")
	return status == http.StatusOK && header.Get("X-Jenkins-JNLP-Port") != ""
}

// Errors of a controller that must not go on.
var (
	ErrOpen        = errors.New("the controller lets anonymous visitors in: its security is not in force")
	ErrBootFailed  = errors.New("the controller's boot failed: it answers 500 on every path (its log above says why)")
	ErrNoAgentPort = errors.New("the controller has no open agent port, so no build agent can ever connect")
)

// watch looks every interval until the context ends, and returns the first reason to stop the controller.
func (g guard) watch(ctx context.Context, c Controller, interval time.Duration, secured func()) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var since time.Time
	portSeen, told := false, false
	for {
		switch g.look(ctx) {
		case Open:
			if ctx.Err() == nil {
				return ErrOpen
			}
		case BootFailed:
			return ErrBootFailed
		case Secured:
			if !told {
				told, since = true, time.Now()
				secured()
				tick.Reset(10 * interval)
			}
			portSeen = portSeen || g.agentPortOpen(ctx)
			if c.AgentPort && !portSeen && time.Since(since) > c.bootTime() {
				return fmt.Errorf("%w (waited %s)", ErrNoAgentPort, c.bootTime())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
