package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

type upgradeOptions struct {
	release, window string
	// own is a release that the run makes itself.
	own       ownRelease
	now, wait bool
	// back goes to an earlier release with the home of then.
	back          bool
	drain, canary time.Duration
	onTimeout     string
	// planOnly says that nothing is begun, so that a reason against it is only told.
	planOnly func() bool
}

const (
	onTimeoutAbort = "abort"
	onTimeoutStop  = "stop-builds"
)

func newUpgradeCommand(a *app) *cobra.Command {
	opts := &upgradeOptions{}
	cmd := &cobra.Command{
		Use:   upgrade.Verb,
		Short: "Upgrade the controller to another release, proven or taken back",
		Long: "upgrade-jenkins brings the controller to another release inside a maintenance window. Everything that can be done beforehand is done while\n" +
			"the old version serves: files fetched, home backed up, the new version rehearsed on a restored copy. Then users are told, running builds end,\n" +
			"the old version is stopped, and the new one starts with its queue shut until it is proven. A gate that is not passed, Ctrl-C, or the end of\n" +
			"the time brings the old version back with the old home.\n" +
			"Exit code 0: proven; 3: refused, with the reasons; 6: stopped, go on with `jomctl resume`; 7: taken back; 1: failed, with the next command.",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.release, "release", "", "release to upgrade to (default: that of the cluster file, where another one is installed)")
	opts.own.bind(cmd)
	flags.StringVar(&opts.window, "window", "", "take this maintenance window alone, by its name")
	flags.BoolVar(&opts.now, "now", false, "begin now, without a maintenance window")
	flags.BoolVar(&opts.wait, "wait", false, "wait for the maintenance window, and check again then")
	flags.DurationVar(&opts.drain, "drain-timeout", 20*time.Minute, "how long running builds may take to end")
	flags.StringVar(&opts.onTimeout, "on-timeout", onTimeoutAbort, "what happens to builds that still run then: abort gives the upgrade up, stop-builds ends them and asks for them again")
	flags.DurationVar(&opts.canary, "canary-timeout", 5*time.Minute, "how long a build on an agent of each template may take")
	flags.BoolVar(&opts.back, "back", false, "go back to a release that ran before, with the home of then")
	_ = flags.MarkHidden("back") // `jomctl rollback --to` is the command
	a.mutatingOf(cmd, manner{load: config.Load, lines: true}, func(ctx context.Context, s *session) (mutation, error) { return upgradeJenkins(ctx, a, s, opts) })
	opts.planOnly = func() bool { return cmd.Flag("plan").Changed }
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opts.check(); err != nil {
			return &usageError{err}
		}
		return run(cmd, args)
	}
	return cmd
}

func (o *upgradeOptions) check() error {
	switch {
	case o.now && (o.wait || o.window != ""):
		return errors.New("--now means without a window: leave --wait and --window out")
	case o.own.asked() && (o.release != "" || o.back):
		return errors.New("--core and --plugins make a release: leave --release out")
	case o.own.sha256 != "" && o.own.core == "":
		return errors.New("--sha256 is the checksum of the war of --core, which is missing")
	case o.onTimeout != onTimeoutAbort && o.onTimeout != onTimeoutStop:
		return fmt.Errorf("--on-timeout %s: want %s or %s", o.onTimeout, onTimeoutAbort, onTimeoutStop)
	case o.drain < 0 || o.canary <= 0:
		return errors.New("--drain-timeout and --canary-timeout are times such as 20m")
	}
	return nil
}

// windows are the times that the run may begin in.
func (o *upgradeOptions) windows(c *config.Cluster) (upgrade.Window, error) {
	if o.now || c.Maintenance == nil {
		if o.window != "" {
			return upgrade.Window{}, &usageError{fmt.Errorf("--window %s: %s has no maintenance windows", o.window, c.File)}
		}
		return upgrade.Window{}, nil
	}
	all := upgrade.Window{Windows: c.Maintenance.Windows, Reserve: c.Maintenance.Reserve.Duration()}
	if o.window == "" {
		return all, nil
	}
	for _, window := range all.Windows {
		if window.Name == o.window {
			all.Windows = []config.Window{window}
			return all, nil
		}
	}
	return all, &usageError{fmt.Errorf("--window %s: no maintenance window of %s has this name", o.window, c.File)}
}

func upgradeJenkins(ctx context.Context, a *app, s *session, opts *upgradeOptions) (mutation, error) {
	store, err := upgrade.Open(lifecycle.UpgradeDir(s.Cluster))
	if err != nil {
		return mutation{}, err
	}
	release, made := opts.release, (*madeRelease)(nil)
	if opts.own.asked() {
		if made, err = opts.own.release(ctx, a, s.Cluster, store); err != nil {
			return mutation{}, err
		}
		release = made.path
	}
	change, err := upgradeTo(ctx, s, opts, store, release, made)
	if err != nil {
		return mutation{}, errors.Join(err, made.discard(store))
	}
	change.Discard = func() error { return made.discard(store) }
	return change, nil
}

