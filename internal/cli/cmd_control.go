package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

func newControlCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "control", Short: "Add, replace and remove control hosts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newControlAdd(a), newControlReplace(a), newControlRemove(a))
	return cmd
}

func bindControl(cmd *cobra.Command, opts *agentsOptions) {
	cmd.Flags().DurationVar(&opts.drain.Timeout, "timeout", drainTimeout, "how long build agents may take to end on a host whose Mesos agent is started again")
	opts.install.proof.bind(cmd.Flags(), "proof-")
	bindAcceptKeys(cmd.Flags(), &opts.install.acceptKeys)
}

func newControlAdd(a *app) *cobra.Command {
	opts := &agentsOptions{}
	cmd := &cobra.Command{
		Use:   "add NAME=ADDRESS NAME=ADDRESS",
		Short: "Go from one control host to three, or from three to five",
		Long: "add writes two control hosts into the cluster file and brings them into the cluster: ZooKeeper first, one server after the other, so that no two\n" +
			"quorums can ever decide apart; then the masters with their new quorum, Marathon, the edge, and the Mesos agents, each drained first. Running builds\n" +
			"and the controller go on. `jomctl resume` goes on with a run that was cut off, and\n" +
			"`jomctl rollback` takes it back as long as no ZooKeeper server was touched.",
		Args: cobra.MinimumNArgs(1),
	}
	bindControl(cmd, opts)
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) {
		news, err := newHosts(opts, s.Cluster.Target != config.TargetLocal)
		if err != nil {
			return mutation{}, err
		}
		if m, done, err := a.controlDone(s, hostNames(news), nil); done || err != nil {
			return m, err
		}
		change, err := clusterfile.AddControl(s.Cluster, news)
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
		Short: "Put a new host in the place of one of several control hosts",
		Long: "replace takes the cluster from OLD, or gives it up with --force where it cannot be reached, and puts NEW in its place in the cluster file and in\n" +
			"ZooKeeper's ensemble. The others are started again with the new address, one by one, those that lead last; each Mesos agent is drained first.\n" +
			"With the first control host goes the address of Jenkins: the controller is started again when no build runs.",
		Args: cobra.ExactArgs(2),
	}
	bindControl(cmd, opts)
	cmd.Flags().BoolVar(&opts.force, "force", false, "give OLD up where it cannot be reached")
	a.mutating(cmd, func(ctx context.Context, s *session) (mutation, error) {
		news, err := newHosts(opts, true)
		if err != nil {
			return mutation{}, err
		}
		if m, done, err := a.controlDone(s, hostNames(news), []string{old}); done || err != nil {
			return m, err
		}
		change, err := clusterfile.ReplaceControl(s.Cluster, old, news[0])
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
	cmd := &cobra.Command{
		Use:   "remove NAME NAME",
		Short: "Go from five control hosts to three, or from three to one",
		Long: "remove takes two control hosts out of the cluster and everything of it from them. Their ZooKeeper servers and masters end first, for good, so that the\n" +
			"others have all that was agreed upon when they go on with a smaller quorum; each Mesos agent is drained before it gets the new addresses.\n" +
			"--force gives up hosts that cannot be reached.",
		Args: cobra.MinimumNArgs(1),
	}
	bindControl(cmd, opts)
	cmd.Flags().BoolVar(&opts.force, "force", false, "give up hosts that cannot be reached")
	return a.named(cmd, opts, func(ctx context.Context, s *session) (mutation, error) {
		if m, done, err := a.controlDone(s, nil, opts.names); done || err != nil {
			return m, err
		}
		change, err := clusterfile.RemoveControl(s.Cluster, opts.names)
		if err != nil {
			return mutation{}, err
		}
		return changeControl(ctx, s, opts, change, opts.names)
	})
}

// controlDone is what is left for a resume to do when its run was cut off after the last step.
func (a *app) controlDone(s *session, come, gone []string) (mutation, bool, error) {
	if a.again == nil || !lifecycle.ControlDone(s.Cluster, come, gone) {
		return mutation{}, false, nil
	}
	env, err := lifecycle.Look(s.Cluster)
	if err != nil {
		return mutation{}, false, err
	}
	return mutation{Plan: lifecycle.ControlCheck(env), Answer: controlAnswer(env)}, true, nil
}

// changeControl is what all changes of the control hosts have in common.
func changeControl(ctx context.Context, s *session, opts *agentsOptions, change clusterfile.Change, intended []string) (mutation, error) {
	if err := opts.install.proof.check(); err != nil {
		return mutation{}, err
	}
	before, err := record.InstalledOr(s.Cluster)
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
		Access: inventory.Access{Version: currentBuild().Version, Say: s.Say},
		Install: lifecycle.InstallOptions{
			LeaseHeld: func() bool { return leased },
			TakeLease: func(ctx context.Context) error {
				err := s.AddLease(ctx, zooKeeperLease{&cluster.Lease{ZooKeeper: env.ZooKeeper, Path: cluster.LeasePath(s.Cluster.Name)}})
				leased = err == nil
				return err
			},
			Proof: lifecycle.ProofOptions{Builds: opts.install.proof.builds, Sleep: opts.install.proof.sleep, Got: func(p jenkins.Proof) {
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
	return mutation{Plan: plan, Answer: controlAnswer(env), Advice: controlAdvice}, nil
}

// controlAdvice is for a change that ends half-way.
const controlAdvice = "a new host that is lost may be another machine at the same address; until then `jomctl install` is refused.\n" +
	"As long as no ZooKeeper server was touched `jomctl rollback` takes the change back"

// controlAnswer is what stands at the end.
func controlAnswer(env *lifecycle.Env) func(context.Context, op.Result) (string, map[string]any, error) {
	return func(ctx context.Context, _ op.Result) (string, map[string]any, error) {
		if err := env.ZooKeeper.Healthy(ctx); err != nil {
			return "", nil, errors.Join(errors.New("the control hosts were changed, and ZooKeeper does not serve as it should"), err)
		}
		var names []string
		for _, h := range env.Cluster.HostsWith(config.RoleControl) {
			names = append(names, h.Name)
		}
		return fmt.Sprintf("Control hosts: %s\nJenkins:       %s\nNext:          jomctl status, jomctl prove\n", strings.Join(names, ", "), env.URL()),
			map[string]any{"control": names, "url": env.URL()}, nil
	}
}
