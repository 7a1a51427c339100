package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
)

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
