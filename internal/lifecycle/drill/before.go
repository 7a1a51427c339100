package drill

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/pause"
	"github.com/jomctl/jomctl/internal/probe"
)

// before checks that the cluster is whole, begins to probe, and writes what is counted afterwards.
func (r *run) before(ctx context.Context, say op.Say) error {
	r.result.Began = time.Now()
	facts, err := r.world.Look(ctx)
	if err != nil {
		return err
	}
	if err := Refuse(r.scenario, facts); err != nil {
		return err
	}
	if r.opts.MayBegin != nil {
		if err := r.opts.MayBegin(r.scenario); err != nil {
			return err
		}
	}
	r.facts = facts
	probing, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.probing.Go(func() {
		r.world.Probe(probing, func(s probe.Sample) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.samples = append(r.samples, s)
		})
	})
	canary := r.world.Canary()
	say("a build before the fault")
	if err := r.save(ctx); err != nil {
		return err
	}
	err = r.first(ctx, "the build before the fault", func(ctx context.Context) error {
		number, err := canary.Build(ctx)
		if err == nil {
			r.built = append(r.built, number)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := r.quiet(ctx, say); err != nil {
		return err
	}
	if !r.scenario.WithBuild {
		return nil
	}
	say("a build that runs at the fault")
	return r.first(ctx, "the build that is to run at the fault", func(ctx context.Context) (err error) {
		r.begun, r.facts.BuildTask, err = canary.Begin(ctx, r.pace.Build)
		return err
	})
}

// first bounds a build before the fault: where none runs there is nothing that a drill could measure.
func (r *run) first(ctx context.Context, what string, build func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, r.pace.First)
	defer cancel()
	err := build(bounded)
	switch {
	case err == nil:
		return nil
	case bounded.Err() != nil && ctx.Err() == nil:
		return &RefusedError{r.scenario.Name, fmt.Sprintf("%s has not come about within %s: %v", what, r.pace.First, err), "`jomctl status` says why builds wait; a drill begins where they run"}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// mark tells this drill's configurations from those of others: the job is the same for all drills of a run, and may be one that a drill
// which was killed has left in the history.
func (r *run) mark() string { return r.result.Began.UTC().Format("20060102T150405.000000") }

func (r *run) save(ctx context.Context) error {
	if err := r.world.Canary().Save(ctx, r.mark(), len(r.saves)+1); err != nil {
		return fmt.Errorf("saving numbered configuration %d: %w", len(r.saves)+1, err)
	}
	r.saves = append(r.saves, time.Now())
	return nil
}

// quiet measures the cluster while nothing is wrong, and finds the targets that this machine does not reach.
func (r *run) quiet(ctx context.Context, say op.Say) error {
	began := time.Now()
	deadline := began.Add(r.pace.Before + r.pace.Calm)
	for {
		if err := pause.For(ctx, r.pace.Tick); err != nil {
			return err
		}
		if time.Since(began) < r.pace.Before {
			continue
		}
		down := r.down(time.Now().Add(-r.pace.Settle))
		for _, target := range []string{probe.Controller, probe.AgentPort, probe.Framework} {
			if down[target] != "" {
				r.silent[target] = true // it may be behind a firewall, or not have had a build yet
				delete(down, target)
			} else {
				delete(r.silent, target)
			}
		}
		if len(down) == 0 && (len(r.silent) == 0 || time.Since(began) > r.pace.Before+5*r.pace.Settle) {
			r.result.Unmeasured = slices.Sorted(maps.Keys(r.silent))
			return nil
		}
		if time.Now().After(deadline) {
			return &RefusedError{r.scenario.Name, "the cluster does not serve before the fault: " + reasons(down), "`jomctl status` shows what is wrong"}
		}
		say("waiting until everything serves: %s", reasons(down))
	}
}

// inject writes the faults down, then makes them. Numbered configurations are saved until the last moment.
func (r *run) inject(ctx context.Context, say op.Say) error {
	facts, err := r.world.Look(ctx)
	if err != nil {
		return err
	}
	facts.BuildTask = r.facts.BuildTask
	facts.BuildHost = hostOfTask(facts, facts.BuildTask)
	r.facts = facts
	if r.scenario.WithBuild && facts.BuildTask != "" && facts.BuildHost == "" {
		return &RefusedError{r.scenario.Name, "the host of the build agent is not known", "try again"}
	}
	faults := r.scenario.Faults(facts)
	for _, f := range faults {
		if f.blind() {
			return &RefusedError{r.scenario.Name, "it is not known where to inject: " + f.String(), "`jomctl status` shows who leads and where the controller is"}
		}
	}
	for range 3 {
		if err := r.save(ctx); err != nil {
			return err
		}
		if err := pause.For(ctx, r.pace.SaveEvery); err != nil {
			return err
		}
	}
	r.result.Faults = faults
	r.active = Active{Scenario: r.scenario.Name, Began: time.Now(), Faults: lastingOf(faults)}
	if err := r.active.write(r.opts.State); err != nil {
		return fmt.Errorf("writing down the fault: %w", err)
	}
	r.event(probe.EventFault, faults[0].String())
	for _, f := range faults {
		say("%s", f)
		if err := r.world.Inject(ctx, f); err != nil {
			return fmt.Errorf("injecting %s: %w", f, err)
		}
	}
	return nil
}

func hostOfTask(f Facts, task string) string {
	for _, framework := range f.Report.Mesos.Frameworks {
		for _, t := range framework.Tasks {
			if t.ID != task || task == "" {
				continue
			}
			for _, h := range f.Cluster.Hosts {
				if h.Address == t.Host || h.Name == t.Host {
					return h.Name
				}
			}
		}
	}
	return ""
}

func lastingOf(faults []Injection) []Injection {
	var all []Injection
	for _, f := range faults {
		if f.lasting() {
			all = append(all, f)
		}
	}
	return all
}
