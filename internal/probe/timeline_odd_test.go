package probe

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ends are the ends of the phases, in milliseconds; it says that they follow each other and lie not before the fault.
func ends(t *testing.T, line Timeline) map[Phase]int {
	t.Helper()
	all, from := map[Phase]int{}, line.Fault
	for _, part := range line.Parts {
		require.True(t, part.From.Equal(from), "%s follows the phase before it without a gap", part.Phase)
		require.False(t, part.To.Before(part.From), "%s takes no negative time", part.Phase)
		all[part.Phase], from = int(part.To.Sub(at(0)).Milliseconds()), part.To
	}
	return all
}

func withTimes(task AppTask, staged, started int) AppTask {
	task.Staged = at(staged)
	if started > 0 {
		task.Started = at(started)
	}
	return task
}

// TestOddStoriesHaveTheirPhases are recoveries whose samples come late, out of order, at the same moment, or not at all. The fault is at 1000.
func TestOddStoriesHaveTheirPhases(t *testing.T) {
	for name, c := range map[string]struct {
		samples []Sample
		events  []Event
		want    map[Phase]int
	}{
		"in another order": {[]Sample{up(Edge, 9000, "s2"), tasks(6000, running("t2")), down(Edge, 1250, ""), tasks(1250), tasks(750, running("t1")), up(Edge, 750, "s1"), tasks(5000, staging("t2"))}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, Boot: 9000}},
		"replaced between two questions": {[]Sample{tasks(750, running("t1")), tasks(1250, running("t2")), up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 4000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 1250, Image: 1250, Boot: 4000}},
		"at the moment of the fault": {[]Sample{tasks(750, running("t1")), tasks(1000), up(Edge, 750, ""), down(Edge, 1000, ""), tasks(1000, staging("t2")), tasks(1000, running("t2")), up(Edge, 1000, "")}, nil,
			map[Phase]int{Detection: 1000, Rescheduling: 1000, Image: 1000}},
		"the old task is counted for long": {[]Sample{tasks(750, running("t1")), tasks(2000, running("t1")), tasks(5000, running("t1"), staging("t2")), tasks(6000, running("t2")), up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{Detection: 5000, Rescheduling: 5000, Image: 6000, Boot: 8000}},
		"the second try": {[]Sample{tasks(750, running("t1")), tasks(1250), tasks(2000, staging("t2")), tasks(3000), tasks(4000, staging("t3")), tasks(5000, running("t3")), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 2000, Image: 5000, Boot: 8000}},
		"Marathon's clock is behind": {[]Sample{tasks(750, running("t1")), tasks(1250), tasks(5000, withTimes(staging("t2"), 100, 0)), tasks(6000, withTimes(running("t2"), 100, 900)), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, Boot: 8000}},
		"Marathon's clock is ahead": {[]Sample{tasks(750, running("t1")), tasks(1250), tasks(5000, withTimes(staging("t2"), 9000, 0)), tasks(6000, withTimes(running("t2"), 9000, 9900)), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, Boot: 8000}},
		"it started before it was placed": {[]Sample{tasks(750, running("t1")), tasks(1250), tasks(5000, withTimes(running("t2"), 4500, 3000)), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 4500, Image: 4500, Boot: 8000}},
		"Marathon did not answer before the fault": {[]Sample{down(Marathon, 750, ""), tasks(5000, running("t2")), up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{EdgePhase: 8000}},
		"Marathon never answers": {[]Sample{tasks(750, running("t1")), down(Marathon, 1250, ""), up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 8000, "")}, nil,
			map[Phase]int{EdgePhase: 8000}},
		"gone, and nobody comes": {[]Sample{tasks(750, running("t1")), tasks(1250), up(Edge, 750, ""), down(Edge, 1250, "")}, nil, map[Phase]int{}},
		"the build before people": {killed(), []Event{{At: at(7000), Kind: EventBuild}},
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, HomeRestore: 7000, Boot: 9000, FrameworkPhase: 11000, FirstBuild: 11000}},
		"a second fault": {killed(), []Event{{At: at(3000), Kind: EventFault}},
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, HomeRestore: 7000, Boot: 9000, FrameworkPhase: 11000}},
		"Jenkins said to have begun before the task ran": {killed(), []Event{{At: at(5500), Kind: EventStarted}},
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, HomeRestore: 7000, Boot: 9000, FrameworkPhase: 11000}},
		"served again in between": {append(killed(), up(Edge, 2000, "s1"), down(Edge, 2250, "")), nil,
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 6000, HomeRestore: 7000, Boot: 9000, FrameworkPhase: 11000}},
		"registered before people are served": {[]Sample{tasks(750, running("t1")), tasks(1250), tasks(5000, running("t2")), down(Edge, 1250, ""), up(Edge, 8000, ""), up(Framework, 750, ""), down(Framework, 1250, ""), up(Framework, 7000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 5000, Image: 5000, Boot: 8000, FrameworkPhase: 8000}},
		"nobody noticed that it was replaced": {[]Sample{tasks(750, running("t1")), tasks(1250), tasks(1500, running("t2")), up(Edge, 750, ""), up(Edge, 2000, "")}, nil,
			map[Phase]int{Detection: 1250, Rescheduling: 1500, Image: 1500}},
	} {
		t.Run(name, func(t *testing.T) {
			line := NewTimeline(c.samples, append([]Event{{At: at(1000), Kind: EventFault}}, c.events...))
			require.Equal(t, c.want, ends(t, line))
		})
	}
}

