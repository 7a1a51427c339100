// Package dashboard serves one page that shows a cluster live, and its numbers for Prometheus. It only reads: one Hub polls the
// cluster for all browsers, renders each section of the page when it has changed, and hands over what changed by server-sent events.
package dashboard

import (
	"context"
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

// Span is one part of an Entry. End is zero while it goes on.
type Span struct {
	Name       string
	Begin, End time.Time
	// Outcome is done, failed, undone, running or stopped.
	Outcome string
}

// Entry is one thing that was done to the cluster, on a timeline. End is zero while it goes on.
type Entry struct {
	ID         string
	Title      string
	Begin, End time.Time
	// Outcome is a word such as done, failed, running, passed or missed; Bad says that somebody should look.
	Outcome string
	Bad     bool
	// Note is one line about it, empty where there is nothing to say.
	Note  string
	Spans []Span
}

// History tells what was done to a cluster, newest first.
type History interface {
	Entries(ctx context.Context) ([]Entry, error)
}

// HistoryFunc is a History made of a function.
type HistoryFunc func(ctx context.Context) ([]Entry, error)

// Entries calls the function.
func (f HistoryFunc) Entries(ctx context.Context) ([]Entry, error) { return f(ctx) }

// Probe is what an outside look at one part of the cluster has shown last.
type Probe struct {
	// Target names the part: edge, controller, marathon, ...
	Target string
	Up     bool
	// Since is when it became so.
	Since time.Time
	// Detail says why it is down.
	Detail string
}

// Sources are what the page is made from. Releases and Drills may be nil where this cluster has none.
type Sources struct {
	Report                 func(ctx context.Context) status.Report
	Runs, Releases, Drills History
	// Framework is the name of the framework of the build agents.
	Framework string
	// Version is that of this program.
	Version string
}

// Timeline is one History as it was read. Err says why it could not be.
type Timeline struct {
	Entries []Entry
	Err     error
}

// Snapshot is what the Hub knows at one moment.
type Snapshot struct {
	Report status.Report
	// Took is how long the report took.
	Took time.Duration
	// Unreachable is since when no part of the cluster has answered; zero while one does.
	Unreachable time.Time
	// Answered is when a part answered last; zero before the first time.
	Answered time.Time
	// Mesos and Controller are what was known last, at MesosAt and ControllerAt; in a report in which they answer they are its own.
	Mesos                  status.Mesos
	Controller             status.Controller
	MesosAt, ControllerAt  time.Time
	Runs, Releases, Drills Timeline
	Probes                 []Probe
	// Clients is how many browsers look.
	Clients int
}

// next is the snapshot after another report.
func (s Snapshot) next(r status.Report, took time.Duration) Snapshot {
	s.Report, s.Took = r, took
	switch {
	case r.Answers():
		s.Unreachable, s.Answered = time.Time{}, r.Checked
	case s.Unreachable.IsZero():
		s.Unreachable = r.Checked
	}
	if r.Mesos.Error == "" {
		s.Mesos, s.MesosAt = r.Mesos, r.Checked
	}
	if r.Controller.State == "up" {
		s.Controller, s.ControllerAt = r.Controller, r.Checked
	}
	return s
}
