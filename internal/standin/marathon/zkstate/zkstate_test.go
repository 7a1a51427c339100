package zkstate

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func connect(t *testing.T, addr string) *Conn {
	t.Helper()
	c, err := Connect(context.Background(), URL{Servers: []string{addr}, Path: "/marathon"}, 4*time.Second, 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func closed(ch <-chan struct{}) func(context.Context) bool {
	return func(context.Context) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
}

func TestParseURL(t *testing.T) {
	u, err := ParseURL("zk://u:p@a:1,b:2/some/path")
	require.NoError(t, err)
	assert.Equal(t, URL{Servers: []string{"a:1", "b:2"}, Path: "/some/path", Auth: "u:p"}, u)
	for _, bad := range []string{"a:1/x", "zk://a:1", "zk://a:1/", "http://a:1/x"} {
		_, err := ParseURL(bad)
		assert.ErrorContains(t, err, bad+" is not a valid zk url", bad)
	}
}

func TestBucketsAreMarathons(t *testing.T) {
	// Both were seen in the ZooKeeper of a real Marathon.
	assert.Equal(t, "2", Bucket("ha_web"))
	assert.Equal(t, "b", Bucket("id"))
	assert.Equal(t, "2", Bucket("root"))
}

func TestZooKeeper(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	t.Run("the next in line leads when the leader goes", func(t *testing.T) {
		one, two := connect(t, z.Addr), connect(t, z.Addr)
		first, err := Join(one, "/a", "127.0.0.1:1")
		require.NoError(t, err)
		testkit.Eventually(t, time.Minute, "the first leads", closed(first.Won()))
		second, err := Join(two, "/a", "127.0.0.1:2")
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1:1", second.Leader())
		assert.False(t, closed(second.Won())(context.Background()))
		first.Resign()
		testkit.Eventually(t, time.Minute, "the second leads", closed(second.Won()))
		testkit.Eventually(t, time.Minute, "the first knows", closed(first.Lost()))
		names, _, err := two.Children("/a/leader-curator")
		require.NoError(t, err)
		require.Len(t, names, 1)
		assert.Regexp(t, `^_c_[0-9a-f-]{36}-latch-0000000001$`, names[0])
	})
	t.Run("the same id twice is refused", func(t *testing.T) {
		_, err := Join(connect(t, z.Addr), "/b", "127.0.0.1:1")
		require.NoError(t, err)
		_, err = Join(connect(t, z.Addr), "/b", "127.0.0.1:1")
		assert.ErrorIs(t, err, ErrSameID)
	})
	t.Run("records survive and go", func(t *testing.T) {
		conn := connect(t, z.Addr)
		s := OpenStore(conn, "/c", func(err error) { t.Error(err) })
		s.Put("apps", "ha_web", []byte("one"))
		s.Put("apps", "ha_web/v1", []byte("old"))
		s.Put("apps", "gone", []byte("x"))
		require.NoError(t, s.Flush())
		s.Delete("apps", "gone")
		s.Put("apps", "ha_web", []byte("two"))
		require.NoError(t, s.Flush())
		again := OpenStore(connect(t, z.Addr), "/c", func(err error) { t.Error(err) })
		got, err := again.Load("apps")
		require.NoError(t, err)
		assert.Equal(t, map[string][]byte{"ha_web": []byte("two"), "ha_web/v1": []byte("old")}, got)
		again.Put("apps", "ha_web", []byte("three"))
		require.NoError(t, again.Flush())
		data, _, err := conn.Get("/c/state/apps/2/ha_web")
		require.NoError(t, err)
		assert.Equal(t, "three", string(data))
	})
	t.Run("the framework id is the protobuf message of Marathon", func(t *testing.T) {
		conn := connect(t, z.Addr)
		s := OpenStore(conn, "/d", func(err error) { t.Error(err) })
		id, err := s.FrameworkID()
		require.NoError(t, err)
		assert.Empty(t, id)
		want := "f52118d0-b2b6-42f0-aa48-93753415b1b0-0000"
		require.NoError(t, s.SetFrameworkID(want))
		data, _, err := conn.Get("/d/state/framework-id/b/id")
		require.NoError(t, err)
		assert.Equal(t, "\n)"+want, string(data))
		id, err = s.FrameworkID()
		require.NoError(t, err)
		assert.Equal(t, want, id)
	})
	t.Run("a broken connection is told at once", func(t *testing.T) {
		conn := connect(t, z.Addr)
		z.Kill()
		testkit.Eventually(t, time.Minute, "the loss is told", closed(conn.Lost))
	})
}

func TestConnectFailsInTime(t *testing.T) {
	_, err := Connect(context.Background(), URL{Servers: []string{testkit.FreeAddr(t, "127.0.0.1")}}, time.Second, 200*time.Millisecond)
	assert.ErrorContains(t, err, "no session within")
}
