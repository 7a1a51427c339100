package jenkins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// QuietDown lets nothing new start. What runs goes on; builds, jobs and settings are still accepted. It is forgotten
// at a restart. The message is shown to users.
func (c *Client) QuietDown(ctx context.Context, message string) error {
	_, err := c.post(ctx, "/quietDown", url.Values{"message": {message}})
	return c.failed("quiet the controller down", err)
}

// CancelQuietDown ends quiet mode, and a restart that waits for builds.
func (c *Client) CancelQuietDown(ctx context.Context) error {
	_, err := c.post(ctx, "/cancelQuietDown", nil)
	return c.failed("end quiet mode", err)
}

// SafeRestart restarts when nothing runs any more. With the lifecycle of the container image that ends the process
// with exit code 5, and Marathon starts it again.
func (c *Client) SafeRestart(ctx context.Context, message string) error {
	_, err := c.post(ctx, "/safeRestart", url.Values{"message": {message}})
	return c.failed("ask for a safe restart", err)
}

// Exit ends the process at once; with safe only after the running builds. Running freestyle builds may vanish.
func (c *Client) Exit(ctx context.Context, safe bool) error {
	path := "/exit"
	if safe {
		path = "/safeExit"
	}
	_, err := c.post(ctx, path, nil)
	var network net.Error
	if !safe && errors.As(err, &network) && !network.Timeout() {
		// The answer may be lost with the process; whether it was is the next question's business.
		if c.State(ctx).Phase == PhaseRefused {
			return nil
		}
	}
	return c.failed("ask the controller to end", err)
}

// Reload reads all of the home's configuration from disk again; session and queue stay.
func (c *Client) Reload(ctx context.Context) error {
	_, err := c.post(ctx, "/reload", nil)
	return c.failed("reload the configuration from disk", err)
}

// CascCheck asks the JCasC plugin of the running controller what is wrong with a YAML; none means nothing found. It
// finds unknown attributes and missing required ones, not 0/0 executors or an idle time of 0.
func (c *Client) CascCheck(ctx context.Context, yaml []byte) ([]string, error) {
	r := call{method: http.MethodPost, path: "/configuration-as-code/check", contentType: "text/plain", body: string(yaml), anyStatus: true}
	answer, err := c.do(ctx, r)
	if err != nil {
		return nil, c.failed("check the JCasC file", err)
	}
	if answer.code != http.StatusBadRequest {
		if err := judge(r, answer); err != nil {
			return nil, c.failed("check the JCasC file", err)
		}
	}
	var found []json.RawMessage
	if err := json.Unmarshal(answer.body, &found); err != nil {
		return nil, c.failed("check the JCasC file", fmt.Errorf("not a list of problems: %w", err))
	}
	var problems []string
	for _, item := range found {
		problems = append(problems, problem(item))
	}
	return problems, nil
}

func problem(item json.RawMessage) string {
	var text string
	if json.Unmarshal(item, &text) == nil {
		return text
	}
	var object struct {
		Line    any    `json:"line"`
		Message string `json:"message"`
		Warning string `json:"warning"`
	}
	if json.Unmarshal(item, &object) == nil && object.Message+object.Warning != "" {
		text = object.Message + object.Warning
		if object.Line != nil {
			text = fmt.Sprintf("line %v: %s", object.Line, text)
		}
		return text
	}
	return string(item)
}

// CascReload applies the JCasC file on disk. Jenkins is silent about failures: read back what must be there.
func (c *Client) CascReload(ctx context.Context) error {
	_, err := c.post(ctx, "/configuration-as-code/reload", nil)
	return c.failed("apply the JCasC file", err)
}

// CascExport returns the running configuration as JCasC YAML.
func (c *Client) CascExport(ctx context.Context) (string, error) {
	answer, err := c.post(ctx, "/configuration-as-code/export", nil)
	return strings.TrimSpace(string(answer.body)), c.failed("export the configuration", err)
}
