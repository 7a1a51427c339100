package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// AddControl is the cluster file with further control hosts. It knows the way from 1 to 3; every other one is a *Refusal.
func AddControl(c *config.Cluster, news []NewHost) (FileChange, error) {
	if err := ownFile(c); err != nil {
		return FileChange{}, err
	}
	before := c
	if old, err := Installed(c.File); err == nil {
		before = old
	}
	if n := len(before.HostsWith(config.RoleControl)); n != 1 || len(news) != 2 {
		return FileChange{}, &Refusal{Problem: fmt.Sprintf("there are %d control hosts, and %d are to be added: this version of jomctl only goes from 1 to 3", n, len(news)),
			Fix: "name two hosts for a cluster with one control host; with three of them a dead one is replaced with `jomctl control replace`"}
	}
	wanted, added := slices.Clone(c.Hosts), []config.Host{}
	for _, n := range news {
		if old, there := c.Host(n.Name); there {
			if !old.Is(config.RoleControl) || n.Address != "" && n.Address != old.Address || before.Hosts == nil {
				return FileChange{}, &Refusal{Problem: fmt.Sprintf("%s is in %s already, at %s as %v", n.Name, c.File, old.Address, old.Roles), Fix: "take another host, or remove it as a Mesos agent first (`jomctl agents remove`)"}
			}
			continue
		}
		h := config.Host{Name: n.Name, Address: n.Address, Roles: []config.Role{config.RoleControl}}
		added, wanted = append(added, h), append(wanted, h)
	}
	if c.Target == config.TargetLocal && !listed(c) {
		return localControl(c, news)
	}
	return changeHosts(c, added, func(e *fileEdit) error {
		return e.addHosts(added)
	}, wanted)
}

// localControl changes the number of control hosts of target local, which are called in turn.
func localControl(c *config.Cluster, news []NewHost) (FileChange, error) {
	more := c.Clone()
	more.Hosts, more.Local.Control = nil, 3
	config.Default(more)
	for _, n := range news {
		if h, there := more.Host(n.Name); !there || !h.Is(config.RoleControl) || n.Name == more.Hosts[0].Name {
			return FileChange{}, &Refusal{Problem: n.Name + " cannot be a control host: " + c.File + " says how many there are (local.control), and the next ones are c2 and c3", Fix: "add c2 and c3"}
		}
	}
	return changeHosts(c, nil, func(e *fileEdit) error {
		if c.Local.Control == 3 {
			return nil
		}
		return e.count("local", "control", 3)
	}, more.Hosts)
}

// ReplaceControl is the cluster file with another host in place of one of three control hosts. What cannot be done is a
// *Refusal.
func ReplaceControl(c *config.Cluster, name string, n NewHost) (FileChange, error) {
	refuse := func(problem, fix string) (FileChange, error) {
		return FileChange{}, &Refusal{Problem: problem, Fix: fix}
	}
	before := c
	if old, err := Installed(c.File); err == nil {
		before = old
	}
	control := before.HostsWith(config.RoleControl)
	h, there := before.Host(name)
	switch {
	case c.Target == config.TargetLocal:
		return refuse("the hosts of target local are one machine, so that none of them can be replaced", "`jomctl install` starts again what has ended")
	case c.Target.FromTerraform():
		return FileChange{}, ownFile(c)
	case !there || !h.Is(config.RoleControl):
		return refuse(fmt.Sprintf("there is no control host %s in %s", name, c.File), "they are "+hostNames(before))
	case len(control) != 3:
		return refuse(fmt.Sprintf("a control host can be replaced where there are three, and there are %d: the others must go on as a quorum", len(control)),
			"with one control host, restore its disk, or destroy and install again")
	case h.Is(config.RoleMesosAgent):
		return refuse(name+" is a Mesos agent, too, which this version of jomctl does not replace", "keep Mesos agents on hosts of their own")
	case name == control[0].Name:
		return refuse(name+" is the first control host: the address of Jenkins and the registry are there, and this version of jomctl does not move them",
			"bring the host back under its address, then run `jomctl install`")
	}
	if at := slices.IndexFunc(c.Hosts, func(h config.Host) bool { return h.Name == n.Name }); at >= 0 {
		if _, still := c.Host(name); still || c.Hosts[at].Address != n.Address {
			return refuse(fmt.Sprintf("%s is in %s already", n.Name, c.File), "take another host")
		}
		return changeHosts(c, nil, func(*fileEdit) error { return nil }, c.Hosts) // a run that was cut off has written it
	}
	wanted := slices.Clone(c.Hosts)
	for i := range wanted {
		if wanted[i].Name == name {
			wanted[i] = config.Host{Name: n.Name, Address: n.Address, Roles: []config.Role{config.RoleControl}}
			h = wanted[i]
		}
	}
	return changeHosts(c, []config.Host{h}, func(e *fileEdit) error { return e.addHost(h, name) }, wanted)
}

