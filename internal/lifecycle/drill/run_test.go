package drill

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

func execute(t *testing.T, ctx context.Context, f *fake, state string, with op.Options, scenarios ...Scenario) ([]Result, error) {
	t.Helper()
	journal, err := op.CreateJournal(state+"/journal", Verb)
	require.NoError(t, err)
	defer journal.Close()
	with.Journal = journal
	facts, err := f.Look(ctx)
	require.NoError(t, err)
	return Execute(ctx, f, scenarios, facts, Options{Cluster: testCluster(), State: state, RunID: "r1", Pace: quickly()}, with)
}

func TestADrillMeasuresAndPutsEverythingBack(t *testing.T) {
	for _, name := range []string{"controller-killed", "zookeeper-lost", "mesos-agent-stopped"} {
		t.Run(name, func(t *testing.T) {
			f, state := &fake{fate: "lost"}, t.TempDir()
			results, err := execute(t, t.Context(), f, state, op.Options{}, scenarioOf(t, name))
			require.NoError(t, err)
			require.Len(t, results, 1)
			r := results[0]
			require.True(t, r.Passed, "%v", r.Reasons)
			require.Equal(t, 4, r.Lost.Saved)
			require.Zero(t, r.Lost.Configurations)
			require.Positive(t, r.Recovery.Seconds)
			require.Positive(t, r.Lost.Requests, "what failed is counted")
			require.Empty(t, f.inForce)
			require.NotEmpty(t, f.ever)
			require.True(t, f.removed, "the canary jobs go")
			_, there, err := ReadActive(state)
			require.NoError(t, err)
			require.False(t, there)
		})
	}
}

func TestWhatIsLostIsCountedExactlyAndMissesTheTarget(t *testing.T) {
	f := &fake{loses: 2, fate: "lost"}
	results, err := execute(t, t.Context(), f, t.TempDir(), op.Options{}, scenarioOf(t, "controller-killed"))
	require.NoError(t, err)
	require.True(t, results[0].Recovered)
	require.False(t, results[0].Passed)
	require.Equal(t, 2, results[0].Lost.Configurations)
	require.Contains(t, strings.Join(results[0].Reasons, "\n"), "2 of 4 configurations")
}

// TestFalseComfort has clusters that come back and are not as the hypothesis says.
func TestFalseComfort(t *testing.T) {
	for want, c := range map[string]struct {
		fake     *fake
		scenario string
	}{
		"two controllers ran":              {&fake{two: true, fate: "lost"}, "mesos-agent-stopped"},
		"the controller was started again": {&fake{restartsAlso: true, fate: "completed"}, "marathon-killed"},
		"the build that ran at the fault":  {&fake{fate: "failed"}, "marathon-killed"},
	} {
		t.Run(want, func(t *testing.T) {
			results, err := execute(t, t.Context(), c.fake, t.TempDir(), op.Options{}, scenarioOf(t, c.scenario))
			require.NoError(t, err)
			require.False(t, results[0].Passed)
			require.Contains(t, strings.Join(results[0].Reasons, "\n"), want)
		})
	}
}

