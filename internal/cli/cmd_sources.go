package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/provision/catalogue"
	"github.com/jomctl/jomctl/provision/source"
)

type sourcesOptions struct {
	systems []string
	offline bool
	update  bool
}

func newSourcesCommand(a *app) *cobra.Command {
	opts := sourcesOptions{}
	cmd := &cobra.Command{Use: "sources", Short: "Where Mesos, Marathon, ZooKeeper and Jenkins come from: list, verify, lock, carry", Args: cobra.NoArgs,
		Long: "The components of the cluster file name sources, and jenkins names its war and plugins, or a release has them. check verifies them before a host is touched; lock records what was got\n" +
			"in a .lock.yaml beside the cluster file; pack and unpack carry all of it into a network without internet.\n" +
			"Files are kept in .jomctl/cache, and compared with their checksums at every use."}
	systems := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringSliceVar(&opts.systems, "for", nil, "the hosts' SYSTEM/SUITE/ARCH, as debian/bookworm/amd64; default: as this machine")
		return cmd
	}
	list := &cobra.Command{Use: "list", Short: "Print the catalogue of living sources, and the hosts that are gone", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runSourcesList(a) }}
	check := systems(&cobra.Command{Use: "check", Short: "Verify addresses, signatures, dates and checksums of the cluster's sources", Args: cobra.NoArgs,
		Long: "Exit code 0: hosts can be installed from the sources; 3: something stands against it, each with its fix.",
		RunE: func(cmd *cobra.Command, _ []string) error { return runSourcesCheck(cmd.Context(), a, opts) }})
	check.Flags().BoolVar(&opts.offline, "offline", false, "look at the lock and the cache alone")
	lock := systems(&cobra.Command{Use: "lock", Short: "Fetch the cluster's sources and record exactly what was got", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSourcesLock(cmd.Context(), a, opts) }})
	lock.Flags().BoolVar(&opts.update, "update", false, "take what is new instead of what is locked")
	pack := systems(&cobra.Command{Use: "pack FILE", Short: "Put the locked sources into one archive: images, jenkins.war and plugins too", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSourcesPack(cmd.Context(), a, opts, args[0]) }})
	unpack := &cobra.Command{Use: "unpack FILE", Short: "Take the archive of pack into the cache of this machine, Jenkins's files to where the cluster file has them", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSourcesUnpack(cmd.Context(), a, args[0]) }}
	cmd.AddCommand(list, check, lock, pack, unpack)
	return cmd
}

func runSourcesList(a *app) error {
	known, err := catalogue.Load()
	if err != nil {
		return err
	}
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"sources": known.Entries, "gone": known.Dead})
	}
	table := ui.NewTable("NAME", "COMPONENT", "KIND", "VERSION", "CGROUP", "JAVA BINDING", "KEY ENDS", "LAST SEEN", "WHAT")
	for _, e := range known.Entries {
		supports, _, _ := e.At("")
		ends := ""
		if e.Key != nil {
			ends = e.Key.Expires.String()
		}
		table.Row(e.Name, e.Component, string(e.Kind), firstOf(e.Versions), strings.Trim(fmt.Sprint(supports.Cgroups), "[]"),
			string(supports.JavaBinding), ends, e.LastSeen.String(), e.Title)
	}
	if err := table.Write(a.streams.Out, 0); err != nil {
		return err
	}
	for _, e := range known.Entries {
		for _, use := range e.NotFor {
			fmt.Fprintf(a.streams.Out, "%s is not for %s\n", e.Name, use)
		}
	}
	for _, d := range known.Dead {
		fmt.Fprintf(a.streams.Out, "gone since %s: %s (%s); instead: %s\n", d.Since, d.Host, d.Seen, d.Instead)
	}
	return nil
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// sourcesRun is what the commands on a cluster's sources share.
type sourcesRun struct {
	app      *app
	cluster  *config.Cluster
	resolver *source.Resolver
	checker  *source.Checker
	facts    []source.Facts
	jenkins  []source.Plan
}

func newSourcesRun(ctx context.Context, a *app, opts sourcesOptions) (*sourcesRun, error) {
	cluster, err := config.Load(a.global.File)
	if err != nil {
		return nil, err
	}
	r := &sourcesRun{app: a, cluster: cluster}
	if r.resolver, err = source.NewResolver(cluster); err != nil {
		return nil, err
	}
	if r.jenkins, err = jenkinsPlans(cluster); err != nil {
		return nil, err
	}
	lock, err := source.ReadLock(source.LockFile(cluster))
	if err != nil {
		return nil, err
	}
	r.checker = &source.Checker{Cache: &source.Cache{Dir: filepath.Join(cluster.StateDir(), "cache")}, Lock: lock, Offline: opts.offline, Update: opts.update, Catalogue: r.resolver.Catalogue,
		Say: func(text string) { a.say("%s", text) }}
	for _, text := range opts.systems {
		f, err := source.ParseFacts(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--for: %w", err)}
		}
		r.facts = append(r.facts, f)
	}
	if len(r.facts) == 0 {
		return r, r.thisMachine(ctx)
	}
	return r, nil
}

