package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/pause"
)

// Window is when a run may change something. The zero Window is always open.
type Window struct {
	Windows []config.Window
	Reserve time.Duration
}

// Bound is the opening that a run began in. It stays that one, however long the run takes.
type Bound struct {
	Name  string    `json:"name,omitempty"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Reserve is the time before the end that is kept for the way back.
	Reserve time.Duration `json:"reserveNanoseconds"`
}

// Last is when the way back begins at the latest.
func (b *Bound) Last() time.Time { return b.End.Add(-b.Reserve) }

// Deadline is Last, nil without a window.
func (b *Bound) Deadline() *time.Time {
	if b == nil {
		return nil
	}
	last := b.Last()
	return &last
}

// ReserveError says that a run has reached the time which is kept for the way back.
type ReserveError struct {
	Bound  Bound
	Before string
}

// Error names the step that is not begun any more, and the times.
func (e *ReserveError) Error() string {
	return fmt.Sprintf("%s is not begun: the window ends at %s, and its last %s are kept for the way back", e.Before, e.Bound.End.Format("2006-01-02 15:04 MST"), text(e.Bound.Reserve))
}

// Bind finds the opening that is open now, for a run that takes as long as expected. The reason is nil where the run may begin; opens is
// when the next window begins, the zero time where none does.
func (w Window) Bind(now time.Time, expected time.Duration) (bound *Bound, opens time.Time, reason *Reason) {
	moment := config.Next(w.Windows, now)
	if moment.Always {
		return nil, time.Time{}, nil
	}
	opens = moment.Next.Start
	if moment.Next.End.IsZero() {
		opens = time.Time{}
	}
	next := "none of the windows ever opens"
	if !opens.IsZero() {
		next = "the next one opens at " + opens.Format("Mon 2006-01-02 15:04 MST")
	}
	fix := "run it again then, add --wait to let it wait, or --now to do without a window"
	if !moment.Open {
		return nil, opens, &Reason{Subject: "window", Problem: "no maintenance window is open: " + next, Fix: fix}
	}
	if need := expected + w.Reserve; moment.Remaining < need {
		return nil, opens, &Reason{Subject: "window", Problem: fmt.Sprintf("the window ends in %s, and the upgrade needs %s and a reserve of %s for the way back; %s",
			text(moment.Remaining), text(expected), text(w.Reserve), next), Fix: fix}
	}
	return &Bound{Name: moment.Current.Window.Name, Start: moment.Current.Start.UTC(), End: moment.Current.End.UTC(), Reserve: w.Reserve}, opens, nil
}

// Await finds the opening for a run that takes as long as expected, nil where it may take any time. With wait it sleeps until one opens; what
// cannot be waited for is a RefusedError. now is the clock.
func (w Window) Await(ctx context.Context, expected time.Duration, wait bool, now func() time.Time, say op.Say) (*Bound, error) {
	for {
		at := now()
		bound, opens, reason := w.Bind(at, expected)
		if reason == nil {
			return bound, nil
		}
		if !wait || opens.IsZero() {
			return nil, &RefusedError{Reasons: []Reason{*reason}}
		}
		say("waiting for the window that opens at %s", opens.Local().Format("Mon 2006-01-02 15:04 MST"))
		if err := pause.For(ctx, min(opens.Sub(at), time.Minute)); err != nil {
			return nil, err
		}
	}
}

// text rounds a duration for people.
func text(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	whole := d.Round(time.Second).String()
	if strings.HasSuffix(whole, "m0s") {
		return strings.TrimSuffix(whole, "0s")
	}
	return whole
}

// leastExpected is what a run without any experience is taken to need from the announcement to the open queue, without the drain.
const leastExpected = time.Minute

// Expected is how long the time from the announcement to the open queue will be, but for the drain: the median of earlier runs that ended
// well, or what the rehearsal says.
func Expected(earlier []State, rehearsal Rehearsal) time.Duration {
	var took []time.Duration
	for _, one := range earlier {
		drained, opened := one.Ended[stepDrain], one.Ended[stepOpen]
		if one.Outcome == Proven && !drained.IsZero() && !opened.IsZero() {
			took = append(took, opened.Sub(drained))
		}
	}
	guess := leastExpected + 3*time.Duration(rehearsal.Seconds*float64(time.Second))
	if len(took) == 0 {
		return guess
	}
	slices.Sort(took)
	return max(took[len(took)/2], 2*time.Duration(rehearsal.Seconds*float64(time.Second)))
}
