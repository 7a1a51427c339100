package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// controlChange is a change of the control hosts: 1 to 3, or another host in place of one of three.
type controlChange struct {
	env    *Env
	before *config.Cluster
	// joining and staying are the control hosts that are new and those that stay; gone is the one that is replaced.
	joining, staying []config.Host
	gone             *config.Host
	// zooKeeperLeader and masterLeader are the addresses of those that lead before the change.
	zooKeeperLeader, masterLeader string
	drain                         DrainOptions
}

func (e *Env) controlChange(ctx context.Context, before *config.Cluster) (*controlChange, error) {
	c := &controlChange{env: e, before: before}
	for _, h := range e.Cluster.HostsWith(config.RoleControl) {
		if _, there := before.Host(h.Name); there {
			c.staying = append(c.staying, h)
		} else {
			c.joining = append(c.joining, h)
		}
	}
	for _, h := range before.HostsWith(config.RoleControl) {
		if _, there := e.Cluster.Host(h.Name); !there {
			c.gone = &h
		}
	}
	for _, server := range (cluster.ZooKeeper{Servers: provision.ZooKeeperServers(before)}).Modes(ctx) {
		if server.Mode == cluster.ModeLeader {
			c.zooKeeperLeader, _, _ = net.SplitHostPort(server.Addr)
		}
	}
	if state, err := e.Mesos.State(ctx); err == nil {
		c.masterLeader, _, _ = net.SplitHostPort(state.Leader)
	}
	if c.gone == nil {
		return c, nil
	}
	servers := cluster.ZooKeeper{Servers: provision.ZooKeeperServers(before)}.Modes(ctx)
	left := 0
	for _, server := range servers {
		address, _, _ := net.SplitHostPort(server.Addr)
		if server.Mode != "" && address != c.gone.Address {
			left++
		}
	}
	if left < 2 {
		return nil, &Refusal{Problem: fmt.Sprintf("only %d of the two other ZooKeeper servers serve: without them nothing that was agreed upon is safe", left), Fix: "bring them back first, see `jomctl status`"}
	}
	return c, nil
}

// growing says that one control host becomes three.
func (c *controlChange) growing() bool { return c.gone == nil }

func (c *controlChange) warnings() []string {
	if !c.growing() {
		return []string{"each Mesos agent is drained and started again with the new addresses: builds are waited for, none is ended"}
	}
	lines := []string{
		"ZooKeeper is away while " + c.staying[0].Name + " starts again as a member of three: the master and Marathon may end themselves and come back, running builds and the controller go on",
		"each Mesos agent is drained and started again with the new addresses: builds are waited for, none is ended",
	}
	if !c.env.Cluster.Components.Mesos.Source.Standin {
		lines = append(lines, "the registry of the master is begun anew, as a replicated log of one cannot become one of three: what is lost are drains, the maintenance schedule, "+
			"quotas and the list of agents that are gone; Mesos agents and their tasks register again")
	}
	return lines
}

