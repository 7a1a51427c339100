package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/op"
)

// DrainOptions shape a drain.
type DrainOptions struct {
	// Timeout is how long build agents may take to end.
	Timeout time.Duration
	// MoveController starts the controller on another host when the agent is empty. Otherwise it stays where it is.
	MoveController bool
}

// DrainAgents is the plan that keeps new tasks away from Mesos agents and waits until their build agents have ended. What
// cannot be done is a *Refusal.
func DrainAgents(ctx context.Context, e *Env, names []string, opts DrainOptions) (op.Plan, error) {
	hosts, err := e.registered(ctx, names)
	if err != nil {
		return op.Plan{}, err
	}
	if opts.MoveController {
		if err := e.movable(names); err != nil {
			return op.Plan{}, err
		}
	}
	return op.Plan{Verb: "agents drain", Stages: e.drainStages(hosts, opts)}, nil
}

// UndrainAgents is the plan that puts Mesos agents back into service.
func UndrainAgents(ctx context.Context, e *Env, names []string) (op.Plan, error) {
	hosts, err := e.registered(ctx, names)
	if err != nil {
		return op.Plan{}, err
	}
	var steps []op.Step
	for _, h := range hosts {
		steps = append(steps, e.undrainStep(h))
	}
	return op.Plan{Verb: "agents undrain", Stages: []op.Stage{{Name: "Back into service", Parallel: true, Steps: steps}}}, nil
}

