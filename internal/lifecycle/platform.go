package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// Platform is a cluster whose ZooKeeper, Mesos or Marathon are to get other versions, or are on the way there.
type Platform struct {
	Old, New *Env
	Store    *platform.Store
}

var _ platform.Cluster = (*Platform)(nil)

// PlatformDir is where the state of upgrades of the platform is kept.
func PlatformDir(c *config.Cluster) string { return filepath.Join(c.StateDir(), "platform") }

// OpenPlatform looks at what is installed and at what the cluster file wants. What cannot be done is a *Refusal.
func OpenPlatform(ctx context.Context, c *config.Cluster, store *platform.Store, access inventory.Access) (*Platform, error) {
	installed, err := record.Installed(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Refusal{Problem: "nothing is installed that could be upgraded", Fix: "run `jomctl install`"}
	}
	if err != nil {
		return nil, err
	}
	if c.Target != installed.Target {
		return nil, &Refusal{Problem: fmt.Sprintf("target %s is installed, and the cluster file says %s", installed.Target, c.Target), Fix: "set `target` back"}
	}
	if c.Target != config.TargetLocal {
		return openHostPlatform(ctx, c, installed, store, access)
	}
	before, err := Open(ctx, installed, access)
	if err != nil {
		return nil, err
	}
	after, err := Open(ctx, c, access)
	if err != nil {
		return nil, err
	}
	return &Platform{Old: before, New: after, Store: store}, nil
}

// roles are those of the platform, in the order in which they change: a Mesos agent is never newer than the masters.
func platformRoles() []string {
	return []string{provision.RoleZooKeeper, provision.RoleMesosMaster, provision.RoleMarathon, provision.RoleMesosAgent}
}

func componentOf(role string) string {
	switch role {
	case provision.RoleZooKeeper:
		return source.ZooKeeper
	case provision.RoleMarathon:
		return source.Marathon
	}
	return source.Mesos
}

// versionOf is the version of a component's programs, empty for a stand-in and where nothing tells it.
func (e *Env) versionOf(component string) string {
	switch component {
	case source.ZooKeeper:
		return e.Programs.ZooKeeper.Version
	case source.Marathon:
		return e.Programs.Marathon.Version
	}
	return e.Programs.Mesos.Version
}

// samePrograms says that a role is started with the same programs on both sides.
func samePrograms(a, b *Env, role string) bool {
	switch componentOf(role) {
	case source.ZooKeeper:
		return a.Programs.ZooKeeper == b.Programs.ZooKeeper
	case source.Marathon:
		return a.Programs.Marathon == b.Programs.Marathon
	}
	return a.Programs.Mesos == b.Programs.Mesos
}

