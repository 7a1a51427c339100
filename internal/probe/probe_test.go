package probe

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// world is a cluster of one that says what it is told to.
type world struct {
	booting, noApp, noLeader, foreign atomic.Bool
	running                           atomic.Int32
	zookeeper                         atomic.Pointer[string]
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/"):
		w.marathon(rw, r)
	case r.URL.Path == "/api/v1":
		w.mesos(rw)
	case w.booting.Load():
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(rw, "<title>Starting Jenkins</title>")
	case r.URL.Path == "/login":
		rw.Header().Set("X-Jenkins-Session", "5e55")
	default:
		rw.Header().Set("X-Jenkins", "2.568.2")
		rw.WriteHeader(http.StatusForbidden)
	}
}

func (w *world) marathon(rw http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	switch {
	case user != "u" || password != "p":
		rw.WriteHeader(http.StatusUnauthorized)
	case w.noApp.Load():
		rw.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(rw, `{"message":"App '/ci/jenkins' does not exist"}`)
	default:
		var list []string
		for n := range w.running.Load() {
			list = append(list, `{"id":"t`+strconv.Itoa(int(n))+`","host":"127.0.0.1","state":"TASK_RUNNING","stagedAt":"2026-11-21T07:21:02.941Z"}`)
		}
		_, _ = io.WriteString(rw, `{"tasks":[`+strings.Join(list, ",")+`]}`)
	}
}

func (w *world) mesos(rw http.ResponseWriter) {
	if w.noLeader.Load() {
		rw.Header().Set("Location", "//elsewhere/api/v1")
		rw.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	foreign := ""
	if w.foreign.Load() {
		foreign = `,{"active":true,"framework_info":{"name":"jenkins-ci","id":{"value":"another"}}}`
	}
	_, _ = io.WriteString(rw, `{"type":"GET_FRAMEWORKS","get_frameworks":{"frameworks":[{"active":true,"framework_info":{"name":"jenkins-ci","id":{"value":"f1"}},
		"registered_time":{"nanoseconds":1000000000},"reregistered_time":{"nanoseconds":2000000000}}`+foreign+`],"completed_frameworks":[]}}`)
}

// zooKeeperServer answers srvr with the mode, and hangs up without a word where that is empty.
func (w *world) zooKeeperServer(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			word := make([]byte, 4)
			_, _ = io.ReadFull(conn, word)
			if mode := *w.zookeeper.Load(); mode != "" && string(word) == "srvr" {
				_, _ = io.WriteString(conn, "Zookeeper version: 3.8\nMode: "+mode+"\n")
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func newWorld(t *testing.T) (*world, Config) {
	w := &world{}
	w.running.Store(1)
	mode := "standalone"
	w.zookeeper.Store(&mode)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return w, Config{URL: server.URL, Hosts: []string{"127.0.0.1"}, HTTPPort: number, AgentPort: number, Masters: []string{address},
		Marathons: []string{server.URL}, ZooKeepers: []string{w.zooKeeperServer(t)}, AppID: "/ci/jenkins", FrameworkID: "f1", FrameworkName: "jenkins-ci",
		Login: func() (string, string, error) { return "u", "p", nil }}
}

func byTarget(samples []Sample) map[string]Sample {
	by := map[string]Sample{}
	for _, s := range samples {
		by[s.Target] = s
	}
	return by
}

func TestAClusterThatServesServesInAllItsParts(t *testing.T) {
	_, config := newWorld(t)
	by := byTarget(New(config).Once(t.Context()))
	for _, target := range Targets() {
		require.True(t, by[target].OK, "%s: %s", target, by[target].Detail)
	}
	require.Equal(t, "5e55", by[Edge].Value)
	require.Equal(t, "t0", by[Task].Value)
	require.Equal(t, "f1@2000", by[Framework].Value)
	require.Equal(t, time.Unix(2, 0), by[Framework].Framework.Since)
}

func TestEachFaultIsToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*world, *Config)
		want  map[string]string
	}{
		"booting":         {func(w *world, _ *Config) { w.booting.Store(true) }, map[string]string{Edge: "starting", Controller: "starting", API: "HTTP 503"}},
		"two controllers": {func(w *world, _ *Config) { w.running.Store(2) }, map[string]string{Task: "2 tasks run, there must be one"}},
		"no task":         {func(w *world, _ *Config) { w.running.Store(0) }, map[string]string{Task: "no task"}},
		"no app":          {func(w *world, _ *Config) { w.noApp.Store(true) }, map[string]string{Task: "there is no app /ci/jenkins"}},
		"no leader":       {func(w *world, _ *Config) { w.noLeader.Store(true) }, map[string]string{Mesos: "HTTP 307", Framework: "no master leads"}},
		"another id":      {func(_ *world, c *Config) { c.FrameworkID = "f2" }, map[string]string{Framework: "registered with another id"}},
		"another's name":  {func(_ *world, c *Config) { c.FrameworkID, c.FrameworkName = "f2", "x" }, map[string]string{Framework: "not registered"}},
		"no quorum":       {func(w *world, _ *Config) { none := ""; w.zookeeper.Store(&none) }, map[string]string{ZooKeeper: "0 of 1 serve"}},
		"a wrong login":   {func(_ *world, c *Config) { c.Login = nil }, map[string]string{Marathon: "HTTP 401"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, config := newWorld(t)
			c.fault(w, &config)
			failed := map[string]string{}
			for target, s := range byTarget(New(config).Once(t.Context())) {
				if !s.OK {
					failed[target] = s.Detail
				}
			}
			for target, why := range c.want {
				if failed[target] == "" && target == Marathon {
					t.Fatalf("%s serves", target)
				}
				require.Equal(t, why, failed[target], target)
			}
			require.Len(t, failed, len(c.want), "nothing else fails: %v", failed)
		})
	}
}

func TestASecondFrameworkOfTheNameIsCounted(t *testing.T) {
	w, config := newWorld(t)
	w.foreign.Store(true)
	require.Equal(t, 2, byTarget(New(config).Once(t.Context()))[Framework].Framework.Same)
}

func TestAnotherMemberIsAskedWhenTheFirstDoesNotServe(t *testing.T) {
	_, config := newWorld(t)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	config.Masters = append([]string{dead.Listener.Addr().String()}, config.Masters...)
	config.Marathons = append([]string{dead.URL}, config.Marathons...)
	by := byTarget(New(config).Once(t.Context()))
	require.True(t, by[Mesos].OK)
	require.Equal(t, config.Masters[1], by[Mesos].Value)
	require.Equal(t, config.Marathons[1], by[Marathon].Value)
}

// TestAHangingTargetKeepsNoOtherWaiting has one server that takes connections and says nothing.
func TestAHangingTargetKeepsNoOtherWaiting(t *testing.T) {
	_, config := newWorld(t)
	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer hanging.Close()
	config.URL, config.Every = "http://"+hanging.Addr().String(), 5*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	count := map[string]int{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		New(config).Run(ctx, func(s Sample) {
			mu.Lock()
			defer mu.Unlock()
			count[s.Target]++
		})
	}()
	testkit.Eventually(t, time.Minute, "the others are asked many times", func(context.Context) bool {
		mu.Lock()
		defer mu.Unlock()
		return count[Task] >= 10 && count[ZooKeeper] >= 10 && count[Edge] >= 1
	})
	cancel()
	<-ended
	require.Less(t, count[Edge], count[Task])
}
