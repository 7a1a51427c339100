package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
)

func newControlCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "control", Short: "Add and replace control hosts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newControlAdd(a), newControlReplace(a), newControlRemove(a))
	return cmd
}

func bindControl(cmd *cobra.Command, opts *agentsOptions) {
	cmd.Flags().DurationVar(&opts.drain.Timeout, "timeout", drainTimeout, "how long build agents may take to end on a host whose Mesos agent is started again")
	bindAcceptKeys(cmd.Flags(), &opts.install.acceptKeys)
}

func newControlAdd(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{
		Use:   "add NAME=ADDRESS NAME=ADDRESS",
		Short: "Go from one control host to three",
		Long: "add writes two control hosts into the cluster file and makes the cluster one of three, one server at a time: first an empty ZooKeeper server, then the\n" +
			"old one again, which leads because it has the data, then the third; then the masters with their new quorum, the Mesos agents (each drained first),\n" +
			"Marathon and the edge. Running builds and the controller go on. `jomctl resume` goes on with a run that was cut off.",
		Args: cobra.MinimumNArgs(1),
	}
	bindControl(cmd, opts)
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) {
		news, err := newHosts(opts, s.Cluster.Target != config.TargetLocal)
		if err != nil {
			return mutation{}, err
		}
		change, err := lifecycle.AddControl(s.Cluster, news)
		if err != nil {
			return mutation{}, err
		}
		return changeControl(ctx, s, opts, change, hostNames(news))
	})
}

func newControlReplace(a *app) *cobra.Command {
	opts := &agentsOptions{}
	var old string
	cmd := &cobra.Command{
		Use:   "replace OLD NEW=ADDRESS",
		Short: "Put a new host in the place of one of three control hosts",
		Long: "replace takes the cluster from OLD, or gives it up with --force where it cannot be reached, and puts NEW in its place in the cluster file and in\n" +
			"ZooKeeper's ensemble. The others are started again with the new address, one by one, those that lead last; each Mesos agent is drained first.",
		Args: cobra.ExactArgs(2),
	}
	bindControl(cmd, opts)
	cmd.Flags().BoolVar(&opts.force, "force", false, "give OLD up where it cannot be reached")
	a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) {
		news, err := newHosts(opts, true)
		if err != nil {
			return mutation{}, err
		}
		change, err := lifecycle.ReplaceControl(s.Cluster, old, news[0])
		if err != nil {
			return mutation{}, err
		}
		return changeControl(ctx, s, opts, change, []string{old, news[0].Name})
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		old, opts.names = args[0], args[1:]
		return run(cmd, args)
	}
	return cmd
}

func newControlRemove(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{Use: "remove NAME...", Short: "Take control hosts away (not done by this version: it says what can be done instead)", Args: cobra.MinimumNArgs(1)}
	return a.named(cmd, opts, func(_ context.Context, s *session) (mutation, error) {
		return mutation{}, lifecycle.RemoveControl(s.Cluster, opts.names)
	})
}

// changeControl is what add and replace have in common.
func changeControl(ctx context.Context, s *session, opts *agentsOptions, change lifecycle.FileChange, intended []string) (mutation, error) {
	before, err := lifecycle.InstalledOr(s.Cluster)
	if err != nil {
		return mutation{}, err
	}
	s.Cluster = change.Cluster
	env, err := openHosts(ctx, s, opts.install.acceptKeys)
	if err != nil {
		return mutation{}, err
	}
	env.Intends(intended...)
	if findings := env.Preflight(); len(findings) > 0 {
		return mutation{}, &preflightError{findings}
	}
	leased := false
	plan, warnings, err := env.ControlPlan(ctx, change, lifecycle.ControlOptions{Before: before, Drain: opts.drain, Force: opts.force,
		Access: lifecycle.Access{Version: currentBuild().Version, Say: s.Say},
		Install: lifecycle.InstallOptions{
			LeaseHeld: func() bool { return leased },
			TakeLease: func(ctx context.Context) error {
				err := s.AddLease(ctx, zooKeeperLease{&cluster.Lease{ZooKeeper: env.ZooKeeper, Path: cluster.LeasePath(s.Cluster.Name)}})
				leased = err == nil
				return err
			},
			Proof: lifecycle.ProofOptions{Builds: 5, Sleep: 5 * time.Second, Got: func(p jenkins.Proof) {
				if !p.Passed {
					s.Say("%s", proofText(p))
				}
			}},
		}})
	if err != nil {
		return mutation{}, err
	}
	for _, warning := range warnings {
		s.Say("Note: %s", warning)
	}
	return mutation{Plan: plan, Answer: func(context.Context, op.Result) (string, map[string]any, error) {
		var names []string
		for _, h := range s.Cluster.HostsWith(config.RoleControl) {
			names = append(names, h.Name)
		}
		if err := env.ZooKeeper.Healthy(ctx); err != nil {
			return "", nil, errors.Join(errors.New("the control hosts were changed, and ZooKeeper does not serve as it should"), err)
		}
		return fmt.Sprintf("Control hosts: %s\nNext:          jomctl status, jomctl prove\n", strings.Join(names, ", ")),
			map[string]any{"control": names, "url": env.URL()}, nil
	}}, nil
}
