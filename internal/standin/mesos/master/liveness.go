package master

import (
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// This file is about agents that go: by their connection's end, by silence, for good.

// disconnect is called when the agent's stream has ended. Tasks of frameworks that do not checkpoint are lost at once, as
// the real agent cannot recover them; those of the others wait for the agent or for the pings to time out.
func (c *core) disconnect(a *agent, s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.stream != s || c.agents[a.id] != a {
		return
	}
	a.stream = nil
	c.log("Agent %s at %s disconnected", a.id, a.pid())
	c.dropOffers(a)
	for t := range a.tasks {
		if !t.fw.info.GetCheckpoint() {
			c.endTask(t, statusOf(t, mesos.TASK_LOST, mesos.SOURCE_MASTER, mesos.REASON_AGENT_DISCONNECTED, fmt.Sprintf("Agent %s disconnected", a.info.Hostname)))
		}
	}
}

func (c *core) startPings(a *agent) {
	if a.pinger != nil {
		a.pinger.Stop()
	}
	a.pinged++
	a.ponged = a.pinged - 1
	a.tell(wire.ToAgent{Ping: &wire.Ping{Seq: a.pinged}})
	a.pinger = time.AfterFunc(c.set.pingTimeout, func() { c.pingAgain(a) })
}

func (c *core) pingAgain(a *agent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.agents[a.id] != a {
		return
	}
	if a.ponged < a.pinged {
		a.missed++
	}
	if a.missed >= c.set.maxPings {
		c.markUnreachable(a)
		return
	}
	a.pinged++
	a.tell(wire.ToAgent{Ping: &wire.Ping{Seq: a.pinged}})
	a.pinger = time.AfterFunc(c.set.pingTimeout, func() { c.pingAgain(a) })
}

func (c *core) markUnreachable(a *agent) {
	since := now()
	c.log("Marking agent %s at %s unreachable: health check timed out", a.id, a.pid())
	c.unreachable[a.id] = since
	c.counters["master/slave_removals"]++
	c.counters["master/slave_removals/reason_unhealthy"]++
	c.counters["master/slave_unreachable_scheduled"]++
	c.counters["master/slave_unreachable_completed"]++
	for t := range a.tasks {
		if terminal(t.GetState()) {
			c.finishTask(t)
			continue
		}
		status := statusOf(t, t.fw.lost(mesos.TASK_UNREACHABLE), mesos.SOURCE_MASTER, mesos.REASON_AGENT_REMOVED,
			fmt.Sprintf("Agent %s unreachable: health check timed out", a.info.Hostname))
		status.UnreachableTime = &since
		t.State = status.State
		c.uncount(t, a)
		delete(a.tasks, t)
		delete(t.fw.tasks, t.TaskID.Value)
		t.fw.unreachable = keepLast(append(t.fw.unreachable, t), c.set.unreachableTasks)
		c.note(t, status)
		c.sendUpdate(t.fw, status)
	}
	c.forget(a)
}

// removeAgent drops an agent that will not come back; its tasks are lost.
func (c *core) removeAgent(a *agent, why string) {
	c.log("Removing agent %s at %s: %s", a.id, a.pid(), why)
	c.counters["master/slave_removals"]++
	for t := range a.tasks {
		if terminal(t.GetState()) {
			c.finishTask(t)
			continue
		}
		c.endTask(t, statusOf(t, mesos.TASK_LOST, mesos.SOURCE_MASTER, mesos.REASON_AGENT_REMOVED, fmt.Sprintf("Agent %s removed: %s", a.info.Hostname, why)))
	}
	c.forget(a)
	go func() {
		if err := c.registry.remove(a.id); err != nil {
			c.log("%v", err)
		}
	}()
}

func (c *core) forget(a *agent) {
	c.dropOffers(a)
	delete(c.agents, a.id)
	if a.pinger != nil {
		a.pinger.Stop()
	}
	if a.stream != nil {
		a.stream.end()
		a.stream = nil
	}
	for _, fw := range c.frameworks {
		fw.event(&scheduler.Event{Type: scheduler.Event_FAILURE, Failure: &scheduler.Event_Failure{AgentID: &mesos.AgentID{Value: a.id}}})
	}
	c.tellOperators(agentRemoved(a.id))
}
