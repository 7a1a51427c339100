package master

import (
	"fmt"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/maintenance"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// settings are the flags that the cluster's state works by.
type settings struct {
	pingTimeout       time.Duration
	maxPings          int
	reregisterTimeout time.Duration
	allocation        time.Duration
	heartbeat         time.Duration
	offerTimeout      time.Duration // 0 for never
	minAllocatable    []bag
	completedTasks    int
	completedFrames   int
	unreachableTasks  int
	roles             []string // whitelist of roles, empty for every role
	hideGPUs          bool
}

// core is the state of the cluster while this master leads. Everything is under mu; messages to the outside go into
// streams, which never block.
type core struct {
	set      settings
	info     mesos.MasterInfo
	registry registry
	log      func(format string, args ...any)

	mu          sync.Mutex
	agents      map[string]*agent
	awaited     map[string]mesos.AgentInfo // admitted before, not seen since this master leads
	unreachable map[string]mesos.TimeInfo  // since when
	gone        map[string]bool            // an operator said that they never come back
	schedule    maintenance.Schedule
	down        map[machine]bool // in maintenance: their agents are refused
	// wasDeactivated are agents that an earlier leader did not offer and that have not come back yet.
	wasDeactivated map[string]bool
	admitting      map[string]*sync.Mutex // per host:port, so that one agent is admitted once
	frameworks     map[string]*framework
	completed      []*framework
	offers         map[string]*offer
	operators      map[*subscriber]bool
	counters       map[string]float64

	nextAgent, nextFramework, nextOffer int
}

// framework is a scheduler, connected or not.
type framework struct {
	info        mesos.FrameworkInfo
	id          string
	sub         *subscriber // nil while disconnected
	streamID    string
	active      bool
	recovered   bool // known from agents only, not subscribed since this master leads
	registered  time.Time
	again       time.Time // last re-subscription
	ended       time.Time
	tasks       map[string]*task
	unreachable []*task
	completed   []*task
	suppressed  map[string]bool
	filters     []filter
	offers      map[string]*offer
	used        bag
	offered     bag
	failover    *time.Timer
	counters    map[string]float64
}

// task is a task as the master knows it.
type task struct {
	mesos.Task
	fw      *framework
	amount  bag
	counted bool // its resources are taken from the agent
	unacked *mesos.TaskStatus
}

type offer struct {
	id     string
	fw     *framework
	agent  *agent
	role   string
	amount bag
	// unavailable is when the machine is in maintenance, nil without a window.
	unavailable *mesos.Unavailability
}

// filter keeps resources of an agent that a framework has refused from it until a time.
type filter struct {
	agent  string
	role   string
	amount bag
	until  time.Time
}

// subscriber is an open stream and how its events are written.
type subscriber struct {
	*stream
	encode func(message) []byte
}

// message is a Mesos message of the v1 API.
type message interface{ Marshal() ([]byte, error) }

func (s *subscriber) event(m message) { s.send(s.encode(m)) }

func newCore(set settings, info mesos.MasterInfo, reg registry, log func(string, ...any)) *core {
	return &core{
		set: set, info: info, registry: reg, log: log,
		agents: map[string]*agent{}, awaited: map[string]mesos.AgentInfo{}, unreachable: map[string]mesos.TimeInfo{},
		gone: map[string]bool{}, down: map[machine]bool{}, wasDeactivated: map[string]bool{}, admitting: map[string]*sync.Mutex{}, frameworks: map[string]*framework{},
		offers: map[string]*offer{}, operators: map[*subscriber]bool{}, counters: map[string]float64{},
	}
}

// recoverAgents takes the agents that an earlier leader has admitted. Frameworks and tasks come back from the agents.
func (c *core) recoverAgents() error {
	agents, err := c.registry.load()
	if err != nil {
		return fmt.Errorf("recover the registry: %w", err)
	}
	doc, err := c.registry.loadOperator()
	if err != nil {
		return fmt.Errorf("recover the registry: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.recoverOperator(doc); err != nil {
		return fmt.Errorf("recover the registry: %w", err)
	}
	for _, info := range agents {
		c.awaited[info.GetID().GetValue()] = info
	}
	if len(agents) > 0 {
		time.AfterFunc(c.set.reregisterTimeout, c.giveUpRecovered)
	}
	c.log("Recovered %d agents from the registry; allowing %s for agents to reregister", len(agents), c.set.reregisterTimeout)
	return nil
}

// giveUpRecovered marks agents unreachable that have not come back in time after a change of leader.
func (c *core) giveUpRecovered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.awaited {
		delete(c.awaited, id)
		c.unreachable[id] = now()
		c.counters["master/recovery_slave_removals"]++
	}
}

// tick allocates and sends heartbeats until the process ends or stop is closed.
func (c *core) tick(stop <-chan struct{}) {
	allocate := time.NewTicker(c.set.allocation)
	heartbeat := time.NewTicker(c.set.heartbeat)
	defer allocate.Stop()
	defer heartbeat.Stop()
	for {
		select {
		case <-allocate.C:
			c.mu.Lock()
			c.allocate()
			c.mu.Unlock()
		case <-heartbeat.C:
			c.mu.Lock()
			c.heartbeats()
			c.mu.Unlock()
		case <-stop:
			return
		}
	}
}

func (c *core) heartbeats() {
	for _, fw := range c.frameworks {
		if fw.sub != nil {
			fw.event(&scheduler.Event{Type: scheduler.Event_HEARTBEAT})
		}
	}
	c.tellOperators(heartbeatEvent())
}

// event sends to the framework if it is connected.
func (fw *framework) event(e *scheduler.Event) {
	if fw.sub != nil {
		fw.counters["events/"+lower(e.Type.String())]++
		fw.counters["events"]++
		fw.sub.event(e)
	}
}

func (fw *framework) can(want mesos.FrameworkInfo_Capability_Type) bool {
	for _, capability := range fw.info.Capabilities {
		if capability.Type == want {
			return true
		}
	}
	return false
}

// roles are those the framework gets offers for.
func (fw *framework) roles() []string {
	if fw.can(mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		return fw.info.Roles
	}
	return []string{fw.info.GetRole()}
}

// shownRole is the role that offers and tasks carry outside: none unless the framework is MULTI_ROLE.
func (fw *framework) shownRole(role string) string {
	if fw.can(mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		return role
	}
	return ""
}

// lost is the state of a task that the master cannot reach, as the framework understands it.
func (fw *framework) lost(aware mesos.TaskState) mesos.TaskState {
	if fw.can(mesos.FrameworkInfo_Capability_PARTITION_AWARE) {
		return aware
	}
	return mesos.TASK_LOST
}

func now() mesos.TimeInfo { return stamp(time.Now()) }

func stamp(t time.Time) mesos.TimeInfo { return mesos.TimeInfo{Nanoseconds: t.UnixNano()} }

// seconds is a time as the non-v1 endpoints show it; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

func terminal(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR, mesos.TASK_LOST,
		mesos.TASK_DROPPED, mesos.TASK_GONE, mesos.TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

func ptr[T any](v T) *T { return &v }
