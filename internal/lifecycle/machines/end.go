package machines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

// PlanEnd plans the end of the machines that Terraform made for a cluster; nil where they are not jomctl's. Errors are as
// those of Plan. Where none was ever made, Terraform is not needed.
func PlanEnd(ctx context.Context, c *config.Cluster, access inventory.Access) (*Machines, error) {
	if !c.Target.FromTerraform() {
		return nil, nil
	}
	if _, err := os.Stat(terraformDir(c)); errors.Is(err, fs.ErrNotExist) && c.Machines.Backend == nil {
		return &Machines{cluster: c, access: access, plan: &terraform.Plan{}, gone: true}, nil
	}
	m, err := newMachines(ctx, c, access)
	if err != nil {
		return nil, withCode(err)
	}
	if m.plan, err = m.driver.PlanDestroy(ctx); err != nil {
		return nil, withCode(err)
	}
	m.gone = m.plan.Empty()
	return m, nil
}

// Gone says that the machines were removed, or were never made.
func (m *Machines) Gone() bool { return m.gone }

// End is the plan that removes the machines with all that is on them. The stages are what is stopped on them before: when the machines are
// gone, so is all of it. The steps clean up here afterwards, before what was kept about the machines goes.
func (m *Machines) End(stop []op.Stage, cleanUp ...op.Step) op.Plan {
	stages := m.unlessGone(stop)
	return op.Plan{Verb: "destroy", Stages: append(stages,
		op.Stage{Name: "Machines", Steps: []op.Step{m.endStep()}},
		op.Stage{Name: "Clean up", Steps: append(cleanUp, m.filesGone())})}
}

// unlessGone are stages whose steps are done when the machines are gone.
func (m *Machines) unlessGone(stages []op.Stage) []op.Stage {
	stages = slices.Clone(stages)
	for i := range stages {
		stages[i].Steps = slices.Clone(stages[i].Steps)
		for n, step := range stages[i].Steps {
			stages[i].Steps[n].Probe = func(ctx context.Context) (op.State, error) {
				if m.gone {
					return op.Done, nil
				}
				return step.Probe(ctx)
			}
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
				return withCode(err)
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
