package drill

import (
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/probe"
)

// failing are the targets whose last answers were failures, each with the first of these.
func (r *run) failing() map[string]time.Time {
	since := map[string]time.Time{}
	for _, s := range r.seen() {
		switch {
		case s.OK:
			delete(since, s.Target)
		case since[s.Target].IsZero():
			since[s.Target] = s.At
		}
	}
	return since
}

// down are the targets that have failed, or were not heard of, since a moment, with the reason.
func (r *run) down(from time.Time) map[string]string {
	down, heard := map[string]string{}, map[string]bool{}
	last := map[string]probe.Sample{}
	why := func(s probe.Sample) string {
		if s.Detail == "" {
			return "fails"
		}
		return s.Detail
	}
	for _, s := range r.seen() {
		last[s.Target] = s
		if s.At.Before(from) {
			continue
		}
		heard[s.Target] = true
		if !s.OK {
			down[s.Target] = why(s)
		}
	}
	for target, s := range last {
		switch {
		case heard[target]:
		case s.OK:
			down[target] = "no answer"
		default: // its last answer says more
			down[target] = why(s)
		}
	}
	if len(last) == 0 {
		down["prober"] = "no answer yet"
	}
	return down
}

func reasons(down map[string]string) string {
	var all []string
	for _, target := range append(probe.Targets(), "prober") {
		if why, is := down[target]; is {
			all = append(all, strings.TrimSuffix(target+": "+why, ": "))
		}
	}
	return strings.Join(all, "; ")
}
