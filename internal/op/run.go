package op

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are what Run and Rollback need besides the plan. The zero value works: no journal, nobody watching.
type Options struct {
	// Meta is written to the journal. Its Verb is set by Run and Rollback.
	Meta Meta
	// Journal gets every record; opened with OpenJournal it makes this a resumed run.
	Journal *Journal
	// Observer hears everything.
	Observer Observer
	// Parallel bounds the steps of a parallel stage that run at the same time; 0 means 8.
	Parallel int
	// AfterRecord is called with each record when it is on the disk.
	AfterRecord func(Record)
}

// Run carries out the plan. Steps that are done are skipped, so that running again after any interruption goes on where
// the last run ended; a step that the journal knows as begun but not ended is verified even when its probe says done.
// In a parallel stage a failure lets the running steps finish and starts no new ones. In the end every probe is asked
// again, and all must say done. Errors: *StepError (several joined), *NotConvergedError, *StoppedError, and those of the
// journal.
func Run(ctx context.Context, plan Plan, opts Options) (Result, error) {
	opts.Meta.Verb = plan.Verb
	r := newRunner(plan, opts)
	return r.run(ctx, func() error {
		for _, stage := range plan.Stages {
			if err := r.stage(ctx, stage); err != nil {
				return err
			}
		}
		return r.converged(ctx)
	}, OutcomeDone)
}

// runner is one Run or Rollback.
type runner struct {
	plan    Plan
	opts    Options
	mu      sync.Mutex // guards what is below, and keeps the observer's calls apart
	steps   map[string]StepResult
	reached []string
	cutOff  []string
}

func newRunner(plan Plan, opts Options) *runner {
	if opts.Observer == nil {
		opts.Observer = silent{}
	}
	if opts.Parallel <= 0 {
		opts.Parallel = defaultParallel
	}
	return &runner{plan: plan, opts: opts, steps: map[string]StepResult{}}
}

// run frames the work with the journal's begin-run and end-run, and decides how it ended.
func (r *runner) run(ctx context.Context, work func() error, success Outcome) (Result, error) {
	started := time.Now()
	result := Result{RunID: r.opts.Meta.RunID, Verb: r.opts.Meta.Verb, Outcome: success}
	err := r.plan.check()
	if err == nil {
		err = r.record(Record{Kind: KindBeginRun, Meta: &r.opts.Meta})
	}
	if err == nil {
		if err = work(); err == nil {
			err = r.record(Record{Kind: KindEndRun, Outcome: success})
		} else {
			result.Outcome, err = r.ended(ctx, err)
		}
	} else {
		result.Outcome = OutcomeFailed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	result.Steps, result.Elapsed = r.results(), time.Since(started)
	r.opts.Observer.RunEnded(result, err)
	return result, err
}

// ended tells a failure from a stop, and journals it.
func (r *runner) ended(ctx context.Context, err error) (Outcome, error) {
	outcome := OutcomeFailed
	if ctx.Err() != nil {
		outcome = OutcomeStopped
		r.mu.Lock()
		stopped := &StoppedError{Verb: r.opts.Meta.Verb, Begun: r.begun(), At: slices.Clone(r.cutOff), Cause: context.Cause(ctx)}
		r.mu.Unlock()
		err = stopped
	}
	return outcome, join(err, r.record(Record{Kind: KindEndRun, Outcome: outcome, Error: err.Error()}))
}

func (r *runner) begun() bool {
	if r.opts.Journal != nil {
		return len(r.opts.Journal.Log().Begun()) > 0
	}
	for _, step := range r.steps {
		if step.Outcome != OutcomeSkipped {
			return true
		}
	}
	return false
}

// results returns the results in plan order for a run, and in the order of undoing for a rollback.
func (r *runner) results() []StepResult {
	var out []StepResult
	if r.opts.Meta.Verb == VerbRollback {
		for _, id := range r.reached {
			out = append(out, r.steps[id])
		}
		return out
	}
	for _, stage := range r.plan.Stages {
		for _, step := range stage.Steps {
			if result, ok := r.steps[step.ID]; ok {
				out = append(out, result)
			}
		}
	}
	return out
}

func (r *runner) stage(ctx context.Context, stage Stage) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.mu.Lock()
	r.opts.Observer.StageStarted(stage)
	r.mu.Unlock()
	limit := 1
	if stage.Parallel {
		limit = r.opts.Parallel
	}
	slots := make(chan struct{}, limit)
	errs := make([]error, len(stage.Steps))
	failed := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for i, step := range stage.Steps {
		slots <- struct{}{}
		if isClosed(failed) || ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if errs[i] = r.step(ctx, step, r.attempt); errs[i] != nil {
				once.Do(func() { close(failed) })
			}
		})
	}
	wg.Wait()
	if err := join(errs...); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// step carries out one step by act, with its reports.
