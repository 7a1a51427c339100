package drill

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

// TestWhatIsRefusedHasNoFault has clusters on which a drill must not begin, each with what is said about it.
func TestWhatIsRefusedHasNoFault(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		change   func(*Facts)
		want     string
	}{
		"an error is found": {"edge-killed", func(f *Facts) {
			f.Report.Findings = []status.Finding{{Severity: status.Error, Subject: "host a1", Problem: "is away"}}
		}, "not healthy before the fault: host a1 is away"},
		"a warning alone": {"edge-killed", func(f *Facts) {
			f.Report.Findings = []status.Finding{{Severity: status.Warning, Subject: "disk", Problem: "is full soon"}}
		}, ""},
		"not ready":                      {"edge-killed", func(f *Facts) { f.Report.Ready = false }, "the cluster is not ready"},
		"a deployment runs":              {"edge-killed", func(f *Facts) { f.Report.Marathon.App = &status.App{Deployments: []string{"d"}} }, "a deployment of the controller runs"},
		"two ZooKeepers":                 {"zookeeper-lost", func(f *Facts) { f.Control = f.Control[:2] }, "with 2 control host"},
		"history not pushed":             {homeDeleted, func(f *Facts) { f.Kept = false }, "which would be its last copy"},
		"no history":                     {homeDeleted, func(f *Facts) { f.Git, f.Kept = "", false }, "name a git repository in jenkins.scm"},
		"a mounted home":                 {homeDeleted, func(f *Facts) { f.HomeMounted = true }, "mount it one folder above"},
		"the only control host":          {"controller-host-off", func(f *Facts) { f.Control = []string{f.Controller} }, "is also the only control host"},
		"no power":                       {"controller-host-off", func(f *Facts) { f.CanPower = "no hands" }, "not available here: no hands"},
		"no agent but the controller's":  {"mesos-agent-host-off", func(f *Facts) { f.Agents = []string{f.Controller} }, "no Mesos agent without the controller"},
		"the others are control hosts":   {"mesos-agent-host-off", func(f *Facts) { f.Agents = []string{f.Controller, "c1", "c2"} }, "no Mesos agent without the controller"},
		"the master with the controller": {"control-host-rebooted", func(f *Facts) { f.MasterLeader = f.Controller }, "runs the controller, too"},
		"a shared disk":                  {"home-disk-full", func(*Facts) {}, "the home shares its disk"},
		"a disk of its own":              {"home-disk-full", func(f *Facts) { f.OwnDisk = true }, ""},
		"no registry":                    {"registry-unreachable", func(f *Facts) { f.Contained = true }, "no registry of its own"},
		"no container":                   {"registry-unreachable", func(f *Facts) { f.Registry = "c1" }, "does not run in a container"},
		"no address of git": {"git-unreachable", func(f *Facts) {
			f.Git, f.GitPath, f.GitPeers = "https://me:secret@git.example/x", "", nil
		}, "the address of https://git.example/x is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := (&fake{}).Look(t.Context())
			require.NoError(t, err)
			c.change(&facts)
			err = Refuse(scenarioOf(t, c.scenario), facts)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, 3, refused.ExitCode())
			require.Contains(t, err.Error(), "drill "+c.scenario+" is refused: ")
			require.Contains(t, err.Error(), c.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestADrillWithoutAPlaceForItsFaultIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		look     func(*Facts)
	}{
		"nobody leads":                         {"master-killed", func(f *Facts) { f.MasterLeader = "" }},
		"the controller is not placed":         {"controller-killed", func(f *Facts) { f.Controller = "" }},
		"the controller's task is not known":   {"controller-killed", func(f *Facts) { f.Task = "" }},
		"a home under a task that may live on": {homeDeleted, func(f *Facts) { f.Task = "" }},
		"the build agent's host is not known":  {"build-agent-killed", func(f *Facts) { f.Report.Mesos.Frameworks = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{fate: "failed", change: c.look}
			results, err := execute(t, t.Context(), f, t.TempDir(), op.Options{}, scenarioOf(t, c.scenario))
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Hint())
			require.Empty(t, f.ever, "no fault is made")
			require.Empty(t, results, "and nothing is counted as a drill")
		})
	}
}

