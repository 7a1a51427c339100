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
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

type platformOptions struct {
	upgradeOptions
	instance time.Duration
}

func newUpgradePlatformCommand(a *app) *cobra.Command {
	opts := &platformOptions{upgradeOptions: upgradeOptions{onTimeout: onTimeoutAbort, canary: time.Minute}}
	cmd := &cobra.Command{
		Use:   platform.Verb,
		Short: "Upgrade ZooKeeper, Mesos and Marathon to the versions of the cluster file, one instance after the other",
		Long: "upgrade-platform brings ZooKeeper, Mesos and Marathon to what `components` of the cluster file names: ZooKeeper servers and Mesos masters one by one, the\n" +
			"leading one last; Marathon with its state backed up, one instance alone migrating it; Mesos agents drained in turn. The next instance follows only when all serve.\n" +
			"A part that fails goes back to its old version as far as the software allows it; a part that is proven stays.\n" +
			"Exit code 0: proven; 3: refused, with the reasons; 6: stopped, go on with `jomctl resume`; 7: taken back; 1: failed, with the next command.",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.window, "window", "", "take this maintenance window alone, by its name")
	flags.BoolVar(&opts.now, "now", false, "begin now, without a maintenance window")
	flags.BoolVar(&opts.wait, "wait", false, "wait for the maintenance window, and check again then")
	flags.DurationVar(&opts.drain, "drain-timeout", 20*time.Minute, "how long the builds on one host may take to end")
	flags.DurationVar(&opts.instance, "instance-timeout", 90*time.Second, "how long one instance may take to serve again")
	a.mutatingOf(cmd, manner{load: config.Load, lines: true}, func(ctx context.Context, s *session) (mutation, error) { return upgradePlatform(ctx, s, opts) })
	opts.planOnly = func() bool { return cmd.Flag("plan").Changed }
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := opts.check()
		if err == nil && opts.instance <= 0 {
			err = errors.New("--instance-timeout is a time such as 90s")
		}
		if err != nil {
			return &usageError{err}
		}
		return run(cmd, args)
	}
	return cmd
}

func upgradePlatform(ctx context.Context, s *session, opts *platformOptions) (mutation, error) {
	store, err := platform.Open(lifecycle.PlatformDir(s.Cluster))
	if err != nil {
		return mutation{}, err
	}
	p, err := lifecycle.OpenPlatform(ctx, s.Cluster, store, accessOf(s))
	if err != nil {
		return mutation{}, err
	}
	windows, err := opts.windows(s.Cluster)
	if err != nil {
		return mutation{}, err
	}
	if !store.State.Disturbed() {
		parts, err := p.Parts(ctx)
		if err != nil || len(parts) == 0 {
			return mutation{}, err
		}
		drained, err := p.Drained(ctx)
		if err != nil {
			return mutation{}, err
		}
		store.Begin(platform.State{Run: s.RunID, User: op.CurrentOwner(s.RunID, platform.Verb).String(), Began: time.Now().UTC(), Parts: parts, Drained: drained})
		if err := admitPlatform(ctx, s, opts, p, windows); err != nil {
			return mutation{}, err
		}
	}
	if p.New.ZooKeeper.Healthy(ctx) == nil {
		if err := s.AddLease(ctx, zooKeeperLease{&cluster.Lease{ZooKeeper: p.New.ZooKeeper, Path: cluster.LeasePath(s.Cluster.Name)}}); err != nil {
			return mutation{}, err
		}
	}
	plan := platform.Plan(p, store, platform.Options{Wait: opts.wait, Window: windows, Drain: opts.drain, Instance: opts.instance, Tick: 200 * time.Millisecond})
	return mutation{Plan: plan,
		TakeBack: func(cause error) bool { return platform.TakeBack(store, cause) },
		Deadline: func() *time.Time { return store.State.Bound.Deadline() },
		Answer: func(context.Context, op.Result) (string, map[string]any, error) {
			return platformText(store.State), map[string]any{"upgrade": store.State}, nil
		}}, nil
}

// admitPlatform refuses what cannot be finished.
func admitPlatform(ctx context.Context, s *session, opts *platformOptions, p *lifecycle.Platform, windows upgrade.Window) error {
	parts := p.Store.State.Parts
	reasons, err := p.Judge(parts)
	if err != nil {
		return err
	}
	return opts.admit(s, platform.Verb, append(reasons, p.Check(ctx)...), windows, platform.Expected(parts))
}

func platformText(s platform.State) string {
	var b strings.Builder
	for _, part := range s.Parts {
		fmt.Fprintf(&b, "%-13s %s on %s is proven; it was %s\n", part.Role+":", part.To, strings.Join(part.Hosts, ", "), part.From)
	}
	if s.Backup != "" {
		fmt.Fprintf(&b, "%-13s %s is the state of before\n", "Backup:", s.Backup)
	}
	return b.String()
}
