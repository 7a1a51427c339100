// Package zkstate is what Marathon does in ZooKeeper: one session, the election of a leader, and its state.
package zkstate

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/jomctl/jomctl/internal/zkclient"
)

// URL is a parsed zk://user:pass@host:port,host:port/path.
type URL struct {
	Servers []string
	Path    string
	Auth    string // user:pass or empty
}

// ParseURL reads a zk:// address; a path other than / is required.
func ParseURL(s string) (URL, error) {
	bad := fmt.Errorf("%s is not a valid zk url; it should formatted like zk://user:pass@host1:port1,host2:port2/path, or zk://host1:port1,host2:port2/marathon", s)
	rest, ok := strings.CutPrefix(s, "zk://")
	if !ok {
		return URL{}, bad
	}
	auth := ""
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		auth, rest = rest[:at], rest[at+1:]
		if plain, err := url.PathUnescape(auth); err == nil {
			auth = plain
		}
	}
	hosts, dir, ok := strings.Cut(rest, "/")
	if !ok || hosts == "" || strings.Trim(dir, "/") == "" {
		return URL{}, bad
	}
	return URL{Servers: strings.Split(hosts, ","), Path: "/" + strings.Trim(dir, "/"), Auth: auth}, nil
}

// Conn is one ZooKeeper session. Lost is closed when the connection breaks for the first time, without waiting for the end
// of the session, because Marathon ends then.
type Conn struct {
	*zk.Conn
	Lost chan struct{}
	once sync.Once
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// Connect opens a session; it fails when there is none within the timeout.
func Connect(ctx context.Context, u URL, session, timeout time.Duration) (*Conn, error) {
	raw, events, err := zk.Connect(u.Servers, session, zk.WithLogger(silent{}), zk.WithDialer(zkclient.Hasty(net.DialTimeout, session/3)))
	if err != nil {
		return nil, fmt.Errorf("connect to ZooKeeper %s: %w", strings.Join(u.Servers, ","), err)
	}
	c := &Conn{Conn: raw, Lost: make(chan struct{})}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case event := <-events:
			if event.State != zk.StateHasSession {
				continue
			}
			if u.Auth != "" {
				if err := raw.AddAuth("digest", []byte(u.Auth)); err != nil {
					raw.Close()
					return nil, fmt.Errorf("authenticate with ZooKeeper: %w", err)
				}
			}
			go c.watch(events)
			return c, nil
		case <-timer.C:
			raw.Close()
			return nil, fmt.Errorf("connect to ZooKeeper %s: no session within %s", strings.Join(u.Servers, ","), timeout)
		case <-ctx.Done():
			raw.Close()
			return nil, ctx.Err()
		}
	}
}

func (c *Conn) watch(events <-chan zk.Event) {
	for event := range events {
		if event.State == zk.StateDisconnected || event.State == zk.StateExpired {
			break
		}
	}
	c.once.Do(func() { close(c.Lost) })
	for range events {
		continue
	}
}

// MakeDirs creates a node and its parents where they are missing.
func (c *Conn) MakeDirs(dir string) error {
	at := ""
	for _, part := range strings.Split(strings.Trim(dir, "/"), "/") {
		at += "/" + part
		if _, err := c.Create(at, nil, 0, zk.WorldACL(zk.PermAll)); err != nil && err != zk.ErrNodeExists {
			return fmt.Errorf("create %s in ZooKeeper: %w", at, err)
		}
	}
	return nil
}

func join(parts ...string) string { return path.Join(parts...) }
