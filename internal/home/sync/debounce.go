package sync

import "time"

// Debounce puts a commit off until the home is quiet, but not for ever.
type Debounce struct {
	// Quiet is how long nothing must change, Max how long the first change waits at most.
	Quiet, Max  time.Duration
	first, last time.Time
}

// Touch notes a change.
func (d *Debounce) Touch(now time.Time) {
	if d.first.IsZero() {
		d.first = now
	}
	d.last = now
}

// Since is when the first change came that is not done; zero for none.
func (d *Debounce) Since() time.Time { return d.first }

// Due is when a commit is to be made; ok is false while nothing has changed.
func (d *Debounce) Due() (due time.Time, ok bool) {
	if d.first.IsZero() {
		return time.Time{}, false
	}
	due = d.last.Add(d.Quiet)
	if latest := d.first.Add(d.Max); latest.Before(due) {
		due = latest
	}
	return due, true
}

// Done forgets all changes: they are in a commit.
func (d *Debounce) Done() { d.first, d.last = time.Time{}, time.Time{} }

// Again keeps the first change, whose commit could not be made, and tries when it is quiet once more.
func (d *Debounce) Again(first, now time.Time) {
	if d.first.IsZero() || first.Before(d.first) {
		d.first = first
	}
	d.last = now
	if d.first.Add(d.Max).Before(now) { // the longest wait is over, and a busy loop would help nobody
		d.first = now
	}
}
