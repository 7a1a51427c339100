package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision"
)

// controlChange is a change of the control hosts: two more, two less, or another host in place of one.
type controlChange struct {
	// env is the cluster as it is to be, was as it is installed.
	env, was *Env
	// joining, staying and leaving are the control hosts that come, stay and go.
	joining, staying, leaving []config.Host
	// dead are those of leaving that cannot be reached, with the reason.
	dead map[string]error
	// zooKeeperLeader and masterLeader are the addresses of those that lead before the change.
	zooKeeperLeader, masterLeader string
	drain                         DrainOptions
	// drained are the Mesos agents that were out of service before, and stay so.
	drained []string
}

func (e *Env) controlChange(ctx context.Context, opts ControlOptions) (*controlChange, error) {
	begun, err := record.ReadControlChange(e.Cluster.File)
	if err != nil {
		return nil, err
	}
	if begun != nil && !record.SameControl(begun.To, e.Cluster) {
		return nil, &Refusal{Problem: "a change of the control hosts to " + record.ControlNames(begun.To) + " was begun and not finished", Fix: "run `jomctl resume` first"}
	}
	c, err := e.compareControl(opts)
	if err != nil {
		return nil, err
	}
	if err := c.reach(ctx, opts.Force); err != nil {
		return nil, err
	}
	c.leaders(ctx)
	if begun != nil { // what was looked at before it began is on its way
		c.drained = begun.Drained
		return c, nil
	}
	c.drained = c.was.outOfService(ctx)
	return c, c.enough(ctx)
}

// compareControl finds out who comes, stays and goes.
func (e *Env) compareControl(opts ControlOptions) (*controlChange, error) {
	c := &controlChange{env: e, drain: opts.Drain, dead: map[string]error{}}
	before, now := opts.Before.HostsWith(config.RoleControl), e.Cluster.HostsWith(config.RoleControl)
	in := func(hosts []config.Host, name string) int {
		return slices.IndexFunc(hosts, func(h config.Host) bool { return h.Name == name })
	}
	for i, h := range now {
		switch at := in(before, h.Name); {
		case at < 0:
			c.joining = append(c.joining, h)
			continue
		case at != i && len(now) >= len(before) && len(before) > 1:
			return nil, &Refusal{Problem: fmt.Sprintf("%s would be number %d of the control hosts and is number %d: ZooKeeper knows its servers by these numbers", h.Name, i+1, at+1),
				Fix: "write new control hosts after the others into " + e.Cluster.File + ", and a replacement in the place of the old one"}
		}
		c.staying = append(c.staying, h)
	}
	for _, h := range before {
		if in(now, h.Name) < 0 {
			c.leaving = append(c.leaving, h)
		}
	}
	if own, explicit := provision.RegistryHost(opts.Before); explicit && e.Cluster.Registry != nil {
		if _, still := provision.RegistryHost(e.Cluster); !still {
			return nil, &Refusal{Problem: fmt.Sprintf("registry.address in %s names %s, which goes", e.Cluster.File, own.Name), Fix: "leave it out, so that the first control host has the registry, or name another one"}
		}
	}
	var err error
	if e.own != nil {
		c.was, err = lookHosts(opts.Before, opts.Access)
	} else {
		c.was, err = open(opts.Before, e.Programs)
	}
	if err != nil {
		return nil, err
	}
	return c, c.imagesStay()
}

// imagesStay is a *Refusal where the cluster lives on images of a registry that goes with its host.
func (c *controlChange) imagesStay() error {
	old, now := provision.RegistryAddress(c.was.Cluster), provision.RegistryAddress(c.env.Cluster)
	if old == "" || old == now {
		return nil
	}
	images := []string{c.env.Cluster.Jenkins.Image}
	for _, t := range c.env.Cluster.Jenkins.Cloud.Templates {
		images = append(images, t.Image)
	}
	for _, image := range images {
		if strings.HasPrefix(image, old+"/") {
			return &Refusal{Problem: fmt.Sprintf("image %s is in the registry of a control host that goes", image),
				Fix: fmt.Sprintf("write %s%s into %s instead and run this again: it stops until the image is pushed there, and `jomctl resume` goes on", now, strings.TrimPrefix(image, old), c.env.Cluster.File)}
		}
	}
	return nil
}

// reach logs in to the hosts that go. One that cannot be reached must be given up by name of --force.
func (c *controlChange) reach(ctx context.Context, force bool) error {
	if c.was.own == nil {
		return nil
	}
	for _, h := range c.leaving {
		m := c.was.own.remotes[h.Name]
		err := m.Connect(ctx)
		switch {
		case err == nil && c.shrinks():
			// A master of its that leads is started again, so that another one leads.
			if err := c.was.own.look(ctx, m); err != nil {
				return err
			}
			why, err := c.was.own.find(ctx, m)
			if err == nil && why != "" && len(record.Present([]string{record.ControlChangeFile(c.env.Cluster.StateDir())})) == 0 { // it is cleaned when all is done
				err = errors.New(why)
			}
			if err != nil {
				return err
			}
		case err == nil:
		case !force:
			return &Refusal{Problem: fmt.Sprintf("%s cannot be reached, so that it cannot be taken out of the cluster: %v", h.Name, err), Fix: "where the host is dead for good, say --force"}
		default:
			c.dead[h.Name] = err
		}
	}
	return nil
}

