package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/pause"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

// recover waits until the cluster has recovered, takes the fault back, and counts.
func (r *run) recover(ctx context.Context, say op.Say) error {
	fault := r.fault()
	limit := time.Duration(3*r.result.Target.Recovery*float64(time.Second)) + r.scenario.Hold + r.pace.Extra
	ctx, cancel := context.WithDeadlineCause(ctx, fault.Add(limit), &FailedError{r.scenario.Name, fmt.Sprintf("not recovered within %s", limit.Round(time.Millisecond))})
	defer cancel()
	err := r.through(ctx, say)
	r.quit()
	if err == nil {
		r.result.Ended, r.recorded = time.Now(), true
		if r.opts.Got != nil {
			r.opts.Got(r.result)
		}
	}
	var failed *FailedError
	if err != nil && errors.As(context.Cause(ctx), &failed) { // the time was up
		down := r.down(time.Now().Add(-r.pace.Settle))
		why := []string{failed.Problem}
		if r.waits != "" {
			why = append(why, r.waits)
		}
		if len(down) > 0 {
			why = append(why, reasons(down))
		}
		if len(why) == 1 && !errors.Is(err, failed) {
			why = append(why, err.Error())
		}
		return &FailedError{r.scenario.Name, strings.Join(why, ": ")}
	}
	return err
}

func (r *run) through(ctx context.Context, say op.Say) error {
	lasts := len(r.active.Faults) > 0
	if lasts && r.scenario.Until != UntilRecovered {
		say("the fault lasts %s", r.scenario.Hold)
		if r.scenario.SavesMeanwhile {
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		if err := r.hold(ctx, say); err != nil {
			return err
		}
		if err := r.takeBack(ctx, say); err != nil {
			return err
		}
		lasts = false
	}
	if err := r.served(ctx, say); err != nil {
		return err
	}
	if err := r.build(ctx, say); err != nil {
		return err
	}
	if err := r.framework(ctx, say); err != nil {
		return err
	}
	if err := r.ownCondition(ctx, say); err != nil {
		return err
	}
	if err := r.count(ctx, say); err != nil {
		return err
	}
	r.measure()
	if lasts {
		if err := r.takeBack(ctx, say); err != nil {
			return err
		}
		if err := r.served(ctx, say); err != nil {
			return err
		}
	}
	if err := r.whole(ctx, say); err != nil {
		return err
	}
	r.judge()
	return nil
}

// hold lets the fault last.
func (r *run) hold(ctx context.Context, say op.Say) error {
	end := time.Now().Add(r.scenario.Hold)
	for time.Now().Before(end) {
		if err := r.look(ctx, say); err != nil {
			return err
		}
	}
	return nil
}

// look waits a moment, and ends a drill that does more harm than it was to do.
func (r *run) look(ctx context.Context, say op.Say) error {
	if err := pause.For(ctx, r.pace.Tick); err != nil {
		return err
	}
	for target, since := range r.failing() {
		if !slices.Contains(r.scenario.Bears, target) && !r.silent[target] && time.Since(since) > r.pace.Abort {
			return &FailedError{r.scenario.Name, fmt.Sprintf("ended early: %s fails for %s, which is outside of the blast radius", target, time.Since(since).Round(time.Second))}
		}
	}
	if n, err := r.world.Owners(ctx); err == nil && n > 1 && !r.two {
		r.two = true
		r.event("two controllers", fmt.Sprintf("%d run at the same time", n))
		say("%d controllers run at the same time", n)
	}
	return nil
}

// served waits until everything but the framework, which waits for a build, has served for a while.
func (r *run) served(ctx context.Context, say op.Say) error {
	began, said := time.Now(), ""
	for {
		if err := r.look(ctx, say); err != nil {
			return err
		}
		down := r.down(time.Now().Add(-r.pace.Settle))
		for target := range r.silent {
			delete(down, target)
		}
		delete(down, probe.Framework)
		if len(down) == 0 && time.Since(began) >= r.pace.Settle {
			return nil
		}
		if text := reasons(down); text != said && text != "" {
			said = text
			say("%s", text)
		}
	}
}

// build has a build run; as long as that fails it is tried again.
func (r *run) build(ctx context.Context, say op.Say) error {
	say("the first build after the fault")
	for {
		attempt, cancel := context.WithTimeout(ctx, max(r.pace.Extra, 30*time.Second))
		number, err := r.world.Canary().Build(attempt)
		cancel()
		if err == nil {
			r.after = number
			r.event(probe.EventBuild, fmt.Sprintf("number %d", number))
			return nil
		}
		say("the build: %v", err)
		if err := r.look(ctx, say); err != nil {
			return err
		}
	}
}

// framework waits until Jenkins is registered: a build has run, so it must be.
func (r *run) framework(ctx context.Context, say op.Say) error {
	for !r.silent[probe.Framework] {
		if down := r.down(time.Now().Add(-r.pace.Settle)); down[probe.Framework] == "" {
			return nil
		} else {
			say("framework: %s", down[probe.Framework])
		}
		if err := r.look(ctx, say); err != nil {
			return err
		}
	}
	return nil
}

// ownCondition waits for that of a scenario of the user's.
func (r *run) ownCondition(ctx context.Context, say op.Say) error {
	for r.scenario.RecoveredCommand != "" {
		err := r.world.Command(ctx, r.scenario.CommandHost, r.scenario.RecoveredCommand)
		if err == nil {
			return nil
		}
		say("not recovered: %v", err)
		if err := r.look(ctx, say); err != nil {
			return err
		}
	}
	return nil
}

// takeBack undoes the fault. What is cut off in it is taken back by the run's end, or by the next run.
func (r *run) takeBack(ctx context.Context, say op.Say) error {
	if _, err := Undo(ctx, r.world, r.opts.State, say); err != nil {
		return err
	}
	r.active.Faults = nil
	r.event(probe.EventUndone, "")
	return nil
}

// whole waits until the cluster has no finding that is an error, and all its hosts.
func (r *run) whole(ctx context.Context, say op.Say) error {
	for {
		facts, err := r.world.Look(ctx)
		if err == nil {
			if err = healthy(facts); err == nil && r.scenario.SavesMeanwhile && !facts.Kept {
				err = errors.New("the history does not have what was saved while it was away")
			}
			if err == nil {
				return nil
			}
		}
		if ctx.Err() == nil { // otherwise it is the end of the time that speaks
			r.waits = err.Error()
		}
		say("waiting until all is as before: %v", err)
		if err := r.look(ctx, say); err != nil {
			return err
		}
	}
}

func healthy(f Facts) error {
	for _, finding := range f.Report.Findings {
		if finding.Severity == status.Error {
			return fmt.Errorf("%s %s", finding.Subject, finding.Problem)
		}
	}
	if !f.Report.Ready {
		return errors.New("the cluster is not ready")
	}
	return nil
}
