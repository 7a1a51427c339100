package master

import (
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// drain is an operator's wish to empty an agent.
type drain struct {
	since    time.Time
	grace    time.Duration
	markGone bool
	done     bool
}

func (d *drain) info() *mesos.DrainInfo {
	state := mesos.DrainState_DRAINING
	if d.done {
		state = mesos.DrainState_DRAINED
	}
	return &mesos.DrainInfo{State: state, Config: mesos.DrainConfig{MaxGracePeriod: &mesos.DurationInfo{Nanoseconds: int64(d.grace)}, MarkGone: &d.markGone}}
}

// startDrain stops offers of the agent and has its tasks killed. It returns a refusal, empty when it has begun.
func (c *core) startDrain(id string, grace time.Duration, markGone bool) string {
	a := c.agents[id]
	switch {
	case a == nil:
		return "Unknown agent"
	case a.drain != nil && !a.drain.done:
		return "Agent is already being drained"
	}
	a.deactivated, a.drain = true, &drain{since: time.Now(), grace: grace, markGone: markGone}
	c.dropOffers(a)
	a.tell(wire.ToAgent{Drain: &wire.Drain{MaxGracePeriod: grace.Seconds()}})
	c.checkDrain(a)
	return ""
}

// checkDrain notes that the last task has gone.
func (c *core) checkDrain(a *agent) {
	if a.drain == nil || a.drain.done || len(a.tasks) > 0 {
		return
	}
	a.drain.done = true
	c.log("Agent %s has been drained", a.id)
	if a.drain.markGone {
		c.markGone(a)
	}
}

// markGone removes the agent and refuses it from now on.
func (c *core) markGone(a *agent) {
	c.gone[a.id] = true
	a.tell(wire.ToAgent{Shutdown: &wire.Shutdown{Message: "Agent has been marked gone"}})
	for t := range a.tasks {
		if terminal(t.GetState()) {
			c.finishTask(t)
			continue
		}
		c.endTask(t, statusOf(t, t.fw.lost(mesos.TASK_GONE_BY_OPERATOR), mesos.SOURCE_MASTER, mesos.REASON_AGENT_REMOVED_BY_OPERATOR, "Agent has been marked gone"))
	}
	c.forget(a)
}

func (c *core) deactivate(id string) string {
	a := c.agents[id]
	if a == nil {
		return "Unknown agent"
	}
	a.deactivated = true
	c.dropOffers(a)
	return ""
}

func (c *core) reactivate(id string) string {
	a := c.agents[id]
	switch {
	case a == nil:
		return "Unknown agent"
	case !a.deactivated:
		return "Agent is not deactivated"
	case a.drain != nil && !a.drain.done:
		return "Agent is still in the DRAINING state"
	}
	a.deactivated, a.drain = false, nil
	c.allocate()
	return ""
}
