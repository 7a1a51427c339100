package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Sender tells somebody.
type Sender interface {
	Send(ctx context.Context, a Alert) error
}

const (
	commandTime = 30 * time.Second
	webhookTime = 10 * time.Second
	// tries is how often a webhook is asked to take an alert; the pauses between them double from firstPause.
	tries      = 5
	firstPause = time.Second
)

// Command runs a command line of the shell for each alert, which is JSON on its stdin.
type Command struct{ Line string }

var _ Sender = Command{}

// Send runs the command to its end, which may take 30 s.
func (c Command) Send(ctx context.Context, a Alert) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.Line)
	cmd.Stdin = bytes.NewReader(append(data, '\n'))
	// What the command has started must not outlive it, and not keep it from ending.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		// Not wrapped: its exit code is not that of this program.
		return fmt.Errorf("running the alert command: %v: %.300s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Webhook posts each alert as JSON.
type Webhook struct {
	URL string
	// Pause is the first pause between two tries; 0 means a second.
	Pause time.Duration
}

var _ Sender = Webhook{}

// Send posts the alert until it is taken, five times at most. Errors do not show the URL, which may be a secret.
func (h Webhook) Send(ctx context.Context, a Alert) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	pause := h.Pause
	if pause == 0 {
		pause = firstPause
	}
	for try := 1; ; try++ {
		again, err := h.post(ctx, data)
		if err == nil {
			return nil
		}
		if !again || try == tries {
			return fmt.Errorf("posting the alert to the webhook (%d tries): %w", try, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("posting the alert to the webhook: %w", err)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// stillPosts follows a redirect that keeps the alert. The others turn the POST into a GET without it, whose answer says nothing.
func stillPosts(next *http.Request, before []*http.Request) error {
	if next.Method != http.MethodPost || len(before) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// post tries once; again says that another try may help.
func (h Webhook) post(ctx context.Context, data []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, webhookTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(data))
	if err != nil {
		return false, errors.New("its URL is not one")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "jomctl")
	client := http.Client{CheckRedirect: stillPosts}
	response, err := client.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err
		}
		return true, err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return false, nil
	case code >= 300 && code < 400:
		return false, fmt.Errorf("HTTP %d: it has moved to where a POST is not asked for; name its new address", code)
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		again = true
	}
	return again, fmt.Errorf("HTTP %d: %s", response.StatusCode, strings.TrimSpace(string(text)))
}
