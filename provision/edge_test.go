package provision

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/testkit"
)

// fakeServer answers every path with its name as long as it is up.
type fakeServer struct {
	name   string
	up     atomic.Bool
	check  func(w http.ResponseWriter, r *http.Request) // answers the edge's checks
	checks atomic.Int64
}

func startFake(t *testing.T, name, address string, port int, isCheck func(*http.Request) bool, check func(http.ResponseWriter, *http.Request)) *fakeServer {
	t.Helper()
	f := &fakeServer{name: name, check: check}
	listener, err := net.Listen("tcp", hostPort(address, port))
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		switch {
		case !f.up.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case isCheck(r):
			f.checks.Add(1)
			f.check(w, r)
		default:
			_, _ = io.WriteString(w, name)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return f
}

// startOwner is the page of a controller's owner: 200 as long as it is up.
func startOwner(t *testing.T, address string) *fakeServer {
	t.Helper()
	f := startFake(t, "owner", address, OwnerPort, func(q *http.Request) bool { return q.URL.Path == "/owner" },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	f.up.Store(true)
	return f
}

// edgeRig is an edge before three control hosts and two agents.
type edgeRig struct {
	t       *testing.T
	c       *config.Cluster
	service Service
}

func newEdgeRig(t *testing.T, change ...func(*config.Cluster)) *edgeRig {
	t.Helper()
	c := newConfig(t, append(change, func(c *config.Cluster) { c.Local.Control, c.Local.Agents = 2, 2 })...)
	f := newFleet(t, c, installed(t, c))
	return &edgeRig{t: t, c: c, service: f.Services(RoleEdge)[0]}
}

// get asks the edge; the answer is "status body".
func (r *edgeRig) get(port int) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(fmt.Sprintf("%s/some/page", EdgeURL(r.c, port)))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		body = nil
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, body))
}

func (r *edgeRig) await(port int, want string) {
	r.t.Helper()
	testkit.Eventually(r.t, 15*time.Second, fmt.Sprintf("port %d answers %q", port, want), func(context.Context) bool { return r.get(port) == want })
}

func TestTheEdgeFollowsOneController(t *testing.T) {
	r := newEdgeRig(t, func(c *config.Cluster) { c.Jenkins.Home = config.Home{Type: config.HomeShared, Path: "/srv/home"} })
	isLogin := func(q *http.Request) bool { return q.URL.Path == "/login" }
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	agents := r.c.HostsWith(config.RoleMesosAgent)
	one := startFake(t, "one", agents[0].Address, r.c.Jenkins.App.HTTPPort, isLogin, ok)
	two := startFake(t, "two", agents[1].Address, r.c.Jenkins.App.HTTPPort, isLogin, ok)
	startOwner(t, agents[0].Address)
	startOwner(t, agents[1].Address)
	apply(t, r.service)
	r.await(EdgeControllerPort, "503")
	two.up.Store(true)
	r.await(EdgeControllerPort, "200 two")
	one.up.Store(true)
	r.await(EdgeControllerPort, "200 one")
	for range 10 {
		assert.Equal(t, "200 one", r.get(EdgeControllerPort), "two controllers are never served in turn")
	}
	one.up.Store(false)
	r.await(EdgeControllerPort, "200 two")
}

