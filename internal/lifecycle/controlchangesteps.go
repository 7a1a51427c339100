package lifecycle

import (
	"context"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
)

// replacedStages take the cluster from a replaced host first, as its successor has its number in ZooKeeper's ensemble.
func (c *controlChange) replacedStages() []op.Stage {
	if !c.replaces() {
		return nil
	}
	return c.removalStages("Replaced host")
}

// leavingStages take the cluster from hosts that nobody needs any more.
func (c *controlChange) leavingStages() []op.Stage {
	switch {
	case !c.shrinks():
		return nil
	case c.env.own == nil:
		return c.env.leftoverStages()
	}
	return c.removalStages("Take the cluster from the hosts")
}

func (c *controlChange) removalStages(name string) []op.Stage {
	var steps []op.Step
	for _, h := range c.living() {
		steps = append(steps, c.was.removeHostStep(h, DestroyOptions{}))
	}
	if len(steps) == 0 {
		return nil
	}
	return []op.Stage{{Name: name, Parallel: true, Steps: steps}}
}

// hostStages prepare the hosts as an install does, but for the Mesos agents: what they need may start their Docker Engine anew,
// which waits until they are drained. Control hosts that run go one by one.
func (c *controlChange) hostStages() []op.Stage {
	e := c.env
	if e.own == nil {
		return nil
	}
	var joining, staying, programs []op.Step
	for _, h := range c.joining {
		joining = append(joining, e.baseStep(h))
	}
	for _, h := range c.staying {
		staying = append(staying, e.baseStep(h))
	}
	for _, h := range e.Cluster.Hosts {
		programs = append(programs, e.programsStep(h))
	}
	stages := []op.Stage{{Name: "Sources", Steps: []op.Step{e.sourcesStep()}}}
	if len(joining) > 0 {
		stages = append(stages, op.Stage{Name: "Hosts that join", Parallel: true, Steps: joining})
	}
	return append(stages, op.Stage{Name: "Control hosts, one by one", Steps: staying}, op.Stage{Name: "Programs", Parallel: true, Steps: programs})
}

// index is the position of a host among those of a role.
func (e *Env) index(h config.Host, role config.Role) int {
	return slices.IndexFunc(e.Cluster.HostsWith(role), func(other config.Host) bool { return other.Name == h.Name })
}

// leaderLast puts the host that leads behind the others.
func leaderLast(hosts []config.Host, leader string) []config.Host {
	hosts = slices.Clone(hosts)
	slices.SortStableFunc(hosts, func(a, b config.Host) int {
		return map[bool]int{true: 1}[a.Address == leader] - map[bool]int{true: 1}[b.Address == leader]
	})
	return hosts
}

// has says whether a program is installed on a host that goes.
func (c *controlChange) has(ctx context.Context, role string, h config.Host) (bool, error) {
	status, err := c.was.Fleet.Machine(h.Name).Units().Status(ctx, role)
	return status.Digest != "" || status.Active, err
}

// goneStep ends a program on a host that goes, so that it does not come back after a boot, and then waits until the others go on
// without it.
func (c *controlChange) goneStep(role string, h config.Host, first, then func(context.Context) error) op.Step {
	m := c.was.Fleet.Machine(h.Name)
	return op.Step{ID: role + "-gone-" + h.Name, Title: role + " of " + h.Name + " ended", Budget: leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			is, err := c.has(ctx, role, h)
			return op.NeededUnless(!is), err
		},
		Changes: func(context.Context) []string { return []string{"stop " + role + " on " + h.Name + " for good"} },
		Do: func(ctx context.Context, say op.Say) error {
			if status, err := m.Units().Status(ctx, role); err != nil {
				return err
			} else if status.Running && first != nil { // one that has ended is missed already
				if err := wait(ctx, say, first); err != nil {
					return err
				}
			}
			if err := m.Units().Remove(ctx, role); err != nil || then == nil {
				return err
			}
			return wait(ctx, say, then)
		},
	}
}
