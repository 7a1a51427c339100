package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

func post(ctx context.Context, client *http.Client, url string, message any) error {
	response, err := open(ctx, client, url, message)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("post to %s: %s", url, response.Status)
	}
	return nil
}

func open(ctx context.Context, client *http.Client, url string, message any) (*http.Response, error) {
	content, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return client.Do(request)
}

// newClient talks from the agent's own address, which is where the master sees it, and follows no redirects by itself.
func newClient(ip string, login *login) *http.Client {
	from := &net.TCPAddr{IP: net.ParseIP(ip)}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialer := net.Dialer{Timeout: 5 * time.Second, LocalAddr: from}
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil && from.IP != nil && strings.Contains(err.Error(), "invalid argument") {
			// A loopback address cannot reach a master outside, nor the other way round.
			dialer.LocalAddr = nil
			return dialer.DialContext(ctx, network, addr)
		}
		return conn, err
	}
	return &http.Client{
		Transport:     login.on(&http.Transport{DialContext: dial, MaxIdleConnsPerHost: 4}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func next(records *wire.RecordReader, into *wire.ToAgent) error {
	content, err := records.Next()
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}
