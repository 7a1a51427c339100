package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// zooKeeperSteps change the list of servers, which each server reads at its start. Two things must never be: servers without data
// that make a quorum of their own, and a quorum of the new list that shares no server with one of the old list, as both would
// agree upon something else. (ZooKeeper's own reconfiguration is switched off by default, and it would write our files.)
func (c *controlChange) zooKeeperSteps() ([]op.Step, error) {
	switch {
	case c.shrinks():
		return c.zooKeeperShrinks(), nil
	case c.replaces():
		return c.zooKeeperReplaced(), nil
	case len(c.staying) == 1:
		return c.zooKeeperBegins(), nil
	}
	return c.zooKeeperGrows()
}

func (c *controlChange) zooKeeperStep(h config.Host, ready func(context.Context) error) op.Step {
	step := c.env.serviceStep(provision.RoleZooKeeper, c.env.index(h, config.RoleControl), ready)
	step.Budget = leaderBudget
	return step
}

// after waits for something before a step does its work.
func after(ready func(context.Context) error, step op.Step) op.Step {
	do := step.Do
	step.Do = func(ctx context.Context, say op.Say) error {
		if err := wait(ctx, say, ready); err != nil {
			return err
		}
		return do(ctx, say)
	}
	return step
}

// zooKeeperBegins makes one server three. One empty server cannot serve without the old one, which has the data and so leads the
// two; two empty ones could. So the third comes last.
func (c *controlChange) zooKeeperBegins() []op.Step {
	old := c.zooKeeperStep(c.staying[0], c.quorum)
	do := old.Do
	old.Title += ", leading the first two of three"
	old.Do = func(ctx context.Context, say op.Say) error {
		if err := do(ctx, say); err != nil {
			return err
		}
		return wait(ctx, say, c.oldLeads)
	}
	return []op.Step{c.zooKeeperStep(c.joining[0], nil), old, c.zooKeeperStep(c.joining[1], c.env.ZooKeeper.Healthy)}
}

// quorum is nil when ZooKeeper can be written to.
func (c *controlChange) quorum(ctx context.Context) error {
	servers := c.env.ZooKeeper.Modes(ctx)
	if serving, enough := cluster.Quorum(servers); !enough {
		return fmt.Errorf("%d of %d ZooKeeper servers serve, no quorum yet", serving, len(servers))
	}
	return nil
}

// oldLeads is nil when the server with the data leads.
func (c *controlChange) oldLeads(ctx context.Context) error {
	for _, server := range c.env.ZooKeeper.Modes(ctx) {
		if hostOf(server.Addr) == c.staying[0].Address && server.Mode == cluster.ModeLeader {
			return nil
		}
	}
	return errors.New("ZooKeeper on " + c.staying[0].Name + " does not lead yet")
}

// zooKeeperReplaced brings in the new server first. The others have the old list meanwhile, in which its number is that of the
// server that it stands for; then they get the new list, the leader last.
func (c *controlChange) zooKeeperReplaced() []op.Step {
	all := slices.Concat(c.joining, leaderLast(c.staying, c.zooKeeperLeader))
	var steps []op.Step
	for _, h := range all {
		steps = append(steps, after(c.others(c.env.ZooKeeper, all, h), c.zooKeeperStep(h, c.env.ZooKeeper.Healthy)))
	}
	return steps
}

// others is nil when all but one of these hosts serve, so that this one may start again. The one that joins is asked of the others
// only when it is there.
func (c *controlChange) others(z cluster.ZooKeeper, all []config.Host, h config.Host) func(context.Context) error {
	others := slices.DeleteFunc(slices.Clone(all), func(other config.Host) bool { return other.Name == h.Name })
	return func(ctx context.Context) error {
		if err := serve(ctx, z, others); err != nil {
			return fmt.Errorf("ZooKeeper on %s must wait: %w", h.Name, err)
		}
		return nil
	}
}

// list is a list of servers on the way from the old one to the new one.
type list struct {
	hosts []config.Host
	fleet *provision.Fleet
	zk    cluster.ZooKeeper
}