func TestADrillWaitsForNoBuildForEver(t *testing.T) {
	f := &fake{buildsHang: true}
	s, pace := scenarioOf(t, "controller-killed"), quickly()
	pace.First = 20 * time.Millisecond
	facts, err := f.Look(t.Context())
	require.NoError(t, err)
	_, err = Execute(t.Context(), f, []Scenario{s}, facts, Options{Cluster: testCluster(), State: t.TempDir(), Pace: pace}, op.Options{})
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Problem, "the build before the fault has not come about within 20ms: the queue stands still")
	require.Empty(t, f.ever)
	require.True(t, f.removed, "the canary jobs go")
}

// TestEachDrillOfARunAsksWhetherItMayBegin has a window that closes after the first drill.
func TestEachDrillOfARunAsksWhetherItMayBegin(t *testing.T) {
	f := &fake{fate: "completed"}
	facts, err := f.Look(t.Context())
	require.NoError(t, err)
	var asked []string
	results, err := Execute(t.Context(), f, []Scenario{scenarioOf(t, "zookeeper-lost"), scenarioOf(t, "marathon-killed")}, facts, Options{Cluster: testCluster(), State: t.TempDir(), Pace: quickly(),
		MayBegin: func(s Scenario) error {
			if asked = append(asked, s.Name); len(asked) > 1 {
				return &RefusedError{s.Name, "no maintenance window is open", ""}
			}
			return nil
		}}, op.Options{})
	require.ErrorContains(t, err, "drill marathon-killed is refused: no maintenance window is open")
	require.Equal(t, []string{"zookeeper-lost", "marathon-killed"}, asked)
	require.Len(t, results, 1, "what was drilled before is there")
	require.Len(t, f.ever, 1, "the second fault is not made")
}

func TestTheTimeThatDrillsNeedIsThatOfAll(t *testing.T) {
	c := testCluster()
	c.Drill = &config.Drill{Targets: []config.DrillTarget{{Scenario: "edge-killed", Recovery: config.Duration(2 * time.Minute)}}}
	held := Scenario{Name: "held", Recovery: time.Minute, Hold: 30 * time.Second}
	require.Equal(t, 2*time.Minute+30*time.Second, Needs(c, []Scenario{held}))
	require.Equal(t, 5*time.Minute+30*time.Second, Needs(c, []Scenario{held, scenarioOf(t, "edge-killed")}), "the target of the cluster file counts")
	c.Maintenance = &config.Maintenance{Windows: []config.Window{{Days: []string{"sat"}, Start: "22:00", Length: config.Duration(2 * time.Hour), Zone: "UTC"}}}
	end := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	require.NoError(t, InWindow(c, end.Add(-10*time.Minute), 10*time.Minute), "to the last second")
	var refused *RefusedError
	require.ErrorAs(t, InWindow(c, end.Add(-10*time.Minute), 10*time.Minute+time.Second), &refused)
	require.Contains(t, refused.Hint(), "--now")
	require.ErrorContains(t, InWindow(c, end, time.Second), "the next one begins Sat, 28 Nov 2026", "the end is outside")
}

