package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	callTimeout  = 10 * time.Second
	maxBody      = 64 << 20
	maxRedirects = 5
)

// StatusError is an HTTP answer that is not a success.
type StatusError struct {
	Method string
	URL    string
	Code   int
	Body   string
}

func (e *StatusError) Error() string {
	text := firstLine(e.Body)
	if text == "" {
		text = http.StatusText(e.Code)
	}
	return fmt.Sprintf("%s %s: HTTP %d: %s", e.Method, e.URL, e.Code, text)
}

// Hint says what to do about a refused login.
func (e *StatusError) Hint() string {
	if e.Code != http.StatusUnauthorized {
		return ""
	}
	return "the user or the password in the cluster file is not the one that is in force; `jomctl install` puts that of the file in force"
}

// Dial makes a TCP connection to an address of the cluster, as net.Dialer.DialContext does. nil is the direct way; another one leads to
// addresses that cannot be reached from here, for example through SSH.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// within is the way, the direct one with a limit of time.
func (d Dial) within(limit time.Duration) Dial {
	if d != nil {
		return d
	}
	return (&net.Dialer{Timeout: limit}).DialContext
}

// newHTTP returns a client that neither follows redirects nor uses a proxy of the environment: the addresses of a
// cluster are meant literally, and a redirect of POST has to stay a POST.
func newHTTP(dial Dial) *http.Client {
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           dial.within(3 * time.Second),
			MaxIdleConnsPerHost:   2,
			IdleConnTimeout:       10 * time.Second,
			ResponseHeaderTimeout: callTimeout,
		},
	}
}

type request struct {
	method string
	url    string
	// contentType and body are empty for a GET.
	contentType string
	body        []byte
}

// reply is an answer with its whole body.
type reply struct {
	code   int
	header http.Header
	body   []byte
	url    string
}

// send makes one request and follows 307 with the method and body kept. Mesos answers with a scheme-relative
// Location, and a master that sees its own dead session redirects to itself, hence the limit.
func send(ctx context.Context, client *http.Client, r request) (reply, error) {
	target := r.url
	for range maxRedirects {
		answer, err := sendOnce(ctx, client, r, target)
		if err != nil {
			return reply{}, err
		}
		if answer.code != http.StatusTemporaryRedirect {
			return answer, nil
		}
		base, err := url.Parse(target)
		if err != nil {
			return reply{}, err
		}
		next, err := base.Parse(answer.header.Get("Location"))
		if err != nil {
			return reply{}, fmt.Errorf("redirect of %s: %w", target, err)
		}
		if next.String() == target {
			return reply{}, fmt.Errorf("%s redirects to itself: %w", target, ErrNoLeader)
		}
		target = next.String()
	}
	return reply{}, fmt.Errorf("%s: more than %d redirects: %w", r.url, maxRedirects, ErrNoLeader)
}

func sendOnce(ctx context.Context, client *http.Client, r request, target string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Accept", "application/json")
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return reply{}, fmt.Errorf("read the answer of %s: %w", target, err)
	}
	return reply{code: resp.StatusCode, header: resp.Header, body: body, url: target}, nil
}

// body is an answer as it came, for decode.
type body []byte

// decode turns a 2xx answer into out (nil: not wanted) and everything else into a *StatusError.
func decode(method string, answer reply, out any) error {
	if answer.code < 200 || answer.code > 299 {
		return &StatusError{Method: method, URL: answer.url, Code: answer.code, Body: string(answer.body)}
	}
	if out == nil {
		return nil
	}
	if plain, is := out.(*body); is {
		*plain = answer.body
		return nil
	}
	if err := json.Unmarshal(answer.body, out); err != nil {
		return fmt.Errorf("%s %s: not the JSON that was expected: %w", method, answer.url, err)
	}
	return nil
}

// withScheme makes a base URL without a trailing slash of host:port or of a URL.
func withScheme(address string) string {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	return strings.TrimRight(address, "/")
}
