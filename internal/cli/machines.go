package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/machines"
	"github.com/jomctl/jomctl/internal/op"
)

// installMachines is install on every target: where Terraform makes the machines, they come first, with a plan and a question of
// their own, as the hosts can be looked at only when they are there.
func installMachines(ctx context.Context, s *session, opts *installOptions) (mutation, error) {
	made, err := withTerraform(ctx, s, opts.installTerraform, machines.Plan)
	if err != nil {
		return mutation{}, err
	}
	if made == nil {
		return install(ctx, s, opts)
	}
	return mutation{Plan: made.Plan(), Discard: made.Discard,
		Next: func(ctx context.Context, s *session) (mutation, error) {
			for _, note := range made.Notes() {
				s.Say("Note: %s", note)
			}
			return install(ctx, s, opts)
		}}, nil
}

// destroyMachines ends a cluster together with the machines that were made for it.
func destroyMachines(ctx context.Context, s *session, installTerraform bool, opts lifecycle.DestroyOptions) (mutation, error) {
	home := s.Cluster.Jenkins.Home
	if opts.Home != "" && opts.Home != home.Path {
		return mutation{}, notTheHome(opts.Home, s.Cluster.Name, home.Path)
	}
	made, err := withTerraform(ctx, s, installTerraform, machines.PlanEnd)
	if err != nil {
		return mutation{}, err
	}
	plan, err := lifecycle.DestroyMachines(ctx, s.Cluster, accessOf(s), made, opts)
	if err != nil {
		return mutation{Discard: made.Discard}, err
	}
	return mutation{Plan: plan, Closes: true, Discard: made.Discard, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		text, kept := fmt.Sprintf("Cluster %s and its machines are gone\n", s.Cluster.Name), []string{}
		if _, err := os.Stat(s.Cluster.File); err == nil {
			text = fmt.Sprintf("Cluster %s and its machines are gone; %s is kept\n", s.Cluster.Name, s.Cluster.File)
			kept = append(kept, s.Cluster.File)
		}
		if home.Type == config.HomeShared && home.Path != opts.Home {
			text += keptHomeText(home.Path)
			kept = append(kept, home.Path)
		}
		return text, map[string]any{"kept": kept}, nil
	}}, nil
}

func bindInstallTerraform(flags *pflag.FlagSet, install *bool) {
	flags.BoolVar(install, "install-terraform", false, "docker, aws, openstack: where this machine has no Terraform that can be used, download one from HashiCorp and verify it")
}

// planMachines is machines.Plan or its opposite.
type planMachines func(ctx context.Context, c *config.Cluster, access inventory.Access) (*machines.Machines, error)

// withTerraform plans machines. Where this machine has no Terraform for that, one is downloaded when somebody says so: neither silence nor
// --yes is about it.
func withTerraform(ctx context.Context, s *session, install bool, plan planMachines) (*machines.Machines, error) {
	made, err := plan(ctx, s.Cluster, accessOf(s))
	if err == nil {
		return made, nil
	}
	offer := machines.Offer(s.Cluster, err)
	if offer == nil || !install && (s.Yes || !s.Streams.CanPrompt()) {
		return nil, err
	}
	s.Say("%v: Terraform %s can be downloaded from %s, verified by HashiCorp's signature, and goes to %s", err, offer.Version, offer.URL, offer.Path)
	if !install {
		yes, err := askYesNo(ctx, s.Streams, "Download it")
		if err != nil {
			return nil, err
		}
		if !yes {
			return nil, &declinedError{}
		}
	}
	if err := offer.Install(ctx); err != nil {
		return nil, err
	}
	s.Say("installed Terraform %s: %s", offer.Version, offer.Path)
	return plan(ctx, s.Cluster, accessOf(s))
}
