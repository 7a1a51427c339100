// Package watch looks at a cluster continuously and tells somebody when something begins to be wrong, and when it is right again: once
// each. What is not known is neither: an alert about a part that cannot be asked stays as it is.
package watch

import (
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

// The states of an alert.
const (
	Begin = "begin"
	End   = "end"
	Test  = "test"
)

// Alert is what is told. Its JSON is what commands and webhooks get.
type Alert struct {
	// State is begin, end or test.
	State string `json:"state"`
	// ID is the same at the begin and at the end: controller-down, disk/a1, ...
	ID       string          `json:"id"`
	Cluster  string          `json:"cluster"`
	Severity status.Severity `json:"severity"`
	Subject  string          `json:"subject"`
	Problem  string          `json:"problem"`
	Fix      string          `json:"fix,omitempty"`
	// Began is when it began, Ended when it ended.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
}

// Limits say what is an alert. Each limit has a lower one that ends it, so that a value that swings around it does not flood anybody.
type Limits struct {
	// After is how long something must be wrong before it is told, Clear how long it must be right again.
	After, Clear time.Duration
	// Unpushed is the age of the oldest unpushed change; it ends below half of that.
	Unpushed time.Duration
	// Disk is how full a disk is, in percent; it ends 5 below.
	Disk float64
	// Reregistered is how often a framework has registered again within Window; it ends when it has not within Window.
	Reregistered int
	Window       time.Duration
}

// Defaults are limits that fit most clusters: a controller that is started again is back within After and Clear.
func Defaults() Limits {
	return Limits{After: 30 * time.Second, Clear: time.Minute, Unpushed: 5 * time.Minute, Disk: 90, Reregistered: 3, Window: 10 * time.Minute}
}

// trouble is one thing that is wrong now.
type trouble struct {
	ID       string
	Severity status.Severity
	Subject  string
	Problem  string
	Fix      string
}

// known is the state of a trouble.
type known struct {
	trouble
	// since is when it was first seen, gone when it was first not seen any more.
	since, gone time.Time
	told        bool
}

// Watcher judges what it is shown. It is for one goroutine.
type Watcher struct {
	limits  Limits
	cluster string
	report  status.Report
	edge    *probe.Sample
	// edgeSince is since when the edge is as it is.
	edgeSince time.Time
	framework *probe.FrameworkState
	// again are the times at which frameworks have registered again, by their ids.
	again  map[string][]time.Time
	states map[string]*known
}

// New makes a watcher; open are alerts that have begun in an earlier run of the program.
func New(cluster string, limits Limits, open []Alert) *Watcher {
	w := &Watcher{limits: limits, cluster: cluster, again: map[string][]time.Time{}, states: map[string]*known{}}
	for _, a := range open {
		w.states[a.ID] = &known{trouble: trouble{a.ID, a.Severity, a.Subject, a.Problem, a.Fix}, since: a.Began, told: true}
	}
	return w
}

// Reported takes a report.
func (w *Watcher) Reported(r status.Report) {
	w.report = r
	for _, framework := range r.Mesos.Frameworks {
		w.registered(framework.ID, framework.Reregistered)
	}
}

// Probed takes what a look from outside has shown.
func (w *Watcher) Probed(s probe.Sample) {
	switch s.Target {
	case probe.Edge:
		if w.edge == nil || w.edge.OK != s.OK {
			w.edgeSince = s.At
		}
		w.edge = &s
	case probe.Framework:
		w.framework = s.Framework
		if s.Framework != nil {
			w.registered(s.Framework.ID, s.Framework.Since)
		}
	}
}

// registered notes when a framework has registered again. Reports and probes tell the same in different precision.
func (w *Watcher) registered(id string, at time.Time) {
	at = at.Truncate(time.Second)
	if !at.IsZero() && !slices.ContainsFunc(w.again[id], at.Equal) {
		w.again[id] = append(w.again[id], at)
	}
}

// Step judges what is known now, and returns what is to be told.
func (w *Watcher) Step(now time.Time) []Alert {
	if w.report.Checked.IsZero() {
		return nil
	}
	found, unknown := w.judge(now)
	var alerts []Alert
	seen := map[string]bool{}
	for _, t := range found {
		if seen[t.ID] {
			continue
		}
		seen[t.ID] = true
		s := w.states[t.ID]
		if s == nil {
			s = &known{since: now}
			w.states[t.ID] = s
		}
		s.trouble, s.gone = t, time.Time{}
		if !s.told && now.Sub(s.since) >= w.limits.After {
			s.told = true
			alerts = append(alerts, w.alert(Begin, s))
		}
	}
	for id, s := range w.states {
		if seen[id] || slices.ContainsFunc(unknown, func(prefix string) bool { return strings.HasPrefix(id, prefix) }) {
			continue
		}
		if s.gone.IsZero() {
			s.gone = now
		}
		if s.told && now.Sub(s.gone) < w.limits.Clear {
			continue
		}
		delete(w.states, id)
		if s.told {
			alerts = append(alerts, w.alert(End, s))
		}
	}
	slices.SortFunc(alerts, func(a, b Alert) int { return strings.Compare(a.State+a.ID, b.State+b.ID) })
	return alerts
}

// Open are the alerts that have begun and not ended, for the next run of the program.
func (w *Watcher) Open() []Alert {
	open := []Alert{}
	for _, s := range w.states {
		if s.told {
			open = append(open, w.alert(Begin, s))
		}
	}
	slices.SortFunc(open, func(a, b Alert) int { return strings.Compare(a.ID, b.ID) })
	return open
}

func (w *Watcher) alert(state string, s *known) Alert {
	a := Alert{State: state, ID: s.ID, Cluster: w.cluster, Severity: s.Severity, Subject: s.Subject, Problem: s.Problem, Fix: s.Fix, Began: s.since.UTC()}
	if state == End {
		a.Ended = s.gone.UTC()
	}
	return a
}

// told says that an alert has begun, which lowers the limit that ends it.
func (w *Watcher) told(id string) bool {
	s := w.states[id]
	return s != nil && s.told
}
