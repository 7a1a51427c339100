package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

func (p *Platform) env(side platform.Side) *Env {
	if side == platform.New {
		return p.New
	}
	return p.Old
}

// service is an instance as a side describes it.
func (p *Platform) service(role, name string, side platform.Side) (provision.Service, config.Host, error) {
	e := p.env(side)
	for _, s := range e.Fleet.Services(role) {
		if s.Host.Name() == name {
			h, _ := e.Cluster.Host(name)
			return s, h, nil
		}
	}
	return provision.Service{}, config.Host{}, fmt.Errorf("there is no %s on %s in the cluster file", role, name)
}

// Exchange starts an instance with the programs of a side. Executors of a Mesos agent outlive its stop.
func (p *Platform) Exchange(ctx context.Context, role, name string, side platform.Side, say op.Say) error {
	s, h, err := p.service(role, name, side)
	if err != nil {
		return err
	}
	if p.New.own != nil {
		return p.exchangeOnHost(ctx, role, h, side, say)
	}
	if err := s.Host.Units().Stop(ctx, role); err != nil {
		return err
	}
	say("starting %s on %s with version %s", role, name, p.env(side).versionOf(componentOf(role)))
	_, err = p.env(side).item(s).Apply(ctx)
	return err
}

// Stop ends an instance.
func (p *Platform) Stop(ctx context.Context, role, name string) error {
	return p.New.Fleet.Machine(name).Units().Stop(ctx, role)
}

// Runs is nil when an instance serves with the programs of the side.
func (p *Platform) Runs(ctx context.Context, role, name string, side platform.Side) error {
	want := p.env(side).versionOf(componentOf(role))
	if p.New.own != nil {
		h, _ := p.New.Cluster.Host(name)
		var err error
		if want, err = p.installedOn(ctx, role, h, side); err != nil {
			return err
		}
	}
	s, h, err := p.service(role, name, side)
	if err != nil {
		return err
	}
	done, changes, err := p.env(side).item(s).Probe(ctx)
	if err != nil {
		return err
	}
	if !done {
		return fmt.Errorf("%s on %s is not as it should be: %s", role, name, strings.Join(changes, "; "))
	}
	told, err := p.told(ctx, role, h)
	if err != nil {
		return err
	}
	if told != "" && want != "" && !platform.Same(told, want) {
		return fmt.Errorf("%s on %s is %s, not %s", role, name, told, want)
	}
	return nil
}

// told is the version that an instance tells itself when it serves. A Marathon that does not lead tells that of the leader, so it tells none.
func (p *Platform) told(ctx context.Context, role string, h config.Host) (string, error) {
	mesos, _ := p.quick()
	missing := fmt.Errorf("%s on %s does not serve yet", role, h.Name)
	switch role {
	case provision.RoleZooKeeper:
		for _, server := range p.New.ZooKeeper.Modes(ctx) {
			if hostOf(server.Addr) == h.Address && server.Err == nil {
				return server.Version, nil
			}
		}
	case provision.RoleMesosMaster:
		for _, health := range mesos.Health(ctx) {
			if hostOf(health.Addr) == h.Address && health.Err == nil && (health.StandIn || health.Recovered) {
				return health.Version, nil
			}
		}
	case provision.RoleMarathon:
		info, err := p.marathonOf(h).Info(ctx)
		if err != nil {
			return "", errors.Join(missing, err)
		}
		if hostOf(info.Leader) == h.Address {
			return info.Version, nil
		}
		return "", nil
	case provision.RoleMesosAgent:
		state, err := mesos.State(ctx)
		if err != nil {
			return "", err
		}
		for _, agent := range state.AgentsOn(h.Address) {
			if agent.Active || agent.Deactivated {
				return agent.Version, nil
			}
		}
	}
	return "", missing
}

// Healthy is nil when all instances of a role but that of one host serve.
func (p *Platform) Healthy(ctx context.Context, role, but string) error {
	mesos, marathon := p.quick()
	hosts := slices.DeleteFunc(p.hosts(role), func(h config.Host) bool { return h.Name == but })
	for _, h := range hosts {
		if _, err := p.told(ctx, role, h); err != nil {
			return err
		}
	}
	if but != "" {
		return nil
	}
	switch role {
	case provision.RoleZooKeeper:
		if err := p.New.ZooKeeper.Healthy(ctx); err != nil {
			return err
		}
	case provision.RoleMesosMaster:
		if err := mesos.Ready(ctx); err != nil {
			return err
		}
		return p.Healthy(ctx, provision.RoleMesosAgent, "")
	case provision.RoleMarathon:
		info, err := marathon.Info(ctx)
		if err == nil && (info.Leader == "" || info.FrameworkID == "") {
			err = errors.New("Marathon has no leader that is registered with Mesos yet")
		}
		if err != nil {
			return err
		}
	}
	return p.controllerServes(ctx)
}

// controllerServes is nil when the controller answers as it did before, and its framework, where the masters know one, is connected.
func (p *Platform) controllerServes(ctx context.Context) error {
	client, err := p.Old.Jenkins()
	if err != nil {
		return err
	}
	defer client.Close()
	want := p.Old.controller().want()
	if _, err := client.Ready(ctx, want); err != nil {
		return fmt.Errorf("the controller does not serve: %w", err)
	}
	old := *p.Old
	old.Mesos, _ = p.quick()
	use, err := old.Framework(ctx)
	if err == nil && use.Known && !use.Active {
		err = errors.New("the controller's framework is not connected to the leading Mesos master")
	}
	return err
}

// Drain lets the builds of a host end. One that is not registered has nothing to drain.
func (p *Platform) Drain(ctx context.Context, name string, timeout time.Duration, say op.Say) error {
	h, _ := p.New.Cluster.Host(name)
	return p.New.drain(ctx, h, timeout, say)
}

// Undrain puts a host back into service.
func (p *Platform) Undrain(ctx context.Context, name string) error {
	h, _ := p.New.Cluster.Host(name)
	return p.New.each(ctx, h, func(_ cluster.State, agent cluster.Agent, _ bool) error {
		return cluster.Drain{Mesos: p.New.Mesos, AgentID: agent.ID}.Undo(ctx, nil)
	})
}

// Record makes what is known as installed that of the new version, for these components.
func (p *Platform) Record(_ context.Context, components []string) error {
	c := p.Old.Cluster.Clone()
	for _, component := range components {
		switch component {
		case source.ZooKeeper:
			c.Components.ZooKeeper = p.New.Cluster.Components.ZooKeeper
		case source.Mesos:
			c.Components.Mesos = p.New.Cluster.Components.Mesos
		case source.Marathon:
			c.Components.Marathon = p.New.Cluster.Components.Marathon
		}
	}
	if p.New.own != nil {
		if err := p.recordLock(components); err != nil {
			return err
		}
	}
	return record.WriteInstalled(c)
}
