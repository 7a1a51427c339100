// Package jenkins is the client of the controller (gojenkins, with its faults fenced in, and what gojenkins lacks), the
// rendering of the Mesos cloud in both forms that the plugin reads, the first files of a home, and the proof that
// builds really run on Mesos.
package jenkins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	callTimeout = 20 * time.Second
	maxBody     = 32 << 20
)

// Client talks to one controller. It is safe for use by several goroutines.
type Client struct {
	base     string
	user     string
	password string
	// http follows no redirects: a 302 is how Jenkins says that a POST has worked.
	http *http.Client

	mu    sync.Mutex
	crumb crumb
}

type crumb struct {
	Field string `json:"crumbRequestField"`
	Value string `json:"crumb"`
	known bool
}

// New returns a client of the controller at base (http://host:port/prefix). password may be an API token; with an
// empty user everything is asked anonymously.
func New(base, user, password string) *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it cannot fail without options
	}
	return &Client{
		base: strings.TrimRight(base, "/"), user: user, password: password,
		http: &http.Client{
			Timeout:       callTimeout,
			Jar:           jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				MaxIdleConnsPerHost: 4,
				IdleConnTimeout:     10 * time.Second,
			},
		},
	}
}

// Through makes the client's connections by dial instead of directly, for a controller that cannot be reached from here. It must be called
// before the first request.
func (c *Client) Through(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	if dial != nil {
		c.http.Transport.(*http.Transport).DialContext = dial
	}
	return c
}

// Base is the URL that the client was made with, without a slash at its end.
func (c *Client) Base() string { return c.base }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is a failed call: what was attempted on which controller, and the cause.
type Error struct {
	Op    string
	On    string
	Cause error
}

func (e *Error) Error() string { return fmt.Sprintf("%s on %s: %v", e.Op, e.On, e.Cause) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint says what to do next, where that is known.
func (e *Error) Hint() string {
	var status *StatusError
	switch {
	case errors.As(e.Cause, &status) && status.Code == http.StatusUnauthorized:
		return "the user or the password is wrong; jenkins.admin in cluster.yaml says where the password is kept"
	case errors.As(e.Cause, &status) && status.Code == http.StatusForbidden:
		return "the user lacks the permission " + status.Permission
	case errors.As(e.Cause, &status) && status.Code == http.StatusServiceUnavailable:
		return "the controller is starting; wait until it is up"
	}
	return ""
}

// StatusError is an answer of Jenkins that is not a success.
type StatusError struct {
	Method string
	Path   string
	Code   int
	// Text is the header X-Error, or the title of the page.
	Text string
	// Permission is what a 403 says is needed.
	Permission string
}

func (e *StatusError) Error() string {
	text := e.Text
	if text == "" {
		text = http.StatusText(e.Code)
	}
	return fmt.Sprintf("%s %s: HTTP %d: %s", e.Method, e.Path, e.Code, text)
}

// IsNotFound says that the object does not exist.
func IsNotFound(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// IsConflict says that the object is in a state that does not allow what was asked for, as a disabled job.
func IsConflict(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusConflict
}

func (c *Client) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, On: c.base, Cause: err}
}

// reply is an answer with its whole body.
type reply struct {
	code   int
	header http.Header
	body   []byte
}

type call struct {
	method      string
	path        string // with query
	contentType string
	body        string
	anonymous   bool
	// anyStatus returns every status as a reply and not as an error.
	anyStatus bool
}

// do makes one call. A POST carries a crumb of this session; when Jenkins does not know the crumb (it has been
// restarted) the call is made once more with a new one.
func (c *Client) do(ctx context.Context, r call) (reply, error) {
	answer, err := c.once(ctx, r)
	if err == nil && r.method == http.MethodPost && answer.code == http.StatusForbidden && noCrumb(answer.body) {
		c.forgetCrumb()
		answer, err = c.once(ctx, r)
	}
	if err != nil || r.anyStatus {
		return answer, err
	}
	return answer, judge(r, answer)
}

func noCrumb(body []byte) bool { return strings.Contains(string(body), "No valid crumb") }

func judge(r call, answer reply) error {
	if answer.code < 400 && (answer.code < 300 || r.method == http.MethodPost) {
		return nil
	}
	path, _, _ := strings.Cut(r.path, "?")
	status := &StatusError{Method: r.method, Path: path, Code: answer.code, Permission: answer.header.Get("X-Required-Permission")}
	status.Text = answer.header.Get("X-Error")
	if status.Text == "" {
		status.Text = title(answer.body)
	}
	return status
}

func (c *Client) once(ctx context.Context, r call) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, strings.NewReader(r.body))
	if err != nil {
		return reply{}, err
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if !r.anonymous {
		if err := c.dress(req); err != nil {
			return reply{}, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return reply{}, fmt.Errorf("read the answer to %s %s: %w", r.method, r.path, err)
	}
	return reply{code: resp.StatusCode, header: resp.Header, body: body}, nil
}

// dress adds credentials, and the crumb to a POST.
func (c *Client) dress(req *http.Request) error {
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	if req.Method != http.MethodPost {
		return nil
	}
	crumb, err := c.getCrumb(req.Context())
	if err != nil {
		return fmt.Errorf("get a crumb: %w", err)
	}
	if crumb.Field != "" {
		req.Header.Set(crumb.Field, crumb.Value)
	}
	return nil
}

// getCrumb asks for the crumb of this session, which the cookie jar keeps, once.
func (c *Client) getCrumb(ctx context.Context) (crumb, error) {
	c.mu.Lock()
	have := c.crumb
	c.mu.Unlock()
	if have.known {
		return have, nil
	}
	r := call{method: http.MethodGet, path: "/crumbIssuer/api/json", anyStatus: true}
	answer, err := c.do(ctx, r)
	if err != nil {
		return crumb{}, err
	}
	fresh := crumb{known: true}
	if answer.code != http.StatusNotFound { // 404: crumbs are off
		if err := judge(r, answer); err != nil {
			return crumb{}, err
		}
		if err := json.Unmarshal(answer.body, &fresh); err != nil {
			return crumb{}, fmt.Errorf("not a crumb: %w", err)
		}
	}
	c.mu.Lock()
	c.crumb = fresh
	c.mu.Unlock()
	return fresh, nil
}

func (c *Client) forgetCrumb() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crumb = crumb{}
}

func (c *Client) getJSON(ctx context.Context, path string, out any) (reply, error) {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path})
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(answer.body, out); err != nil {
		return answer, fmt.Errorf("GET %s: not the JSON that was expected: %w", path, err)
	}
	return answer, nil
}

func (c *Client) post(ctx context.Context, path string, form url.Values) (reply, error) {
	r := call{method: http.MethodPost, path: path}
	if form != nil {
		r.contentType, r.body = "application/x-www-form-urlencoded", form.Encode()
	}
	return c.do(ctx, r)
}

func title(body []byte) string {
	_, rest, found := strings.Cut(string(body), "<title>")
	if !found {
		return ""
	}
	text, _, _ := strings.Cut(rest, "</title>")
	return strings.TrimSpace(text)
}
