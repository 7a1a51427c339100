package probe

import (
	"slices"
	"time"
)

// Phase is a part of a recovery.
type Phase string

// The phases, in their order.
const (
	// Detection is until the platform has noticed: the old task is not counted as running any more.
	Detection Phase = "detection"
	// Rescheduling is until Marathon has placed a new task.
	Rescheduling Phase = "rescheduling"
	// Image is until the task runs: its image and files are fetched, its container started.
	Image Phase = "image"
	// HomeRestore is until Jenkins itself begins: the owner lock, the home's history, the restore of an empty home.
	HomeRestore Phase = "home restore"
	// Boot is until people are served by a new controller.
	Boot Phase = "boot"
	// EdgePhase is until people are served again by the controller that was there all the time.
	EdgePhase Phase = "edge"
	// FrameworkPhase is until Jenkins is registered with Mesos again. The Mesos plugin registers at the first build that waits.
	FrameworkPhase Phase = "framework"
	// FirstBuild is until a build has ended well.
	FirstBuild Phase = "first build"
)

// Phases are all phases in their order.
func Phases() []Phase {
	return []Phase{Detection, Rescheduling, Image, HomeRestore, Boot, EdgePhase, FrameworkPhase, FirstBuild}
}

// The kinds of events that a timeline knows; others are shown and not judged.
const (
	// EventFault is the injected fault, the moment that everything is counted from.
	EventFault = "fault"
	// EventUndone is the end of the fault, where it lasted.
	EventUndone = "undone"
	// EventStarted is the moment in which the controller's first process has its home and starts Jenkins.
	EventStarted = "jenkins starts"
	// EventBuild is the end of the first build that went well.
	EventBuild = "first build"
)

// Event is something that happened besides what was sampled.
type Event struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail,omitempty"`
}

// Part is one phase of a recovery as it was.
type Part struct {
	Phase Phase     `json:"phase"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

// Seconds is how long it took.
func (p Part) Seconds() float64 { return p.To.Sub(p.From).Seconds() }

// Timeline is a recovery in its parts. A phase that did not take place, as a controller's boot when only a master was lost, is left out;
// the parts that are there follow each other without a gap.
type Timeline struct {
	Fault time.Time `json:"fault"`
	Parts []Part    `json:"parts"`
	// Served is when people were served again, for good; Fault where they always were, zero where they still are not.
	Served time.Time `json:"served,omitzero"`
	// Registered is when the framework was active again, in the same way.
	Registered time.Time `json:"registered,omitzero"`
	// Built is when the first build after the fault had ended well, zero without one.
	Built time.Time `json:"built,omitzero"`
}

// Part returns a phase; false where it did not take place.
func (t Timeline) Part(phase Phase) (Part, bool) {
	i := slices.IndexFunc(t.Parts, func(p Part) bool { return p.Phase == phase })
	if i < 0 {
		return Part{}, false
	}
	return t.Parts[i], true
}

// RTO is the time from the fault until people were served for good and the framework was active; false where one of them still is not.
// The framework is left out where it was not registered before the fault either.
func (t Timeline) RTO() (time.Duration, bool) {
	if t.Served.IsZero() || t.Registered.IsZero() {
		return 0, false
	}
	return max(t.Served.Sub(t.Fault), t.Registered.Sub(t.Fault)), true
}

// NewTimeline makes the timeline of the samples and events around a fault; without an EventFault it is empty.
func NewTimeline(samples []Sample, events []Event) Timeline {
	fault := moment(events, EventFault)
	if fault.IsZero() {
		return Timeline{}
	}
	t := Timeline{Fault: fault, Served: again(samples, Edge, fault), Built: moment(events, EventBuild)}
	t.Registered = fault
	if before := last(Of(samples, Framework), fault); before != nil && before.OK {
		t.Registered = again(samples, Framework, fault)
	}
	marks := taskMarks(samples, fault)
	if !marks[Detection].IsZero() {
		marks[HomeRestore] = startOf(samples, events, marks[Image])
	}
	if t.Served.After(fault) {
		if marks[Image].IsZero() {
			marks[EdgePhase] = t.Served
		} else {
			marks[Boot] = t.Served
		}
	}
	if t.Registered.After(fault) {
		marks[FrameworkPhase] = t.Registered
	}
	marks[FirstBuild] = t.Built
	t.Parts = parts(fault, marks)
	return t
}

// parts puts the moments in which the phases ended in a row. One that ended before an earlier one did takes no time.
func parts(fault time.Time, ends map[Phase]time.Time) []Part {
	var all []Part
	from := fault
	for _, phase := range Phases() {
		end, known := ends[phase], !ends[phase].IsZero()
		if !known {
			continue
		}
		if end.Before(from) {
			end = from
		}
		all = append(all, Part{phase, from, end})
		from = end
	}
	return all
}

func moment(events []Event, kind string) time.Time {
	for _, e := range events {
		if e.Kind == kind {
			return e.At
		}
	}
	return time.Time{}
}

// again is when a target served for good after the fault: the fault itself where it always did, zero where it does not yet.
func again(samples []Sample, target string, fault time.Time) time.Time {
	o := OutageOf(samples, target, fault)
	if !o.Down {
		return fault
	}
	return o.Back
}

// last is the last sample before a moment; nil without one.
func last(samples []Sample, before time.Time) *Sample {
	var found *Sample
	for i := range samples {
		if samples[i].At.Before(before) {
			found = &samples[i]
		}
	}
	return found
}

// taskMarks are the ends of detection, rescheduling and image. They are empty where the task from before the fault is still the one.
func taskMarks(samples []Sample, fault time.Time) map[Phase]time.Time {
	marks := map[Phase]time.Time{}
	tasks := Of(samples, Task)
	before := last(tasks, fault)
	if before == nil {
		return marks
	}
	old := map[string]bool{}
	for _, task := range before.Tasks {
		old[task.ID] = true
	}
	replaced := slices.ContainsFunc(tasks, func(s Sample) bool {
		return slices.ContainsFunc(s.Tasks, func(t AppTask) bool { return !old[t.ID] })
	})
	for _, s := range tasks {
		if s.At.Before(fault) {
			continue
		}
		oldRuns := slices.ContainsFunc(s.Tasks, func(t AppTask) bool { return old[t.ID] && t.Running() })
		first := func(phase Phase, is bool, exact time.Time) {
			if marks[phase].IsZero() && is && replaced {
				marks[phase] = s.At
				if exact.After(fault) && exact.Before(s.At) {
					marks[phase] = exact
				}
			}
		}
		first(Detection, !oldRuns, time.Time{})
		for _, task := range s.Tasks {
			if !old[task.ID] {
				first(Detection, true, task.Staged)
				first(Rescheduling, true, task.Staged)
				first(Image, task.Running(), task.Started)
			}
		}
	}
	return marks
}

// startOf is when the new task's Jenkins began: by what its first process says, else its first answer.
func startOf(samples []Sample, events []Event, running time.Time) time.Time {
	if running.IsZero() {
		return time.Time{}
	}
	if at := moment(events, EventStarted); at.After(running) {
		return at
	}
	for _, s := range Of(samples, Controller) {
		if !s.At.Before(running) && (s.OK || s.Detail == "starting") {
			return s.At
		}
	}
	return time.Time{}
}