// upgradeTo is the upgrade to a release, which the run may have made itself.
func upgradeTo(ctx context.Context, s *session, opts *upgradeOptions, store *upgrade.Store, release string, made *madeRelease) (mutation, error) {
	from, to, err := upgradeSides(s.Cluster, store, release)
	if err != nil {
		return mutation{}, err
	}
	if from == to {
		return mutation{}, nil
	}
	u, err := lifecycle.OpenUpgrade(ctx, s.Cluster, store, from, to, accessOf(s))
	if err != nil {
		return mutation{}, err
	}
	windows, err := opts.windows(s.Cluster)
	if err != nil {
		return mutation{}, err
	}
	earlier, err := upgrade.History(store.Dir)
	if err != nil {
		return mutation{}, err
	}
	lines := map[string][]string(nil)
	if !goesOn(store, to) {
		state := upgrade.State{Run: s.RunID, From: u.Old.VersionOf(), To: u.New.VersionOf(), User: op.CurrentOwner(s.RunID, upgrade.Verb).String(), Began: time.Now().UTC()}
		if opts.back {
			if state.HomeOf = upgrade.Leaving(earlier, to); state.HomeOf == nil {
				return mutation{}, &refusedError{fmt.Errorf("no upgrade of this cluster led away from the release %s", to), "`jomctl releases` shows what ran when"}
			}
		}
		store.Begin(state)
		if err := admit(ctx, s, opts, u, windows, earlier); err != nil {
			return mutation{}, err
		}
		preview, err := u.Preview(ctx, earlier)
		if err != nil {
			return mutation{}, err
		}
		lines = made.lines(preview.Lines())
	}
	if u.Old.ZooKeeper.Healthy(ctx) == nil {
		if err := s.AddLease(ctx, zooKeeperLease{&cluster.Lease{ZooKeeper: u.Old.ZooKeeper, Path: cluster.LeasePath(s.Cluster.Name)}}); err != nil {
			return mutation{}, err
		}
	}
	plan := upgrade.Plan(u, store, upgrade.Options{Changes: lines, Wait: opts.wait, Drain: opts.drain, StopBuilds: opts.onTimeout == onTimeoutStop,
		Canary: opts.canary, Start: u.StartLimit(), Window: windows, Tick: 200 * time.Millisecond})
	return mutation{Plan: plan,
		TakeBack: func(cause error) bool { return upgrade.TakeBack(store, cause) },
		Deadline: func() *time.Time { return store.State.Bound.Deadline() },
		Answer: func(context.Context, op.Result) (string, map[string]any, error) {
			return upgradeText(store.State) + "Report:    " + store.ReportFile() + "\n", map[string]any{"upgrade": store.State, "report": store.ReportFile(), "downSeconds": store.State.Down().Seconds()}, nil
		}}, nil
}

// goesOn says that the state is of a run that is to be gone on with, or that has just ended.
func goesOn(store *upgrade.Store, to string) bool {
	return store.State.Windowed() || store.State.Outcome == upgrade.Proven && store.State.To.Release == to
}

// upgradeSides finds what runs and what is to run. An unfinished run knows both itself.
func upgradeSides(c *config.Cluster, store *upgrade.Store, release string) (from, to string, err error) {
	state := store.State
	if state.Windowed() {
		if release != "" && release != state.To.Release {
			return "", "", &refusedError{fmt.Errorf("an upgrade to %s is half-way", state.To.Release), "go on with `jomctl resume`, or take it back with `jomctl rollback`"}
		}
		return state.From.Release, state.To.Release, nil
	}
	installed, err := record.Installed(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", &refusedError{errors.New("nothing is installed that could be upgraded"), "run `jomctl install`"}
	}
	if err != nil {
		return "", "", err
	}
	if release == "" {
		release = c.Release
	}
	if state.Outcome == upgrade.Proven && state.To.Release == release && installed.Release == release {
		return state.From.Release, release, nil
	}
	return installed.Release, release, nil
}

// admit refuses what cannot be finished.
func admit(ctx context.Context, s *session, opts *upgradeOptions, u *lifecycle.Upgrade, windows upgrade.Window, earlier []upgrade.State) error {
	return opts.admit(s, upgrade.Verb, u.Check(ctx), windows, upgrade.Expected(earlier, upgrade.Rehearsal{}))
}

// admit refuses for reasons, for a window that does not fit what is expected, and for an unfinished run of another verb. With --plan it only
// tells.
func (o *upgradeOptions) admit(s *session, verb string, reasons []upgrade.Reason, windows upgrade.Window, expected time.Duration) error {
	if _, opens, reason := windows.Bind(time.Now(), expected); reason != nil && (!o.wait || opens.IsZero()) {
		reasons = append(reasons, *reason)
	}
	log, err := op.LastRun(filepath.Join(s.Cluster.StateDir(), "journal"))
	if err == nil && log.Meta().Verb != verb {
		reasons = append(reasons, upgrade.Reason{Subject: "journal", Problem: "an earlier " + log.Meta().Verb + " is unfinished", Fix: "end it first: `jomctl resume`"})
	}
	if len(reasons) == 0 {
		return nil
	}
	refused := &upgrade.RefusedError{Reasons: reasons}
	if o.planOnly() {
		s.Say("Note: %v", refused)
		return nil
	}
	return refused
}

func upgradeText(s upgrade.State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Jenkins %s (%s) is proven; it was %s (%s)\n", s.To.Core, s.To.Release, s.From.Core, s.From.Release)
	fmt.Fprintf(&b, "Away:      %s without a controller\n", s.Down().Round(100*time.Millisecond))
	if n := len(s.Work.Queued) + len(s.Stopped); n > 0 {
		fmt.Fprintf(&b, "Queue:     %d builds that waited or were ended are asked for again\n", n-len(s.Left))
	}
	for _, left := range s.Left {
		fmt.Fprintf(&b, "Left out:  %s\n", left)
	}
	if len(s.Backup) >= 8 {
		fmt.Fprintf(&b, "Backup:    %s is the home as it was before\n", s.Backup[:8])
	}
	return b.String()
}
