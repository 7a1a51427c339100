package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
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
