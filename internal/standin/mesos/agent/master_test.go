package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"context"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

// fakeMaster speaks the master's side of the wire protocol and keeps what agents say.
type fakeMaster struct {
	t      *testing.T
	server *httptest.Server

	mu          sync.Mutex
	registers   []wire.Register
	from        []wire.FromAgent
	streams     map[string]chan wire.ToAgent // by agent id; closed to cut the agent off
	nextID      int
	mute        bool // no acknowledgements
	redirect    string
	pingTimeout float64
	framework   mesos.FrameworkInfo
}

func newMaster(t *testing.T) *fakeMaster { return newMasterAt(t, "") }

func newMasterAt(t *testing.T, addr string) *fakeMaster {
	m := &fakeMaster{t: t, streams: map[string]chan wire.ToAgent{}, pingTimeout: 75}
	m.framework = mesos.FrameworkInfo{Name: "test", User: "root", ID: &mesos.FrameworkID{Value: "F-0000"}, Checkpoint: p(true)}
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(m.serve))
	if addr != "" {
		listener, err := net.Listen("tcp", addr)
		require.NoError(t, err)
		_ = m.server.Listener.Close()
		m.server.Listener = listener
	}
	m.server.Start()
	t.Cleanup(func() {
		m.cut()
		m.server.CloseClientConnections()
		m.server.Close()
	})
	return m
}

func (m *fakeMaster) addr() string { return strings.TrimPrefix(m.server.URL, "http://") }

func (m *fakeMaster) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	redirect := m.redirect
	m.mu.Unlock()
	if redirect != "" {
		w.Header().Set("Location", "//"+redirect+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	switch r.URL.Path {
	case wire.PathRegister:
		var message wire.Register
		if json.Unmarshal(body, &message) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.register(w, r, message)
	case wire.PathCall:
		var message wire.FromAgent
		if json.Unmarshal(body, &message) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.call(message)
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (m *fakeMaster) redirectTo(addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.redirect = addr
}

func (m *fakeMaster) register(w http.ResponseWriter, r *http.Request, message wire.Register) {
	m.mu.Lock()
	id := message.Agent.ID.GetValue()
	if id == "" {
		id = fmt.Sprintf("M-S%d", m.nextID)
		m.nextID++
	}
	stream := make(chan wire.ToAgent, 1000)
	m.streams[id] = stream
	m.registers = append(m.registers, message)
	stream <- wire.ToAgent{Registered: &wire.Registered{AgentID: mesos.AgentID{Value: id}, PingTimeout: m.pingTimeout}}
	m.mu.Unlock()
	for {
		select {
		case <-r.Context().Done():
			return
		case message, open := <-stream:
			if !open {
				return
			}
			content, _ := json.Marshal(message)
			fmt.Fprintf(w, "%d\n%s", len(content), content)
			w.(http.Flusher).Flush()
		}
	}
}

func (m *fakeMaster) call(message wire.FromAgent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from = append(m.from, message)
	if update := message.Update; update != nil && !m.mute {
		m.send(message.AgentID.Value, wire.ToAgent{Ack: &wire.Ack{FrameworkID: update.FrameworkID, TaskID: update.Status.TaskID, UUID: update.Status.UUID}})
	}
}

func (m *fakeMaster) send(agent string, message wire.ToAgent) {
	if stream := m.streams[agent]; stream != nil {
		stream <- message
	}
}

// tell sends to the only agent.
func (m *fakeMaster) tell(message wire.ToAgent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Len(m.t, m.streams, 1)
	for id := range m.streams {
		m.send(id, message)
	}
}

// cut breaks every agent's stream.
func (m *fakeMaster) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, stream := range m.streams {
		close(stream)
		delete(m.streams, id)
	}
}

// awaitRegister waits for the n-th registration, counted from 1. The agent may not have read the answer yet: messages of
// the master come to it after that, but who asks the agent waits with awaitRegistered.
func (m *fakeMaster) awaitRegister(n int) wire.Register {
	m.t.Helper()
	var got wire.Register
	testkit.Eventually(m.t, time.Minute, fmt.Sprintf("registration %d", n), func(context.Context) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.registers) < n {
			return false
		}
		got = m.registers[n-1]
		return true
	})
	return got
}

// updates are the statuses of one task as they came, repetitions included.
func (m *fakeMaster) updates(task string) []*mesos.TaskStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*mesos.TaskStatus
	for _, message := range m.from {
		if message.Update != nil && message.Update.Status.TaskID.Value == task {
			list = append(list, p(message.Update.Status))
		}
	}
	return list
}

// await waits until the task has the state and gives that status.
func (m *fakeMaster) await(task string, state mesos.TaskState) *mesos.TaskStatus {
	m.t.Helper()
	return m.awaitThat(task, "state "+state.String(), func(s *mesos.TaskStatus) bool { return s.GetState() == state })
}

func (m *fakeMaster) awaitThat(task, what string, fits func(*mesos.TaskStatus) bool) *mesos.TaskStatus {
	m.t.Helper()
	var got *mesos.TaskStatus
	testkit.Eventually(m.t, time.Minute, fmt.Sprintf("task %s: %s", task, what), func(context.Context) bool {
		for _, status := range m.updates(task) {
			if fits(status) {
				got = status
				return true
			}
			if terminal(status.GetState()) && !fits(status) {
				m.t.Fatalf("task %s ended: %s %s %q", task, status.GetState(), status.GetReason(), status.GetMessage())
			}
		}
		return false
	})
	return got
}

// run sends a shell command as a task, changed by the options.
func (m *fakeMaster) run(id, command string, options ...func(*mesos.TaskInfo)) {
	info := mesos.TaskInfo{
		Name: id, TaskID: mesos.TaskID{Value: id}, Command: &mesos.CommandInfo{Value: &command},
		Resources: []mesos.Resource{
			{Name: "cpus", Type: p(mesos.SCALAR), Scalar: &mesos.Value_Scalar{Value: 0.1}, AllocationInfo: &mesos.Resource_AllocationInfo{Role: p("*")}},
			{Name: "mem", Type: p(mesos.SCALAR), Scalar: &mesos.Value_Scalar{Value: 32}, AllocationInfo: &mesos.Resource_AllocationInfo{Role: p("*")}},
		},
	}
	for _, option := range options {
		option(&info)
	}
	m.tell(wire.ToAgent{Run: &wire.Run{Framework: m.framework, Task: info}})
}

func (m *fakeMaster) kill(task string, grace *time.Duration) {
	order := &wire.Kill{FrameworkID: *m.framework.ID, TaskID: mesos.TaskID{Value: task}}
	if grace != nil {
		order.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: grace.Nanoseconds()}}
	}
	m.tell(wire.ToAgent{Kill: order})
}