// TestABrokenClusterDoesNotPass has clusters that look healthy before the fault, and whose restart or history was broken.
func TestABrokenClusterDoesNotPass(t *testing.T) {
	for name, c := range map[string]struct {
		fake     *fake
		scenario string
		want     []string
		recovers bool
	}{
		"nobody starts the controller again":  {&fake{stuck: true}, "controller-killed", []string{"not recovered within", "task: no task", "edge: "}, false},
		"the history gets nothing any more":   {&fake{unkept: true, fate: "completed"}, "git-unreachable", []string{"not recovered within", "the history does not have what was saved while it was away"}, false},
		"the history has lost what was saved": {&fake{loses: 3}, "home-deleted", []string{"3 of 4 configurations that were saved are lost"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			state, s, pace := t.TempDir(), scenarioOf(t, c.scenario), quickly()
			s.Recovery, pace.Extra = time.Millisecond, 2*time.Second // in which a busy machine has seen the fault
			if c.recovers {
				s.Recovery, pace.Extra = time.Minute, time.Minute
			}
			journal, err := op.CreateJournal(state+"/journal", Verb)
			require.NoError(t, err)
			defer journal.Close()
			facts, err := c.fake.Look(t.Context())
			require.NoError(t, err)
			results, err := Execute(t.Context(), c.fake, []Scenario{s}, facts, Options{Cluster: testCluster(), State: state, Pace: pace}, op.Options{Journal: journal})
			require.Len(t, results, 1)
			require.False(t, results[0].Passed)
			require.Equal(t, c.recovers, results[0].Recovered)
			reasons := strings.Join(results[0].Reasons, "; ")
			for _, want := range c.want {
				require.Contains(t, reasons, want)
			}
			if !c.recovers {
				var failed *FailedError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, 1, failed.ExitCode())
			}
			require.Empty(t, c.fake.inForce, "the fault is taken back nevertheless")
		})
	}
}

func TestAClusterThatStaysAwayIsAFailureAndTheFaultIsTakenBack(t *testing.T) {
	f, state := &fake{}, t.TempDir()
	s := scenarioOf(t, "mesos-agent-stopped")
	s.Recovery = time.Millisecond
	pace := quickly()
	pace.Extra = 2 * time.Second // in which a busy machine has seen the fault
	journal, err := op.CreateJournal(state+"/journal", Verb)
	require.NoError(t, err)
	defer journal.Close()
	facts, err := f.Look(t.Context())
	require.NoError(t, err)
	results, err := Execute(t.Context(), f, []Scenario{s, scenarioOf(t, "edge-killed")}, facts, Options{Cluster: testCluster(), State: state, Pace: pace}, op.Options{Journal: journal,
		AfterRecord: func(r op.Record) {
			if r.Kind == op.KindBegin && strings.HasSuffix(r.Step, "-recovery") {
				f.mu.Lock()
				f.never = true
				f.mu.Unlock()
			}
		}})
	var failed *FailedError
	require.ErrorAs(t, err, &failed)
	require.Contains(t, failed.Problem, "not recovered within")
	require.Contains(t, failed.Problem, "edge")
	require.Len(t, results, 1, "the next drill is not begun on a broken cluster")
	require.False(t, results[0].Recovered)
	require.NotEmpty(t, results[0].Reasons)
	require.Empty(t, f.inForce)
}

func TestMoreHarmThanAllowedEndsADrillEarly(t *testing.T) {
	f, state := &fake{}, t.TempDir()
	s := scenarioOf(t, "mesos-agent-stopped")
	s.Bears, s.Hold = nil, time.Hour
	pace := quickly()
	pace.Abort = 20 * time.Millisecond
	journal, err := op.CreateJournal(state+"/journal", Verb)
	require.NoError(t, err)
	defer journal.Close()
	facts, _ := f.Look(t.Context())
	_, err = Execute(t.Context(), f, []Scenario{s}, facts, Options{Cluster: testCluster(), State: state, Pace: pace}, op.Options{Journal: journal})
	require.ErrorContains(t, err, "outside of the blast radius")
	require.Empty(t, f.inForce)
}

func TestAnUnhealthyClusterIsRefusedBeforeAnyFault(t *testing.T) {
	f := &fake{never: true}
	results, err := execute(t, t.Context(), f, t.TempDir(), op.Options{}, scenarioOf(t, "controller-killed"))
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 3, refused.ExitCode())
	require.Empty(t, f.ever)
	require.Empty(t, results)
}

