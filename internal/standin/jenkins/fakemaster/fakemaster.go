// Package fakemaster is a Mesos master for tests of the cloud: only the v1 scheduler API in protobuf, one agent, and launched
// commands run here or not at all.
package fakemaster

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// Call is one request of a framework.
type Call struct {
	*scheduler.Call
	Header http.Header
}

// Master is the fake. Its fields are set before the first request.
type Master struct {
	// CPUs and Mem are what one offer has; 4 and 8192 when not set.
	CPUs, Mem float64
	// Version is what SUBSCRIBED says; 1.11.0 when not set.
	Version string
	// Runner starts launched tasks; nil = they are RUNNING until killed.
	Runner Runner
	// Silent makes no offers.
	Silent bool

	server *httptest.Server
	t      testing.TB

	mu       sync.Mutex
	calls    []Call
	streams  map[string]*stream
	redirect string
	removed  bool
	down     bool
	offers   int
	given    map[string]map[string]float64 // offer id -> resources
	used     map[string][2]float64         // task -> cpus, mem
	tasks    map[string]func()             // task -> kill
	wg       sync.WaitGroup
}

// Runner starts a task and returns how to kill it; ended is called once with the exit status.
type Runner func(task mesos.TaskInfo, ended func(exit int)) (kill func(), err error)

type stream struct {
	id      string
	revived bool
	out     chan *scheduler.Event
	cut     chan struct{}
	once    sync.Once
}

func (s *stream) close() { s.once.Do(func() { close(s.cut) }) }

// Start starts the fake; it ends with the test.
func Start(t testing.TB, m *Master) *Master {
	m.t, m.streams, m.given, m.used, m.tasks = t, map[string]*stream{}, map[string]map[string]float64{}, map[string][2]float64{}, map[string]func(){}
	if m.CPUs == 0 {
		m.CPUs, m.Mem = 4, 8192
	}
	if m.Version == "" {
		m.Version = "1.11.0"
	}
	m.server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.stop)
	return m
}

func (m *Master) stop() {
	m.Cut()
	m.mu.Lock()
	kills := make([]func(), 0, len(m.tasks))
	for _, k := range m.tasks {
		kills = append(kills, k)
	}
	m.mu.Unlock()
	for _, k := range kills {
		k()
	}
	m.server.Close()
	m.wg.Wait()
}

// URL is the master's address.
func (m *Master) URL() string { return m.server.URL }

// Calls are the requests so far.
func (m *Master) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Call(nil), m.calls...)
}

// Types are the kinds of the requests so far.
func (m *Master) Types() []string {
	var out []string
	for _, c := range m.Calls() {
		out = append(out, c.Type.String())
	}
	return out
}

// Cut closes every event stream.
func (m *Master) Cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.streams {
		s.close()
		delete(m.streams, id)
	}
}

// Redirect answers 307 to another master from now on.
func (m *Master) Redirect(to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redirect = to
}

// Remove refuses every framework from now on, as after a teardown.
func (m *Master) Remove() {
	m.mu.Lock()
	m.removed = true
	m.mu.Unlock()
	m.Cut()
}

// Down closes the streams and answers 503, or comes back.
func (m *Master) Down(down bool) {
	m.mu.Lock()
	m.down = down
	m.mu.Unlock()
	if down {
		m.Cut()
	}
}

// Tasks are the names of the live tasks.
func (m *Master) Tasks() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for name := range m.tasks {
		out = append(out, name)
	}
	return out
}

