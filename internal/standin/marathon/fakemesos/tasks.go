package fakemesos

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

func (m *Mesos) launch(a *agent, info mesos.TaskInfo) {
	t := &task{info: info, agent: a}
	m.tasks[info.TaskID.Value] = t
	t.use(+1)
	if listens, port := t.env("SIM_LISTEN"), t.env("PORT0"); listens != "" {
		m.listen(t, port)
	}
	m.update(t, mesos.TASK_STARTING, "", nil)
	if t.env("SIM_STAY_STAGING") != "" {
		return
	}
	m.update(t, mesos.TASK_RUNNING, "", nil)
	if info.HealthCheck != nil {
		m.update(t, mesos.TASK_RUNNING, "", ptr(t.env("SIM_HEALTH") != "false"))
	}
	if end := t.env("SIM_EXIT"); end != "" {
		m.end(t, mesos.TASK_FAILED, "Command exited with status "+end)
	}
}

func (t *task) env(name string) string {
	if t.info.Command == nil || t.info.Command.Environment == nil {
		return ""
	}
	for _, v := range t.info.Command.Environment.Variables {
		if v.Name == name && v.Value != nil {
			return *v.Value
		}
	}
	return ""
}

func (t *task) use(sign float64) {
	if sign < 0 {
		t.agent.refused, t.agent.freed = time.Time{}, true
	}
	for _, r := range t.info.Resources {
		switch r.Name {
		case "cpus":
			t.agent.usedCPU += sign * r.Scalar.Value
		case "mem":
			t.agent.usedMem += sign * r.Scalar.Value
		case "ports":
			for _, span := range r.Ranges.Range {
				for n := span.Begin; n <= span.End; n++ {
					t.agent.ports[int(n)] = sign > 0
				}
			}
		}
	}
}

func (m *Mesos) listen(t *task, port string) {
	listener, err := net.Listen("tcp", net.JoinHostPort(t.agent.Host, port))
	if err != nil {
		return
	}
	number, _ := strconv.Atoi(port)
	t.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		m.mu.Lock()
		status := m.status[number]
		m.mu.Unlock()
		if status == 0 {
			status = http.StatusOK
		}
		w.WriteHeader(status)
	})}
	go func() { _ = t.server.Serve(listener) }()
}

// Answer sets the HTTP status with which a task that listens on the port answers.
func (m *Mesos) Answer(port, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status[port] = status
}

func (m *Mesos) update(t *task, state mesos.TaskState, message string, healthy *bool) {
	t.state = state
	m.send(&mesos.TaskStatus{TaskID: t.info.TaskID, State: state.Enum(), Message: &message, AgentID: &mesos.AgentID{Value: t.agent.id}, Healthy: healthy,
		ContainerStatus: &mesos.ContainerStatus{NetworkInfos: []mesos.NetworkInfo{{IPAddresses: []mesos.NetworkInfo_IPAddress{{IPAddress: ptr(t.agent.Host)}}}}}}, true)
}

func (m *Mesos) send(status *mesos.TaskStatus, withUUID bool) {
	if withUUID {
		id := uuid.New()
		status.UUID = id[:]
	}
	if m.events != nil {
		m.events(&sched.Event{Type: sched.Event_UPDATE, Update: &sched.Event_Update{Status: *status}})
	}
}

func (m *Mesos) end(t *task, state mesos.TaskState, message string) {
	if t.done {
		return
	}
	t.done = true
	t.use(-1)
	if t.server != nil {
		_ = t.server.Close()
	}
	m.update(t, state, message, nil)
}
