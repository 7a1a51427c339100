package master

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// agent is a registered agent, connected or not.
type agent struct {
	id          string
	info        mesos.AgentInfo
	ip          string
	version     string
	stream      *stream // nil while disconnected
	deactivated bool
	drain       *drain
	registered  time.Time
	again       time.Time
	total       bag
	used        bag
	offered     bag
	offers      map[string]*offer
	tasks       map[*task]bool
	killed      map[*task]*mesos.KillPolicy // kills that the agent may not have heard
	missed      int
	pinged      uint64
	ponged      uint64
	pinger      *time.Timer
}

func (a *agent) connected() bool { return a.stream != nil }

func (a *agent) active() bool { return a.stream != nil && !a.deactivated }

func (a *agent) pid() string {
	return "slave(1)@" + net.JoinHostPort(a.ip, strconv.Itoa(int(a.info.GetPort())))
}

func (a *agent) tell(m wire.ToAgent) {
	if a.stream == nil {
		return
	}
	data, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("a message to an agent must marshal: %v", err)) // own types without channels or cycles
	}
	a.stream.send(data)
}

// register admits an agent and returns its stream, which the caller serves and then gives to disconnect.
func (c *core) register(reg wire.Register, ip string) (*agent, *stream, error) {
	key := net.JoinHostPort(reg.Agent.Hostname, strconv.Itoa(int(reg.Agent.GetPort())))
	c.mu.Lock()
	lock := c.admitting[key]
	if lock == nil {
		lock = &sync.Mutex{}
		c.admitting[key] = lock
	}
	c.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()

	id := reg.Agent.GetID().GetValue()
	c.mu.Lock()
	refused := ""
	if c.gone[id] {
		refused = "Agent has been marked gone"
	} else if c.down[machine{strings.ToLower(reg.Agent.Hostname), ip}] {
		refused = "Machine is `DOWN`"
	}
	isNew := id == ""
	if isNew && refused == "" {
		id = fmt.Sprintf("%s-S%d", c.info.ID, c.nextAgent)
		c.nextAgent++
		reg.Agent.ID = &mesos.AgentID{Value: id}
	}
	c.mu.Unlock()
	if refused != "" {
		s := newStream()
		a := &agent{stream: s}
		a.tell(wire.ToAgent{Shutdown: &wire.Shutdown{Message: refused}})
		s.end()
		return nil, s, nil
	}
	if err := c.registry.put(reg.Agent); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if isNew {
		c.removeSameAddress(reg.Agent)
	}
	a := c.admit(id, reg, ip, isNew)
	return a, a.stream, nil
}

// removeSameAddress drops a former agent when a new one, with a new id, registers from its address.
func (c *core) removeSameAddress(info mesos.AgentInfo) {
	for _, old := range c.agents {
		if old.info.Hostname == info.Hostname && old.info.GetPort() == info.GetPort() {
			c.removeAgent(old, "a new agent registered at the same address")
			c.counters["master/slave_removals/reason_registered"]++
		}
	}
}

func (c *core) admit(id string, reg wire.Register, ip string, isNew bool) *agent {
	a := c.agents[id]
	_, wasUnreachable := c.unreachable[id]
	delete(c.awaited, id)
	delete(c.unreachable, id)
	isAdded := a == nil
	if isAdded {
		a = &agent{id: id, registered: time.Now(), tasks: map[*task]bool{}, killed: map[*task]*mesos.KillPolicy{}, used: bag{}, offered: bag{}, offers: map[string]*offer{}}
		a.deactivated = c.wasDeactivated[id]
		delete(c.wasDeactivated, id)
		c.agents[id] = a
	} else {
		c.dropOffers(a)
		if a.stream != nil {
			a.stream.end()
		}
	}
	a.info, a.ip, a.version, a.total = reg.Agent, ip, reg.Version, newBag(reg.Agent.Resources)
	a.stream, a.missed = newStream(), 0
	if isNew {
		c.counters["master/slave_registrations"]++
		c.log("Registered agent %s at %s (%s)", id, a.pid(), a.info.Hostname)
	} else {
		a.again = time.Now()
		c.counters["master/slave_reregistrations"]++
		c.log("Reregistered agent %s at %s (%s)", id, a.pid(), a.info.Hostname)
	}
	timeout := c.set.pingTimeout * time.Duration(c.set.maxPings)
	a.tell(wire.ToAgent{Registered: &wire.Registered{AgentID: mesos.AgentID{Value: id}, PingTimeout: timeout.Seconds()}})
	c.takeTasks(a, reg.Tasks, wasUnreachable)
	if isAdded {
		c.tellOperators(agentAdded(a))
	}
	c.startPings(a)
	c.allocate()
	return a
}

