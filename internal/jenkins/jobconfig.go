package jenkins

import (
	"context"
	"net/http"
	"net/url"
)

// JobConfig is the config.xml of a job as the controller has it now.
func (c *Client) JobConfig(ctx context.Context, name string) (string, error) {
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/job/" + url.PathEscape(name) + "/config.xml"})
	return string(answer.body), c.failed("read the configuration of job "+name, err)
}