func TestTheEdgeFollowsTheOwnerAndNotWhoeverAnswers(t *testing.T) {
	r := newEdgeRig(t, func(c *config.Cluster) { c.Jenkins.Home = config.Home{Type: config.HomeShared, Path: "/srv/home"} })
	agents := r.c.HostsWith(config.RoleMesosAgent)
	owners := []*fakeServer{startOwner(t, agents[0].Address), startOwner(t, agents[1].Address)}
	owners[1].up.Store(false)
	for i, name := range []string{"one", "two"} { // both controllers live all the time
		f := startFake(t, name, agents[i].Address, r.c.Jenkins.App.HTTPPort, func(q *http.Request) bool { return q.URL.Path == "/login" },
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		f.up.Store(true)
	}
	apply(t, r.service)
	r.await(EdgeControllerPort, "200 one")
	owners[0].up.Store(false) // it has lost the lock, and nobody has it yet
	r.await(EdgeControllerPort, "503")
	owners[1].up.Store(true)
	r.await(EdgeControllerPort, "200 two")
	for range 10 {
		assert.Equal(t, "200 two", r.get(EdgeControllerPort), "the first one answers, but does not own")
	}
	owners[1].up.Store(false)
	r.await(EdgeControllerPort, "503")
}

func TestAnOwnerThatIsStoppedOwnsNothing(t *testing.T) {
	r := newEdgeRig(t)
	address := r.c.HostsWith(config.RoleMesosAgent)[0].Address
	controller := startFake(t, "one", address, r.c.Jenkins.App.HTTPPort, func(q *http.Request) bool { return q.URL.Path == "/login" },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	controller.up.Store(true)
	var stopped atomic.Bool
	awake := make(chan struct{})
	owner := startFake(t, "owner", address, OwnerPort, func(*http.Request) bool { return true }, func(http.ResponseWriter, *http.Request) {
		if stopped.Load() {
			<-awake
		}
	})
	owner.up.Store(true)
	t.Cleanup(func() { close(awake) })
	apply(t, r.service)
	r.await(EdgeControllerPort, "200 one")
	stopped.Store(true) // as by SIGSTOP: connections are made, and nothing is answered
	r.await(EdgeControllerPort, "503")
}

func TestAHomeOnOneHostsDiskHasOneServer(t *testing.T) {
	r := newEdgeRig(t)
	text := string(r.service.Files[0].Data)
	agents := r.c.HostsWith(config.RoleMesosAgent)
	assert.Contains(t, text, "server a1 "+hostPort(agents[0].Address, 8080)+" check\n")
	assert.NotContains(t, text, agents[1].Address)
}

func TestTheEdgeFollowsTheRecoveredMaster(t *testing.T) {
	r := newEdgeRig(t)
	isCheck := func(q *http.Request) bool { return q.Method == http.MethodPost && q.URL.Path == "/api/v1" }
	var leader atomic.Int64
	for i, h := range r.c.HostsWith(config.RoleControl) {
		f := startFake(t, h.Name, h.Address, MasterPort, isCheck, func(w http.ResponseWriter, q *http.Request) {
			body, _ := io.ReadAll(q.Body)
			switch {
			case q.Header.Get("Content-Type") != "application/json" || !bytes.Equal(body, []byte(`{"type":"GET_HEALTH"}`)):
				w.WriteHeader(http.StatusUnsupportedMediaType)
			case int64(i) != leader.Load():
				w.Header().Set("Location", "//leader:5050/master/api/v1")
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		})
		f.up.Store(true)
	}
	apply(t, r.service)
	r.await(EdgeMasterPort, "200 c1")
	leader.Store(1)
	r.await(EdgeMasterPort, "200 c2")
	leader.Store(5)
	r.await(EdgeMasterPort, "503")
}

func TestTheEdgeFollowsTheLeadingMarathon(t *testing.T) {
	r := newEdgeRig(t)
	isCheck := func(q *http.Request) bool { return q.URL.Path == "/ping" }
	var leader atomic.Int64
	for i, h := range r.c.HostsWith(config.RoleControl) {
		f := startFake(t, h.Name, h.Address, MarathonPort, isCheck, func(w http.ResponseWriter, _ *http.Request) {
			if int64(i) != leader.Load() {
				w.Header().Set("X-Marathon-Via", "1.1 "+h.Address)
			}
			_, _ = io.WriteString(w, "pong\n")
		})
		f.up.Store(true)
	}
	apply(t, r.service)
	r.await(EdgeMarathonPort, "200 c1")
	leader.Store(1)
	r.await(EdgeMarathonPort, "200 c2")
}

func TestAWrongConfigurationOfTheEdgeIsRefusedAndTheOldOneStays(t *testing.T) {
	r := newEdgeRig(t)
	apply(t, r.service)
	before, err := r.service.Host.ReadFile(t.Context(), r.service.Files[0].Path)
	require.NoError(t, err)
	pid := func() int {
		s, err := r.service.Host.Units().Status(t.Context(), RoleEdge)
		require.NoError(t, err)
		return s.PID
	}
	running := pid()

	wrong := r.service
	wrong.Files = []File{wrong.Files[0]}
	wrong.Files[0].Data = append(bytes.Clone(wrong.Files[0].Data), "  no-such-keyword\n"...)
	wrong = wrong.seal()
	_, err = wrong.Apply(t.Context())
	require.ErrorContains(t, err, "no-such-keyword")
	after, err := r.service.Host.ReadFile(t.Context(), r.service.Files[0].Path)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
	assert.Equal(t, running, pid())

	other := r.service
	other.Files = []File{other.Files[0]}
	other.Files[0].Data = append(bytes.Clone(other.Files[0].Data), "# changed\n"...)
	apply(t, other.seal())
	assert.NotEqual(t, running, pid(), "a changed configuration is in force")
}
