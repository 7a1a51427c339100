package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

// Drain empties one agent of build agents, so that its Mesos agent can be restarted: a restart kills every build agent on
// the host, as the plugin's framework does not checkpoint, and never the controller, whose framework does. So the
// controller and all others stay where they are.
type Drain struct {
	Mesos   Mesos
	AgentID string
	Owners  Owners
	// Work tells what the build agents do, by task id (which is the node's name): "backup #7", and "" for one without
	// work. Nil, or an error, means that this is not known, and then each of them counts as busy.
	Work func(ctx context.Context) (map[string]string, error)
	// Release ends a build agent without work. Nil means that it ends by itself, after the template's idle time. It is
	// called again while the task is there.
	Release func(ctx context.Context, task Task) error
	// Tick is the pause between two looks; 0 means 2 s.
	Tick time.Duration
}

const drainTick = 2 * time.Second

// Begin stops new tasks on the agent and says how. Frameworks lose the offers they hold. It can be repeated.
func (d Drain) Begin(ctx context.Context) (DrainMethod, error) {
	state, err := d.Mesos.State(ctx)
	if err != nil {
		return "", err
	}
	agent, known := state.Agent(d.AgentID)
	if !known {
		return "", failed("drain Mesos agent "+d.AgentID, d.Mesos.names(), fmt.Errorf("%w: it is not registered", ErrNotFound))
	}
	method := MethodFor(state.Version)
	if method == DrainDeactivate {
		return method, d.Mesos.DeactivateAgent(ctx, d.AgentID)
	}
	return method, d.Mesos.Schedule(ctx, Window{Machines: []MachineID{agent.Machine()}, Start: time.Now()})
}

// Undo puts the agent back into service. An agent that the master does not know has nothing to undo but its maintenance
// window, which is looked for under the last known machine (nil: none).
func (d Drain) Undo(ctx context.Context, last *MachineID) error {
	state, err := d.Mesos.State(ctx)
	if err != nil {
		return err
	}
	agent, known := state.Agent(d.AgentID)
	if MethodFor(state.Version) == DrainDeactivate {
		if !known {
			return nil
		}
		return d.Mesos.ReactivateAgent(ctx, d.AgentID)
	}
	if known {
		machine := agent.Machine()
		last = &machine
	}
	if last == nil {
		return nil
	}
	return d.Mesos.Unschedule(ctx, *last)
}

// DrainError is a drain that was not done when its time was up, or that cannot be done.
type DrainError struct {
	Agent string // host name, or id
	Why   string // the sentence on what it waited for
	Cause error
}

func (e *DrainError) Error() string {
	return fmt.Sprintf("drain Mesos agent %s: %v: %s", e.Agent, e.Cause, e.Why)
}

// Unwrap returns the cause: context.DeadlineExceeded when the time was up.
func (e *DrainError) Unwrap() error { return e.Cause }

// Hint says what can be done.
func (e *DrainError) Hint() string {
	if errors.Is(e.Cause, context.DeadlineExceeded) {
		return "wait longer, end the builds that it names in Jenkins, or give up and put the agent back into service; a restart of the Mesos agent now would kill them"
	}
	return hintOf(e.Cause)
}

// Wait returns the rest of the load when no build agent is left on the agent. It says what it waits for, each sentence
// once. The deadline of ctx is the drain's: then it returns a *DrainError with the last sentence. A master that does not
// answer is waited for. Whoever offers the agent again meanwhile is overruled.
func (d Drain) Wait(ctx context.Context, say func(string)) (Load, error) {
	tick := d.Tick
	if tick == 0 {
		tick = drainTick
	}
	name, why, said := d.AgentID, "Mesos has not answered yet", ""
	for {
		load, text, err := d.look(ctx)
		if load.Agent.Hostname != "" {
			name = load.Agent.Hostname
		}
		switch {
		case errors.Is(err, ErrNotFound):
			return load, &DrainError{Agent: name, Why: "nothing can be said about its tasks", Cause: err}
		case err != nil && ctx.Err() == nil:
			why = "Mesos cannot be asked: " + lastCause(err).Error()
		case err == nil && text == "":
			return load, nil
		case err == nil:
			why = text
		}
		if why != said && ctx.Err() == nil {
			say(why)
			said = why
		}
		if stop := pause.For(ctx, tick); stop != nil {
			return load, &DrainError{Agent: name, Why: why, Cause: stop}
		}
	}
}

// look returns the load and what is waited for, "" when there is nothing to wait for.
func (d Drain) look(ctx context.Context) (Load, string, error) {
	mesos := d.Mesos
	mesos.Patience = time.Millisecond
	state, err := mesos.State(ctx)
	if err != nil {
		return Load{}, "", err
	}
	agent, known := state.Agent(d.AgentID)
	if !known {
		if slices.ContainsFunc(state.Recovered, func(a Agent) bool { return a.ID == d.AgentID }) {
			return Load{}, "the Mesos agent has not come back since the leading master changed", nil
		}
		return Load{}, "", fmt.Errorf("%w: Mesos agent %s is not registered any more", ErrNotFound, d.AgentID)
	}
	load := state.LoadOf(d.AgentID, d.Owners)
	if MethodFor(state.Version) == DrainDeactivate && !agent.Deactivated {
		if err := mesos.DeactivateAgent(ctx, d.AgentID); err != nil {
			return load, "", err
		}
		return load, "the agent was offered again meanwhile, so that it is taken out of the offers once more", nil
	}
	if len(load.BuildAgents) == 0 {
		return load, "", nil
	}
	return load, d.waiting(ctx, load), nil
}

// waiting says what keeps the agent busy, and releases what does not work.
func (d Drain) waiting(ctx context.Context, load Load) string {
	var work map[string]string
	err := errors.New("nobody to ask")
	if d.Work != nil {
		work, err = d.Work(ctx)
	}
	if err != nil {
		text := fmt.Sprintf("waiting for %s on %s to end", count(len(load.BuildAgents), "build agent"), load.Agent.Hostname)
		if d.Work != nil {
			text += "; what they build cannot be asked: " + lastCause(err).Error()
		}
		return text
	}
	var busy []string
	idle := 0
	var faults []error
	for _, task := range load.BuildAgents {
		if build := work[task.ID]; build != "" {
			busy = append(busy, build)
			continue
		}
		idle++
		if d.Release != nil {
			faults = append(faults, d.Release(ctx, task))
		}
	}
	slices.Sort(busy)
	var parts []string
	if len(busy) > 0 {
		parts = append(parts, fmt.Sprintf("waiting for %s on %s: %s", count(len(busy), "build"), load.Agent.Hostname, strings.Join(busy, ", ")))
	}
	if idle > 0 {
		parts = append(parts, fmt.Sprintf("waiting for %s without work on %s to end", count(idle, "build agent"), load.Agent.Hostname))
	}
	if err := errors.Join(faults...); err != nil {
		parts = append(parts, "ending it failed: "+firstLine(err.Error()))
	}
	return strings.Join(parts, "; ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
