package master

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

// startAlone starts a master inside the test process that leads alone.
func startAlone(t testing.TB, args ...string) (s *server, base string) {
	t.Helper()
	f := newFlags()
	args = append([]string{"--ip=127.0.0.1", "--hostname=127.0.0.1", "--port=0"}, args...)
	require.NoError(t, f.load(args, []string{"MESOS_WORK_DIR=" + t.TempDir()}))
	_, err := checkFlags(f)
	require.NoError(t, err)
	listener, err := listen(f)
	require.NoError(t, err)
	s, ended := newServer(f, listener.Addr().(*net.TCPAddr), func(string, ...any) {})
	web := &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute}
	go func() { ended <- web.Serve(listener) }()
	stop := make(chan struct{})
	go s.tick(stop)
	s.lead(nil, ended)
	t.Cleanup(func() { close(stop); _ = web.Close() })
	testkit.Eventually(t, time.Minute, "the master has recovered", func(context.Context) bool {
		_, _, recovered := s.standing()
		return recovered
	})
	return s, "http://" + listener.Addr().String()
}

// simAgent speaks the agents' protocol and runs nothing: a task is running at once, and ends when it is killed.
type simAgent struct {
	t      testing.TB
	base   string
	info   mesos.AgentInfo
	mute   atomic.Bool // answers no pings
	cancel context.CancelFunc

	mu      sync.Mutex
	tasks   map[string]wire.Task
	heard   []wire.ToAgent
	pending map[string][]wire.Update // updates not acknowledged, the first of each task is sent
	left    bool
}

func newSimAgent(t testing.TB, base string, number int, resources ...mesos.Resource) *simAgent {
	port := int32(10000 + number)
	if len(resources) == 0 {
		resources = bagOf("cpus:8;mem:4096;disk:1000").list("")
	}
	return &simAgent{
		t: t, base: base, info: mesos.AgentInfo{Hostname: "127.0.0.1", Port: &port, Resources: resources},
		tasks: map[string]wire.Task{}, pending: map[string][]wire.Update{},
	}
}

func bagOf(text string) bag { return parseScalars(text) }

// register joins and waits for the id.
func (a *simAgent) register() {
	a.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.t.Cleanup(cancel)
	a.mu.Lock()
	body := wire.Register{Agent: a.info, Version: recorded}
	for _, task := range a.tasks {
		body.Tasks = append(body.Tasks, task)
	}
	a.left = false
	a.mu.Unlock()
	data, err := json.Marshal(body)
	require.NoError(a.t, err)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+wire.PathRegister, bytes.NewReader(data))
	require.NoError(a.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, response.StatusCode)
	reader := wire.NewRecordReader(response.Body)
	record, err := reader.Next()
	require.NoError(a.t, err)
	var first wire.ToAgent
	require.NoError(a.t, json.Unmarshal(record, &first))
	require.NotNil(a.t, first.Registered)
	a.info.ID = &first.Registered.AgentID
	go func() {
		defer response.Body.Close()
		for {
			record, err := reader.Next()
			var m wire.ToAgent
			if err != nil || json.Unmarshal(record, &m) != nil {
				a.mu.Lock()
				a.left = true
				a.mu.Unlock()
				return
			}
			a.hear(m)
		}
	}()
}

func (a *simAgent) hear(m wire.ToAgent) {
	a.mu.Lock()
	a.heard = append(a.heard, m)
	a.mu.Unlock()
	switch {
	case m.Ping != nil && !a.mute.Load():
		a.say(wire.FromAgent{Pong: m.Ping})
	case m.Run != nil:
		id := m.Run.Task.TaskID.Value
		a.mu.Lock()
		a.tasks[id] = wire.Task{Framework: m.Run.Framework, Info: m.Run.Task}
		a.mu.Unlock()
		a.advance(id, mesos.TASK_STARTING)
		a.advance(id, mesos.TASK_RUNNING)
	case m.Kill != nil:
		a.advance(m.Kill.TaskID.Value, mesos.TASK_KILLED)
	case m.Ack != nil:
		a.acknowledged(m.Ack)
	case m.Drain != nil:
		a.mu.Lock()
		ids := keysOfMap(a.tasks)
		a.mu.Unlock()
		for _, id := range ids {
			a.advance(id, mesos.TASK_KILLED)
		}
	}
}

// advance moves a task to a state; the update waits for those before it.
func (a *simAgent) advance(id string, state mesos.TaskState) {
	a.mu.Lock()
	task, ok := a.tasks[id]
	if !ok {
		a.mu.Unlock()
		return
	}
	number := uuid.New()
	task.Status = mesos.TaskStatus{
		TaskID: task.Info.TaskID, State: &state, Source: ptr(mesos.SOURCE_EXECUTOR), UUID: number[:], AgentID: a.info.ID,
		ExecutorID: &mesos.ExecutorID{Value: id}, Timestamp: ptr(seconds(time.Now())),
	}
	task.Statuses = append(task.Statuses, task.Status)
	a.tasks[id] = task
	update := wire.Update{FrameworkID: *task.Framework.ID, Status: task.Status, Latest: state}
	a.pending[id] = append(a.pending[id], update)
	first := len(a.pending[id]) == 1
	a.mu.Unlock()
	if first {
		a.say(wire.FromAgent{Update: &update})
	}
}

func (a *simAgent) acknowledged(ack *wire.Ack) {
	id := ack.TaskID.Value
	a.mu.Lock()
	waiting := a.pending[id]
	if len(waiting) == 0 || !bytes.Equal(waiting[0].Status.UUID, ack.UUID) {
		a.mu.Unlock()
		return
	}
	ended := terminal(waiting[0].Status.GetState())
	a.pending[id] = waiting[1:]
	if ended {
		delete(a.tasks, id)
	}
	rest := a.pending[id]
	a.mu.Unlock()
	if len(rest) > 0 {
		a.say(wire.FromAgent{Update: &rest[0]})
	}
}

func (a *simAgent) say(m wire.FromAgent) {
	m.AgentID = *a.info.ID
	data, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("a message of an agent must marshal: %v", err))
	}
	response, err := http.Post(a.base+wire.PathCall, typeJSON, bytes.NewReader(data))
	if err == nil {
		_ = response.Body.Close() // a master that is gone is part of the tests
	}
}

// got says that the agent has heard a message that fits.
func (a *simAgent) got(fits func(wire.ToAgent) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.heard {
		if fits(m) {
			return true
		}
	}
	return false
}

func (a *simAgent) waiting(task string) []wire.Update {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending[task]
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	testkit.Eventually(t, time.Minute, what, func(context.Context) bool { return condition() })
}
