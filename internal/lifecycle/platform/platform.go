// Package platform is the order in which a cluster's ZooKeeper, Mesos and Marathon get other versions: the literal list of stages, the gates
// after every instance, the rules of versions and the way back. What it needs of a cluster is the interface Cluster, so that every
// cut and every failure can be tried on a cluster that is none.
package platform

import (
	"context"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/lifecycle/progress"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// Verb is the command that the plan carries out.
const Verb = "upgrade-platform"

// Side is one of the two versions of a component.
type Side = upgrade.Side

// The sides.
const (
	Old = upgrade.Old
	New = upgrade.New
)

// Cluster is everything that an upgrade of the platform needs. Roles are provision.RoleZooKeeper, RoleMesosMaster, RoleMarathon and
// RoleMesosAgent; an instance is a role on a host. Every method copes with having been cut off half-way, and with being called again.
type Cluster interface {
	// Check returns the reasons for which nothing may begin now.
	Check(ctx context.Context) []upgrade.Reason
	// BringNear verifies, locks and fetches the programs of both sides. Nothing that runs notices.
	BringNear(ctx context.Context, say op.Say) error
	// Exchange installs the side's programs for an instance and starts it with them, whether or not it runs.
	Exchange(ctx context.Context, role, host string, side Side, say op.Say) error
	Stop(ctx context.Context, role, host string) error
	// Runs is nil when an instance serves with the programs of the side: a ZooKeeper server in sync, a master whose log has recovered, an
	// agent that is registered, a Marathon that answers.
	Runs(ctx context.Context, role, host string, side Side) error
	// Healthy is nil when all instances of a role serve, but for that on one host ("" for none), with one that leads, and those that
	// depend on it are back: agents are registered again with the masters, the framework of Marathon with Mesos.
	Healthy(ctx context.Context, role, but string) error
	// Drain lets the builds on a host's Mesos agent end and lets nothing new come to it, Undrain ends that.
	Drain(ctx context.Context, host string, timeout time.Duration, say op.Say) error
	Undrain(ctx context.Context, host string) error
	// BackUp writes the state of Marathon, of which no instance runs, to a file, and reads it again. Restore puts it back.
	BackUp(ctx context.Context, file string) error
	Restore(ctx context.Context, file string) error
	// Migrated is nil when the Marathon on the host leads with the new version, is registered with Mesos, and its storage is migrated.
	Migrated(ctx context.Context, host string) error
	// Record makes what is known of the installed cluster that of the new versions of these components.
	Record(ctx context.Context, components []string) error
}

// Options shape a run. The zero Now is time.Now.
type Options struct {
	// Wait lets the run wait for the window instead of being refused outside of it.
	Wait   bool
	Window upgrade.Window
	// Drain is how long the builds of one host may take to end, Instance how long one instance may take to serve again.
	Drain    time.Duration
	Instance time.Duration
	// Tick is how often a gate looks.
	Tick time.Duration
	Now  func() time.Time
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// perInstance is what the change of one instance is taken to need, without a drain.
const perInstance = 30 * time.Second

// Expected is how long the changes will take, but for builds that have to end.
func Expected(parts []Part) time.Duration {
	var all time.Duration
	for _, part := range parts {
		all += time.Duration(len(part.Hosts)) * perInstance
	}
	return all
}

// Plan is the whole upgrade: ZooKeeper, Mesos masters, Marathon, Mesos agents, as far as they have another version.
func Plan(c Cluster, s *Store, opts Options) op.Plan {
	u := &run{c: c, s: s, o: opts, times: progress.Recorder{Times: &s.State.Times, Now: opts.now, Save: s.Save}}
	stages := []op.Stage{
		{Name: "Beforehand", Steps: []op.Step{u.near()}},
		{Name: "Window", Steps: []op.Step{u.window()}},
	}
	for _, part := range s.State.Parts {
		stages = append(stages, op.Stage{Name: title(part.Role), Steps: u.partSteps(part)})
	}
	return op.Plan{Verb: Verb, Stages: append(stages, op.Stage{Name: "Afterwards", Steps: []op.Step{u.record()}})}
}

type run struct {
	c Cluster
	s *Store
	o Options
	// times are those of the state.
	times progress.Recorder
}

func title(role string) string {
	switch role {
	case provision.RoleZooKeeper:
		return "ZooKeeper"
	case provision.RoleMesosMaster:
		return "Mesos masters"
	case provision.RoleMesosAgent:
		return "Mesos agents"
	}
	return "Marathon"
}

// TakeBack says whether a run that ended with an error has to be taken back: a component is half changed, and its old version can be put
// back. Components that are proven stay.
func TakeBack(s *Store, cause error) bool {
	if !s.State.Disturbed() {
		return false
	}
	if s.State.Cause == "" && cause != nil {
		s.State.Cause = cause.Error()
	}
	for _, part := range s.State.Parts {
		if s.State.half(part) && part.Stays != "" {
			return false
		}
	}
	return true
}

// StaysError is a way back that the software does not have. Its exit code is 1.
type StaysError struct{ Part Part }

// Error says why.
func (e *StaysError) Error() string {
	return fmt.Sprintf("%s %s cannot be put back: %s", title(e.Part.Role), e.Part.From, e.Part.Stays)
}

// Hint is the way forward.
func (e *StaysError) Hint() string { return "go on with `jomctl resume`: both versions work together" }