// TestWhatIsLeftIsNotSaidToBeTakenBack has a host that cannot be reached when the faults are to be taken back, however the drill has ended.
func TestWhatIsLeftIsNotSaidToBeTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*fake, context.CancelFunc)
		want string
	}{
		"interrupted":   {func(f *fake, cancel context.CancelFunc) { cancel() }, "the drill was interrupted; its faults are NOT all taken back: "},
		"not recovered": {func(f *fake, _ context.CancelFunc) { f.never = true }, "drill mesos-agent-stopped: not recovered within "},
		"at its end":    {func(*fake, context.CancelFunc) {}, "the drill has ended; its faults are NOT all taken back: "},
	} {
		t.Run(name, func(t *testing.T) {
			f, state := &fake{undoFails: true}, t.TempDir()
			s, pace := scenarioOf(t, "mesos-agent-stopped"), quickly()
			if name == "not recovered" {
				s.Recovery, pace.Extra, s.Until = time.Millisecond, 200*time.Millisecond, UntilRecovered
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			journal, err := op.CreateJournal(state+"/journal", Verb)
			require.NoError(t, err)
			defer journal.Close()
			facts, err := f.Look(t.Context())
			require.NoError(t, err)
			results, err := Execute(ctx, f, []Scenario{s}, facts, Options{Cluster: testCluster(), State: state, Pace: pace}, op.Options{Journal: journal, AfterRecord: func(r op.Record) {
				if r.Kind == op.KindBegin && strings.HasSuffix(r.Step, "-recovery") {
					f.mu.Lock()
					defer f.mu.Unlock()
					c.end(f, cancel)
				}
			}})
			var left *LeftError
			require.ErrorAs(t, err, &left)
			require.Equal(t, 1, left.ExitCode())
			require.Contains(t, left.Hint(), "jomctl drill undo")
			require.Contains(t, err.Error(), c.want)
			require.Contains(t, err.Error(), "the host is away")
			require.NotContains(t, err.Error(), "faults are taken back")
			require.Len(t, results, 1)
			require.NotContains(t, strings.Join(results[0].Reasons, "; "), "faults are taken back", "nor in the report")
			_, there, err := ReadActive(state)
			require.NoError(t, err)
			require.True(t, there)

			f.mu.Lock()
			f.undoFails, f.never = false, false
			f.mu.Unlock()
			count, err := Undo(t.Context(), f, state, lifecycletest.Quiet)
			require.NoError(t, err)
			require.Equal(t, 1, count)
			require.Empty(t, f.inForce)
		})
	}
}

// TestUndoTriesEveryFault has one host of two that is away.
func TestUndoTriesEveryFault(t *testing.T) {
	state := t.TempDir()
	faults := []Injection{{Kind: StopUnit, Host: "c1", Unit: "zk"}, {Kind: StopUnit, Host: "c2", Unit: "zk"}, {Kind: Cut, Host: "a1", Peers: []string{"10.0.0.1"}, Port: 22}}
	require.NoError(t, Active{Scenario: "x", Began: time.Now(), Faults: faults}.write(state))
	f := &fake{away: "c2"}
	count, err := Undo(t.Context(), f, state, lifecycletest.Quiet)
	require.Equal(t, 3, count)
	require.ErrorContains(t, err, "taking back kill -STOP zk on c2: the host is away")
	require.Equal(t, []string{"no packets between a1 and 10.0.0.1 port 22", "kill -STOP zk on c1"}, f.undone, "the last fault first, and those after the failure, too")
	left, there, err := ReadActive(state)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, faults[1:2], left.Faults)
	require.Equal(t, []string{"kill -STOP zk on c2"}, left.Said, "a status says what is left")

	require.NoError(t, os.WriteFile(activeFile(state), []byte("{"), 0o600))
	_, err = Undo(t.Context(), f, state, lifecycletest.Quiet)
	require.ErrorContains(t, err, "active.json", "what cannot be read is not taken for nothing")
}

// TestADrillThatWasEndedHasNoRecovery ends one whose cluster serves all the time, at once and later.
func TestADrillThatWasEndedHasNoRecovery(t *testing.T) {
	s := scenarioOf(t, "zookeeper-lost")
	ctx, cancel := context.WithCancel(t.Context())
	results, err := execute(t, ctx, &fake{}, t.TempDir(), op.Options{AfterRecord: func(r op.Record) {
		if r.Kind == op.KindBegin && strings.HasSuffix(r.Step, "-recovery") {
			cancel()
		}
	}}, s)
	var interrupted *InterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.Equal(t, 130, interrupted.ExitCode())
	require.Len(t, results, 1)
	require.Equal(t, -1.0, results[0].Recovery.Seconds)
	require.False(t, results[0].Passed || results[0].Recovered)
	require.Contains(t, strings.Join(results[0].Reasons, ""), "interrupted", "and nothing of going on with it")

	r := newRun(&fake{}, s, Options{Cluster: testCluster(), Pace: quickly()})
	story(r)
	r.result.Faults = s.Faults(Facts{Control: []string{"c1", "c2", "c3"}, ZooKeeperLeader: "c1"})
	r.samples = r.samples[:len(probe.Targets())] // nothing was asked after the fault
	r.end(err)
	require.Equal(t, []float64{-1, -1}, []float64{r.result.Recovery.Seconds, r.result.Recovery.Served}, "nobody has seen that people were served")
	require.False(t, r.result.Counted())
}
