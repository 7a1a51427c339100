package drill

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
)

// Options shape a run of drills.
type Options struct {
	Cluster *config.Cluster
	// State is the state folder.
	State string
	RunID string
	// Pace is how fast the drill itself goes; the zero value is the normal one.
	Pace Pace
	// Got gets each result as soon as it is there.
	Got func(Result)
	// MayBegin, where set, is asked before each drill; its error ends the run.
	MayBegin func(Scenario) error
}

// Pace are the times of a drill itself.
type Pace struct {
	// Settle is how long everything must have served before it counts.
	Settle time.Duration
	// SaveEvery is the time between two numbered configurations.
	SaveEvery time.Duration
	// Before is how long the cluster is measured before the fault.
	Before time.Duration
	// Tick is the time between two looks.
	Tick time.Duration
	// Abort is how long a target outside of the blast radius may fail.
	Abort time.Duration
	// Extra is how much longer than three times the target is waited for a recovery.
	Extra time.Duration
	// Undo is how long taking back may take.
	Undo time.Duration
	// Build is how long the build works that runs at the fault.
	Build time.Duration
	// First is how long the builds before the fault may take each, Calm how long the cluster may take to serve before it.
	First, Calm time.Duration
}

func (p Pace) filled() Pace {
	for _, one := range []struct {
		value  *time.Duration
		normal time.Duration
	}{{&p.Settle, 2 * time.Second}, {&p.SaveEvery, 500 * time.Millisecond}, {&p.Before, 3 * time.Second}, {&p.Tick, 200 * time.Millisecond},
		{&p.Abort, 20 * time.Second}, {&p.Extra, 90 * time.Second}, {&p.Undo, 5 * time.Minute}, {&p.Build, 20 * time.Second}, {&p.First, 5 * time.Minute},
		{&p.Calm, 90 * time.Second}} {
		if *one.value == 0 {
			*one.value = one.normal
		}
	}
	return p
}

// run is one drill on its way.
type run struct {
	world    World
	scenario Scenario
	opts     Options
	pace     Pace

	facts  Facts
	active Active

	mu      sync.Mutex
	samples []probe.Sample
	events  []probe.Event

	stop    context.CancelFunc
	probing sync.WaitGroup

	// saves are the acknowledged configurations with their times.
	saves []time.Time
	built []int64
	// after is the first build after the fault.
	after    int64
	begun    int64
	two      bool
	result   Result
	recorded bool
	done     map[string]bool
	// silent are targets that did not answer before the fault either.
	silent map[string]bool
	// waits is what the drill waits for besides the targets of the prober.
	waits string
}

func newRun(world World, s Scenario, opts Options) *run {
	return &run{world: world, scenario: s, opts: opts, pace: opts.Pace.filled(), done: map[string]bool{}, silent: map[string]bool{},
		result: Result{Name: s.Name, Title: s.Title, Hypothesis: s.Hypothesis, Cluster: opts.Cluster.Name, Run: opts.RunID, Target: TargetOf(opts.Cluster, s),
			Recovery: Recovery{Seconds: -1, Served: -1}}}
}

// steps are the three steps of a drill. Only the fault has something to take back.
func (r *run) steps(f Facts) []op.Step {
	name := r.scenario.Name
	step := func(part, title string, do func(context.Context, op.Say) error) op.Step {
		return op.Step{ID: name + "-" + part, Title: title,
			Probe: func(context.Context) (op.State, error) {
				if r.done[part] {
					return op.Done, nil
				}
				return op.Needed, nil
			},
			Do: func(ctx context.Context, say op.Say) error {
				err := do(ctx, say)
				r.done[part] = err == nil
				return err
			}}
	}
	before := step("before", r.scenario.Title+": measured before the fault", r.before)
	before.Changes = func(context.Context) []string {
		return []string{"hypothesis: " + r.scenario.Hypothesis, "blast radius: " + r.scenario.Blast(f), fmt.Sprintf("target: recovered within %s, %d configurations and %d builds lost",
			time.Duration(r.result.Target.Recovery*float64(time.Second)), r.result.Target.Configurations, r.result.Target.Builds)}
	}
	fault := step("fault", "Fault", r.inject)
	fault.Changes = func(context.Context) []string {
		var lines []string
		for _, i := range r.scenario.Faults(f) {
			lines = append(lines, i.String())
		}
		return lines
	}
	fault.Undo = func(ctx context.Context, say op.Say) error {
		_, err := Undo(ctx, r.world, r.opts.State, say)
		return err
	}
	recovery := step("recovery", "Recovered, everything put back", r.recover)
	return []op.Step{before, fault, recovery}
}

func (r *run) event(kind, detail string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	r.events = append(r.events, probe.Event{At: at, Kind: kind, Detail: detail})
	return at
}

func (r *run) seen() []probe.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]probe.Sample(nil), r.samples...)
}

func (r *run) fault() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == probe.EventFault {
			return e.At
		}
	}
	return time.Now()
}

// quit ends the probing.
func (r *run) quit() {
	if r.stop != nil {
		r.stop()
		r.probing.Wait()
	}
}
