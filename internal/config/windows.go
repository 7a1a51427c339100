package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known on machines without a zone database
)

const maxWindow = Duration(7 * 24 * time.Hour)

var clock = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])$`)

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func (k *checker) maintenance(m *Maintenance) {
	if m == nil {
		return
	}
	if len(m.Windows) == 0 {
		k.add("maintenance.windows", nil, "at least one is required", "leave out the whole of maintenance to allow changes at any time")
	}
	if m.Reserve < 0 {
		k.add("maintenance.reserve", m.Reserve, "must not be negative", "")
	}
	for i, w := range m.Windows {
		at := fmt.Sprintf("maintenance.windows[%d]", i)
		k.window(at, w)
		if w.Length > 0 && m.Reserve >= w.Length {
			k.add(at+".length", w.Length, "must be longer than maintenance.reserve, "+m.Reserve.String(), "")
		}
	}
}

func (k *checker) window(at string, w Window) {
	if len(w.Days) == 0 {
		k.add(at+".days", nil, "at least one is required", "for example [sat, sun]")
	}
	seen := map[string]bool{}
	for j, d := range w.Days {
		if k.oneOf(fmt.Sprintf("%s.days[%d]", at, j), d, weekdays()) && seen[d] {
			k.add(fmt.Sprintf("%s.days[%d]", at, j), d, "is there twice", "")
		}
		seen[d] = true
	}
	if !clock.MatchString(w.Start) {
		k.add(at+".start", w.Start, "must be a time of day HH:MM, 00:00 to 23:59", `in quotes: "22:00"`)
	}
	if w.Length < Duration(time.Minute) || w.Length > maxWindow {
		k.add(at+".length", w.Length, "must be 1m to 7d", "")
	}
	if _, err := w.location(); err != nil {
		k.add(at+".zone", w.Zone, "must be an IANA time zone", "for example UTC, Europe/Berlin or Asia/Shanghai")
	}
}

// location loads the zone. Local is refused, as it means another zone on every machine.
func (w Window) location() (*time.Location, error) {
	if w.Zone == "" || strings.EqualFold(w.Zone, "local") {
		return nil, fmt.Errorf("%q is no time zone", w.Zone)
	}
	return time.LoadLocation(w.Zone)
}

// Opening is one time at which a window is open, Start included, End not.
type Opening struct {
	Window     Window
	Start, End time.Time
}

// opening is the opening that begins on the given day, or false when the window does not open on that weekday. A start that
// the clock jumps over is the moment of the jump; one that comes twice is the first.
func (w Window) opening(zone *time.Location, year int, month time.Month, day int) (Opening, bool) {
	if !clock.MatchString(w.Start) {
		return Opening{}, false
	}
	weekday := weekdays()[time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Weekday()]
	if !slices.Contains(w.Days, weekday) {
		return Opening{}, false
	}
	var hour, minute int
	fmt.Sscanf(w.Start, "%d:%d", &hour, &minute) // the form was checked above
	t := time.Date(year, month, day, hour, minute, 0, 0, zone)
	from, to := t.ZoneBounds()
	asked := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
	switch shown := onClock(t); {
	case shown.Equal(asked): // it exists: the first of two, where the clock went back
		if !from.IsZero() {
			_, before := from.Add(-time.Second).Zone()
			_, now := t.Zone()
			if earlier := t.Add(time.Duration(now-before) * time.Second); earlier.Before(from) && onClock(earlier).Equal(asked) {
				t = earlier
			}
		}
	case shown.After(asked):
		t = from
	default:
		t = to
	}
	return Opening{Window: w, Start: t, End: t.Add(w.Length.Duration())}, true
}

// onClock is what a clock there shows, as a time that compares with what is shown elsewhere.
func onClock(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}

// openings are the openings that begin within the days around t (days before, days after).
func (w Window) openings(t time.Time, before, after int) []Opening {
	zone, err := w.location()
	if err != nil {
		return nil
	}
	local := t.In(zone)
	var all []Opening
	for d := -before; d <= after; d++ {
		if o, ok := w.opening(zone, local.Year(), local.Month(), local.Day()+d); ok {
			all = append(all, o)
		}
	}
	return all
}

// Contains says that the window is open at t.
func (w Window) Contains(t time.Time) bool {
	_, open := w.at(t)
	return open
}

// at is the opening that t is in, the one that lasts longest.
func (w Window) at(t time.Time) (Opening, bool) {
	var best Opening
	for _, o := range w.openings(t, 8, 1) {
		if !t.Before(o.Start) && t.Before(o.End) && o.End.After(best.End) {
			best = o
		}
	}
	return best, !best.End.IsZero()
}

// Moment is how the windows stand at one time.
type Moment struct {
	// Always is set when there are no windows: changes are allowed at any time, and nothing else is set.
	Always bool
	// Open says that changes are allowed now. Current is the window's opening, its End put off by windows that follow
	// without a gap; Remaining is the time to that end.
	Open      bool
	Current   Opening
	Remaining time.Duration
	// Next is the first opening that begins later than now (and, when Open, later than Current ends).
	Next Opening
}

// Next tells whether one of the windows is open at now, for how long, and when the next one opens.
func Next(windows []Window, now time.Time) Moment {
	if len(windows) == 0 {
		return Moment{Always: true, Open: true}
	}
	var m Moment
	for _, w := range windows {
		if o, open := w.at(now); open && o.End.After(m.Current.End) {
			m.Open, m.Current = true, o
		}
	}
	from := now
	if m.Open {
		for range 64 { // windows that follow each other without end have no end worth knowing
			end := m.Current.End
			for _, w := range windows {
				if o, open := w.at(m.Current.End); open && o.End.After(end) {
					end = o.End
				}
			}
			if end.Equal(m.Current.End) {
				break
			}
			m.Current.End = end
		}
		m.Remaining = m.Current.End.Sub(now)
		from = m.Current.End
	}
	m.Next = NextWindow(windows, from)
	return m
}

// NextWindow is the first opening that begins after t; its End is zero when the windows never open.
func NextWindow(windows []Window, t time.Time) Opening {
	var next Opening
	for _, w := range windows {
		for _, o := range w.openings(t, 1, 9) {
			if o.Start.After(t) && (next.End.IsZero() || o.Start.Before(next.Start)) {
				next = o
			}
		}
	}
	return next
}