// registered are hosts whose agents Mesos knows.
func (e *Env) registered(ctx context.Context, names []string) ([]config.Host, error) {
	state, err := e.Mesos.State(ctx)
	if err != nil {
		return nil, err
	}
	var hosts []config.Host
	for _, name := range names {
		h, there := e.Cluster.Host(name)
		if !there || !h.Is(config.RoleMesosAgent) {
			return nil, clusterfile.NoAgent(e.Cluster, name)
		}
		if len(state.AgentsOn(h.Address)) == 0 {
			return nil, &Refusal{Problem: fmt.Sprintf("the Mesos agent of %s (%s) is not registered with the leading master", name, h.Address),
				Fix: "see `jomctl status`; `jomctl install` starts it again, and `jomctl agents remove --force " + name + "` takes out a host that is dead"}
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// movable refuses to move a controller whose home is on one host's disk.
func (e *Env) movable(names []string) error {
	home, fixed := e.homeHost()
	if fixed && slices.Contains(names, home) {
		return &Refusal{Problem: "the controller cannot leave " + home + ": its home is on that host's disk",
			Fix: "leave --move-controller out (builds on the host end, the controller goes on), or keep the home on shared storage (`jenkins.home.type: shared`)"}
	}
	return nil
}

func (e *Env) drainStages(hosts []config.Host, opts DrainOptions) []op.Stage {
	var drains, moves []op.Step
	for _, h := range hosts {
		drains = append(drains, e.drainStep(h, opts.Timeout))
		if opts.MoveController {
			moves = append(moves, e.moveStep(h))
		}
	}
	stages := []op.Stage{{Name: "Drain", Parallel: true, Steps: drains}}
	if len(moves) > 0 {
		stages = append(stages, op.Stage{Name: "Controller", Steps: moves})
	}
	return stages
}

// each calls work for the Mesos agents of a host, with what the master knows now.
func (e *Env) each(ctx context.Context, h config.Host, work func(state cluster.State, agent cluster.Agent, out bool) error) error {
	state, err := e.Mesos.State(ctx)
	if err != nil {
		return err
	}
	windows, err := e.windows(ctx, state)
	if err != nil {
		return err
	}
	for _, agent := range state.AgentsOn(h.Address) {
		if err := work(state, agent, drained(state, agent, windows)); err != nil {
			return err
		}
	}
	return nil
}

// drainStep empties the Mesos agent of a host. One that is not registered (any more) has nothing to drain.
func (e *Env) drainStep(h config.Host, timeout time.Duration) op.Step {
	return op.Step{ID: "drain-" + h.Name, Title: "no new tasks on " + h.Name + ", and no build agent left there",
		Probe: func(ctx context.Context) (op.State, error) {
			done := true
			err := e.each(ctx, h, func(state cluster.State, agent cluster.Agent, out bool) error {
				done = done && out && len(state.LoadOf(agent.ID, e.owners()).BuildAgents) == 0
				return nil
			})
			return op.NeededUnless(done), err
		},
		Changes: func(ctx context.Context) []string {
			var lines []string
			_ = e.each(ctx, h, func(state cluster.State, agent cluster.Agent, out bool) error {
				load := state.LoadOf(agent.ID, e.owners())
				lines = append(lines, fmt.Sprintf("stop offers of %s, wait up to %s for %d build agents to end", h.Name, timeout, len(load.BuildAgents)))
				if len(load.Controller) > 0 {
					lines = append(lines, "the controller runs there, and goes on")
				}
				return nil
			})
			return lines
		},
		Do: func(ctx context.Context, say op.Say) error { return e.drain(ctx, h, timeout, say) },
		Undo: func(ctx context.Context, _ op.Say) error {
			return e.each(ctx, h, func(_ cluster.State, agent cluster.Agent, _ bool) error {
				return cluster.Drain{Mesos: e.Mesos, AgentID: agent.ID}.Undo(ctx, nil)
			})
		},
	}
}

func (e *Env) drain(ctx context.Context, h config.Host, timeout time.Duration, say op.Say) error {
	return e.each(ctx, h, func(_ cluster.State, agent cluster.Agent, out bool) error {
		drain := cluster.Drain{Mesos: e.Mesos, AgentID: agent.ID, Owners: e.owners(), Work: e.work}
		if !out {
			if _, err := drain.Begin(ctx); err != nil {
				return err
			}
		}
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		_, err := drain.Wait(limited, func(text string) { say("%s", text) })
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return fmt.Errorf("%s is not empty after %s (nothing new comes to it any more; `jomctl agents undrain %s` puts it back into service): %w", h.Name, timeout, h.Name, err)
		}
		return err
	})
}

// work is what the build agents do, by the names of their nodes, which are those of their tasks.
func (e *Env) work(ctx context.Context) (map[string]string, error) {
	client, err := e.Jenkins()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	running, err := client.RunningBuilds(ctx)
	if err != nil {
		return nil, err
	}
	work := map[string]string{}
	for _, build := range running {
		work[build.Node] = build.Name
	}
	return work, nil
}

func (e *Env) undrainStep(h config.Host) op.Step {
	return op.Step{ID: "undrain-" + h.Name, Title: h.Name + " back into service", Budget: startBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			any := false
			err := e.each(ctx, h, func(_ cluster.State, _ cluster.Agent, out bool) error {
				any = any || out
				return nil
			})
			return op.NeededUnless(!any), err
		},
		Changes: func(context.Context) []string { return []string{"offer " + h.Name + " again"} },
		Do: func(ctx context.Context, _ op.Say) error {
			return e.each(ctx, h, func(_ cluster.State, agent cluster.Agent, _ bool) error {
				return cluster.Drain{Mesos: e.Mesos, AgentID: agent.ID}.Undo(ctx, nil)
			})
		},
	}
}

// moveStep ends the controller on a drained host, so that Marathon starts it on another one.
func (e *Env) moveStep(h config.Host) op.Step {
	tasks := func(ctx context.Context) ([]string, error) {
		var ids []string
		err := e.each(ctx, h, func(state cluster.State, agent cluster.Agent, _ bool) error {
			for _, task := range state.LoadOf(agent.ID, e.owners()).Controller {
				ids = append(ids, task.ID)
			}
			return nil
		})
		return ids, err
	}
	return op.Step{ID: "move-controller-" + h.Name, Title: "Controller not on " + h.Name, Budget: e.controllerBudget(0),
		Probe: func(ctx context.Context) (op.State, error) {
			ids, err := tasks(ctx)
			return op.NeededUnless(len(ids) == 0), err
		},
		Changes: func(context.Context) []string {
			return []string{"restart the controller on another host: it is away for the time of a start, and builds that are no Pipelines end"}
		},
		Do: func(ctx context.Context, say op.Say) error {
			ids, err := tasks(ctx)
			if err != nil {
				return err
			}
			if err := e.Marathon.KillTasks(ctx, ids...); err != nil {
				return err
			}
			left := func(ctx context.Context) error {
				ids, err := tasks(ctx)
				if err == nil && len(ids) > 0 {
					err = errors.New("the controller still runs on " + h.Name)
				}
				return err
			}
			if err := wait(ctx, say, left); err != nil {
				return err
			}
			return e.readyStep(0).Do(ctx, say)
		},
	}
}
