package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
	"github.com/jomctl/jomctl/provision/source"
)

// hostStages bring the hosts to where their services can be described: packages, helpers, and the sources' programs.
func (e *Env) hostStages() []op.Stage {
	if e.own == nil {
		return nil
	}
	var bases, programs []op.Step
	for _, h := range e.Cluster.Hosts {
		bases = append(bases, e.baseStep(h))
		programs = append(programs, e.programsStep(h))
	}
	return []op.Stage{
		{Name: "Sources", Steps: []op.Step{e.sourcesStep()}},
		{Name: "Hosts", Parallel: true, Steps: bases},
		{Name: "Programs", Parallel: true, Steps: programs},
	}
}

// sourcesStep fetches and verifies everything on this machine, and locks it.
func (e *Env) sourcesStep() op.Step {
	o := e.own
	missing := func() []source.Plan {
		var all []source.Plan
		for _, plan := range o.different() {
			if _, got := o.got[planKey(plan)]; !got && !o.known() {
				all = append(all, plan)
			}
		}
		return all
	}
	return op.Step{ID: "sources", Title: "Sources verified and locked",
		Probe: func(context.Context) (op.State, error) {
			return op.NeededUnless(len(missing()) == 0 && o.lockKept()), nil
		},
		Changes: func(context.Context) []string {
			var lines []string
			for _, plan := range missing() {
				lines = append(lines, fmt.Sprintf("fetch %s from %s for %s", plan.Component, plan.Title, plan.Facts))
			}
			if len(lines) == 0 {
				lines = append(lines, "write "+record.InstalledLockFile(e.Cluster.StateDir()))
			}
			return lines
		},
		Do: func(ctx context.Context, say op.Say) error {
			checker := *o.checker
			checker.Say = func(text string) { say("%s", text) }
			for _, plan := range missing() {
				got, _, err := checker.Fetch(ctx, plan, false)
				if err != nil {
					return err
				}
				if got.Locked.Component != "" {
					o.checker.Lock.Set(got.Locked)
				}
				o.mu.Lock()
				o.got[planKey(plan)] = got
				o.mu.Unlock()
			}
			if err := o.checker.Lock.Write(source.LockFile(e.Cluster)); err != nil {
				return err
			}
			return o.keepLock()
		},
	}
}

// baseStep brings a host its packages, helper programs and Docker Engine, and masks what must not run.
func (e *Env) baseStep(h config.Host) op.Step {
	o := e.own
	m := o.remotes[h.Name]
	items := func() []provision.Item {
		with := o.needs(h.Name)
		o.mu.Lock()
		defer o.mu.Unlock()
		return hosts.Base(e.Cluster, h, m, o.facts[h.Name], o.helpers, o.keeper, with...)
	}
	return op.Step{ID: "base-" + h.Name, Title: h.Name + " has its packages and helpers",
		Probe: func(ctx context.Context) (op.State, error) {
			done, _, err := probeAll(ctx, items())
			return op.NeededUnless(done), err
		},
		Changes: func(ctx context.Context) []string {
			_, changes, _ := probeAll(ctx, items())
			return changes
		},
		Do: func(ctx context.Context, say op.Say) error {
			ctx = provision.WithSay(ctx, say)
			// What a host needs depends on what is there: one that lost its power in the middle of dpkg shows more afterwards.
			for round := 0; ; round++ {
				if err := applyAll(ctx, items()); err != nil {
					return err
				}
				if err := o.look(ctx, m); err != nil {
					return err
				}
				done, changes, err := probeAll(ctx, items())
				if err != nil {
					return err
				}
				if done {
					break
				}
				if round == baseRounds {
					return fmt.Errorf("%s is still not as it should be: %s", h.Name, strings.Join(changes, "; "))
				}
			}
			o.mu.Lock()
			values := o.values[h.Name]
			o.mu.Unlock()
			return o.keeper.Offered(ctx, m, values)
		},
	}
}

// baseRounds is how often a host's base is gone over again; each round can only bring what an earlier one made visible.
const baseRounds = 3

// applyAll makes the items of a host in order, and beside them those that need no others: programs are sent while packages unpack.
func applyAll(ctx context.Context, items []provision.Item) error {
	apply := func(apart bool) error {
		for _, item := range items {
			if hosts.Apart(item) != apart {
				continue
			}
			if _, err := item.Apply(ctx); err != nil {
				return fmt.Errorf("%s: %w", item.Title(), err)
			}
		}
		return nil
	}
	beside := make(chan error, 1)
	go func() { beside <- apply(true) }()
	err := apply(false)
	return errors.Join(err, <-beside)
}

// probeAll looks at all items of a host at once: on a distant host most of the time is spent on the way.
func probeAll(ctx context.Context, items []provision.Item) (done bool, changes []string, err error) {
	oks, lines, errs := make([]bool, len(items)), make([][]string, len(items)), make([]error, len(items))
	var wait sync.WaitGroup
	for i, item := range items {
		wait.Go(func() { oks[i], lines[i], errs[i] = item.Probe(ctx) })
	}
	wait.Wait()
	done = true
	for i, item := range items {
		if errs[i] != nil {
			return false, changes, fmt.Errorf("%s: %w", item.Title(), errs[i])
		}
		done, changes = done && oks[i], append(changes, lines[i]...)
	}
	return done, changes, nil
}

// programsStep brings a host the programs of its components' sources.
func (e *Env) programsStep(h config.Host) op.Step {
	o := e.own
	m := o.remotes[h.Name]
	why := func(ctx context.Context) ([]string, error) {
		o.mu.Lock()
		plans := o.plans[h.Name]
		o.mu.Unlock()
		var lines []string
		for _, plan := range plans {
			_, why, err := o.installer.Probe(ctx, host.Looking(m), plan, o.fetched(plan))
			if err != nil {
				return nil, err
			}
			if why != "" {
				lines = append(lines, fmt.Sprintf("%s: install %s from %s: %s", h.Name, plan.Component, plan.Title, why))
			}
		}
		return lines, nil
	}
	return op.Step{ID: "programs-" + h.Name, Title: "programs of " + h.Name + " installed",
		Probe: func(ctx context.Context) (op.State, error) {
			lines, err := why(ctx)
			return op.NeededUnless(len(lines) == 0 && o.has(h.Name)), err
		},
		Changes: func(ctx context.Context) []string {
			lines, _ := why(ctx)
			return lines
		},
		Do: func(ctx context.Context, say op.Say) error { return o.install(ctx, m, say) },
	}
}
