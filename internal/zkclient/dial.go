// Package zkclient adds to the library for ZooKeeper what it leaves out.
package zkclient

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// Hasty gives a server so long to greet. The library alone waits for more than six session timeouts for a server that takes a connection
// and says nothing, as one that is stopped or starts does, before it asks the next one.
func Hasty(dial zk.Dialer, limit time.Duration) zk.Dialer {
	return func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := dial(network, address, timeout)
		if err != nil {
			return nil, err
		}
		return &hasty{Conn: conn, limit: limit}, nil
	}
}

type hasty struct {
	net.Conn
	limit   time.Duration
	greeted atomic.Bool
}

// Read notes the greeting.
func (h *hasty) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if n > 0 {
		h.greeted.Store(true)
	}
	return n, err
}

// SetReadDeadline is sooner than asked for until the greeting.
func (h *hasty) SetReadDeadline(at time.Time) error {
	if soon := time.Now().Add(h.limit); !h.greeted.Load() && soon.Before(at) {
		at = soon
	}
	return h.Conn.SetReadDeadline(at)
}
