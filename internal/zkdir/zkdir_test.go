package zkdir_test

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/internal/zkdir"
)

func TestMake(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	conn, _, err := zk.Connect([]string{server.Addr}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	for _, dir := range []string{"/", "/a", "/a/b/c", "/a/b/c", "/a/b/d"} {
		require.NoError(t, zkdir.Make(conn, dir), dir)
	}
	names, _, err := conn.Children("/a/b")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"c", "d"}, names)

	_, err = conn.Set("/a/b/c", []byte("kept"), -1)
	require.NoError(t, err)
	require.NoError(t, zkdir.Make(conn, "/a/b/c"))
	data, _, err := conn.Get("/a/b/c")
	require.NoError(t, err)
	require.Equal(t, "kept", string(data))

	require.ErrorIs(t, zkdir.Make(conn, "no/absolute/path"), zk.ErrInvalidPath)
}
