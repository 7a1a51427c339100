// Package health makes the checks that Marathon makes itself: HTTP, HTTPS and TCP.
package health

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Target is what a check asks.
type Target struct {
	Protocol  string // HTTP, HTTPS or TCP
	Host      string
	Port      int
	Path      string
	Timeout   time.Duration
	Ignore1xx bool
}

// Result is the answer to one check. Ignored results count neither way.
type Result struct {
	OK, Ignored bool
	Cause       string
	Status      int
	ContentType string
	Body        string
}

// Every calls the check first after min(interval, 5 s), then every interval, until the context ends.
func Every(ctx context.Context, interval time.Duration, check func()) {
	interval = max(interval, 10*time.Millisecond)
	timer := time.NewTimer(min(interval, 5*time.Second))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(interval)
			check()
		}
	}
}

// Probe asks once.
func Probe(ctx context.Context, t Target) Result {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	addr := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	if t.Protocol == "TCP" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return Result{Cause: cause(err)}
		}
		conn.Close()
		return Result{OK: true}
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // Marathon does not verify either
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	path := t.Path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ToLower(t.Protocol)+"://"+addr+path, nil)
	if err != nil {
		return Result{Cause: err.Error()}
	}
	resp, err := client.Do(req)
	if err != nil {
		return Result{Cause: cause(err)}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 10000))
	result := Result{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: string(body)}
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 400:
		result.OK = true
	case resp.StatusCode < 200 && t.Ignore1xx:
		result.Ignored = true
	default:
		result.Cause = resp.Status
	}
	return result
}

func cause(err error) string {
	if strings.Contains(err.Error(), "connection refused") {
		return "ConnectionAttemptFailed"
	}
	return err.Error()
}
