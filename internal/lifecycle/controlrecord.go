package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
)

// cutOff is the finding that a change of the control hosts waits to be finished. The change itself is none.
func (e *Env) cutOff() ([]provision.Finding, error) {
	r, err := record.ReadControlChange(e.Cluster.File)
	same := err == nil && r != nil && record.SameControl(r.To, e.Cluster)
	if err != nil || r == nil || same && len(e.intended) > 0 {
		return nil, err
	}
	fix := "run `jomctl resume`, which finishes it, or, as long as no ZooKeeper server was touched, `jomctl rollback`, which takes it back"
	if !same {
		fix = "write " + record.ControlNames(r.To) + " into the file again and run `jomctl resume`, which finishes it"
	}
	return []provision.Finding{{Subject: e.Cluster.File + ": the control hosts: " + record.ControlNames(e.Cluster),
		Problem: "a change of them to " + record.ControlNames(r.To) + " was begun and not finished, so that programs of both may run",
		Fix:     fix + " (a host that was lost meanwhile needs another machine at its address); `jomctl destroy` also removes what it has begun"}}, nil
}

// beginStep writes down what begins, before a host is touched.
func (c *controlChange) beginStep() op.Step {
	e := c.env
	path, done := record.ControlChangeFile(e.Cluster.StateDir()), e.recordStep().Probe
	return op.Step{ID: "control-change", Title: "Record of what is under way",
		Probe: func(ctx context.Context) (op.State, error) {
			if r, err := record.ReadControlChange(e.Cluster.File); err != nil || r != nil {
				return op.NeededUnless(r != nil && record.SameControl(r.To, e.Cluster)), err
			}
			return done(ctx) // which has ended
		},
		Changes: func(context.Context) []string { return []string{"write " + path + ", until all is done"} },
		Do: func(context.Context, op.Say) error {
			before, err := os.ReadFile(e.Cluster.File)
			if err != nil {
				return fmt.Errorf("keeping the cluster file as it is: %w", err)
			}
			data, err := json.MarshalIndent(record.ControlChange{Cluster: string(config.Show(inventory.Declared(e.Cluster))), Before: string(before), Drained: c.drained,
				GivenUp: slices.Sorted(maps.Keys(c.dead))}, "", "  ")
			if err != nil {
				return err
			}
			return wholefile.Put(path, append(data, '\n'), 0o600)
		},
	}
}

// endStep makes the changed cluster the installed one.
func (c *controlChange) endStep() op.Step {
	path, last := record.ControlChangeFile(c.env.Cluster.StateDir()), c.env.recordStep()
	step := last
	step.Probe = func(ctx context.Context) (op.State, error) {
		if len(record.Present([]string{path})) > 0 {
			return op.Needed, nil
		}
		return last.Probe(ctx)
	}
	step.Changes = func(ctx context.Context) []string {
		return append(last.Changes(ctx), record.Removals(record.Present([]string{path}))...)
	}
	step.Do = func(ctx context.Context, say op.Say) error {
		if err := last.Do(ctx, say); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("ending the change of the control hosts: %w", err)
		}
		return nil
	}
	return step
}

// outOfService are the Mesos agents that somebody has drained. Where Mesos does not answer nobody knows, and there are none.
func (e *Env) outOfService(ctx context.Context) []string {
	agents, err := e.Agents(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, agent := range agents {
		if agent.InFile && (agent.State == AgentDrained || agent.State == AgentDraining) {
			names = append(names, agent.Name)
		}
	}
	return names
}
