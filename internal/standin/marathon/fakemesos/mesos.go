// Package fakemesos is a Mesos master with agents and tasks in memory, for tests of a framework: it keeps state, makes offers,
// runs tasks by word alone, and speaks the v1 scheduler API (protobuf) over HTTP or by function calls.
package fakemesos

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// Agent is one agent and what it has.
type Agent struct {
	Host       string
	CPUs, Mem  float64
	PortLow    int
	PortHigh   int
	Attributes map[string]string
}

type agent struct {
	Agent
	id      string
	usedCPU float64
	usedMem float64
	ports   map[int]bool
	lost    bool
	offered bool
	refused time.Time
	freed   bool // something was given back since the last offer
}

type task struct {
	info   mesos.TaskInfo
	agent  *agent
	state  mesos.TaskState
	server *http.Server
	done   bool
}

// Mesos is the whole fake. Its zero value is not usable; see New.
type Mesos struct {
	mu        sync.Mutex
	id        string
	framework string
	agents    []*agent
	tasks     map[string]*task
	offers    map[string]*agent
	events    func(*sched.Event)
	suppress  bool
	counts    map[string]int
	offerNo   int
	stop      chan struct{}
	status    map[int]int // answers of tasks that listen, by port
	hold      bool
}

// New starts a fake with these agents; Close ends it.
func New(agents ...Agent) *Mesos {
	m := &Mesos{id: uuid.NewString(), tasks: map[string]*task{}, offers: map[string]*agent{}, counts: map[string]int{}, stop: make(chan struct{}), status: map[int]int{}}
	for n, a := range agents {
		m.agents = append(m.agents, &agent{Agent: a, id: fmt.Sprintf("%s-S%d", m.id, n), ports: map[int]bool{}})
	}
	go m.allocate()
	return m
}

// Close ends the fake and everything its tasks listen on.
func (m *Mesos) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.stop)
	for _, t := range m.tasks {
		if t.server != nil {
			_ = t.server.Close()
		}
	}
}

// Subscribe makes fn the receiver of events.
func (m *Mesos) Subscribe(fn func(*sched.Event), id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id == "" {
		id = m.id + "-0000"
	}
	m.framework, m.events, m.suppress = id, fn, false
	m.offers = map[string]*agent{}
	for _, a := range m.agents {
		a.offered, a.refused = false, time.Time{}
	}
	hostname, port := "127.0.0.1", int32(5050)
	fn(&sched.Event{Type: sched.Event_SUBSCRIBED, Subscribed: &sched.Event_Subscribed{FrameworkID: &mesos.FrameworkID{Value: id},
		MasterInfo: &mesos.MasterInfo{ID: m.id, Hostname: &hostname, Port: ptr(uint32(port))}}})
}

func ptr[T any](v T) *T { return &v }

// Unsubscribe forgets the receiver.
func (m *Mesos) Unsubscribe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = nil
}

// HoldOffers stops or resumes offers.
func (m *Mesos) HoldOffers(hold bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold = hold
}

// Calls is how many calls of a type have come.
func (m *Mesos) Calls(kind sched.Call_Type) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[kind.String()]
}

func (m *Mesos) allocate() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
		}
		m.mu.Lock()
		m.offer()
		m.mu.Unlock()
	}
}

func (m *Mesos) offer() {
	if m.events == nil || m.suppress || m.hold {
		return
	}
	var out []mesos.Offer
	for _, a := range m.agents {
		if a.lost || a.offered || time.Now().Before(a.refused) || a.CPUs-a.usedCPU < 0.01 {
			continue
		}
		m.offerNo++
		o := mesos.Offer{ID: mesos.OfferID{Value: fmt.Sprintf("%s-O%d", m.id, m.offerNo)}, AgentID: mesos.AgentID{Value: a.id}, Hostname: a.Host,
			FrameworkID: mesos.FrameworkID{Value: m.framework}, Resources: []mesos.Resource{scalar("cpus", a.CPUs-a.usedCPU), scalar("mem", a.Mem-a.usedMem), a.portResource()}}
		for name, value := range a.Attributes {
			o.Attributes = append(o.Attributes, mesos.Attribute{Name: name, Type: mesos.TEXT, Text: &mesos.Value_Text{Value: value}})
		}
		a.offered, a.freed = true, false
		m.offers[o.ID.Value] = a
		out = append(out, o)
	}
	if len(out) > 0 {
		m.events(&sched.Event{Type: sched.Event_OFFERS, Offers: &sched.Event_Offers{Offers: out}})
	}
}

func scalar(name string, value float64) mesos.Resource {
	return mesos.Resource{Name: name, Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: value}, Role: ptr("*")}
}

