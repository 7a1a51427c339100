package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/dashboard"
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
