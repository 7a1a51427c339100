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

// marathonSteps start the new ones first, so that one of them leads when the old ones are started again. Those that go end first.
func (c *controlChange) marathonSteps() []op.Step {
	var steps []op.Step
	if c.shrinks() {
		for _, h := range c.living() {
			steps = append(steps, c.goneStep(provision.RoleMarathon, h, nil, func(ctx context.Context) error { return c.marathonWithout(ctx, h) }))
		}
	}
	all := c.env.marathonSteps()
	for _, h := range slices.Concat(c.joining, c.staying) {
		steps = append(steps, all[c.env.index(h, config.RoleControl)])
	}
	return append(steps, c.marathonLeaderStep())
}

// marathonLeaderStep asks the one that is said to lead itself, as the others name a leader that has ended for a while.
func (c *controlChange) marathonLeaderStep() op.Step {
	leads := func(ctx context.Context) error {
		m := c.env.Marathon
		m.Patience = time.Millisecond
		info, err := m.Info(ctx)
		if err != nil {
			return err
		}
		for _, url := range c.env.Marathon.URLs {
			if !strings.HasSuffix(url, "//"+info.Leader) {
				continue
			}
			m.URLs = []string{url}
			if its, err := m.Info(ctx); err != nil || its.Leader == info.Leader && its.FrameworkID != "" {
				return err
			}
		}
		return errors.New("no Marathon that leads is registered with Mesos yet")
	}
	return op.Step{ID: "marathon-leader", Title: "A Marathon leads and is registered with Mesos", Budget: leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) { return op.NeededUnless(leads(ctx) == nil), nil },
		Do:    func(ctx context.Context, say op.Say) error { return wait(ctx, say, leads) },
	}
}

// marathonWithout is nil when another Marathon leads than that of the host.
func (c *controlChange) marathonWithout(ctx context.Context, h config.Host) error {
	m := c.env.Marathon
	m.Patience = time.Millisecond
	info, err := m.Info(ctx)
	if err == nil && (info.Leader == "" || hostOf(info.Leader) == h.Address || info.FrameworkID == "") {
		err = errors.New("no other Marathon than that of " + h.Name + " leads yet")
	}
	return err
}

// agentSteps drain each Mesos agent before it is started again with the new addresses of ZooKeeper, which it reads only at its
// start: that ends its build agents, whose framework does not checkpoint, and never the controller, whose framework does.
func (c *controlChange) agentSteps() []op.Step {
	e := c.env
	steps := e.agentSteps()
	for i, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		parts := []op.Step{steps[i]}
		if e.own != nil && !h.Is(config.RoleControl) {
			parts = []op.Step{e.baseStep(h), steps[i]}
		}
		steps[i] = op.Step{ID: steps[i].ID, Title: h.Name + " drained, and its Mesos agent started with the new addresses",
			Budget:  c.drain.Timeout + 2*leaderBudget,
			Probe:   func(ctx context.Context) (op.State, error) { return stateOf(ctx, parts) },
			Changes: func(ctx context.Context) []string { return changesOf(ctx, parts) },
			Do:      func(ctx context.Context, say op.Say) error { return c.restartAgent(ctx, h, parts, say) },
		}
	}
	return steps
}

// stateOf is that of the first part that is not done.
func stateOf(ctx context.Context, parts []op.Step) (op.State, error) {
	for _, part := range parts {
		if state, err := part.Probe(ctx); err != nil || state != op.Done {
			return state, err
		}
	}
	return op.Done, nil
}

func changesOf(ctx context.Context, parts []op.Step) []string {
	var lines []string
	for _, part := range parts {
		if state, err := part.Probe(ctx); err == nil && state != op.Done && part.Changes != nil {
			lines = append(lines, part.Changes(ctx)...)
		}
	}
	return lines
}

func (c *controlChange) restartAgent(ctx context.Context, h config.Host, parts []op.Step, say op.Say) error {
	e := c.env
	// One that has not come back from the change of the masters would not be asked what it runs.
	limited, cancel := context.WithTimeout(ctx, leaderBudget)
	defer cancel()
	if err := wait(limited, say, func(ctx context.Context) error { _, err := e.registered(ctx, []string{h.Name}); return err }); err != nil {
		return err
	}
	if err := e.drain(ctx, h, c.drain.Timeout, say); err != nil {
		return err
	}
	for _, part := range parts {
		if state, err := part.Probe(ctx); err != nil || state == op.Done {
			if err != nil {
				return err
			}
			continue
		}
		if err := part.Do(ctx, say); err != nil {
			return err
		}
	}
	if slices.Contains(c.drained, h.Name) {
		return nil
	}
	return e.undrainStep(h).Do(ctx, say)
}

// quietSteps let the builds end before the controller is started again, where that must be as its address is another one.
func (c *controlChange) quietSteps() []op.Step {
	if !c.moved() {
		return nil
	}
	e := c.env
	deployed := e.appStep(0).Probe
	return []op.Step{{ID: "controller-quiet", Title: "No build runs while the controller gets its new address", Budget: c.drain.Timeout + time.Minute,
		Probe: func(ctx context.Context) (op.State, error) { return deployed(ctx) },
		Changes: func(context.Context) []string {
			return []string{fmt.Sprintf("let no build start, and wait up to %s for those that run", c.drain.Timeout)}
		},
		Do: func(ctx context.Context, say op.Say) error { return c.quiet(ctx, say) },
	}}
}

// quiet ends with the controller's next start. A controller that does not answer runs no build that could be waited for.
func (c *controlChange) quiet(ctx context.Context, say op.Say) error {
	client, err := c.env.Jenkins()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.QuietDown(ctx, "Jenkins gets a new address: "+c.env.URL()); err != nil {
		say("the controller cannot be asked (%v), so nothing is waited for", err)
		return ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, c.drain.Timeout)
	defer cancel()
	err = wait(limited, say, func(ctx context.Context) error {
		running, err := client.RunningBuilds(ctx)
		if err == nil && len(running) > 0 {
			err = fmt.Errorf("%d builds run, the first is %s", len(running), running[0].Name)
		}
		return err
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(fmt.Errorf("waiting for builds to end: %w", err), client.CancelQuietDown(ctx))
}