// TestTheFaultIsTakenBackWhereverTheRunIsCutOff interrupts a run at each of its records.
func TestTheFaultIsTakenBackWhereverTheRunIsCutOff(t *testing.T) {
	s := scenarioOf(t, "zookeeper-quorum-lost")
	for cut := 1; ; cut++ {
		f, state := &fake{fate: "completed"}, t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		records := 0
		_, err := execute(t, ctx, f, state, op.Options{AfterRecord: func(op.Record) {
			if records++; records == cut {
				cancel()
			}
		}}, s)
		cancel()
		require.Empty(t, f.inForce, "cut off at record %d", cut)
		_, there, readErr := ReadActive(state)
		require.NoError(t, readErr)
		require.False(t, there, "cut off at record %d", cut)
		_, lastErr := op.LastRun(state + "/journal")
		require.ErrorIs(t, lastErr, op.ErrNoRun, "there is nothing to resume after record %d", cut)
		var interrupted *InterruptedError
		if err != nil {
			require.ErrorAs(t, err, &interrupted, "cut off at record %d", cut)
		}
		if records < cut {
			require.NoError(t, err)
			require.Greater(t, cut, 6, "there were records to be cut off at")
			return
		}
	}
}

// TestAKilledDrillIsTakenBackByTheNextRun kills a run at each of its records: nothing of its own end happens.
func TestAKilledDrillIsTakenBackByTheNextRun(t *testing.T) {
	for cut := 1; ; cut++ {
		f, state := &fake{fate: "completed"}, t.TempDir()
		killed := killAt(t, f, state, cut)
		f.mu.Lock()
		made := len(f.ever)
		f.mu.Unlock()
		_, err := Undo(t.Context(), f, state, lifecycletest.Quiet)
		require.NoError(t, err)
		require.Empty(t, f.inForce, "killed at record %d", cut)
		log, err := op.LastRun(state + "/journal")
		if err == nil {
			journal, err := op.OpenJournal(log.Path)
			require.NoError(t, err)
			_, err = op.Rollback(t.Context(), UndoPlan(f, state, log), op.Options{Journal: journal})
			require.NoError(t, err)
			require.NoError(t, journal.Close())
			_, err = op.LastRun(state + "/journal")
			require.ErrorIs(t, err, op.ErrNoRun, "the journal is closed")
		}
		if !killed {
			require.Greater(t, cut, 6, "there were records to be killed at")
			require.Equal(t, 2, made)
			return
		}
	}
}

// killAt runs a drill that stands still for good after so many records; false where it ended before.
func killAt(t *testing.T, f *fake, state string, cut int) bool {
	t.Helper()
	journal, err := op.CreateJournal(state+"/journal", Verb)
	require.NoError(t, err)
	facts, err := f.Look(t.Context())
	require.NoError(t, err)
	p, runs := plan(f, []Scenario{scenarioOf(t, "zookeeper-quorum-lost")}, facts, Options{Cluster: testCluster(), State: state, Pace: quickly()})
	reached, ended, records := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(ended)
		_, _ = op.Run(t.Context(), p, op.Options{Journal: journal, AfterRecord: func(op.Record) {
			if records++; records == cut {
				close(reached)
			}
			if records >= cut {
				<-t.Context().Done()
				runtime.Goexit()
			}
		}})
	}()
	select {
	case <-reached:
		t.Cleanup(runs[0].quit)
		return true
	case <-ended:
		return false
	}
}

func TestAFaultThatFailsHalfWayIsTakenBack(t *testing.T) {
	f := &fake{injectFails: true}
	_, err := execute(t, t.Context(), f, t.TempDir(), op.Options{}, scenarioOf(t, "zookeeper-lost"))
	require.ErrorContains(t, err, "the hand slipped")
	require.Len(t, f.ever, 1)
	require.Empty(t, f.inForce)
}

func TestWhatCannotBeTakenBackStaysWrittenDown(t *testing.T) {
	f, state := &fake{undoFails: true}, t.TempDir()
	_, err := execute(t, t.Context(), f, state, op.Options{}, scenarioOf(t, "zookeeper-lost"))
	require.ErrorContains(t, err, "the host is away")
	active, there, err := ReadActive(state)
	require.NoError(t, err)
	require.True(t, there)
	require.Len(t, active.Faults, 1)
	f.undoFails = false
	count, err := Undo(t.Context(), f, state, lifecycletest.Quiet)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.Empty(t, f.inForce)
}
