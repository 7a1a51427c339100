package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/dashboard"
	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
)

// releaseEntries are the upgrades that a state folder knows, with the one that goes on.
func releaseEntries(dir string) ([]dashboard.Entry, error) {
	states, err := upgrade.History(dir)
	if err != nil {
		return nil, err
	}
	store, err := upgrade.Open(dir)
	if err != nil {
		return nil, err
	}
	if store.State.Run != "" && store.State.Outcome == "" {
		states = append(states, store.State)
	}
	var entries []dashboard.Entry
	for _, state := range states {
		entries = append(entries, releaseEntry(state))
	}
	return entries, nil
}

func releaseEntry(s upgrade.State) dashboard.Entry {
	e := dashboard.Entry{ID: "release-" + s.Run, Title: fmt.Sprintf("Jenkins %s to %s", s.From.Core, s.To.Core), Begin: s.Began, Outcome: s.Outcome, Bad: s.Outcome == upgrade.RolledBack, Note: s.Cause}
	for step, begun := range s.Begun {
		span := dashboard.Span{Name: step, Begin: begun, End: s.Ended[step], Outcome: "done"}
		if span.End.IsZero() {
			span.Outcome = "stopped"
			if s.Outcome == "" {
				span.Outcome = "running"
			}
		}
		e.Spans = append(e.Spans, span)
		if last := latest(begun, span.End); last.After(e.End) {
			e.End = last
		}
	}
	slices.SortFunc(e.Spans, func(a, b dashboard.Span) int { return cmp.Or(a.Begin.Compare(b.Begin), cmp.Compare(a.Name, b.Name)) })
	if e.Outcome == "" {
		e.Outcome, e.End = "unfinished", time.Time{}
	}
	if down := s.Down(); down > 0 {
		e.Note = strings.TrimSuffix(fmt.Sprintf("without a controller for %s; %s", down.Round(time.Second), e.Note), "; ")
	}
	return e
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// drillEntries are the drills whose results are kept, with the phases of each recovery.
func drillEntries(reader *drill.Reader, state string) ([]dashboard.Entry, error) {
	results, err := reader.History(state)
	if err != nil {
		return nil, err
	}
	var entries []dashboard.Entry
	for i, r := range results[max(0, len(results)-drillsShown):] {
		entries = append(entries, drillEntry(fmt.Sprintf("drill-%s-%d", r.Name, i), r))
	}
	return entries, nil
}

// drillsShown is how many drills the dashboard shows.
const drillsShown = 20

func drillEntry(id string, r drill.Result) dashboard.Entry {
	e := dashboard.Entry{ID: id, Title: r.Title, Begin: r.Began, Outcome: "passed"}
	if !r.Passed {
		e.Outcome, e.Bad, e.Note = "missed", true, strings.Join(r.Reasons, "; ")
	}
	if r.Recovery.Seconds >= 0 {
		e.Note = strings.TrimSuffix(fmt.Sprintf("recovered in %.1f s; %s", r.Recovery.Seconds, e.Note), "; ")
	}
	e.End = r.Ended
	for _, part := range r.Phases {
		e.Spans = append(e.Spans, dashboard.Span{Name: string(part.Phase), Begin: part.From, End: part.To, Outcome: "done"})
		e.End = latest(e.End, part.To)
	}
	return e
}
