package testkit

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Free ports lie below those that the kernel gives to outgoing connections and to listeners on port 0 (from 32768), and
// below the task ports of Mesos agents (from 31000), so that nobody takes one between the choice and the start.
const (
	firstPort = 12000
	lastPort  = 30999
	blockSize = 100
)

// ports are this test process's own: no other one chooses from the same block.
var ports = &block{}

type block struct {
	mu    sync.Mutex
	claim net.Listener
	base  int
	next  int
}

// take gives the ports of the block in turn. A port comes again only after all others.
func (b *block) take() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for base := firstPort; b.claim == nil && base <= lastPort; base += blockSize {
		// An abstract socket, like a port, belongs to the network namespace, and it ends with the process.
		if claim, err := net.Listen("unix", fmt.Sprintf("@jomctl-test-ports-%d", base)); err == nil {
			b.claim, b.base = claim, base
		}
	}
	if b.claim == nil {
		return 0, fmt.Errorf("find a free port: all blocks from %d to %d are claimed by other test processes", firstPort, lastPort)
	}
	b.next++
	return b.base + (b.next-1)%blockSize, nil
}

// FreeAddr returns host:port with a port on which nothing listens, and which no other test is given.
func FreeAddr(t testing.TB, host string) string {
	t.Helper()
	var last error
	for range blockSize {
		port, err := ports.take()
		require.NoError(t, err)
		addr := net.JoinHostPort(host, strconv.Itoa(port))
		if last = unused(addr); last == nil {
			return addr
		}
	}
	t.Fatalf("find a free port on %s: %v", host, last)
	return ""
}

// unused says that a program may listen on the address.
func unused(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return listener.Close()
}