// TestTheTimeOfARecoveryIsUntilItServesForGood takes the answers' own time into account, and the worst of edge and framework.
func TestTheTimeOfARecoveryIsUntilItServesForGood(t *testing.T) {
	slow := up(Edge, 9000, "s2")
	slow.Took = 1500 * time.Millisecond
	fault := []Event{{At: at(1000), Kind: EventFault}}
	rto, ok := NewTimeline([]Sample{up(Edge, 750, ""), down(Edge, 1250, ""), slow, up(Edge, 9250, "s2")}, fault).RTO()
	require.True(t, ok)
	require.Equal(t, 9500*time.Millisecond, rto, "people had waited for the answer")
	rto, ok = NewTimeline([]Sample{up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 2000, ""), up(Framework, 750, ""), down(Framework, 1250, ""), up(Framework, 1500, "")}, fault).RTO()
	require.True(t, ok)
	require.Equal(t, time.Second, rto, "the later of both")
	rto, ok = NewTimeline([]Sample{down(Edge, 750, ""), up(Edge, 1250, "")}, fault).RTO()
	require.True(t, ok)
	require.Zero(t, rto, "what failed before the fault is none of it")
}

// TestAnyStoryHasPhasesThatFitTogether has samples at random, for what must hold of each.
func TestAnyStoryHasPhasesThatFitTogether(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7)) // #nosec G404 -- stories
		var samples []Sample
		for range 40 {
			ms, target := 100*r.IntN(60), Targets()[r.IntN(len(Targets()))]
			var list []AppTask
			for range r.IntN(3) {
				list = append(list, withTimes([]AppTask{running("t1"), staging("t2"), running("t2")}[r.IntN(3)], 100*r.IntN(60), 100*r.IntN(60)))
			}
			samples = append(samples, Sample{Target: target, At: at(ms), OK: r.IntN(2) == 0, Took: time.Duration(r.IntN(300)) * time.Millisecond, Tasks: list})
		}
		line := NewTimeline(samples, []Event{{At: at(100 * r.IntN(60)), Kind: EventFault}, {At: at(100 * r.IntN(60)), Kind: EventBuild}})
		ends(t, line)
		if rto, ok := line.RTO(); ok {
			require.GreaterOrEqual(t, rto, time.Duration(0), "seed %d", seed)
		}
		_, boot := line.Part(Boot)
		_, edge := line.Part(EdgePhase)
		require.False(t, boot && edge, "seed %d: a controller was there all the time, or it was not", seed)
	}
}