// thisMachine takes the hosts to be as this machine. Its cgroups and Java say nothing about other hosts.
func (r *sourcesRun) thisMachine(ctx context.Context) error {
	machine, err := host.NewLocal("this machine", "127.0.0.1", r.cluster.StateDir(), "")
	if err != nil {
		return err
	}
	f, err := source.ReadFacts(ctx, machine)
	if err != nil {
		return err
	}
	if r.cluster.Target != config.TargetLocal {
		f.Cgroup, f.Java = 0, 0
		r.app.say("For hosts as this machine (%s); --for says others", f)
	}
	r.facts = []source.Facts{f}
	return nil
}

// all resolves every component for every kind of host and hands it to do, and then what Jenkins is made of, which is the same on all
// hosts; what cannot work together is found, too.
func (r *sourcesRun) all(do func(source.Plan) source.Result) (results []source.Result, found source.Findings, err error) {
	for _, facts := range r.facts {
		var plans []source.Plan
		for _, component := range source.Components() {
			wanted, err := source.Wanted(r.cluster, component)
			if err != nil {
				return nil, nil, err
			}
			plan, problems := r.resolver.Resolve(component, wanted, facts)
			result := source.Result{Plan: plan, Findings: problems}
			if len(problems) == 0 {
				result = do(plan)
			}
			results, plans = append(results, result), append(plans, result.Plan)
			found = append(found, result.Findings...)
		}
		found = append(found, source.Together(plans, r.cluster.Jenkins.Cloud.Line)...)
	}
	for _, plan := range r.jenkins {
		result := do(plan)
		results, found = append(results, result), append(found, result.Findings...)
	}
	return results, found, nil
}

func runSourcesCheck(ctx context.Context, a *app, opts sourcesOptions) error {
	r, err := newSourcesRun(ctx, a, opts)
	if err != nil {
		return err
	}
	results, found, err := r.all(func(p source.Plan) source.Result { return r.checker.Check(ctx, p) })
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	return a.writeSources(results, found)
}

// fetch gets everything and locks it; the lock is written only when nothing stands against it.
func (r *sourcesRun) fetch(ctx context.Context, images bool) ([]source.Result, source.Findings, error) {
	var failed error
	results, found, err := r.all(func(p source.Plan) source.Result {
		_, result, err := r.checker.Fetch(ctx, p, images)
		var findings source.Findings
		if err != nil && !errors.As(err, &findings) {
			failed = errors.Join(failed, err)
		}
		if len(result.Findings) == 0 && result.Locked.Got != "" {
			r.checker.Lock.Set(result.Locked)
		}
		return result
	})
	if err = errors.Join(err, failed, ctx.Err()); err != nil || len(found) > 0 {
		return results, found, err
	}
	var here []string
	for _, plan := range r.jenkins {
		here = append(here, plan.Component)
	}
	r.checker.Lock.Keep(source.KindWar, here)
	r.checker.Lock.Keep(source.KindPlugin, here)
	return results, nil, r.checker.Lock.Write(source.LockFile(r.cluster))
}

func runSourcesLock(ctx context.Context, a *app, opts sourcesOptions) error {
	r, err := newSourcesRun(ctx, a, opts)
	if err != nil {
		return err
	}
	results, found, err := r.fetch(ctx, false)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		a.say("Locked in %s", source.LockFile(r.cluster))
	}
	return a.writeSources(results, found)
}

// writeSources writes what became of the sources. The exit code is 3 where something stands against them.
func (a *app) writeSources(results []source.Result, found source.Findings) error {
	if a.global.Output == formatJSON {
		if err := a.writeJSON(map[string]any{"sources": results, "findings": append(source.Findings{}, found...)}); err != nil {
			return err
		}
	} else {
		a.sourcesText(results, found)
	}
	if len(found) > 0 {
		return &reported{exitRefused}
	}
	return nil
}

func (a *app) sourcesText(results []source.Result, found source.Findings) {
	plugins := 0
	for _, r := range results {
		if r.Plan.Kind == source.KindPlugin && len(r.Findings) == 0 {
			plugins++
			continue
		}
		state := "ok"
		if len(r.Findings) > 0 {
			state = "refused"
		}
		fmt.Fprintf(a.streams.Out, "%-9s %s: %s, for %s\n", state, r.Plan.Component, ui.Clean(r.Plan.Title), r.Plan.Facts)
		for _, note := range append(r.Notes, r.Plan.Limits...) {
			fmt.Fprintf(a.streams.Out, "          %s\n", ui.Clean(note))
		}
	}
	if plugins > 0 {
		fmt.Fprintf(a.streams.Out, "%-9s jenkins: %d plugins\n", "ok", plugins)
	}
	for _, f := range found {
		fmt.Fprintf(a.streams.Out, "\n%s: %s\n", ui.Clean(f.Subject), ui.Clean(f.Problem))
		if f.Fix != "" {
			fmt.Fprintf(a.streams.Out, "    %s\n", ui.Clean(f.Fix))
		}
	}
}
