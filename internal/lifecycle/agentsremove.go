package lifecycle

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// Intends says that the coming or going of these hosts is what the operation is about, so that Preflight does not refuse it.
func (e *Env) Intends(names ...string) { e.intended = append(e.intended, names...) }

// homeHost is the host whose disk has the home; false where the home is shared.
func (e *Env) homeHost() (string, bool) {
	h, fixed := provision.HomeHost(e.Cluster)
	return h.Name, fixed
}

// RemoveOptions shape a removal.
type RemoveOptions struct {
	Drain DrainOptions
	// Force gives up hosts that cannot be reached: their tasks are lost.
	Force  bool
	Access inventory.Access
}

// RemoveStages are what comes before an install of the cluster without these Mesos agents: they are drained, and everything
// of the cluster is taken from their hosts. before is the cluster with them. warnings are what is lost. What cannot be done
// is a *Refusal.
func (e *Env) RemoveStages(ctx context.Context, before *config.Cluster, names []string, opts RemoveOptions) (stages []op.Stage, warnings []string, err error) {
	for _, name := range names {
		if h, there := before.Host(name); !there || !h.Is(config.RoleMesosAgent) {
			return nil, nil, clusterfile.NoAgent(before, name)
		}
	}
	was, err := e.sibling(before)
	if err != nil {
		return nil, nil, err
	}
	if was.own != nil {
		was, err = lookHosts(before, opts.Access)
		if err != nil {
			return nil, nil, err
		}
	}
	if home, fixed := was.homeHost(); fixed && slices.Contains(names, home) {
		return nil, nil, &Refusal{Problem: fmt.Sprintf("%s cannot go: the home of the controller, with all jobs, is on its disk", home),
			Fix: "remove another one, or move the home first"}
	}
	state, err := was.Mesos.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	if problem := e.carries(state); problem != nil {
		return nil, nil, problem
	}
	var alive, dead []config.Host
	for _, name := range names {
		h, _ := before.Host(name)
		if was.own == nil {
			alive = append(alive, h)
			continue
		}
		if err := was.own.remotes[name].Connect(ctx); err == nil {
			alive = append(alive, h)
		} else if !opts.Force {
			return nil, nil, &Refusal{Problem: fmt.Sprintf("%s cannot be reached, so that nothing can be taken from it: %v", name, err),
				Fix: "where the host is dead for good, say --force: its tasks are given up, and Mesos never admits its agent again"}
		} else {
			dead = append(dead, h)
			fate := "Mesos never admits its agent again"
			if len(state.AgentsOn(h.Address)) == 0 {
				// Nobody tells the id of an agent that the master has given up.
				fate = "Mesos has given its agent up already, and would admit it again"
			}
			warnings = append(warnings, fmt.Sprintf("%s cannot be reached (%v): its builds are lost; %s; should the host come back, "+
				"its programs still run: wipe it before it gets into this network", name, err, fate))
		}
	}
	if err := was.controllerStays(state, alive, opts.Drain); err != nil {
		return nil, nil, err
	}
	return was.removeStages(alive, dead, opts), warnings, nil
}

// controllerStays refuses to take the host from under the controller unless that is wanted.
func (e *Env) controllerStays(state cluster.State, hosts []config.Host, opts DrainOptions) error {
	for _, h := range hosts {
		for _, agent := range state.AgentsOn(h.Address) {
			if len(state.LoadOf(agent.ID, e.owners()).Controller) > 0 && !opts.MoveController {
				return &Refusal{Problem: "the controller runs on " + h.Name, Fix: "say --move-controller, which restarts it on another host"}
			}
		}
	}
	return nil
}

func (e *Env) removeStages(alive, dead []config.Host, opts RemoveOptions) []op.Stage {
	var stages []op.Stage
	if len(alive) > 0 {
		stages = e.drainStages(alive, opts.Drain)
	}
	var gone, removals []op.Step
	for _, h := range dead {
		gone = append(gone, e.goneStep(h))
	}
	if len(gone) > 0 {
		stages = append(stages, op.Stage{Name: "Give up dead hosts", Parallel: true, Steps: gone})
	}
	if e.own != nil {
		for _, h := range alive {
			removals = append(removals, e.removeHostStep(h, DestroyOptions{}))
		}
	}
	if len(removals) > 0 {
		stages = append(stages, op.Stage{Name: "Take the cluster from the hosts", Parallel: true, Steps: removals})
	}
	return stages
}

// goneStep tells Mesos that the agent of a dead host never comes back, so that its tasks are given up at once.
func (e *Env) goneStep(h config.Host) op.Step {
	known := func(ctx context.Context) ([]string, error) {
		m := e.Mesos
		state, err := m.State(ctx)
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, agent := range slices.Concat(state.Agents, state.Recovered) {
			if agent.Hostname == h.Address {
				ids = append(ids, agent.ID)
			}
		}
		return ids, nil
	}
	return op.Step{ID: "gone-" + h.Name, Title: h.Name + " given up by Mesos", Budget: time.Minute,
		Probe: func(ctx context.Context) (op.State, error) {
			ids, err := known(ctx)
			return op.NeededUnless(len(ids) == 0), err
		},
		Changes: func(ctx context.Context) []string {
			ids, _ := known(ctx)
			return []string{"mark Mesos agent " + strings.Join(ids, ", ") + " as gone: its tasks are lost, it is never admitted again"}
		},
		Do: func(ctx context.Context, say op.Say) error {
			ids, err := known(ctx)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := e.Mesos.MarkAgentGone(ctx, id); err != nil {
					return err
				}
			}
			return wait(ctx, say, func(ctx context.Context) error {
				ids, err := known(ctx)
				if err == nil && len(ids) > 0 {
					err = fmt.Errorf("the master still knows %s", strings.Join(ids, ", "))
				}
				return err
			})
		},
	}
}

// carries is a *Refusal when the Mesos agents of the cluster, those that are in service, cannot carry the controller and one
// build agent.
func (e *Env) carries(state cluster.State) error {
	app, template := e.Cluster.Jenkins.App, e.Cluster.Jenkins.Cloud.Templates[0]
	cpus, mem := jenkins.AgentUse(e.Cluster.Jenkins.Cloud.Line, template)
	var agents []cluster.Resources
	home, fixed := e.homeHost()
	controller := -1
	for _, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		for _, agent := range state.AgentsOn(h.Address) {
			if !agent.Active {
				continue
			}
			agents = append(agents, agent.Total)
			fits := agent.Total.CPUs >= app.CPUs && agent.Total.Mem >= float64(app.Mem.MiB())
			if fits && (!fixed || h.Name == home) && (controller < 0 || agent.Total.Mem > agents[controller].Mem) {
				controller = len(agents) - 1
			}
		}
	}
	if controller >= 0 {
		agents[controller].CPUs -= app.CPUs
		agents[controller].Mem -= float64(app.Mem.MiB())
		const dust = 1e-9
		if slices.ContainsFunc(agents, func(r cluster.Resources) bool { return r.CPUs >= cpus-dust && r.Mem >= math.Floor(mem) }) {
			return nil
		}
	}
	return &Refusal{Problem: fmt.Sprintf("the Mesos agents that would be left and are in service cannot carry the controller (%v CPUs, %s) and one build agent (%v CPUs, %v MiB)", app.CPUs, app.Mem, cpus, mem),
		Fix: "add another one first (`jomctl agents add`), or put drained ones back into service (`jomctl agents undrain`)"}
}