// Parts are the roles that have other programs than the cluster file wants, in order, and the hosts of each with the leader last.
func (p *Platform) Parts(ctx context.Context) ([]platform.Part, error) {
	if p.New.own != nil {
		return p.hostParts(ctx)
	}
	var parts []platform.Part
	for _, role := range platformRoles() {
		component := componentOf(role)
		to, versions, leader := p.New.versionOf(component), p.live(ctx, role), p.leader(ctx, role)
		differs := !samePrograms(p.Old, p.New, role)
		from := p.Old.versionOf(component)
		for _, version := range versions {
			if differs = differs || to != "" && !platform.Same(version, to); from == "" || version != "" && !platform.Same(version, to) {
				from = version
			}
		}
		if !differs {
			continue
		}
		part, err := platform.NewPart(role, component, from, to, namesOfHosts(leaderLast(p.hosts(role), leader)))
		if err != nil {
			return nil, err
		}
		if samePrograms(p.Old, p.New, role) {
			part.Stays = "the programs were replaced in their own folder, so that the old ones are gone"
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (p *Platform) hosts(role string) []config.Host {
	if role == provision.RoleMesosAgent {
		return p.New.Cluster.HostsWith(config.RoleMesosAgent)
	}
	return p.New.Cluster.HostsWith(config.RoleControl)
}

// Drained are the hosts whose Mesos agents somebody has drained.
func (p *Platform) Drained(ctx context.Context) ([]string, error) {
	agents, err := p.New.Agents(ctx)
	var names []string
	for _, agent := range agents {
		if agent.State == AgentDrained || agent.State == AgentDraining {
			names = append(names, agent.Name)
		}
	}
	return names, err
}

// quick are the clients that do not wait for a leader.
func (p *Platform) quick() (cluster.Mesos, cluster.Marathon) {
	mesos, marathon := p.New.Mesos, p.New.Marathon
	mesos.Patience, marathon.Patience = time.Millisecond, time.Millisecond
	return mesos, marathon
}

// live are the versions that the instances of a role tell; those that do not answer are left out.
func (p *Platform) live(ctx context.Context, role string) []string {
	mesos, marathon := p.quick()
	var versions []string
	switch role {
	case provision.RoleZooKeeper:
		for _, server := range p.New.ZooKeeper.Modes(ctx) {
			versions = append(versions, server.Version)
		}
	case provision.RoleMesosMaster:
		for _, health := range mesos.Health(ctx) {
			versions = append(versions, health.Version)
		}
	case provision.RoleMarathon:
		if info, err := marathon.Info(ctx); err == nil {
			versions = append(versions, info.Version)
		}
	case provision.RoleMesosAgent:
		if state, err := mesos.State(ctx); err == nil {
			for _, agent := range state.Agents {
				versions = append(versions, agent.Version)
			}
		}
	}
	return slices.DeleteFunc(versions, func(version string) bool { return version == "" })
}

// leader is the address of the host whose instance leads, empty where none does.
func (p *Platform) leader(ctx context.Context, role string) string {
	mesos, marathon := p.quick()
	switch role {
	case provision.RoleZooKeeper:
		for _, server := range p.New.ZooKeeper.Modes(ctx) {
			if server.Mode == cluster.ModeLeader {
				return hostOf(server.Addr)
			}
		}
	case provision.RoleMesosMaster:
		for _, health := range mesos.Health(ctx) {
			if health.Elected {
				return hostOf(health.Addr)
			}
		}
	case provision.RoleMarathon:
		if info, err := marathon.Info(ctx); err == nil {
			return hostOf(info.Leader)
		}
	}
	return ""
}

// Judge returns why the parts of the run cannot be changed as the cluster file wants it.
func (p *Platform) Judge(parts []platform.Part) ([]upgrade.Reason, error) {
	var reasons []upgrade.Reason
	seen := map[string]bool{}
	for _, part := range parts {
		if key := part.Component + part.From + part.To; seen[key] {
			continue
		} else {
			seen[key] = true
		}
		reason, err := platform.Judge(part.Component, part.From, part.To)
		if err != nil {
			return nil, err
		}
		if reason != nil {
			reasons = append(reasons, *reason)
		}
	}
	return reasons, nil
}

// Check looks for everything that stands against beginning now.
func (p *Platform) Check(ctx context.Context) []upgrade.Reason {
	var found []upgrade.Reason
	add := func(subject, problem, fix string) {
		found = append(found, upgrade.Reason{Subject: subject, Problem: problem, Fix: fix})
	}
	changed, err := p.New.changed()
	if err != nil {
		add("state folder", err.Error(), "")
	}
	for _, finding := range append(changed, p.New.findings...) {
		add(finding.Subject, finding.Problem, finding.Fix)
	}
	for _, finding := range p.Old.findings {
		add("the way back", "of what is installed: "+finding.Problem, "bring it back, so that the run can be taken back: "+finding.Fix)
	}
	if p.New.own != nil {
		found = append(found, p.hostReasons(ctx)...)
	}
	for _, role := range platformRoles() {
		if err := p.Healthy(ctx, role, ""); err != nil {
			add(role, err.Error(), "bring it back: `jomctl status`, `jomctl install` with the old `components`")
		}
	}
	_, marathon := p.quick()
	if all, err := marathon.Deployments(ctx); err == nil && len(all) > 0 {
		add("Marathon", fmt.Sprintf("%d deployments are under way", len(all)), "wait until they have ended")
	}
	return found
}

// BringNear has nothing to fetch where all programs are folders of this machine, and looks whether those of both sides are there.
func (p *Platform) BringNear(ctx context.Context, say op.Say) error {
	if p.New.own != nil {
		return p.bringHostsNear(ctx, say)
	}
	for side, c := range map[string]*config.Cluster{"old": p.Old.Cluster, "new": p.New.Cluster} {
		if _, findings := provision.FindPrograms(ctx, c, ""); len(findings) > 0 {
			return &upgrade.RefusedError{Reasons: []upgrade.Reason{{Subject: findings[0].Subject, Problem: "of the " + side + " version: " + findings[0].Problem, Fix: findings[0].Fix}}}
		}
		say("the programs of the %s version are there", side)
	}
	return nil
}
