package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/pause"
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

// Execute runs drills one after the other as one journaled run. Whatever ends it, the faults are taken back before it returns; the results
// so far come with every error. Errors: *RefusedError, *FailedError, *InterruptedError, those of injecting, and a *LeftError around each of
// them where something could not be taken back.
func Execute(ctx context.Context, world World, scenarios []Scenario, facts Facts, opts Options, with op.Options) ([]Result, error) {
	plan, runs := plan(world, scenarios, facts, opts)
	with.Meta.RunID = opts.RunID
	_, err := op.Run(ctx, plan, with)
	// An interrupt has ended the run, and must not end the taking back.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.Pace.filled().Undo)
	defer cancel()
	if err != nil {
		err = plainly(err)
		if left := takenBack(after, world, plan, opts, with); left != nil {
			err = &LeftError{Cause: err, Undo: ofStep(left)}
		}
	}
	var results []Result
	for _, r := range runs {
		r.end(err)
		if r.recorded {
			results = append(results, r.result)
		}
	}
	if removeErr := world.Canary().Remove(after); removeErr != nil && err == nil {
		err = fmt.Errorf("removing the canary job: %w", removeErr)
	}
	return results, err
}

// takenBack takes back what a run that has not gone through has left, and closes its journal.
func takenBack(ctx context.Context, world World, plan op.Plan, opts Options, with op.Options) error {
	if with.Journal != nil && len(with.Journal.Log().Begun()) > 0 {
		if _, err := op.Rollback(ctx, plan, with); err != nil {
			return err
		}
	}
	_, err := Undo(ctx, world, opts.State, func(string, ...any) {})
	return err
}

func plan(world World, scenarios []Scenario, facts Facts, opts Options) (op.Plan, []*run) {
	p := op.Plan{Verb: Verb}
	var runs []*run
	for _, s := range scenarios {
		r := newRun(world, s, opts)
		runs = append(runs, r)
		p.Stages = append(p.Stages, op.Stage{Name: "Drill " + s.Name, Steps: r.steps(facts)})
	}
	return p, runs
}

// Verb is that of the journals of drills.
const Verb = lifecycle.DrillVerb

// Plan is what Execute would do.
func Plan(world World, scenarios []Scenario, facts Facts, opts Options) op.Plan {
	p, _ := plan(world, scenarios, facts, opts)
	return p
}