// zooKeeperGrows adds one server at a time to three or more. Two majorities of lists that differ by one server always share one,
// so that an old and a new quorum never go their own ways; with two at a time they could. A server joins what the others have
// before these get the list with it.
func (c *controlChange) zooKeeperGrows() ([]op.Step, error) {
	var lists []list
	for i := range c.joining {
		l, err := c.list(slices.Concat(c.staying, c.joining[:i+1]))
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	var steps []op.Step
	for i := range lists {
		order := slices.Concat(c.joining[i:i+1], leaderLast(c.staying, c.zooKeeperLeader), c.joining[:i])
		for _, h := range order {
			steps = append(steps, c.listStep(h, lists, i))
		}
	}
	return steps, nil
}

// list is the fleet with these control hosts alone.
func (c *controlChange) list(control []config.Host) (list, error) {
	now := c.env.Cluster.Clone()
	for i, h := range now.Hosts {
		if !slices.ContainsFunc(control, func(other config.Host) bool { return other.Name == h.Name }) {
			now.Hosts[i].Roles = slices.DeleteFunc(slices.Clone(h.Roles), func(r config.Role) bool { return r == config.RoleControl })
		}
	}
	var fleet *provision.Fleet
	var err error
	if o := c.env.own; o != nil {
		fleet, err = provision.NewHostFleet(now, o.byName(), o.programs, o.values)
	} else {
		fleet, err = provision.NewLocalFleet(now, c.env.Programs)
	}
	return list{control, fleet, cluster.ZooKeeper{Servers: provision.ZooKeeperServers(now), Dial: c.env.Dial()}}, err
}

// listStep gives a server the i-th list. A server that has a later one is further.
func (c *controlChange) listStep(h config.Host, lists []list, i int) op.Step {
	e, now := c.env, lists[i]
	if i == len(lists)-1 {
		return after(c.others(now.zk, now.hosts, h), c.zooKeeperStep(h, now.zk.Healthy))
	}
	item := func(l list) provision.Item { return e.item(l.fleet.ZooKeeper(h)) }
	probe := func(ctx context.Context) (op.State, []string, error) {
		if !e.own.known() || !e.credentialsThere() {
			return op.Later, nil, nil
		}
		var first []string
		for at, l := range lists[i:] {
			done, changes, err := item(l).Probe(ctx)
			if err != nil || done {
				return op.NeededUnless(done), nil, err
			}
			if at == 0 {
				first = changes
			}
		}
		return op.Needed, first, nil
	}
	return after(c.others(now.zk, now.hosts, h), op.Step{
		ID:    fmt.Sprintf("zookeeper-%s-of-%d", h.Name, len(now.hosts)),
		Title: fmt.Sprintf("zookeeper on %s, in a list of %d", h.Name, len(now.hosts)), Budget: leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			state, _, err := probe(ctx)
			return state, err
		},
		Changes: func(ctx context.Context) []string {
			_, changes, _ := probe(ctx)
			return changes
		},
		Do: func(ctx context.Context, say op.Say) error {
			if _, err := item(now).Apply(ctx); err != nil {
				return err
			}
			return wait(ctx, say, now.zk.Healthy)
		},
	})
}

// zooKeeperShrinks ends the servers that go, one by one, for good. With the last of them that the old list can spare every write
// reaches all that stay, so that none of these lacks anything. Then they start together with the new list, in which their
// numbers may be others. A client's session outlives that: it is the leader that counts its time, and a new one counts anew.
func (c *controlChange) zooKeeperShrinks() []op.Step {
	var steps []op.Step
	living := c.living()
	majority := (len(c.staying)+len(c.leaving))/2 + 1
	for i, h := range living {
		left := slices.Concat(c.staying, living[i+1:])
		all := func(ctx context.Context) error { return serve(ctx, c.was.ZooKeeper, left) }
		var then func(context.Context) error
		if len(left) >= majority {
			then = all
		}
		steps = append(steps, c.goneStep(provision.RoleZooKeeper, h, all, then))
	}
	return append(steps, c.smallerStep())
}

// smallerStep starts the servers that stay with the new list.
func (c *controlChange) smallerStep() op.Step {
	e := c.env
	item := func(h config.Host) provision.Item { return e.item(e.Fleet.ZooKeeper(h)) }
	old := func(ctx context.Context) (hosts []config.Host, changes []string, err error) {
		for _, h := range c.staying {
			done, lines, err := item(h).Probe(ctx)
			if err != nil {
				return nil, nil, err
			}
			if !done {
				hosts, changes = append(hosts, h), append(changes, lines...)
			}
		}
		return hosts, changes, nil
	}
	return op.Step{ID: "zookeeper-smaller", Title: fmt.Sprintf("ZooKeeper serves as an ensemble of %d", len(c.staying)), Budget: leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			if !e.own.known() || !e.credentialsThere() {
				return op.Later, nil
			}
			hosts, _, err := old(ctx)
			return op.NeededUnless(len(hosts) == 0 && e.ZooKeeper.Healthy(ctx) == nil), err
		},
		Changes: func(ctx context.Context) []string {
			_, changes, _ := old(ctx)
			return changes
		},
		Do: func(ctx context.Context, say op.Say) error {
			hosts, _, err := old(ctx)
			if err != nil {
				return err
			}
			for _, work := range []func(context.Context, config.Host) error{
				func(ctx context.Context, h config.Host) error {
					return e.Fleet.Machine(h.Name).Units().Stop(ctx, provision.RoleZooKeeper)
				},
				func(ctx context.Context, h config.Host) error { _, err := item(h).Apply(ctx); return err },
			} {
				if err := e.eachOf(ctx, hosts, work); err != nil {
					return err
				}
			}
			return wait(ctx, say, e.ZooKeeper.Healthy)
		},
	}
}

// eachOf works on hosts at the same time.
func (e *Env) eachOf(ctx context.Context, hosts []config.Host, work func(context.Context, config.Host) error) error {
	var machines []host.Machine
	for _, h := range hosts {
		machines = append(machines, e.Fleet.Machine(h.Name))
	}
	return host.Each(ctx, machines, parallel, func(ctx context.Context, m host.Machine) error {
		h, _ := e.Cluster.Host(m.Name())
		return work(ctx, h)
	})
}
