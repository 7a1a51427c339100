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

// failing are the targets whose last answers were failures, each with the first of these.
func (r *run) failing() map[string]time.Time {
	since := map[string]time.Time{}
	for _, s := range r.seen() {
		switch {
		case s.OK:
			delete(since, s.Target)
		case since[s.Target].IsZero():
			since[s.Target] = s.At
		}
	}
	return since
}

// down are the targets that have failed, or were not heard of, since a moment, with the reason.
func (r *run) down(from time.Time) map[string]string {
	down, heard := map[string]string{}, map[string]bool{}
	last := map[string]probe.Sample{}
	why := func(s probe.Sample) string {
		if s.Detail == "" {
			return "fails"
		}
		return s.Detail
	}
	for _, s := range r.seen() {
		last[s.Target] = s
		if s.At.Before(from) {
			continue
		}
		heard[s.Target] = true
		if !s.OK {
			down[s.Target] = why(s)
		}
	}
	for target, s := range last {
		switch {
		case heard[target]:
		case s.OK:
			down[target] = "no answer"
		default: // its last answer says more
			down[target] = why(s)
		}
	}
	if len(last) == 0 {
		down["prober"] = "no answer yet"
	}
	return down
}

func reasons(down map[string]string) string {
	var all []string
	for _, target := range append(probe.Targets(), "prober") {
		if why, is := down[target]; is {
			all = append(all, strings.TrimSuffix(target+": "+why, ": "))
		}
	}
	return strings.Join(all, "; ")
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

// count compares what was saved before the fault with what is there.
func (r *run) count(ctx context.Context, say op.Say) error {
	say("counting what is lost")
	canary := r.world.Canary()
	found, err := canary.Saved(ctx, r.mark())
	if err != nil {
		return fmt.Errorf("reading the numbered configuration: %w", err)
	}
	lost := &r.result.Lost
	lost.Saved, lost.Configurations, lost.ConfigurationSeconds = len(r.saves), max(len(r.saves)-found, 0), 0
	if found < len(r.saves) {
		lost.ConfigurationSeconds = r.fault().Sub(r.saves[found]).Seconds()
	}
	there, err := canary.Builds(ctx, r.built)
	if err != nil {
		return fmt.Errorf("looking for the builds from before the fault: %w", err)
	}
	// A home without its builds may begin to count anew: then the first build after the fault has the number of one that is gone.
	there = slices.DeleteFunc(there, func(number int64) bool { return number == r.after })
	lost.Built, lost.Builds = len(r.built), len(r.built)-len(there)
	if r.begun != 0 {
		if lost.Running, err = canary.Fate(ctx, r.begun); err != nil {
			return fmt.Errorf("looking for the build that ran at the fault: %w", err)
		}
	}
	if n, err := r.world.Owners(ctx); err == nil && n > 1 {
		r.two = true
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

// measure makes the figures of the samples. It may be called before the end, too.
func (r *run) measure() {
	samples, fault := r.seen(), r.fault()
	r.mu.Lock()
	events := slices.Clone(r.events)
	r.mu.Unlock()
	line := probe.NewTimeline(samples, events)
	res := &r.result
	res.Events, res.Phases, res.Outages = events, line.Parts, nil
	res.Intervals = probe.Intervals(samples)
	for _, target := range probe.Targets() {
		if o := probe.OutageOf(samples, target, fault); o.Down && !r.silent[target] {
			res.Outages = append(res.Outages, o)
		}
	}
	edge := probe.OutageOf(samples, probe.Edge, fault)
	res.Lost.Requests, res.Lost.Requested = edge.Failed, edge.Asked
	seconds := func(phase probe.Phase) float64 {
		part, _ := line.Part(phase)
		return round(part.Seconds())
	}
	res.Recovery = Recovery{Seconds: -1, Served: -1, Detection: seconds(probe.Detection), Rescheduling: seconds(probe.Rescheduling), Image: seconds(probe.Image),
		HomeRestore: seconds(probe.HomeRestore), Boot: seconds(probe.Boot), Edge: seconds(probe.EdgePhase), Framework: seconds(probe.FrameworkPhase), FirstBuild: seconds(probe.FirstBuild)}
	if !line.Served.IsZero() && edge.Asked > 0 {
		res.Recovery.Served = round(line.Served.Sub(fault).Seconds())
	}
	if rto, ok := line.RTO(); ok {
		res.Recovery.Seconds = round(max(rto, back(samples, fault, r.silent)).Seconds())
	}
}

// back is how long after the fault the last of the targets served for good.
func back(samples []probe.Sample, fault time.Time, silent map[string]bool) time.Duration {
	var latest time.Duration
	for _, target := range probe.Targets() {
		if o := probe.OutageOf(samples, target, fault); o.Down && !silent[target] && !o.Back.IsZero() {
			latest = max(latest, o.Back.Sub(fault))
		}
	}
	return latest
}

func round(seconds float64) float64 { return float64(int64(seconds*100+0.5)) / 100 }

// judge compares with the target and the hypothesis.
func (r *run) judge() {
	res := &r.result
	before := *res
	r.measure()
	// What came after the fault was taken back is no part of the recovery.
	if r.scenario.Until == UntilRecovered && before.Recovery.Seconds >= 0 {
		res.Recovery, res.Phases, res.Lost, res.Outages = before.Recovery, before.Phases, before.Lost, before.Outages
	}
	res.Recovered, res.Reasons = true, nil
	miss := func(is bool, format string, args ...any) {
		if is {
			res.Reasons = append(res.Reasons, fmt.Sprintf(format, args...))
		}
	}
	t := res.Target
	miss(res.Recovery.Seconds < 0, "people are not served")
	miss(res.Recovery.Seconds > t.Recovery, "recovered after %.1f s, the target is %.1f s", res.Recovery.Seconds, t.Recovery)
	miss(res.Lost.Configurations > t.Configurations && !recent(res.Lost, t), "%d of %d configurations that were saved are lost (the oldest saved %s), the target is %d",
		res.Lost.Configurations, res.Lost.Saved, res.Lost.Oldest(), t.Configurations)
	miss(res.Lost.Builds > t.Builds, "%d of %d finished builds are lost, the target is %d", res.Lost.Builds, res.Lost.Built, t.Builds)
	miss(r.two, "two controllers ran at the same time")
	if r.scenario.KeepsController {
		after := lastTask(r.seen())
		miss(after != "" && r.facts.Task != "" && after != r.facts.Task, "the controller was started again, and should not have noticed")
	}
	miss(!r.scenario.LosesBuild && res.Lost.Running != "" && res.Lost.Running != "completed" && res.Lost.Running != "running",
		"the build that ran at the fault is %s, and should have gone on", res.Lost.Running)
	res.Passed = len(res.Reasons) == 0
}

// recent says that only configurations are missing that the target lets be. One that was saved during the fault has a negative age, and no
// such excuse.
func recent(lost Lost, t Target) bool {
	return lost.ConfigurationSeconds >= 0 && t.ConfigurationSeconds > 0 && lost.ConfigurationSeconds <= t.ConfigurationSeconds
}

func lastTask(samples []probe.Sample) string {
	for _, s := range slices.Backward(samples) {
		if s.Target == probe.Task && s.OK {
			return s.Value
		}
	}
	return ""
}

// end closes a drill, however it has ended.
func (r *run) end(err error) {
	r.quit()
	if r.recorded || len(r.result.Faults) == 0 {
		return // it has its result, or has not got as far as a fault
	}
	r.recorded = true
	r.result.Ended = time.Now()
	r.measure()
	r.result.Recovered, r.result.Passed = false, false
	r.result.Recovery.Seconds = -1 // it may have served for a while, and was not seen to be whole
	why := "it was ended"
	var failed *FailedError
	switch {
	case errors.As(err, &failed):
		why = failed.Problem
	case err != nil:
		why = err.Error()
	}
	r.result.Reasons = append(r.result.Reasons, why)
	if r.opts.Got != nil {
		r.opts.Got(r.result)
	}
}

// quit ends the probing.
func (r *run) quit() {
	if r.stop != nil {
		r.stop()
		r.probing.Wait()
	}
}