func (m *Master) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	call := &scheduler.Call{}
	if err != nil || call.Unmarshal(body) != nil {
		http.Error(w, "bad call", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	m.calls = append(m.calls, Call{Call: call, Header: r.Header.Clone()})
	redirect, down := m.redirect, m.down
	m.mu.Unlock()
	switch {
	case down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case redirect != "":
		w.Header().Set("Location", redirect+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case call.Type == scheduler.Call_SUBSCRIBE:
		m.subscribe(w, r)
	default:
		m.mu.Lock()
		s := m.streams[r.Header.Get("Mesos-Stream-Id")]
		m.mu.Unlock()
		if s == nil {
			http.Error(w, "no such stream", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		m.handle(s, call)
	}
}

func (m *Master) subscribe(w http.ResponseWriter, r *http.Request) {
	s := &stream{id: uuid.NewString(), out: make(chan *scheduler.Event, 1000), cut: make(chan struct{})}
	w.Header().Set("Mesos-Stream-Id", s.id)
	w.WriteHeader(http.StatusOK)
	m.mu.Lock()
	removed := m.removed
	for id, old := range m.streams {
		old.out <- &scheduler.Event{Type: scheduler.Event_ERROR, Error: &scheduler.Event_Error{Message: "Framework failed over"}}
		delete(m.streams, id)
	}
	if !removed {
		m.streams[s.id] = s
	}
	m.mu.Unlock()
	if removed {
		m.write(w, &scheduler.Event{Type: scheduler.Event_ERROR, Error: &scheduler.Event_Error{Message: "Framework has been removed"}})
		return
	}
	interval, port := 15.0, uint32(5050)
	m.write(w, &scheduler.Event{Type: scheduler.Event_SUBSCRIBED, Subscribed: &scheduler.Event_Subscribed{FrameworkID: &mesos.FrameworkID{Value: "x"},
		HeartbeatIntervalSeconds: &interval, MasterInfo: &mesos.MasterInfo{ID: "m", Port: &port, Version: &m.Version}}})
	m.write(w, &scheduler.Event{Type: scheduler.Event_HEARTBEAT})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.cut:
			return
		case e := <-s.out:
			m.write(w, e)
			if e.Type == scheduler.Event_ERROR {
				return
			}
		case <-tick.C:
			if e := m.offer(s); e != nil {
				m.write(w, e)
			}
		}
	}
}

func (m *Master) write(w http.ResponseWriter, e *scheduler.Event) {
	data, err := e.Marshal()
	if err != nil {
		m.t.Errorf("encode event: %v", err)
		return
	}
	_, _ = fmt.Fprintf(w, "%d\n%s", len(data), data)
	_ = http.NewResponseController(w).Flush()
}

// offer makes one offer of everything free when the framework is revived and holds none.
func (m *Master) offer(s *stream) *scheduler.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.revived || m.Silent || len(m.given) > 0 {
		return nil
	}
	cpus, mem := m.CPUs, m.Mem
	for _, u := range m.used {
		cpus, mem = cpus-u[0], mem-u[1]
	}
	m.offers++
	id := fmt.Sprintf("O%d", m.offers)
	m.given[id] = map[string]float64{"cpus": cpus, "mem": mem}
	role := "*"
	scalar := func(name string, v float64) mesos.Resource {
		kind := mesos.SCALAR
		return mesos.Resource{Name: name, Type: &kind, Scalar: &mesos.Value_Scalar{Value: v}, Role: &role, AllocationInfo: &mesos.Resource_AllocationInfo{Role: &role}}
	}
	offer := mesos.Offer{ID: mesos.OfferID{Value: id}, FrameworkID: mesos.FrameworkID{Value: "x"}, AgentID: mesos.AgentID{Value: "S0"}, Hostname: "127.0.0.1",
		Resources:      []mesos.Resource{scalar("cpus", cpus), scalar("mem", mem), scalar("disk", 100000)},
		Attributes:     []mesos.Attribute{{Name: "os", Type: mesos.TEXT, Text: &mesos.Value_Text{Value: "linux"}}},
		AllocationInfo: &mesos.Resource_AllocationInfo{Role: &role}}
	return &scheduler.Event{Type: scheduler.Event_OFFERS, Offers: &scheduler.Event_Offers{Offers: []mesos.Offer{offer}}}
}

func (m *Master) handle(s *stream, call *scheduler.Call) {
	switch call.Type {
	case scheduler.Call_REVIVE:
		m.mu.Lock()
		s.revived = true
		m.mu.Unlock()
	case scheduler.Call_UPDATE_FRAMEWORK:
		m.mu.Lock()
		s.revived = len(call.UpdateFramework.SuppressedRoles) == 0
		m.mu.Unlock()
	case scheduler.Call_DECLINE:
		m.mu.Lock()
		for _, o := range call.Decline.OfferIDs {
			delete(m.given, o.Value)
		}
		// Without a filter Mesos refuses for 5 s; here until the next REVIVE.
		s.revived = false
		m.mu.Unlock()
	case scheduler.Call_ACCEPT:
		for _, o := range call.Accept.OfferIDs {
			m.mu.Lock()
			delete(m.given, o.Value)
			m.mu.Unlock()
		}
		for _, op := range call.Accept.Operations {
			for _, task := range op.Launch.TaskInfos {
				m.launch(task)
			}
		}
	case scheduler.Call_KILL:
		m.mu.Lock()
		kill := m.tasks[call.Kill.TaskID.Value]
		m.mu.Unlock()
		if kill != nil {
			kill()
		}
	}
}
