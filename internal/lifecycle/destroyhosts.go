package lifecycle

import (
	"context"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// destroyHosts takes the cluster from hosts of their own: the controller ends first, then the Mesos agents with their tasks,
// then the control hosts. Packages stay, as others may use them by now.
func (e *Env) destroyHosts(opts DestroyOptions) op.Plan {
	var agents, control []op.Step
	for _, h := range e.Cluster.Hosts {
		if h.Is(config.RoleControl) {
			control = append(control, e.removeHostStep(h, opts))
		} else {
			agents = append(agents, e.removeHostStep(h, opts))
		}
	}
	return op.Plan{Verb: "destroy", Stages: []op.Stage{
		{Name: "Controller", Steps: []op.Step{e.deleteAppStep()}},
		{Name: "Mesos agents", Parallel: true, Steps: agents},
		{Name: "Control hosts", Parallel: true, Steps: control},
		{Name: "Clean up", Steps: []op.Step{e.filesGoneStep(opts)}},
	}}
}

func (e *Env) removeHostStep(h config.Host, opts DestroyOptions) op.Step {
	m := e.own.remotes[h.Name]
	item := hosts.NewRemoval(e.Cluster, h, m, e.own.keeper, opts.Home != "" && opts.Home == e.Cluster.Jenkins.Home.Path)
	return itemStep("host-"+h.Name, item, 5*time.Minute)
}

// itemStep is the step that makes an item of a host.
func itemStep(id string, item provision.Item, budget time.Duration) op.Step {
	return op.Step{ID: id, Title: item.Title(), Budget: budget,
		Probe: func(ctx context.Context) (op.State, error) {
			done, _, err := item.Probe(ctx)
			return op.NeededUnless(done), err
		},
		Changes: func(ctx context.Context) []string {
			_, changes, _ := item.Probe(ctx) // the probe has said what is wrong
			return changes
		},
		Do: func(ctx context.Context, _ op.Say) error {
			_, err := item.Apply(ctx)
			return err
		},
	}
}
