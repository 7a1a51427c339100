package scheduler

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
	"github.com/jomctl/jomctl/internal/standin/marathon/zkstate"
	"github.com/jomctl/jomctl/internal/testkit"
)

const patience = time.Minute

type watched struct {
	mu     sync.Mutex
	events []*sched.Event
	driver *Driver
	ended  chan error
}

func (w *watched) count(kind sched.Event_Type) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func (w *watched) err(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		t.Fatal("the driver does not end")
		return nil
	}
}

// drive runs a driver until the end of the test.
func drive(t *testing.T, master string, silence time.Duration, before func() error) *watched {
	t.Helper()
	w := &watched{ended: make(chan error, 1)}
	w.driver = New(Config{Master: master, Framework: mesos.FrameworkInfo{User: "u", Name: "n"}, Silence: silence, Session: 3 * time.Second, BeforeSend: before,
		Log: func(string, ...any) {}, Events: func(e *sched.Event) {
			w.mu.Lock()
			w.events = append(w.events, e)
			w.mu.Unlock()
		}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		w.ended <- w.driver.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return w
}

func nothing() error { return nil }

func serve(t *testing.T) (*fakemesos.Mesos, *httptest.Server) {
	t.Helper()
	m := fakemesos.New(fakemesos.Agent{Host: "127.0.0.1", CPUs: 1, Mem: 100, PortLow: 31000, PortHigh: 31001})
	server := httptest.NewServer(m.Handler())
	t.Cleanup(func() { m.Close(); server.CloseClientConnections(); server.Close() })
	return m, server
}

func TestCallsGoOutInOrderAfterWhatTheySayIsStored(t *testing.T) {
	m, server := serve(t)
	var mu sync.Mutex
	stored := 0
	w := drive(t, server.URL, time.Minute, func() error { mu.Lock(); defer mu.Unlock(); stored++; return nil })
	testkit.Eventually(t, patience, "an offer", func(context.Context) bool { return w.count(sched.Event_OFFERS) > 0 })
	w.driver.Send(&sched.Call{Type: sched.Call_SUPPRESS, Suppress: &sched.Call_Suppress{}})
	w.driver.Send(&sched.Call{Type: sched.Call_REVIVE, Revive: &sched.Call_Revive{}})
	testkit.Eventually(t, patience, "both calls", func(context.Context) bool {
		return m.Calls(sched.Call_REVIVE) == 1 && m.Calls(sched.Call_SUPPRESS) == 1
	})
	mu.Lock()
	defer mu.Unlock()
	assert.NotZero(t, stored)
}

func TestARedirectIsFollowed(t *testing.T) {
	_, server := serve(t)
	standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Mesos redirects without a scheme.
		w.Header().Set("Location", "//"+strings.TrimPrefix(server.URL, "http://")+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	t.Cleanup(standby.Close)
	w := drive(t, strings.TrimPrefix(standby.URL, "http://"), time.Minute, nothing)
	testkit.Eventually(t, patience, "subscribed at the leader", func(context.Context) bool { return w.count(sched.Event_SUBSCRIBED) == 1 })
}

func TestABrokenStreamIsRenewedUnderTheSameID(t *testing.T) {
	_, server := serve(t)
	w := drive(t, server.URL, time.Minute, nothing)
	testkit.Eventually(t, patience, "subscribed", func(context.Context) bool { return w.count(sched.Event_SUBSCRIBED) == 1 })
	server.CloseClientConnections()
	testkit.Eventually(t, patience, "subscribed again", func(context.Context) bool { return w.count(sched.Event_SUBSCRIBED) == 2 })
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for _, e := range w.events {
		if e.Type == sched.Event_SUBSCRIBED {
			ids = append(ids, e.Subscribed.FrameworkID.Value)
		}
	}
	assert.Equal(t, ids[0], ids[1])
}

func TestAnErrorEventEndsIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		e := sched.Event{Type: sched.Event_ERROR, Error: &sched.Event_Error{Message: "Framework has been removed"}}
		data, _ := e.Marshal()
		fmt.Fprintf(w, "%d\n%s", len(data), data)
	}))
	t.Cleanup(server.Close)
	w := drive(t, server.URL, time.Minute, nothing)
	var fatal *ErrorEvent
	require.ErrorAs(t, w.err(t), &fatal)
	assert.Equal(t, "Framework has been removed", fatal.Message)
}

func TestSilenceIsALostConnection(t *testing.T) {
	_, server := serve(t)
	w := drive(t, server.URL, 200*time.Millisecond, nothing)
	assert.ErrorIs(t, w.err(t), ErrDisconnected)
}

func TestTheLeaderIsFoundInZooKeeperAndItsChangeEndsTheDriver(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	_, server := serve(t)
	conn, err := zkstate.Connect(context.Background(), zkstate.URL{Servers: []string{z.Addr}, Path: "/mesos"}, 4*time.Second, patience)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	w := drive(t, "zk://"+z.Addr+"/mesos", time.Minute, nothing)
	require.NoError(t, conn.MakeDirs("/mesos"))
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	register := func() string {
		// The fields of a real master's node that matter; ip is a little-endian number there.
		node, err := conn.Create("/mesos/json.info_", []byte(fmt.Sprintf(`{"address":{"hostname":"h","ip":%q,"port":%s},"hostname":"h","ip":16777343,"port":%s}`, host, port, port)),
			zk.FlagSequence|zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		require.NoError(t, err)
		return node
	}
	_, err = conn.Create("/mesos/log_replicas", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	first := register()
	testkit.Eventually(t, patience, "subscribed", func(context.Context) bool { return w.count(sched.Event_SUBSCRIBED) == 1 })
	register()
	assert.Never(t, func() bool { return len(w.ended) > 0 }, 50*time.Millisecond, 10*time.Millisecond, "another candidate changes nothing")
	require.NoError(t, conn.Delete(first, -1))
	assert.ErrorIs(t, w.err(t), ErrDisconnected, "the next one leads, though at the same address")
}
