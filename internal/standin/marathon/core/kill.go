package core

import (
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// kill stops an instance's task, or removes the instance when there is none.
func (c *Core) kill(i *Instance) {
	switch {
	case !i.active() || i.TaskID == "":
		if i.Goal == goalDecommissioned {
			c.removeInstance(i)
		}
	case i.Condition == unreachable:
		// Its agent cannot be asked; the task is killed as an unknown one when it comes back.
		c.sendKillOf(i)
		if i.Goal == goalDecommissioned {
			c.removeInstance(i)
		}
	default:
		c.sendKillOf(i)
	}
}

func (c *Core) sendKillOf(i *Instance) {
	i.killSent = c.now()
	c.sendKill(i.TaskID, &mesos.AgentID{Value: i.AgentID}, nil)
}

func (c *Core) sendKill(task string, agent *mesos.AgentID, policy *mesos.KillPolicy) {
	c.send(&sched.Call{Type: sched.Call_KILL, Kill: &sched.Call_Kill{TaskID: mesos.TaskID{Value: task}, AgentID: agent, KillPolicy: policy}})
}

// killTick repeats kills that had no effect.
func (c *Core) killTick(now time.Time) {
	for _, i := range c.insts {
		if !i.killSent.IsZero() && i.active() && now.Sub(i.killSent) >= c.cfg.KillRetry {
			c.sendKillOf(i)
		}
		if i.Goal == goalDecommissioned && i.active() && i.killSent.IsZero() {
			c.kill(i)
		}
	}
}

// overdueTick kills tasks that never got to run.
func (c *Core) overdueTick(now time.Time) {
	for _, i := range c.insts {
		limit := c.cfg.LaunchTimeout
		switch i.Condition {
		case provisioned:
			limit = c.cfg.ConfirmTimeout
		case staging, starting:
		default:
			continue
		}
		if limit > 0 && now.Sub(i.Since) > limit && i.killSent.IsZero() {
			c.logf("task %s is %s for more than %s: killing it", i.TaskID, i.Condition, limit)
			c.sendKillOf(i)
		}
	}
}

// decommission gives an instance up: its task is killed and nothing follows.
func (c *Core) decommission(i *Instance) {
	if i.Goal == goalDecommissioned {
		return
	}
	i.Goal = goalDecommissioned
	c.changed(i, i.Condition)
	c.kill(i)
}