// RemoveControl refuses, as fewer control hosts are not something that this version of jomctl can make safely.
func RemoveControl(c *config.Cluster, names []string) error {
	return &Refusal{Problem: fmt.Sprintf("taking control hosts away (%v of %s) is not done by this version of jomctl", names, hostNames(c)),
		Fix: "a dead one of three is replaced with `jomctl control replace OLD NEW=ADDRESS`; the quorum of the masters and of ZooKeeper stays as it is"}
}

// ControlOptions shape a change of the control hosts.
type ControlOptions struct {
	// Before is the cluster as it is installed.
	Before *config.Cluster
	// Drain says how long build agents may take to end on a host whose Mesos agent is started again.
	Drain DrainOptions
	// Force goes on where the replaced host cannot be reached.
	Force   bool
	Access  Access
	Install InstallOptions
}

// ControlPlan is the plan from the control hosts of opts.Before to those of the changed file, in an order in which what was
// agreed upon is never lost. warnings are what is at risk. What cannot be done is a *Refusal.
func (e *Env) ControlPlan(ctx context.Context, f FileChange, opts ControlOptions) (plan op.Plan, warnings []string, err error) {
	c, err := e.controlChange(ctx, opts.Before)
	if err != nil {
		return op.Plan{}, nil, err
	}
	c.drain = opts.Drain
	first, warnings, err := c.leaving(ctx, opts)
	if err != nil {
		return op.Plan{}, nil, err
	}
	warnings = append(warnings, c.warnings()...)
	stages := slices.Concat(first, []op.Stage{FileStage(f), {Name: "Fetched", Steps: []op.Step{e.warStep(), e.passwordStep()}}}, e.hostStages(), []op.Stage{
		{Name: "ZooKeeper, one by one", Steps: c.zooKeeperSteps()},
		{Name: "Coordination", Steps: []op.Step{e.quorumStep(), e.leaseStep(opts.Install.LeaseHeld, opts.Install.TakeLease)}},
		{Name: "Mesos masters, one by one", Steps: c.masterSteps()},
		{Name: "Mesos leader", Steps: []op.Step{e.leaderStep()}},
		{Name: "Mesos agents, one by one", Steps: c.agentSteps()},
		{Name: "Marathon, one by one", Steps: c.marathonSteps()},
		{Name: "Edge, registry", Parallel: true, Steps: slices.Concat(e.serviceSteps(provision.RoleEdge), e.serviceSteps(provision.RoleRegistry))},
		{Name: "Controller", Steps: []op.Step{e.filesStep(), e.appStep(opts.Install.ControllerTimeout), e.readyStep(opts.Install.ControllerTimeout), e.frameworkStep()}},
		// Until here an install of the changed file is refused, whose order is not that of a change.
		{Name: "Record", Steps: []op.Step{e.recordStep()}},
		{Name: "Proof", Steps: []op.Step{e.proofStep(opts.Install.Proof)}},
	})
	return op.Plan{Verb: "control", Stages: stages}, warnings, nil
}

// frameworkStep waits until the controller has found the new leader, without which no build agent starts.
func (e *Env) frameworkStep() op.Step {
	ready := func(ctx context.Context) error {
		use, err := e.Framework(ctx)
		if err == nil && (!use.Known || !use.Active) {
			err = errors.New("the controller has not registered with the leading Mesos master yet")
		}
		return err
	}
	return op.Step{ID: "framework", Title: "Controller registered with Mesos", Budget: 2 * leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) { return needed(ready(ctx) == nil), nil },
		Do:    func(ctx context.Context, say op.Say) error { return wait(ctx, say, ready) },
	}
}

// InstalledOr is the cluster as it is installed, or the one of the file where nothing is recorded.
func InstalledOr(c *config.Cluster) (*config.Cluster, error) {
	old, err := Installed(c.File)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	return old, err
}