// leaving takes the cluster from a replaced host that can be reached. One that cannot must be given up by name of --force.
func (c *controlChange) leaving(ctx context.Context, opts ControlOptions) ([]op.Stage, []string, error) {
	if c.gone == nil {
		return nil, nil, nil
	}
	was, err := lookHosts(c.before, opts.Access)
	if err != nil {
		return nil, nil, err
	}
	name := c.gone.Name
	err = was.own.remotes[name].Connect(ctx)
	if err == nil {
		return []op.Stage{{Name: "Replaced host", Steps: []op.Step{was.removeHostStep(*c.gone, DestroyOptions{})}}}, nil, nil
	}
	if !opts.Force {
		return nil, nil, &Refusal{Problem: fmt.Sprintf("%s cannot be reached, so that it cannot be taken out of the cluster: %v", name, err), Fix: "where the host is dead for good, say --force"}
	}
	return nil, []string{fmt.Sprintf("%s cannot be reached (%v): its programs, should it come back, have the number of its replacement in ZooKeeper's ensemble: wipe it before it gets into this network", name, err)}, nil
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

func (c *controlChange) zooKeeperStep(h config.Host, ready func(context.Context) error) op.Step {
	step := c.env.serviceStep(provision.RoleZooKeeper, c.env.index(h, config.RoleControl), ready)
	step.Budget = leaderBudget
	return step
}

// zooKeeperSteps never let servers without data make a quorum of their own: what they agreed upon would win over the data.
func (c *controlChange) zooKeeperSteps() []op.Step {
	healthy := c.env.ZooKeeper.Healthy
	if !c.growing() {
		// The others have the old list, in which the number of the new one is that of the host that it stands for.
		steps := []op.Step{c.zooKeeperStep(c.joining[0], healthy)}
		for _, h := range leaderLast(c.staying, c.zooKeeperLeader) {
			step := c.zooKeeperStep(h, healthy)
			do := step.Do
			step.Do = func(ctx context.Context, say op.Say) error {
				if err := wait(ctx, say, c.quorum); err != nil {
					return err
				}
				return do(ctx, say)
			}
			steps = append(steps, step)
		}
		return steps
	}
	// One empty server cannot serve without the old one, which has the data and so leads the two. Only then comes the third.
	old := c.zooKeeperStep(c.staying[0], c.quorum)
	do := old.Do
	old.Title += ", leading the first two of three"
	old.Do = func(ctx context.Context, say op.Say) error {
		if err := do(ctx, say); err != nil {
			return err
		}
		return wait(ctx, say, c.oldLeads)
	}
	last := c.zooKeeperStep(c.joining[1], healthy)
	return []op.Step{c.zooKeeperStep(c.joining[0], nil), old, last}
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
		if address, _, _ := net.SplitHostPort(server.Addr); address == c.staying[0].Address && server.Mode == cluster.ModeLeader {
			return nil
		}
	}
	return errors.New("ZooKeeper on " + c.staying[0].Name + " does not lead yet")
}

func (c *controlChange) masterStep(h config.Host) op.Step {
	step := c.env.serviceStep(provision.RoleMesosMaster, c.env.index(h, config.RoleControl), nil)
	step.Budget = leaderBudget
	return step
}

// masterSteps begin with the old master where there was one: its replicated log of one cannot become one of three.
func (c *controlChange) masterSteps() []op.Step {
	if c.growing() {
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
	m := c.env.Mesos
	m.Patience = time.Millisecond
	var steps []op.Step
	for _, h := range slices.Concat(c.joining, leaderLast(c.staying, c.masterLeader)) {
		step := c.masterStep(h)
		apply := step.Do
		step.Do = func(ctx context.Context, say op.Say) error {
			if err := apply(ctx, say); err != nil {
				return err
			}
			if err := wait(ctx, say, func(ctx context.Context) error { return c.caughtUp(ctx, h) }); err != nil {
				return err
			}
			return wait(ctx, say, m.Ready)
		}
		steps = append(steps, step)
	}
	return steps
}

// caughtUp is nil when the master answers and, where it is a real one, its replicated log has what the others have.
func (c *controlChange) caughtUp(ctx context.Context, h config.Host) error {
	for _, health := range c.env.Mesos.Health(ctx) {
		if address, _, _ := net.SplitHostPort(health.Addr); address != h.Address {
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

// agentSteps drain each Mesos agent before it is started again: a restart ends its build agents.
func (c *controlChange) agentSteps() []op.Step {
	e := c.env
	steps := e.agentSteps()
	for i, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		apply := steps[i].Do
		steps[i].Title = h.Name + " drained, and its Mesos agent started with the new addresses"
		steps[i].Budget = c.drain.Timeout + 2*leaderBudget
		steps[i].Do = func(ctx context.Context, say op.Say) error {
			// One that has not come back from the change of the masters would not be asked what it runs.
			limited, cancel := context.WithTimeout(ctx, leaderBudget)
			defer cancel()
			if err := wait(limited, say, func(ctx context.Context) error { _, err := e.registered(ctx, []string{h.Name}); return err }); err != nil {
				return err
			}
			before := false
			if err := e.each(ctx, h, func(_ cluster.State, _ cluster.Agent, out bool) error {
				before = before || out
				return nil
			}); err != nil {
				return err
			}
			if err := e.drain(ctx, h, c.drain.Timeout, say); err != nil {
				return err
			}
			if err := apply(ctx, say); err != nil || before {
				return err
			}
			return e.undrainStep(h).Do(ctx, say)
		}
	}
	return steps
}

// marathonSteps start the new ones first, so that one of them leads when the old ones are started again.
func (c *controlChange) marathonSteps() []op.Step {
	all := c.env.marathonSteps()
	var steps []op.Step
	for _, h := range slices.Concat(c.joining, c.staying) {
		steps = append(steps, all[c.env.index(h, config.RoleControl)])
	}
	return steps
}
