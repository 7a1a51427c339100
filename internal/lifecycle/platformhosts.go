package lifecycle

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
	"github.com/jomctl/jomctl/provision/source"
)

// openHostPlatform looks at hosts of their own from both sides: what was installed comes from its own lock and from this machine's cache, so
// that the way back does not depend on what a repository still has.
func openHostPlatform(ctx context.Context, c, installed *config.Cluster, store *platform.Store, access inventory.Access) (*Platform, error) {
	after, err := openHosts(ctx, c, access)
	if err != nil {
		return nil, err
	}
	before, err := lookHosts(installed, access)
	if err != nil {
		return nil, err
	}
	if before.own.checker.Lock, err = record.InstalledLock(installed); err != nil {
		return nil, err
	}
	reached, err := before.reach(ctx)
	if err != nil {
		return nil, err
	}
	if !reached || len(after.own.facts) < len(c.Hosts) {
		return nil, &upgrade.RefusedError{Reasons: reasonsOf(append(before.findings, after.findings...))}
	}
	before.own.installer.Upload = true
	before.own.installer.Reuse, after.own.installer.Reuse = true, true
	return &Platform{Old: before, New: after, Store: store}, nil
}

func reasonsOf(findings []provision.Finding) []upgrade.Reason {
	var reasons []upgrade.Reason
	for _, one := range findings {
		reason := upgrade.Reason{Subject: one.Subject, Problem: one.Problem, Fix: one.Fix}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// plan is what a host needs for a component. It is false for a host that does not have it.
func (o *ownHosts) plan(name, component string) (source.Plan, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.plans[name], func(p source.Plan) bool { return p.Component == component })
	if i < 0 {
		return source.Plan{}, false
	}
	return o.plans[name][i], true
}

// wanted is what would be installed for a plan: what is locked, or else what its source has now.
func (o *ownHosts) wanted(ctx context.Context, plan source.Plan) (source.Fetched, error) {
	got := o.fetched(plan)
	if got.Locked.Component != "" || !plan.Fixed() {
		return got, nil
	}
	if locked, seen := o.wants[planKey(plan)]; seen {
		return source.Fetched{Locked: locked}, nil
	}
	result := o.checker.Check(ctx, plan)
	if len(result.Findings) > 0 {
		return got, result.Findings
	}
	o.wants[planKey(plan)] = result.Locked
	return source.Fetched{Locked: result.Locked}, nil
}

// versionInName finds the version in the name of an archive, as all projects write it.
var versionInName = regexp.MustCompile(`-v?(\d+\.\d+\.\d+)`)

// versionIn is the version that a plan brings, empty where nothing tells it.
func versionIn(plan source.Plan, f source.Fetched) string {
	version := f.Locked.Version
	if version == "" {
		version = plan.Version
	}
	if version == "" && plan.Artefact != nil {
		place := plan.Artefact.Place()
		if match := versionInName.FindStringSubmatch(place[strings.LastIndex(place, "/")+1:]); match != nil {
			version = match[1]
		}
	}
	return version
}

// instance is how the programs of a role on a host compare with what is wanted there.
type instance struct {
	// there says that the host was installed, differs that it would get other programs, replaced that the files are those that are wanted
	// already, and what runs is older.
	there, differs, replaced bool
	from, to                 string
}

// instanceOn looks at a host.
func (p *Platform) instanceOn(ctx context.Context, role string, h config.Host) (instance, error) {
	one := instance{there: true}
	o := p.New.own
	plan, has := o.plan(h.Name, componentOf(role))
	if !has || plan.Kind == source.KindStandin || plan.Free() {
		return one, nil
	}
	wanted, err := o.wanted(ctx, plan)
	if err != nil {
		return one, err
	}
	programs, there, same, err := o.installer.Had(ctx, host.Looking(o.remotes[h.Name]), plan, wanted)
	if err != nil || !there {
		return instance{}, err
	}
	told, _ := p.told(ctx, role, h) // what does not serve is found by the check
	one.to, one.from = versionIn(plan, wanted), programs.Version
	one.replaced = same && told != "" && one.to != "" && !platform.Same(told, one.to)
	one.differs = !same || one.replaced
	if old, has := p.Old.own.plan(h.Name, plan.Component); has && one.from == "" && !same {
		one.from = versionIn(old, p.Old.own.fetched(old))
	}
	if one.from == "" || told != "" && !platform.Same(told, one.from) {
		one.from = told
	}
	return one, nil
}

// hostParts are Parts on hosts of their own.
func (p *Platform) hostParts(ctx context.Context) ([]platform.Part, error) {
	var parts []platform.Part
	for _, role := range platformRoles() {
		masters := slices.ContainsFunc(parts, func(part platform.Part) bool { return part.Role == provision.RoleMesosMaster })
		part, err := p.hostPart(ctx, role, masters)
		if err != nil {
			return nil, err
		}
		if part != nil {
			parts = append(parts, *part)
		}
	}
	return parts, nil
}

// hostPart is one role, nil where nothing of it changes. newMesos says that the control hosts get another Mesos, whose library a Marathon loads
// that comes without one.
func (p *Platform) hostPart(ctx context.Context, role string, newMesos bool) (*platform.Part, error) {
	var whole, last instance
	for _, h := range p.hosts(role) {
		one, err := p.instanceOn(ctx, role, h)
		if err != nil {
			return nil, err
		}
		if last = one; one.differs {
			whole.differs, whole.from, whole.to, whole.replaced = true, one.from, one.to, whole.replaced || one.replaced
		}
	}
	library := !whole.differs && role == provision.RoleMarathon && newMesos && p.loadsMesos()
	if !whole.differs && !library {
		return nil, nil //nolint:nilnil // nothing changes
	}
	if library {
		whole.from, whole.to = last.from, last.from
	}
	part, err := platform.NewPart(role, componentOf(role), whole.from, whole.to, namesOfHosts(leaderLast(p.hosts(role), p.leader(ctx, role))))
	if err != nil {
		return nil, err
	}
	switch shared := p.sharing(role); {
	case library:
		part.Stays = "it loads the library of the masters' Mesos, which is proven"
	case whole.replaced:
		part.Stays = "its programs were replaced in their place before this run, so that the old ones are gone"
	case len(shared) > 0:
		part.Stays = "on " + strings.Join(shared, ", ") + " it has its programs from the same package as the master, which is proven"
	}
	return &part, nil
}

func namesOfHosts(all []config.Host) []string {
	var names []string
	for _, h := range all {
		names = append(names, h.Name)
	}
	return names
}

// loadsMesos says that Marathon loads the library of its host's Mesos.
func (p *Platform) loadsMesos() bool {
	for _, h := range p.hosts(provision.RoleMarathon) {
		if plan, has := p.New.own.plan(h.Name, source.Marathon); has && plan.Kind != source.KindImage && plan.Kind != source.KindStandin {
			return true
		}
	}
	return false
}

// sharing are the hosts on which the Mesos agent cannot go back alone.
func (p *Platform) sharing(role string) []string {
	var names []string
	for _, h := range p.hosts(role) {
		if plan, has := p.Old.own.plan(h.Name, source.Mesos); role == provision.RoleMesosAgent && has && plan.InPlace() && h.Is(config.RoleControl) {
			names = append(names, h.Name)
		}
	}
	return names
}

// hostReasons are what stands against a run on hosts of their own, besides what stands against it everywhere.
func (p *Platform) hostReasons(ctx context.Context) []upgrade.Reason {
	var found []upgrade.Reason
	add := func(subject, problem, fix string) {
		if reason := (upgrade.Reason{Subject: subject, Problem: problem, Fix: fix}); !slices.Contains(found, reason) {
			found = append(found, reason)
		}
	}
	for _, role := range platformRoles() {
		component := componentOf(role)
		for _, h := range p.hosts(role) {
			if _, known := p.Old.Cluster.Host(h.Name); !known {
				add(h.Name, "is in the cluster file and not installed", "install it first, with `components` as they were: `jomctl install`, `jomctl agents add` or `jomctl control add`")
				continue
			}
			now, _ := p.New.own.plan(h.Name, component)
			was, _ := p.Old.own.plan(h.Name, component)
			if from, to := p.packageName(p.Old, was), p.packageName(p.New, now); from != to && from != "" && to != "" {
				add("components."+component+".source", fmt.Sprintf("the package %s cannot take the place of %s: both have the same files, and there would be no way back", to, from), "name a version of "+from)
			}
			one, err := p.instanceOn(ctx, role, h)
			switch locked := p.Old.own.fetched(was).Locked; {
			case err != nil:
				add("components."+component+".source", err.Error(), "")
			case !one.there:
				add(h.Name, component+" is not installed there", "run `jomctl install` first, with `components` as they were")
			case one.differs && !one.replaced && was.Fixed() && locked.Component == "":
				add("the way back", fmt.Sprintf("what %s of %s was installed from is not in the lock", component, was.Title),
					"bring back the "+source.LockFile(p.Old.Cluster)+" of that installation as "+record.InstalledLockFile(p.Old.Cluster.StateDir()))
			}
		}
	}
	return found
}

// packageName is that of the package that a plan brings, empty where it brings none or its name is not known yet.
func (p *Platform) packageName(e *Env, plan source.Plan) string {
	if !plan.InPlace() || !plan.Fixed() {
		return ""
	}
	if inside := e.own.fetched(plan).Inside.Package; inside != "" {
		return inside
	}
	return plan.Package
}

// refresh finds the programs of a host as they are installed now, of which some may be the new ones and some the old ones: both sides
// describe their services by them.
func (p *Platform) refresh(ctx context.Context, name string) error {
	for _, e := range []*Env{p.Old, p.New} {
		o := e.own
		h, there := e.Cluster.Host(name)
		if !there {
			continue
		}
		o.mu.Lock()
		facts, plans := o.facts[name], o.plans[name]
		o.mu.Unlock()
		var in hosts.Installed
		for _, plan := range plans {
			programs, _, _, err := o.installer.Had(ctx, host.Looking(o.remotes[name]), plan, o.fetched(plan))
			if err != nil {
				return err
			}
			setInstalled(&in, plan.Component, programs)
		}
		programs, findings := hosts.Programs(o.config, h, facts, in)
		if len(findings) > 0 {
			return fmt.Errorf("programs are missing: %s", findings[0])
		}
		o.mu.Lock()
		o.found[name] = programs
		o.mu.Unlock()
	}
	return nil
}
