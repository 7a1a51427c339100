package probe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at is a moment of a story, in milliseconds after its beginning.
func at(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }

func up(target string, ms int, value string) Sample {
	return Sample{Target: target, At: at(ms), OK: true, Value: value}
}

func down(target string, ms int, why string) Sample {
	return Sample{Target: target, At: at(ms), Detail: why}
}

func tasks(ms int, list ...AppTask) Sample {
	s := Sample{Target: Task, At: at(ms), Tasks: list}
	for _, t := range list {
		if t.Running() {
			s.OK, s.Value = true, t.ID
		}
	}
	return s
}

func running(id string) AppTask { return AppTask{ID: id, Host: "a1", State: "TASK_RUNNING"} }
func staging(id string) AppTask { return AppTask{ID: id, Host: "a2", State: "TASK_STAGING"} }

// killed is a controller that is killed at 1000 and back at 9000.
func killed() []Sample {
	return []Sample{
		tasks(750, running("t1")), tasks(1250), tasks(5000, staging("t2")), tasks(6000, running("t2")), tasks(9000, running("t2")),
		up(Edge, 750, "s1"), down(Edge, 1250, "HTTP 503"), down(Edge, 8750, "HTTP 503"), up(Edge, 9000, "s2"),
		up(Controller, 750, "s1"), down(Controller, 1250, "refused"), down(Controller, 7000, "starting"), up(Controller, 8900, "s2"),
		up(Framework, 750, "f@1"), down(Framework, 1250, "not active"), up(Framework, 11000, "f@2"),
	}
}

func TestARecoveryIsSplitIntoItsPhases(t *testing.T) {
	line := NewTimeline(killed(), []Event{{At: at(1000), Kind: EventFault}, {At: at(15000), Kind: EventBuild}})
	var got []Phase
	ends := map[Phase]time.Time{}
	for i, part := range line.Parts {
		got = append(got, part.Phase)
		ends[part.Phase] = part.To
		if i > 0 {
			require.Equal(t, line.Parts[i-1].To, part.From, "no gap before %s", part.Phase)
		}
	}
	require.Equal(t, []Phase{Detection, Rescheduling, Image, HomeRestore, Boot, FrameworkPhase, FirstBuild}, got)
	require.Equal(t, map[Phase]time.Time{Detection: at(1250), Rescheduling: at(5000), Image: at(6000), HomeRestore: at(7000), Boot: at(9000),
		FrameworkPhase: at(11000), FirstBuild: at(15000)}, ends)
	rto, ok := line.RTO()
	require.True(t, ok)
	require.Equal(t, 10*time.Second, rto, "until the framework is active again, the build is not part of it")
}

func TestMarathonsTimesAreMoreExactThanTheSamples(t *testing.T) {
	samples := killed()
	for i := range samples {
		for j := range samples[i].Tasks {
			if task := &samples[i].Tasks[j]; task.ID == "t2" {
				task.Staged = at(4900)
				if task.Running() {
					task.Started = at(5800)
				}
			}
		}
	}
	line := NewTimeline(samples, []Event{{At: at(1000), Kind: EventFault}, {At: at(6500), Kind: EventStarted}})
	placed, _ := line.Part(Rescheduling)
	require.Equal(t, at(4900), placed.To)
	image, _ := line.Part(Image)
	require.Equal(t, at(5800), image.To)
	home, _ := line.Part(HomeRestore)
	require.Equal(t, at(6500), home.To, "what the first process says is more exact than its first answer")
}

func TestAFaultThatTheControllerDoesNotFeelHasNoBoot(t *testing.T) {
	samples := []Sample{
		tasks(750, running("t1")), tasks(2000, running("t1")), up(Edge, 750, "s1"), up(Edge, 2000, "s1"),
		up(Framework, 750, "f@1"), down(Framework, 1250, "no master leads"), up(Framework, 8000, "f@1"),
	}
	line := NewTimeline(samples, []Event{{At: at(1000), Kind: EventFault}})
	require.Equal(t, []Part{{FrameworkPhase, at(1000), at(8000)}}, line.Parts)
	rto, ok := line.RTO()
	require.True(t, ok)
	require.Equal(t, 7*time.Second, rto)
}

func TestPeopleWhoAreCutOffFromALivingControllerSeeNoBoot(t *testing.T) {
	samples := []Sample{tasks(750, running("t1")), tasks(2000, running("t1")), up(Edge, 750, "s1"), down(Edge, 1250, "refused"), up(Edge, 3000, "s1")}
	line := NewTimeline(samples, []Event{{At: at(1000), Kind: EventFault}})
	require.Equal(t, []Part{{EdgePhase, at(1000), at(3000)}}, line.Parts)
}

func TestWhatHasNotComeBackHasNoRTO(t *testing.T) {
	fault := []Event{{At: at(1000), Kind: EventFault}}
	for name, samples := range map[string][]Sample{
		"edge":                {up(Edge, 750, ""), down(Edge, 1250, "")},
		"framework":           {up(Edge, 750, ""), up(Edge, 1250, ""), up(Framework, 750, ""), down(Framework, 1250, "")},
		"back and gone again": {up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 1500, ""), down(Edge, 1750, "")},
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := NewTimeline(samples, fault).RTO()
			require.False(t, ok)
		})
	}
	_, ok := NewTimeline(killed(), nil).RTO()
	require.False(t, ok, "without a fault there is no recovery")
}

func TestAFrameworkThatWasNotThereBeforeIsNotWaitedFor(t *testing.T) {
	samples := []Sample{up(Edge, 750, ""), down(Edge, 1250, ""), up(Edge, 4000, ""), down(Framework, 750, "not registered"), down(Framework, 4000, "not registered")}
	rto, ok := NewTimeline(samples, []Event{{At: at(1000), Kind: EventFault}}).RTO()
	require.True(t, ok)
	require.Equal(t, 3*time.Second, rto)
}

func TestSamplesBecomeIntervals(t *testing.T) {
	samples := []Sample{up(Edge, 500, "s1"), up(Edge, 0, "s1"), up(Edge, 250, "s1"), down(Edge, 750, "refused"), down(Edge, 1000, "HTTP 503"), up(Edge, 1250, "s2"),
		up(Mesos, 0, "m1"), up(Mesos, 250, "m2")}
	require.Equal(t, []Interval{
		{Target: Edge, Up: true, From: at(0), To: at(750), Asked: 3, Value: "s1"},
		{Target: Edge, From: at(750), To: at(1250), Asked: 2, Detail: "refused"},
		{Target: Edge, Up: true, From: at(1250), To: at(1250), Asked: 1, Value: "s2"},
		{Target: Mesos, Up: true, From: at(0), To: at(250), Asked: 1, Value: "m1"},
		{Target: Mesos, Up: true, From: at(250), To: at(250), Asked: 1, Value: "m2"},
	}, Intervals(samples))
	o := OutageOf(samples, Edge, at(600))
	require.Equal(t, Outage{Target: Edge, Asked: 3, Failed: 2, Down: true, First: at(750), Back: at(1250)}, o)
	require.True(t, o.Serves())
	require.False(t, OutageOf(samples, Edge, at(5000)).Serves(), "nobody knows")
}
