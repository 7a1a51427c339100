package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// otherVersions finds components that run and whose version an install would change, all instances at once: that is another command's.
func (e *Env) otherVersions(ctx context.Context) ([]provision.Finding, error) {
	old, err := record.Installed(e.Cluster.File)
	if err != nil || e.own != nil || old.Target != e.Cluster.Target || old.Components == e.Cluster.Components {
		return nil, nil //nolint:nilerr // what is wrong with the record is said by the preflight
	}
	programs, _ := provision.FindPrograms(ctx, old, "") // those that are gone have no version: nothing but an install can help
	was, err := open(old, programs)
	if err != nil {
		return nil, err
	}
	var findings []provision.Finding
	for _, role := range []string{provision.RoleZooKeeper, provision.RoleMesosMaster, provision.RoleMarathon} {
		component := componentOf(role)
		from, to := was.versionOf(component), e.versionOf(component)
		if from == "" || to == "" || platform.Same(from, to) || !was.keptRunning(ctx, role) {
			continue
		}
		findings = append(findings, provision.Finding{Subject: "components." + component + ".source", Problem: fmt.Sprintf("%s runs, and %s is wanted: an install would change all instances at once", from, to),
			Fix: "run `jomctl " + platform.Verb + "`, which goes one by one and can be taken back, or set it back"})
	}
	return findings, nil
}

// keptRunning says that an instance of a role is kept running.
func (e *Env) keptRunning(ctx context.Context, role string) bool {
	return slices.ContainsFunc(e.Fleet.Services(role), func(s provision.Service) bool {
		status, err := s.Host.Units().Status(ctx, role)
		return err == nil && status.Active
	})
}

// otherHostVersions is otherVersions on hosts of their own: what was installed there tells its version. Other builds of the same version, and
// what does not run, are an install's.
func (e *Env) otherHostVersions(ctx context.Context) ([]provision.Finding, error) {
	if e.own.known() {
		return nil, nil
	}
	var findings []provision.Finding
	for _, role := range platformRoles() {
		for _, h := range e.Cluster.Hosts {
			finding, err := e.otherHostVersion(ctx, role, h)
			if err != nil {
				return nil, err
			}
			if finding != nil && !slices.ContainsFunc(findings, func(one provision.Finding) bool { return one.Subject == finding.Subject }) {
				findings = append(findings, *finding)
			}
		}
	}
	return findings, nil
}

func (e *Env) otherHostVersion(ctx context.Context, role string, h config.Host) (*provision.Finding, error) {
	o, component := e.own, componentOf(role)
	plan, has := o.plan(h.Name, component)
	control := role != provision.RoleMesosAgent
	if !has || plan.Kind == source.KindStandin || plan.Free() || control && !h.Is(config.RoleControl) || !control && !h.Is(config.RoleMesosAgent) {
		return nil, nil //nolint:nilnil // nothing to find
	}
	wanted := o.fetched(plan)
	if locked, seen := o.wants[planKey(plan)]; seen && wanted.Locked.Component == "" {
		wanted.Locked = locked
	}
	programs, there, same, err := o.installer.Had(ctx, host.Looking(o.remotes[h.Name]), plan, wanted)
	from, to := programs.Version, versionIn(plan, wanted)
	if err != nil || !there || same || platform.Same(from, to) {
		return nil, err
	}
	status, err := o.remotes[h.Name].Units().Status(ctx, role)
	if err != nil || !status.Active {
		return nil, err
	}
	said := func(version string) string {
		if version == "" {
			return "a version that is not known"
		}
		return version
	}
	return &provision.Finding{Subject: "components." + component + ".source",
		Problem: fmt.Sprintf("%s runs on %s, and %s is wanted: an install would change all hosts at once", said(from), h.Name, said(to)),
		Fix:     "run `jomctl " + platform.Verb + "`, which goes one by one and can be taken back, or set it back"}, nil
}