func (a *agent) portResource() mesos.Resource {
	ranges := &mesos.Value_Ranges{}
	for n := a.PortLow; n <= a.PortHigh && n > 0; n++ {
		if !a.ports[n] {
			ranges.Range = append(ranges.Range, mesos.Value_Range{Begin: uint64(n), End: uint64(n)})
		}
	}
	return mesos.Resource{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: ranges, Role: ptr("*")}
}

// Call takes one call of the framework.
func (m *Mesos) Call(call *sched.Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[call.Type.String()]++
	switch call.Type {
	case sched.Call_SUPPRESS:
		m.suppress = true
	case sched.Call_REVIVE:
		m.suppress = false
		for _, a := range m.agents {
			a.refused = time.Time{}
		}
	case sched.Call_DECLINE:
		for _, id := range call.Decline.OfferIDs {
			m.release(id.Value, call.Decline.Filters)
		}
	case sched.Call_ACCEPT:
		m.accept(call.Accept)
	case sched.Call_KILL:
		if t := m.tasks[call.Kill.TaskID.Value]; t != nil && !t.done && !t.agent.lost {
			m.end(t, mesos.TASK_KILLED, "Command terminated with signal Terminated")
		}
	case sched.Call_RECONCILE:
		m.reconcile(call.Reconcile)
	}
}

func (m *Mesos) release(id string, filters *mesos.Filters) *agent {
	a := m.offers[id]
	if a == nil {
		return nil
	}
	delete(m.offers, id)
	a.offered = false
	// A refusal covers no more than what was offered.
	if filters != nil && filters.RefuseSeconds != nil && !a.freed {
		a.refused = time.Now().Add(time.Duration(*filters.RefuseSeconds * float64(time.Second)))
	}
	return a
}

func (m *Mesos) accept(call *sched.Call_Accept) {
	for _, id := range call.OfferIDs {
		a := m.release(id.Value, nil)
		for _, op := range call.Operations {
			for _, info := range op.Launch.TaskInfos {
				if a == nil || a.lost {
					m.send(&mesos.TaskStatus{TaskID: info.TaskID, State: mesos.TASK_DROPPED.Enum(), AgentID: &info.AgentID, Reason: mesos.REASON_INVALID_OFFERS.Enum()}, false)
					continue
				}
				m.launch(a, info)
			}
		}
	}
}

func (m *Mesos) reconcile(call *sched.Call_Reconcile) {
	if len(call.Tasks) == 0 {
		for _, t := range m.tasks {
			if !t.done && !t.agent.lost {
				m.report(t)
			}
		}
		return
	}
	for _, ask := range call.Tasks {
		t := m.tasks[ask.TaskID.Value]
		switch {
		case t == nil || t.done:
			m.send(&mesos.TaskStatus{TaskID: ask.TaskID, State: mesos.TASK_UNKNOWN.Enum(), AgentID: ask.AgentID, Reason: mesos.REASON_RECONCILIATION.Enum()}, false)
		default:
			m.report(t)
		}
	}
}

func (m *Mesos) report(t *task) {
	state := t.state
	if t.agent.lost {
		state = mesos.TASK_UNREACHABLE
	}
	m.send(&mesos.TaskStatus{TaskID: t.info.TaskID, State: state.Enum(), AgentID: &mesos.AgentID{Value: t.agent.id}, Reason: mesos.REASON_RECONCILIATION.Enum()}, false)
}

// EndTask makes a running task end by itself.
func (m *Mesos) EndTask(id string, state mesos.TaskState, message string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tasks[id]
	if t == nil || t.done {
		return false
	}
	m.end(t, state, message)
	return true
}

// LoseAgent makes an agent unreachable; ReturnAgent brings it back with its tasks.
func (m *Mesos) LoseAgent(host string) { m.reach(host, true) }

// ReturnAgent brings a lost agent back, its tasks still running.
func (m *Mesos) ReturnAgent(host string) { m.reach(host, false) }

func (m *Mesos) reach(host string, lost bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.agents {
		if a.Host != host {
			continue
		}
		a.lost = lost
		for _, t := range m.tasks {
			if t.agent == a && !t.done {
				m.report(t)
			}
		}
	}
}

// Running lists the ids of tasks that Mesos holds for running, on lost agents too.
func (m *Mesos) Running() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for id, t := range m.tasks {
		if !t.done {
			out = append(out, id)
		}
	}
	return out
}

// Task is what was launched under an id.
func (m *Mesos) Task(id string) (mesos.TaskInfo, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tasks[id]
	if t == nil {
		return mesos.TaskInfo{}, false
	}
	return t.info, true
}
