package zkclient_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/internal/zkclient"
)

func TestMakeDir(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	conn, _, err := zk.Connect([]string{server.Addr}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	for _, dir := range []string{"/", "/a", "/a/b/c", "/a/b/c", "/a/b/d"} {
		require.NoError(t, zkclient.MakeDir(conn, dir), dir)
	}
	names, _, err := conn.Children("/a/b")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"c", "d"}, names)

	_, err = conn.Set("/a/b/c", []byte("kept"), -1)
	require.NoError(t, err)
	require.NoError(t, zkclient.MakeDir(conn, "/a/b/c"))
	data, _, err := conn.Get("/a/b/c")
	require.NoError(t, err)
	require.Equal(t, "kept", string(data))

	require.ErrorIs(t, zkclient.MakeDir(conn, "no/absolute/path"), zk.ErrInvalidPath)
}

// A server that takes connections and never answers costs no more than the limit, also where it is asked again and again.
func TestHasty(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	asked := make(chan net.Conn, 100)
	go func() {
		for {
			conn, err := mute.Accept()
			if err != nil {
				return
			}
			asked <- conn
		}
	}()
	for len(asked) == 0 { // the library begins with any of the two
		conn, _, err := zk.Connect([]string{mute.Addr().String(), server.Addr}, 10*time.Second, zk.WithLogInfo(false), zk.WithDialer(zkclient.Hasty(net.DialTimeout, 3*time.Second)))
		require.NoError(t, err)
		testkit.Eventually(t, 50*time.Second, "there is a session", func(context.Context) bool { return conn.State() == zk.StateHasSession })
		_, _, err = conn.Get("/zookeeper")
		require.NoError(t, err)
		conn.Close()
	}
}
