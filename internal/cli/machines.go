package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

// installMachines is install on every target: where Terraform makes the machines, they come first, with a plan and a question of
// their own, as the hosts can be looked at only when they are there.
func installMachines(ctx context.Context, s *session, opts *installOptions) (mutation, error) {
	machines, err := lifecycle.PlanMachines(ctx, s.Cluster, accessOf(s))
	if err != nil {
		return mutation{}, err
	}
	if machines == nil {
		return install(ctx, s, opts)
	}
	return mutation{Plan: machines.Plan(), Discard: machines.Discard,
		Next: func(ctx context.Context, s *session) (mutation, error) {
			for _, note := range machines.Notes() {
				s.Say("Note: %s", note)
			}
			return install(ctx, s, opts)
		}}, nil
}

// destroyMachines ends a cluster together with the machines that were made for it.
func destroyMachines(ctx context.Context, s *session) (mutation, error) {
	machines, err := lifecycle.PlanMachinesEnd(ctx, s.Cluster, accessOf(s))
	if err != nil {
		return mutation{}, err
	}
	plan, err := machines.Destroy(ctx)
	if err != nil {
		return mutation{Discard: machines.Discard}, err
	}
	return mutation{Plan: plan, Closes: true, Discard: machines.Discard, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		text, kept := fmt.Sprintf("Cluster %s and its machines are gone\n", s.Cluster.Name), []string{}
		if _, err := os.Stat(s.Cluster.File); err == nil {
			text = fmt.Sprintf("Cluster %s and its machines are gone; %s is kept\n", s.Cluster.Name, s.Cluster.File)
			kept = append(kept, s.Cluster.File)
		}
		return text, map[string]any{"kept": kept}, nil
	}}, nil
}