// takeTasks makes the master's picture of the agent's tasks what the agent says.
func (c *core) takeTasks(a *agent, reported []wire.Task, wasUnreachable bool) {
	seen := map[*task]bool{}
	removed := map[string]bool{}
	for _, one := range reported {
		id := one.Framework.GetID().GetValue()
		if c.isCompleted(id) {
			if !removed[id] {
				a.tell(wire.ToAgent{FrameworkShutdown: &wire.FrameworkShutdown{FrameworkID: mesos.FrameworkID{Value: id}}})
			}
			removed[id] = true
			continue
		}
		fw := c.frameworks[id]
		if fw == nil {
			fw = c.recoverFramework(one.Framework)
		}
		if t := fw.tasks[one.Info.TaskID.Value]; t != nil && t.AgentID.Value != a.id {
			// Launched again elsewhere meanwhile: only one of the two can have the id.
			a.tell(wire.ToAgent{Kill: &wire.Kill{FrameworkID: t.FrameworkID, TaskID: t.TaskID}})
			continue
		}
		seen[c.takeTask(a, fw, one, wasUnreachable)] = true
	}
	for t := range a.tasks {
		if !seen[t] {
			c.endTask(t, statusOf(t, t.fw.lost(mesos.TASK_DROPPED), mesos.SOURCE_AGENT, mesos.REASON_RECONCILIATION, "Reconciliation: task unknown to the agent"))
		}
	}
	for t, policy := range a.killed {
		if a.tasks[t] && !terminal(t.GetState()) {
			a.tell(killMessage(t, policy))
		}
	}
}

func (c *core) takeTask(a *agent, fw *framework, one wire.Task, wasUnreachable bool) *task {
	id := one.Info.TaskID.Value
	t := fw.tasks[id]
	returned := fw.forgetUnreachable(id) || wasUnreachable
	if t == nil {
		t = newTask(fw, a, one.Info)
		c.addTask(a, t)
	}
	t.State = ptr(one.Status.GetState())
	if len(one.Statuses) > 0 {
		t.Statuses = one.Statuses
	}
	if terminal(t.GetState()) {
		c.uncount(t, a)
		return t
	}
	if returned && fw.sub != nil {
		c.sendUpdate(fw, statusOf(t, t.GetState(), mesos.SOURCE_MASTER, mesos.REASON_AGENT_REREGISTERED, "Unreachable agent re-reregistered"))
	}
	return t
}

// forgetUnreachable takes a task out of the unreachable and lost ones because its agent has come back with it.
func (fw *framework) forgetUnreachable(id string) bool {
	before := len(fw.unreachable) + len(fw.completed)
	fw.unreachable = slices.DeleteFunc(fw.unreachable, func(t *task) bool { return t.TaskID.Value == id })
	fw.completed = slices.DeleteFunc(fw.completed, func(t *task) bool { return t.TaskID.Value == id && t.GetState() == mesos.TASK_LOST })
	return len(fw.unreachable)+len(fw.completed) < before
}

// hear takes one message of an agent. It returns false for an agent that is not registered.
func (c *core) hear(m wire.FromAgent) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.agents[m.AgentID.Value]
	if a == nil {
		return false
	}
	switch {
	case m.Pong != nil:
		a.ponged, a.missed = max(a.ponged, m.Pong.Seq), 0
	case m.Update != nil:
		c.update(a, m.Update)
	case m.Unregister != nil:
		c.counters["master/messages_unregister_slave"]++
		c.counters["master/slave_removals/reason_unregistered"]++
		c.removeAgent(a, "the agent unregistered")
	}
	return true
}

func keepLast[T any](list []T, most int) []T {
	if len(list) > most {
		return list[len(list)-most:]
	}
	return list
}