// UndoPlan is a plan with the steps that a journal of drills knows, whose undoing is Undo: to close the journal of a run that was killed.
func UndoPlan(world World, state string, log op.Log) op.Plan {
	var steps []op.Step
	for _, id := range log.Begun() {
		step := op.Step{ID: id, Title: id, Probe: func(context.Context) (op.State, error) { return op.Needed, nil },
			Do: func(context.Context, op.Say) error { return errors.New("a drill that was cut off is not gone on with") }}
		if strings.HasSuffix(id, "-fault") {
			step.Undo = func(ctx context.Context, say op.Say) error {
				_, err := Undo(ctx, world, state, say)
				return err
			}
		}
		steps = append(steps, step)
	}
	return op.Plan{Verb: Verb, Stages: []op.Stage{{Name: "Drill", Steps: steps}}}
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

// before checks that the cluster is whole, begins to probe, and writes what is counted afterwards.
func (r *run) before(ctx context.Context, say op.Say) error {
	r.result.Began = time.Now()
	facts, err := r.world.Look(ctx)
	if err != nil {
		return err
	}
	if err := Refuse(r.scenario, facts); err != nil {
		return err
	}
	if r.opts.MayBegin != nil {
		if err := r.opts.MayBegin(r.scenario); err != nil {
			return err
		}
	}
	r.facts = facts
	probing, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.probing.Go(func() {
		r.world.Probe(probing, func(s probe.Sample) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.samples = append(r.samples, s)
		})
	})
	canary := r.world.Canary()
	say("a build before the fault")
	if err := r.save(ctx); err != nil {
		return err
	}
	err = r.first(ctx, "the build before the fault", func(ctx context.Context) error {
		number, err := canary.Build(ctx)
		if err == nil {
			r.built = append(r.built, number)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := r.quiet(ctx, say); err != nil {
		return err
	}
	if !r.scenario.WithBuild {
		return nil
	}
	say("a build that runs at the fault")
	return r.first(ctx, "the build that is to run at the fault", func(ctx context.Context) (err error) {
		r.begun, r.facts.BuildTask, err = canary.Begin(ctx, r.pace.Build)
		return err
	})
}

// first bounds a build before the fault: where none runs there is nothing that a drill could measure.
func (r *run) first(ctx context.Context, what string, build func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, r.pace.First)
	defer cancel()
	err := build(bounded)
	switch {
	case err == nil:
		return nil
	case bounded.Err() != nil && ctx.Err() == nil:
		return &RefusedError{r.scenario.Name, fmt.Sprintf("%s has not come about within %s: %v", what, r.pace.First, err), "`jomctl status` says why builds wait; a drill begins where they run"}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// mark tells this drill's configurations from those of others: the job is the same for all drills of a run, and may be one that a drill
// which was killed has left in the history.
func (r *run) mark() string { return r.result.Began.UTC().Format("20060102T150405.000000") }

func (r *run) save(ctx context.Context) error {
	if err := r.world.Canary().Save(ctx, r.mark(), len(r.saves)+1); err != nil {
		return fmt.Errorf("saving numbered configuration %d: %w", len(r.saves)+1, err)
	}
	r.saves = append(r.saves, time.Now())
	return nil
}

// quiet measures the cluster while nothing is wrong, and finds the targets that this machine does not reach.
func (r *run) quiet(ctx context.Context, say op.Say) error {
	began := time.Now()
	deadline := began.Add(r.pace.Before + r.pace.Calm)
	for {
		if err := pause.For(ctx, r.pace.Tick); err != nil {
			return err
		}
		if time.Since(began) < r.pace.Before {
			continue
		}
		down := r.down(time.Now().Add(-r.pace.Settle))
		for _, target := range []string{probe.Controller, probe.AgentPort, probe.Framework} {
			if down[target] != "" {
				r.silent[target] = true // it may be behind a firewall, or not have had a build yet
				delete(down, target)
			} else {
				delete(r.silent, target)
			}
		}
		if len(down) == 0 && (len(r.silent) == 0 || time.Since(began) > r.pace.Before+5*r.pace.Settle) {
			r.result.Unmeasured = slices.Sorted(maps.Keys(r.silent))
			return nil
		}
		if time.Now().After(deadline) {
			return &RefusedError{r.scenario.Name, "the cluster does not serve before the fault: " + reasons(down), "`jomctl status` shows what is wrong"}
		}
		say("waiting until everything serves: %s", reasons(down))
	}
}

// inject writes the faults down, then makes them. Numbered configurations are saved until the last moment.
func (r *run) inject(ctx context.Context, say op.Say) error {
	facts, err := r.world.Look(ctx)
	if err != nil {
		return err
	}
	facts.BuildTask = r.facts.BuildTask
	facts.BuildHost = hostOfTask(facts, facts.BuildTask)
	r.facts = facts
	if r.scenario.WithBuild && facts.BuildTask != "" && facts.BuildHost == "" {
		return &RefusedError{r.scenario.Name, "the host of the build agent is not known", "try again"}
	}
	faults := r.scenario.Faults(facts)
	for _, f := range faults {
		if f.blind() {
			return &RefusedError{r.scenario.Name, "it is not known where to inject: " + f.String(), "`jomctl status` shows who leads and where the controller is"}
		}
	}
	for range 3 {
		if err := r.save(ctx); err != nil {
			return err
		}
		if err := pause.For(ctx, r.pace.SaveEvery); err != nil {
			return err
		}
	}
	r.result.Faults = faults
	r.active = Active{Scenario: r.scenario.Name, Began: time.Now(), Faults: lastingOf(faults)}
	if err := r.active.write(r.opts.State); err != nil {
		return fmt.Errorf("writing down the fault: %w", err)
	}
	r.event(probe.EventFault, faults[0].String())
	for _, f := range faults {
		say("%s", f)
		if err := r.world.Inject(ctx, f); err != nil {
			return fmt.Errorf("injecting %s: %w", f, err)
		}
	}
	return nil
}

func hostOfTask(f Facts, task string) string {
	for _, framework := range f.Report.Mesos.Frameworks {
		for _, t := range framework.Tasks {
			if t.ID != task || task == "" {
				continue
			}
			for _, h := range f.Cluster.Hosts {
				if h.Address == t.Host || h.Name == t.Host {
					return h.Name
				}
			}
		}
	}
	return ""
}

func lastingOf(faults []Injection) []Injection {
	var all []Injection
	for _, f := range faults {
		if f.lasting() {
			all = append(all, f)
		}
	}
	return all
}
