package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/machines"
	"github.com/jomctl/jomctl/internal/op"
)

// DestroyMachines is the plan that stops what can be reached, and then removes the machines with all that is on them, the home too: only one on
// shared storage stays, unless the options name it. Machines that are gone already, and hosts that do not answer, do not keep it from going on.
func DestroyMachines(ctx context.Context, c *config.Cluster, access inventory.Access, m *machines.Machines, opts DestroyOptions) (op.Plan, error) {
	env, err := lookHosts(c, access)
	var notMade *inventory.NotMadeError
	if errors.As(err, &notMade) { // nothing was ever put on them
		return m.End(nil), nil
	}
	if err != nil {
		return op.Plan{}, err
	}
	var reached map[string]bool
	if !m.Gone() {
		reached = env.reachable(ctx)
	}
	if c.Jenkins.Home.Type != config.HomeShared {
		opts.Home = env.KeptHome()
	}
	return m.End(onReachable(env.destroyHosts(opts), reached), env.filesGoneStep(opts)), nil
}

// reachable are the hosts that can be logged in to.
func (e *Env) reachable(ctx context.Context) map[string]bool {
	var mu sync.Mutex
	found := map[string]bool{}
	err := host.Each(ctx, e.own.machines(), parallel, func(ctx context.Context, one host.Machine) error {
		err := e.own.remotes[one.Name()].Connect(ctx)
		mu.Lock()
		defer mu.Unlock()
		found[one.Name()] = err == nil
		return err
	})
	if err != nil && ctx.Err() == nil {
		e.own.access.Tell("Note: not every machine can be reached; what is on the others goes with them: %v", err)
	}
	return found
}

// onReachable are the stages of a plan that stop what runs on the hosts that can be reached.
func onReachable(plan op.Plan, reachable map[string]bool) []op.Stage {
	var stages []op.Stage
	for _, stage := range plan.Stages {
		stage.Steps = slices.DeleteFunc(stage.Steps, func(step op.Step) bool {
			name, ofHost := strings.CutPrefix(step.ID, "host-")
			return step.ID == "files" || ofHost && !reachable[name]
		})
		if len(stage.Steps) > 0 {
			stages = append(stages, stage)
		}
	}
	return stages
}
