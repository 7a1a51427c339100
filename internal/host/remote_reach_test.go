package host

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestAHostIsHiddenWhereSSHReachesItAnotherWay(t *testing.T) {
	s := newSSHD(t)
	assert.False(t, s.remote().Hidden())
	assert.True(t, s.remote(func(o *Options) { o.ClusterAddress = "10.0.0.5" }).Hidden())
	assert.True(t, s.remote(func(o *Options) { o.Jump = s.remote() }).Hidden())

	made := s.remote(func(o *Options) { o.ClusterAddress, o.Address, o.Port, o.User = "10.0.0.5", "203.0.113.7", 22, "admin" })
	assert.Equal(t, "ssh -N -L 8080:10.0.0.5:8080 admin@203.0.113.7", made.Tunnel(8080))
	jump := s.remote(func(o *Options) { o.Address, o.Port, o.User = "203.0.113.1", 2222, "ann" })
	inside := s.remote(func(o *Options) { o.Address, o.Port, o.User, o.Jump = "10.0.0.5", 2022, "admin", jump })
	assert.Equal(t, "ssh -N -L 8080:10.0.0.5:8080 -J ann@203.0.113.1:2222 -p 2022 admin@10.0.0.5", inside.Tunnel(8080))
}

func TestHTTPThroughAHost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		_, _ = w.Write([]byte("got " + string(data)))
	}))
	defer server.Close()
	r := newSSHD(t).remote()
	client := &http.Client{Transport: &http.Transport{DialContext: r.Reach}}
	defer client.CloseIdleConnections()
	body := strings.Repeat("x", 1<<20)
	for range 3 {
		answer, err := client.Post(server.URL, "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		data, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, "got "+body, string(data))
	}
}

func TestADeadlineEndsAReadThroughAHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := newSSHD(t).remote().Reach(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, listener.Addr().String(), conn.RemoteAddr().String())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)

	// What the other end sent before it closed is not lost.
	other, err := listener.Accept()
	require.NoError(t, err)
	_, err = other.Write([]byte("the end"))
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	data, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "the end", string(data))
}

func TestASessionOfZooKeeperThroughAHost(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	r := newSSHD(t).remote()
	conn, _, err := zk.Connect([]string{server.Addr}, 10*time.Second, zk.WithLogInfo(false), zk.WithDialer(func(network, address string, limit time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return r.Reach(ctx, network, address)
	}))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Create("/through", []byte("ssh"), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	data, _, err := conn.Get("/through")
	require.NoError(t, err)
	require.Equal(t, "ssh", string(data))
}

func TestWhatCannotBeReachedThroughAHostIsToldApart(t *testing.T) {
	nobody := testkit.FreeAddr(t, "127.0.0.1")
	_, err := newSSHD(t).remote().Reach(t.Context(), "tcp", nobody)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, err, nobody)

	_, err = newSSHD(t, "AllowTcpForwarding no").remote().Reach(t.Context(), "tcp", nobody)
	var forbidden *ForwardingError
	require.ErrorAs(t, err, &forbidden)
	assert.Contains(t, forbidden.Hint(), "AllowTcpForwarding")
}