// leaders are asked each on its own, as the address by which a leader calls itself may be another than that of the file.
func (c *controlChange) leaders(ctx context.Context) {
	for _, server := range c.was.ZooKeeper.Modes(ctx) {
		if server.Mode == cluster.ModeLeader {
			c.zooKeeperLeader = hostOf(server.Addr)
		}
	}
	for _, master := range c.was.Mesos.Health(ctx) {
		if master.Err == nil && master.Elected {
			c.masterLeader = hostOf(master.Addr)
		}
	}
}

func hostOf(address string) string {
	name, _, _ := net.SplitHostPort(address)
	return name
}

// enough is a *Refusal unless all ZooKeeper servers that stay serve: what was agreed upon goes on with them alone.
func (c *controlChange) enough(ctx context.Context) error {
	if err := serve(ctx, c.was.ZooKeeper, c.staying); err != nil {
		return &Refusal{Problem: "the ZooKeeper servers that stay must all serve before a control host comes or goes, and " + err.Error(),
			Fix: "bring it back first, see `jomctl status` (five hosts of which two are dead become three: `jomctl control remove --force`)"}
	}
	return nil
}

// serve is nil when each of these hosts has a server of the ensemble that serves.
func serve(ctx context.Context, z cluster.ZooKeeper, hosts []config.Host) error {
	modes := z.Modes(ctx)
	for _, h := range hosts {
		if !slices.ContainsFunc(modes, func(s cluster.Server) bool { return hostOf(s.Addr) == h.Address && s.Mode != "" }) {
			return fmt.Errorf("that on %s does not serve", h.Name)
		}
	}
	return nil
}

func (c *controlChange) shrinks() bool { return len(c.joining) == 0 }

func (c *controlChange) replaces() bool { return len(c.joining) > 0 && len(c.leaving) > 0 }

// living are the hosts that go and can be reached.
func (c *controlChange) living() []config.Host {
	return slices.DeleteFunc(slices.Clone(c.leaving), func(h config.Host) bool { return c.dead[h.Name] != nil })
}

// moved says that the first control host is another one, whose edge and registry everybody goes to.
func (c *controlChange) moved() bool { return c.env.URL() != c.was.URL() }

// warnings are what the change means, for the one who is asked.
func (c *controlChange) warnings() []string {
	var lines []string
	real := !c.env.Cluster.Components.Mesos.Source.Standin
	switch {
	case c.shrinks() && len(c.staying) == 1:
		lines = append(lines, fmt.Sprintf("with one control host nothing bears its loss: while %s is away nothing new starts and nobody reaches Jenkins through the edge (running builds go on), and with its disk goes all that Mesos and Marathon know",
			c.staying[0].Name))
	case c.shrinks():
		lines = append(lines, "with three control hosts one may fail, with five it was two")
	case len(c.staying) == 1:
		lines = append(lines, "ZooKeeper is away while "+c.staying[0].Name+" starts again as a member of three: the master and Marathon may end themselves and come back, running builds and the controller go on")
		if real {
			lines = append(lines, "the registry of the master is begun anew, as a replicated log of one cannot become one of three: what is lost are drains, the maintenance schedule, "+
				"quotas and the list of agents that are gone; Mesos agents and their tasks register again")
		}
	}
	if c.shrinks() {
		lines = append(lines, "ZooKeeper is away for the time of one start while it becomes smaller: masters and Marathon may end themselves and come back, running builds and the controller go on")
	}
	lines = append(lines, "each Mesos agent is drained and started again with the new addresses: builds are waited for, none is ended")
	for _, h := range c.leaving {
		if err := c.dead[h.Name]; err != nil {
			lines = append(lines, fmt.Sprintf("%s cannot be reached (%v): its programs, should it come back, would count themselves in: wipe it before it gets into this network", h.Name, err))
		}
	}
	if c.moved() {
		lines = append(lines, fmt.Sprintf("the address of Jenkins goes from %s to %s, as it is that of the first control host: bookmarks, webhooks and whatever else names it must follow; "+
			"the controller is started again with it when no build runs", c.was.URL(), c.env.URL()))
	}
	if old, now := provision.RegistryAddress(c.was.Cluster), provision.RegistryAddress(c.env.Cluster); old != now {
		lines = append(lines, fmt.Sprintf("the registry goes from %s to %s and is empty: push images again; the Docker Engines are started anew to know it", old, now))
	}
	return lines
}
