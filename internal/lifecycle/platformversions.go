package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision"
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
