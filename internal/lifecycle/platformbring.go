package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/source"
)

// fetch verifies what a side installs for a plan, and has it on this machine where it comes as a file. What is in the cache is taken from
// there, whatever its source has become since.
func (p *Platform) fetch(ctx context.Context, side platform.Side, plan source.Plan, say op.Say) (source.Fetched, error) {
	o := p.env(side).own
	o.mu.Lock()
	got, done := o.got[planKey(plan)]
	o.mu.Unlock()
	if done {
		return got, nil
	}
	checker := *o.checker
	checker.Say = func(text string) { say("%s", text) }
	locked, known := checker.Lock.Find(plan)
	err := errors.New("it is not locked")
	if known {
		offline := checker
		offline.Offline = true
		got, _, err = offline.Fetch(ctx, plan, false)
	}
	if err != nil && known && plan.Kind == source.KindImage && side == platform.Old {
		got, err = source.Fetched{Locked: locked}, nil // the engines of its hosts have it
	}
	if err != nil {
		got, _, err = checker.Fetch(ctx, plan, false)
	}
	if err != nil {
		return got, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got[planKey(plan)] = got
	return got, nil
}

// changing are the plans of a side for the components that the run changes, each once.
func (p *Platform) changing(side platform.Side) []source.Plan {
	return slices.DeleteFunc(p.env(side).own.different(), func(plan source.Plan) bool {
		return !slices.ContainsFunc(p.Store.State.Parts, func(part platform.Part) bool { return part.Component == plan.Component })
	})
}

// bringHostsNear is BringNear on hosts of their own. The old version must be here before anything is changed; the new one is verified, locked and
// fetched, and what hosts get by themselves is brought to them.
func (p *Platform) bringHostsNear(ctx context.Context, say op.Say) error {
	for _, plan := range p.changing(platform.Old) {
		if err := p.wayBack(ctx, plan, say); err != nil {
			return err
		}
	}
	o := p.New.own
	for _, plan := range p.changing(platform.New) {
		got, err := p.fetch(ctx, platform.New, plan, say)
		if err != nil {
			return err
		}
		if got.Locked.Component != "" {
			o.checker.Lock.Set(got.Locked)
		}
	}
	// The old one first: from now on the lock beside the cluster file says the new one.
	if err := p.Old.own.checker.Lock.Write(record.InstalledLockFile(p.Old.Cluster.StateDir())); err != nil {
		return err
	}
	if err := o.checker.Lock.Write(source.LockFile(p.New.Cluster)); err != nil {
		return err
	}
	installer := *o.installer
	installer.Say = func(text string) { say("%s", text) }
	return host.Each(ctx, o.machines(), parallel, func(ctx context.Context, m host.Machine) error {
		for _, part := range p.Store.State.Parts {
			plan, has := o.plan(m.Name(), part.Component)
			if !has || !slices.Contains(part.Hosts, m.Name()) {
				continue
			}
			if err := installer.Ahead(ctx, m, plan, o.fetched(plan)); err != nil {
				return fmt.Errorf("bring %s %s to %s: %w", part.Component, part.To, m.Name(), err)
			}
		}
		return nil
	})
}

// wayBack is refused where the old version cannot be had again.
func (p *Platform) wayBack(ctx context.Context, plan source.Plan, say op.Say) error {
	got, err := p.fetch(ctx, platform.Old, plan, say)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	reason := upgrade.Reason{Subject: "the way back", Fix: "bring it back into " + p.Old.own.checker.Cache.Dir + ", or make its source serve it again"}
	switch {
	case err != nil:
		reason.Problem = fmt.Sprintf("%s as it is installed cannot be had again: %v", plan.Component, err)
	case plan.Fixed() && plan.Kind != source.KindImage && got.File == "":
		reason.Problem = fmt.Sprintf("%s as it is installed is not on this machine", plan.Component)
	default:
		say("%s %s is at hand for the way back", plan.Component, versionIn(plan, got))
		return nil
	}
	return &upgrade.RefusedError{Reasons: []upgrade.Reason{reason}}
}

// exchangeOnHost is Exchange on a host of its own. Where the new files take the place of the old ones, the program is stopped before: it may read
// them while it runs.
func (p *Platform) exchangeOnHost(ctx context.Context, role string, h config.Host, side platform.Side, say op.Say) error {
	e := p.env(side)
	m := e.own.remotes[h.Name]
	plan, has := e.own.plan(h.Name, componentOf(role))
	if !has {
		return fmt.Errorf("there is no source of %s for %s", componentOf(role), h.Name)
	}
	got, err := p.fetch(ctx, side, plan, say)
	if err != nil {
		return err
	}
	if !plan.InPlace() {
		if err := p.installOn(ctx, m, side, plan, got, say); err != nil {
			return err
		}
	}
	if err := m.Units().Stop(ctx, role); err != nil {
		return err
	}
	if plan.InPlace() {
		if err := p.installOn(ctx, m, side, plan, got, say); err != nil {
			return err
		}
	}
	s, _, err := p.service(role, h.Name, side)
	if err != nil {
		return err
	}
	say("starting %s on %s with version %s", role, h.Name, versionIn(plan, got))
	_, err = e.item(s).Apply(ctx)
	return err
}

func (p *Platform) installOn(ctx context.Context, m host.Machine, side platform.Side, plan source.Plan, got source.Fetched, say op.Say) error {
	installer := *p.env(side).own.installer
	installer.Say = func(text string) { say("%s", text) }
	_, changed, err := installer.Install(ctx, m, plan, got)
	if err != nil {
		return fmt.Errorf("install %s on %s: %w", plan.Component, m.Name(), err)
	}
	if changed {
		say("%s: %s is %s now", m.Name(), plan.Component, versionIn(plan, got))
	}
	for _, e := range []*Env{p.Old, p.New} { // what a package has brought may be a fact about the host
		if err := e.own.look(ctx, m); err != nil {
			return err
		}
	}
	return p.refresh(ctx, m.Name())
}

// installedOn is nil when a host has the programs of a side. want is the version that they tell.
func (p *Platform) installedOn(ctx context.Context, role string, h config.Host, side platform.Side) (want string, err error) {
	o := p.env(side).own
	plan, has := o.plan(h.Name, componentOf(role))
	if !has {
		return "", fmt.Errorf("there is no source of %s for %s", componentOf(role), h.Name)
	}
	wanted, err := o.wanted(ctx, plan)
	if err != nil {
		return "", err
	}
	_, why, err := o.installer.Probe(ctx, host.Looking(o.remotes[h.Name]), plan, wanted)
	if err == nil && why != "" {
		err = fmt.Errorf("%s on %s: %s", plan.Component, h.Name, why)
	}
	if err == nil && !p.env(side).own.has(h.Name) {
		err = p.refresh(ctx, h.Name)
	}
	return versionIn(plan, wanted), err
}

// recordLock makes the files that components come from those that are known as installed.
func (p *Platform) recordLock(components []string) error {
	lock, err := record.InstalledLock(p.Old.Cluster)
	if err != nil {
		return err
	}
	for _, plan := range p.New.own.different() {
		if locked, known := p.New.own.checker.Lock.Find(plan); known && slices.Contains(components, plan.Component) {
			lock.Set(locked)
		}
	}
	return lock.Write(record.InstalledLockFile(p.Old.Cluster.StateDir()))
}
