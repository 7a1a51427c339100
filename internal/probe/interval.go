package probe

import (
	"slices"
	"time"
)

// Interval is a time in which a target gave the same kind of answer: it served, as the same one, or it did not.
type Interval struct {
	Target string    `json:"target"`
	Up     bool      `json:"up"`
	From   time.Time `json:"from"`
	// To is when the next interval begins, or when the last answer of this one was asked for.
	To time.Time `json:"to"`
	// Asked is the number of samples.
	Asked int    `json:"asked"`
	Value string `json:"value,omitempty"`
	// Detail is the first reason of an interval that is not up.
	Detail string `json:"detail,omitempty"`
}

// Intervals makes the intervals of the samples, which need not be in order: by target in the order of Targets, then by time.
func Intervals(samples []Sample) []Interval {
	var all []Interval
	for _, target := range Targets() {
		var last *Interval
		for _, s := range Of(samples, target) {
			if last != nil {
				last.To = s.At
			}
			if last == nil || last.Up != s.OK || s.OK && last.Value != s.Value {
				all = append(all, Interval{Target: target, Up: s.OK, From: s.At, To: s.At, Value: s.Value, Detail: s.Detail})
				last = &all[len(all)-1]
			}
			last.Asked++
		}
	}
	return all
}

// Of are the samples of one target by time.
func Of(samples []Sample, target string) []Sample {
	var of []Sample
	for _, s := range samples {
		if s.Target == target {
			of = append(of, s)
		}
	}
	slices.SortStableFunc(of, func(a, b Sample) int { return a.At.Compare(b.At) })
	return of
}

// Outage is how a target fared after a moment.
type Outage struct {
	Target string `json:"target"`
	// Asked and Failed count its samples.
	Asked  int `json:"asked"`
	Failed int `json:"failed"`
	// Down is whether it failed at all; First is the first failure, Back when it served again for good.
	Down  bool      `json:"down"`
	First time.Time `json:"first,omitzero"`
	// Back is zero where it never served again.
	Back time.Time `json:"back,omitzero"`
}

// Serves says that the target's last sample was a success.
func (o Outage) Serves() bool { return o.Asked > 0 && (!o.Down || !o.Back.IsZero()) }

// OutageOf looks at a target from a moment on.
func OutageOf(samples []Sample, target string, from time.Time) Outage {
	o := Outage{Target: target}
	for _, s := range Of(samples, target) {
		if s.At.Before(from) {
			continue
		}
		o.Asked++
		switch {
		case !s.OK:
			o.Failed++
			if !o.Down {
				o.Down, o.First = true, s.At
			}
			o.Back = time.Time{}
		case o.Down && o.Back.IsZero():
			o.Back = s.At.Add(s.Took)
		}
	}
	return o
}
