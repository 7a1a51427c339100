package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

// PlanMachinesEnd plans the end of the machines that Terraform made for a cluster; nil where they are not jomctl's. Errors are as
// those of PlanMachines. Where none was ever made, Terraform is not needed.
func PlanMachinesEnd(ctx context.Context, c *config.Cluster, access inventory.Access) (*Machines, error) {
	if !c.Target.FromTerraform() {
		return nil, nil
	}
	if _, err := os.Stat(terraformDir(c)); errors.Is(err, fs.ErrNotExist) && c.Machines.Backend == nil {
		return &Machines{cluster: c, access: access, plan: &terraform.Plan{}, gone: true}, nil
	}
	m, err := newMachines(ctx, c, access)
	if err != nil {
		return nil, machinesError(err)
	}
	if m.plan, err = m.driver.PlanDestroy(ctx); err != nil {
		return nil, machinesError(err)
	}
	m.gone = m.plan.Empty()
	return m, nil
}

// Destroy is the plan that stops what can be reached, and then removes the machines with all that is on them, the home too.
// Machines that are gone already, and hosts that do not answer, do not keep it from going on.
func (m *Machines) Destroy(ctx context.Context) (op.Plan, error) {
	var stages []op.Stage
	cleanUp := []op.Step{m.filesGone()}
	env, err := lookHosts(m.cluster, m.access)
	var notMade *inventory.NotMadeError
	switch {
	case errors.As(err, &notMade): // nothing was ever put on them
	case err != nil:
		return op.Plan{}, err
	default:
		opts := DestroyOptions{Home: env.KeptHome()}
		stages = m.services(env.destroyHosts(opts), m.reachable(ctx, env))
		cleanUp = append([]op.Step{env.filesGoneStep(opts)}, cleanUp...)
	}
	return op.Plan{Verb: "destroy", Stages: append(stages,
		op.Stage{Name: "Machines", Steps: []op.Step{m.endStep()}},
		op.Stage{Name: "Clean up", Steps: cleanUp})}, nil
}

// reachable are the hosts that can be logged in to.
func (m *Machines) reachable(ctx context.Context, e *Env) map[string]bool {
	if m.gone {
		return nil
	}
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

// services are the stages that stop what runs on the hosts that can be reached. When the machines are gone, so is all of it.
func (m *Machines) services(plan op.Plan, reachable map[string]bool) []op.Stage {
	var stages []op.Stage
	for _, stage := range plan.Stages {
		var steps []op.Step
		for _, step := range stage.Steps {
			name, ofHost := strings.CutPrefix(step.ID, "host-")
			if step.ID == "files" || ofHost && !reachable[name] {
				continue
			}
			probe := step.Probe
			step.Probe = func(ctx context.Context) (op.State, error) {
				if m.gone {
					return op.Done, nil
				}
				return probe(ctx)
			}
			steps = append(steps, step)
		}
		if len(steps) > 0 {
			stage.Steps = steps
			stages = append(stages, stage)
		}
	}
	return stages
}

func (m *Machines) endStep() op.Step {
	return op.Step{ID: "machines", Title: "Machines removed by Terraform, with all data on them",
		Probe: func(context.Context) (op.State, error) { return op.NeededUnless(m.gone), nil },
		Changes: func(context.Context) []string {
			home := m.cluster.Jenkins.Home
			if home.Type == config.HomeShared {
				return m.changes()
			}
			return append(m.changes(), fmt.Sprintf("the home %s goes with its machine: all jobs, builds and accounts of Jenkins", home.Path))
		},
		Do: func(ctx context.Context, say op.Say) error {
			m.saying(say)
			defer m.saying(nil)
			if err := m.driver.Apply(ctx, m.plan); err != nil {
				return machinesError(err)
			}
			m.gone = true
			return nil
		},
	}
}

// filesGone removes what was kept about the machines.
func (m *Machines) filesGone() op.Step {
	c := m.cluster
	paths := []string{inventory.File(c), terraformDir(c)}
	if c.SSH.IdentityFile == "" {
		paths = append(paths, inventory.KeyDir(c))
	}
	return op.Step{ID: "machine-files", Title: "Inventory, Terraform's folder and the generated SSH key removed",
		Probe:   func(context.Context) (op.State, error) { return op.NeededUnless(len(record.Present(paths)) == 0), nil },
		Changes: func(context.Context) []string { return record.Removals(record.Present(paths)) },
		Do: func(context.Context, op.Say) error {
			for _, h := range c.Hosts {
				if _, known := m.kept.Host(h.Name); known {
					if err := unpin(c, m.kept.Options(c, h, m.access, nil)); err != nil {
						return err
					}
				}
			}
			for _, path := range paths {
				if err := os.RemoveAll(path); err != nil {
					return err
				}
			}
			_ = os.Remove(filepath.Dir(terraformDir(c))) // stays while another target's state is in it
			return nil
		},
	}
}
