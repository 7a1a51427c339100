package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// masterSteps follow Apache Mesos' Operational Guide, "Changing the master quorum": to increase it, the masters that run are
// started again with the new quorum, and then the new ones come; to decrease it, the masters that go end for good, and then the
// others are started again with the new quorum; a master that is replaced may come with an empty log as long as the old one never
// comes back. There are never more masters than the quorum was made for.
func (c *controlChange) masterSteps() []op.Step {
	switch {
	case c.shrinks():
		return c.mastersShrink()
	case c.replaces():
		return c.mastersOneByOne(slices.Concat(c.joining, leaderLast(c.staying, c.masterLeader)))
	case len(c.staying) == 1:
		return c.mastersBegin()
	}
	return c.mastersOneByOne(slices.Concat(leaderLast(c.staying, c.masterLeader), c.joining))
}

func (c *controlChange) masterStep(h config.Host) op.Step {
	step := c.env.serviceStep(provision.RoleMesosMaster, c.env.index(h, config.RoleControl), nil)
	step.Budget = leaderBudget
	return step
}

// mastersBegin makes one master three: "moving out of a single master setup requires wiping the replicated log state and starting
// fresh" (the guide's note): the master stops, its replicated_log goes, and all three start with a quorum of two.
func (c *controlChange) mastersBegin() []op.Step {
	old := c.masterStep(c.staying[0])
	apply := old.Do
	old.Title += ", as one of three"
	old.Do = func(ctx context.Context, say op.Say) error {
		if err := c.forgetLog(ctx); err != nil {
			return err
		}
		return apply(ctx, say)
	}
	steps := []op.Step{old}
	for _, h := range c.joining {
		steps = append(steps, c.masterStep(h))
	}
	return steps
}

// forgetLog stops the old master and removes its replicated log, unless the others have begun one together with it.
func (c *controlChange) forgetLog(ctx context.Context) error {
	e := c.env
	for _, h := range c.joining {
		status, err := e.Fleet.Machine(h.Name).Units().Status(ctx, provision.RoleMesosMaster)
		if err != nil || status.Active {
			return err
		}
	}
	m := e.Fleet.Machine(c.staying[0].Name)
	if err := m.Units().Stop(ctx, provision.RoleMesosMaster); err != nil {
		return err
	}
	for _, dir := range e.Fleet.Services(provision.RoleMesosMaster)[e.index(c.staying[0], config.RoleControl)].Dirs {
		if strings.HasSuffix(dir, "/work") {
			return m.Remove(ctx, dir+"/replicated_log")
		}
	}
	return nil
}

// mastersOneByOne goes on with the next master only when the last one has caught up and one leads.
func (c *controlChange) mastersOneByOne(order []config.Host) []op.Step {
	var steps []op.Step
	for _, h := range order {
		step := c.masterStep(h)
		apply := step.Do
		step.Do = func(ctx context.Context, say op.Say) error {
			if err := apply(ctx, say); err != nil {
				return err
			}
			if err := wait(ctx, say, func(ctx context.Context) error { return c.caughtUp(ctx, h) }); err != nil {
				return err
			}
			return wait(ctx, say, c.leads)
		}
		steps = append(steps, step)
	}
	return steps
}

// leads is nil when a master leads and has recovered.
func (c *controlChange) leads(ctx context.Context) error {
	m := c.env.Mesos
	m.Patience = time.Millisecond
	return m.Ready(ctx)
}

// caughtUp is nil when the master answers and, where it is a real one, its replicated log has what the others have.
func (c *controlChange) caughtUp(ctx context.Context, h config.Host) error {
	for _, health := range c.env.Mesos.Health(ctx) {
		if hostOf(health.Addr) != h.Address {
			continue
		}
		if health.Err != nil {
			return health.Err
		}
		if !health.StandIn && !health.Recovered {
			return errors.New("the replicated log of the master on " + h.Name + " has not caught up yet")
		}
	}
	return nil
}

// mastersShrink has one of those that stay lead before the others end: the log of a leader has every entry, that of another
// master may lack some.
func (c *controlChange) mastersShrink() []op.Step {
	steps := []op.Step{c.leaderStaysStep()}
	living := c.living()
	quorum := (len(c.staying)+len(c.leaving))/2 + 1
	for i, h := range living {
		then := c.leads
		if len(c.staying)+len(living)-i-1 < quorum {
			then = nil // the one that is left leads on, and can write nothing until it knows the new quorum
		}
		steps = append(steps, c.goneStep(provision.RoleMesosMaster, h, nil, then))
	}
	return append(steps, c.mastersOneByOne(leaderLast(c.staying, c.masterLeader))...)
}

// leaderStaysStep starts masters that go and lead again, which puts them behind all others: the one that has waited for longest
// leads next.
func (c *controlChange) leaderStaysStep() op.Step {
	return op.Step{ID: "mesos-leader-stays", Title: "A Mesos master that stays leads", Budget: time.Duration(len(c.leaving)+1) * leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			for _, h := range c.living() {
				if is, err := c.has(ctx, provision.RoleMesosMaster, h); err != nil || is {
					return op.NeededUnless(err == nil && c.leadsOf(ctx) == leadsStaying), err
				}
			}
			return op.Done, nil // the others have ended
		},
		Changes: func(ctx context.Context) []string {
			return []string{"start the leading master " + c.leadsOf(ctx) + " again, which hands over"}
		},
		Do: func(ctx context.Context, say op.Say) error {
			for range c.leaving {
				if err := wait(ctx, say, func(ctx context.Context) error {
					if c.leadsOf(ctx) == "" {
						return errors.New("no master leads yet")
					}
					return c.leads(ctx)
				}); err != nil {
					return err
				}
				name := c.leadsOf(ctx)
				if name == leadsStaying {
					return nil
				}
				if err := c.handOver(ctx, name, say); err != nil {
					return err
				}
			}
			return wait(ctx, say, func(ctx context.Context) error {
				if name := c.leadsOf(ctx); name != leadsStaying {
					return fmt.Errorf("the master that leads (%s) is not one of those that stay", name)
				}
				return c.leads(ctx)
			})
		},
	}
}

// leadsStaying stands for the name of any host that stays.
const leadsStaying = "-"

// leadsOf is the name of the host that goes and whose master leads, leadsStaying where one that stays leads, and "" where none does.
func (c *controlChange) leadsOf(ctx context.Context) string {
	for _, health := range c.was.Mesos.Health(ctx) {
		if health.Err != nil || !health.Elected {
			continue
		}
		for _, h := range c.leaving {
			if h.Address == hostOf(health.Addr) {
				return h.Name
			}
		}
		return leadsStaying
	}
	return ""
}

// handOver starts the master of a host that goes again, and waits until another one leads.
func (c *controlChange) handOver(ctx context.Context, name string, say op.Say) error {
	h, _ := c.was.Cluster.Host(name)
	units := c.was.Fleet.Machine(name).Units()
	if err := units.Stop(ctx, provision.RoleMesosMaster); err != nil {
		return err
	}
	if _, err := units.Apply(ctx, c.was.Fleet.MesosMaster(h).Unit); err != nil {
		return err
	}
	return wait(ctx, say, func(ctx context.Context) error {
		if now := c.leadsOf(ctx); now == name || now == "" {
			return fmt.Errorf("the master on %s has not handed over yet", name)
		}
		return c.leads(ctx)
	})
}