func (r *runner) step(ctx context.Context, step Step, act func(context.Context, Step) (Outcome, error)) error {
	r.start(step)
	started := time.Now()
	outcome, err := act(ctx, step)
	if err != nil {
		outcome = OutcomeFailed
		if ctx.Err() != nil {
			outcome = OutcomeStopped
		}
		recorded := r.record(Record{Kind: KindFailed, Step: step.ID, Error: err.Error()})
		err = join(&StepError{Verb: r.opts.Meta.Verb, Step: step.ID, Begun: len(r.opts.Journal.Log().Begun()) > 0, Err: err}, recorded)
	}
	r.end(step, StepResult{ID: step.ID, Title: step.Title, Outcome: outcome, Elapsed: time.Since(started), Err: err})
	return err
}

func (r *runner) attempt(ctx context.Context, step Step) (Outcome, error) {
	state, err := probe(ctx, step)
	if err != nil {
		return "", err
	}
	if state == Done && !r.opts.Journal.Log().Pending(step.ID) {
		return OutcomeSkipped, nil
	}
	if err := r.record(Record{Kind: KindBegin, Step: step.ID}); err != nil {
		return "", err
	}
	err = r.within(ctx, step, func(ctx context.Context, say Say) error {
		if state != Done {
			if err := step.Do(ctx, say); err != nil {
				return err
			}
		}
		if step.Verify == nil {
			return nil
		}
		if err := step.Verify(ctx, say); err != nil {
			return fmt.Errorf("verifying: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return OutcomeDone, r.record(Record{Kind: KindEnd, Step: step.ID})
}

// within calls work with the step's budget, and explains a budget that was used up by what the step said last.
func (r *runner) within(ctx context.Context, step Step, work func(context.Context, Say) error) error {
	limited := ctx
	if step.Budget > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, step.Budget)
		defer cancel()
	}
	var mu sync.Mutex
	last := ""
	err := guard(func() error {
		return work(limited, func(format string, args ...any) {
			text := strings.TrimSpace(fmt.Sprintf(format, args...))
			mu.Lock()
			last = text
			mu.Unlock()
			r.said(step, text)
		})
	})
	if err == nil || ctx.Err() != nil || limited.Err() == nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return &BudgetError{Budget: step.Budget, LastSaid: last, Err: err}
}

// converged asks all probes again: what is not done now has failed, whatever Do returned.
func (r *runner) converged(ctx context.Context) error {
	preview, err := Preview(ctx, r.plan)
	if err != nil {
		return err
	}
	open := preview.Open()
	if len(open) == 0 {
		return nil
	}
	failure := &NotConvergedError{Verb: r.plan.Verb, Steps: open}
	for _, step := range open {
		text := "not done after the run: " + string(step.State)
		if step.Err != nil {
			text = step.Err.Error()
		}
		if err := r.record(Record{Kind: KindFailed, Step: step.ID, Error: text}); err != nil {
			return join(failure, err)
		}
		r.mu.Lock()
		result := r.steps[step.ID]
		result.Outcome, result.Err = OutcomeFailed, errors.New(text)
		r.steps[step.ID] = result
		r.mu.Unlock()
	}
	return failure
}

func (r *runner) record(record Record) error {
	record.Time = time.Now().UTC()
	if err := r.opts.Journal.add(record); err != nil {
		return err
	}
	if r.opts.AfterRecord != nil {
		r.opts.AfterRecord(record)
	}
	return nil
}

func (r *runner) start(step Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached = append(r.reached, step.ID)
	r.opts.Observer.StepStarted(step)
}

func (r *runner) said(step Step, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opts.Observer.StepSaid(step, text)
}

func (r *runner) end(step Step, result StepResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps[step.ID] = result
	if result.Outcome == OutcomeStopped {
		r.cutOff = append(r.cutOff, step.ID)
	}
	r.opts.Observer.StepEnded(step, result)
}

// join is errors.Join that leaves a single error as it is.
func join(errs ...error) error {
	var all []error
	for _, err := range errs {
		if err != nil {
			all = append(all, err)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
