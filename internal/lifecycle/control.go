package lifecycle

import (
	"context"
	"errors"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// ControlOptions shape a change of the control hosts.
type ControlOptions struct {
	// Before is the cluster as it is installed.
	Before *config.Cluster
	// Drain says how long build agents may take to end on a host whose Mesos agent is started again.
	Drain DrainOptions
	// Force goes on where a host that goes cannot be reached.
	Force   bool
	Access  inventory.Access
	Install InstallOptions
}

// ControlPlan is the plan from the control hosts of opts.Before to those of the changed file, in an order in which what was
// agreed upon is never lost. warnings are what it means and what is at risk. What cannot be done is a *Refusal.
func (e *Env) ControlPlan(ctx context.Context, f clusterfile.Change, opts ControlOptions) (plan op.Plan, warnings []string, err error) {
	c, err := e.controlChange(ctx, opts)
	if err != nil {
		return op.Plan{}, nil, err
	}
	zooKeeper, err := c.zooKeeperSteps()
	if err != nil {
		return op.Plan{}, nil, err
	}
	proof := Prove(e, opts.Install.Proof).Stages[0] // what was proven before was another cluster
	registered := []op.Step{e.frameworkStep()}
	if c.moved() { // a controller that was started again registers only when a build wants it to
		proof.Steps, registered = append(proof.Steps, registered...), nil
	}
	stages := slices.Concat([]op.Stage{
		{Name: "Cluster file", Steps: []op.Step{c.beginStep(), f.Step()}},
		{Name: "Fetched", Steps: []op.Step{e.warStep(), e.passwordStep()}},
	}, c.hostStages(), c.replacedStages(), []op.Stage{
		{Name: "ZooKeeper", Steps: zooKeeper},
		{Name: "Coordination", Steps: []op.Step{e.quorumStep(), e.leaseStep(opts.Install.LeaseHeld, opts.Install.TakeLease)}},
		{Name: "Mesos masters, one by one", Steps: c.masterSteps()},
		{Name: "Mesos leader", Steps: []op.Step{e.leaderStep()}},
		{Name: "Marathon, one by one", Steps: c.marathonSteps()},
		{Name: "Edge, registry", Parallel: true, Steps: slices.Concat(e.serviceSteps(provision.RoleEdge), e.serviceSteps(provision.RoleRegistry))},
		{Name: "Mesos agents, one by one", Steps: c.agentSteps()},
	}, e.imageStages(), []op.Stage{
		{Name: "Controller", Steps: slices.Concat(c.quietSteps(), []op.Step{e.filesStep(), e.appStep(opts.Install.ControllerTimeout),
			e.readyStep(opts.Install.ControllerTimeout)}, registered)},
	}, c.leavingStages(), []op.Stage{
		proof,
		// Until here an install of the changed file is refused, whose order is not that of a change.
		{Name: "Record", Steps: []op.Step{c.endStep()}},
	})
	return op.Plan{Verb: "control", Stages: stages}, c.warnings(), nil
}

// ControlDone says that a change of the control hosts in which some came and some went has ended.
func ControlDone(c *config.Cluster, come, gone []string) bool {
	installed, err := record.Installed(c.File)
	if err != nil || len(record.Present([]string{record.ControlChangeFile(c.StateDir())})) > 0 || !record.SameControl(installed, c) {
		return false
	}
	is := func(name string) bool {
		h, there := installed.Host(name)
		return there && h.Is(config.RoleControl)
	}
	return !slices.ContainsFunc(come, func(name string) bool { return !is(name) }) && !slices.ContainsFunc(gone, is)
}

// ControlCheck is the plan that waits until the control hosts serve.
func ControlCheck(e *Env) op.Plan {
	return op.Plan{Verb: "control", Stages: []op.Stage{{Name: "Control hosts", Steps: []op.Step{e.quorumStep(), e.leaderStep(), e.frameworkStep()}}}}
}

// frameworkStep waits until the controller has found the new leader, without which no build agent starts.
func (e *Env) frameworkStep() op.Step {
	ready := func(ctx context.Context) error {
		use, err := e.Framework(ctx)
		if err == nil && (!use.Known || !use.Active) {
			err = errors.New("the controller has not registered with the leading Mesos master yet")
		}
		return err
	}
	return op.Step{ID: "framework", Title: "Controller registered with Mesos", Budget: 2 * leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) { return op.NeededUnless(ready(ctx) == nil), nil },
		Do:    func(ctx context.Context, say op.Say) error { return wait(ctx, say, ready) },
	}
}
