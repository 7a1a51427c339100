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

// learn finds the programs of hosts that have been installed before. For those that have not, the sources are verified,
// so that what cannot be had is known before a host is touched.
func (e *Env) learn(ctx context.Context) error {
	o := e.own
	err := host.Each(ctx, o.machines(), parallel, func(ctx context.Context, m host.Machine) error {
		_, err := o.find(ctx, m) // what is not there is not installed yet
		return err
	})
	if err != nil {
		return err
	}
	if o.known() {
		return nil
	}
	for _, plan := range o.different() {
		locked, there, err := o.installed(ctx, plan)
		if err != nil {
			return err
		}
		if there { // what a repository has by now is no matter
			o.wants[planKey(plan)] = locked
			continue
		}
		result := o.checker.Check(ctx, plan)
		for _, f := range result.Findings {
			e.findings = append(e.findings, provision.Finding{Subject: f.Subject, Problem: f.Problem, Fix: f.Fix})
		}
		if len(result.Findings) == 0 {
			o.wants[planKey(plan)] = result.Locked
		}
	}
	return nil
}

// installed says whether all hosts of a plan have what is locked for it.
func (o *ownHosts) installed(ctx context.Context, plan source.Plan) (source.Locked, bool, error) {
	locked, known := o.checker.Lock.Find(plan)
	if !known {
		return locked, false, nil
	}
	for name, plans := range o.plans {
		for _, one := range plans {
			if planKey(one) != planKey(plan) {
				continue
			}
			_, why, err := o.installer.Probe(ctx, host.Looking(o.remotes[name]), one, o.fetched(one))
			if err != nil || why != "" {
				return locked, false, err
			}
		}
	}
	return locked, true, nil
}

// different are the plans of all hosts, each once.
func (o *ownHosts) different() []source.Plan {
	seen := map[string]bool{}
	var all []source.Plan
	for _, h := range o.config.Hosts {
		for _, plan := range o.plans[h.Name] {
			if key := planKey(plan); !seen[key] {
				seen[key] = true
				all = append(all, plan)
			}
		}
	}
	return all
}

func planKey(p source.Plan) string { return p.Component + " " + p.Facts.String() }

// find looks for the programs of one host. Where some are not there, why says which.
func (o *ownHosts) find(ctx context.Context, m host.Machine) (why string, err error) {
	h, _ := o.config.Host(m.Name())
	o.mu.Lock()
	facts, plans := o.facts[h.Name], o.plans[h.Name]
	o.mu.Unlock()
	var installed hosts.Installed
	for _, plan := range plans {
		programs, why, err := o.installer.Probe(ctx, host.Looking(m), plan, o.fetched(plan))
		if err != nil {
			return "", err
		}
		if why != "" {
			return fmt.Sprintf("%s on %s: %s", plan.Component, h.Name, why), nil
		}
		setInstalled(&installed, plan.Component, programs)
	}
	programs, findings := hosts.Programs(o.config, h, facts, installed)
	if len(findings) > 0 {
		var problems []string
		for _, f := range findings {
			problems = append(problems, f.String())
		}
		return "programs are missing: " + strings.Join(problems, "; "), nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.found[h.Name] = programs
	return "", nil
}

func setInstalled(in *hosts.Installed, component string, programs source.Programs) {
	switch component {
	case source.ZooKeeper:
		in.ZooKeeper = programs
	case source.Mesos:
		in.Mesos = programs
	case source.Marathon:
		in.Marathon = programs
	}
}

// fetched is what was got for a plan: in this run, or earlier, as the lock has it.
func (o *ownHosts) fetched(plan source.Plan) source.Fetched {
	o.mu.Lock()
	defer o.mu.Unlock()
	if got, ok := o.got[planKey(plan)]; ok {
		return got
	}
	locked, _ := o.checker.Lock.Find(plan)
	return source.Fetched{Locked: locked}
}

// all are the programs of the first control host, and as long as they are not known what the file asks for.
func (o *ownHosts) all() provision.Programs {
	control := o.config.HostsWith(config.RoleControl)
	if len(control) > 0 && o.has(control[0].Name) {
		p := o.programs(control[0].Name)
		p.Jenkins.Standin = o.config.Jenkins.War == "standin"
		return p
	}
	var p provision.Programs
	p.Mesos.Standin = o.config.Components.Mesos.Source.Standin
	p.Marathon.Standin = o.config.Components.Marathon.Source.Standin
	p.Jenkins.Standin = o.config.Jenkins.War == "standin"
	return p
}

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

// needs are the components of a host with what was fetched for them.
func (o *ownHosts) needs(name string) []source.Need {
	o.mu.Lock()
	plans := o.plans[name]
	o.mu.Unlock()
	var all []source.Need
	for _, plan := range plans {
		all = append(all, source.Need{Plan: plan, Fetched: o.fetched(plan)})
	}
	return all
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

func (o *ownHosts) has(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.found[name]
	return ok
}

func (o *ownHosts) install(ctx context.Context, m host.Machine, say op.Say) error {
	h, _ := o.config.Host(m.Name())
	o.mu.Lock()
	plans := o.plans[h.Name]
	o.mu.Unlock()
	installer := *o.installer
	installer.Say = func(text string) { say("%s", text) }
	changed := false
	for _, plan := range plans {
		_, one, err := installer.Install(ctx, m, plan, o.fetched(plan))
		if err != nil {
			return fmt.Errorf("install %s on %s: %w", plan.Component, h.Name, err)
		}
		changed = changed || one
	}
	if changed { // otherwise all of it came with the packages, after which the host was looked at
		if err := o.look(ctx, m); err != nil {
			return err
		}
	}
	why, err := o.find(ctx, m)
	if err == nil && why != "" {
		err = errors.New(why)
	}
	return err
}
