package drill

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/probe"
)

func someResults() []Result {
	began := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	fault := began.Add(5 * time.Second)
	passed := Result{Name: "controller-killed", Title: "Controller process killed", Hypothesis: "it <comes> back", Cluster: "ci", Run: "r2", Began: began, Ended: began.Add(time.Minute),
		Passed: true, Recovered: true, Recovery: Recovery{Seconds: 12.3, Boot: 8}, Lost: Lost{Saved: 4, Built: 1, Requests: 9, Requested: 90, Running: "lost"}, Target: Target{Recovery: 60},
		Events:    []probe.Event{{At: fault, Kind: probe.EventFault, Detail: "kill"}},
		Phases:    []probe.Part{{Phase: probe.Boot, From: fault, To: fault.Add(8 * time.Second)}},
		Outages:   []probe.Outage{{Target: probe.Edge, Asked: 90, Failed: 9, Down: true, First: fault, Back: fault.Add(8 * time.Second)}},
		Intervals: []probe.Interval{{Target: probe.Edge, Up: true, From: began, To: fault}, {Target: probe.Edge, From: fault, To: fault.Add(8 * time.Second)}, {Target: probe.Edge, Up: true, From: fault.Add(8 * time.Second), To: fault.Add(20 * time.Second)}}}
	missed, failed := passed, passed
	missed.Name, missed.Passed, missed.Reasons, missed.Began = "edge-killed", false, []string{"too slow"}, began.Add(time.Minute)
	failed.Name, failed.Passed, failed.Recovered, failed.Reasons, failed.Recovery.Seconds, failed.Began = "master-killed", false, false, []string{"gone"}, -1, began.Add(2*time.Minute)
	return []Result{passed, missed, failed}
}

func TestTheReportForPrograms(t *testing.T) {
	data, err := JSON(someResults())
	require.NoError(t, err)
	var got struct {
		Scenarios []struct {
			Name     string
			Passed   bool
			Recovery map[string]float64
			Lost     map[string]any
			Target   map[string]float64
		}
	}
	require.NoError(t, json.Unmarshal(data, &got))
	require.Len(t, got.Scenarios, 3)
	require.Equal(t, "controller-killed", got.Scenarios[0].Name)
	require.True(t, got.Scenarios[0].Passed)
	require.Equal(t, 12.3, got.Scenarios[0].Recovery["seconds"])
	require.Equal(t, 60.0, got.Scenarios[0].Target["recovery"])
	require.Contains(t, got.Scenarios[0].Lost, "configurations")
	empty, err := JSON(nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"scenarios": []}`, string(empty))
}

func TestTheReportForTestReaders(t *testing.T) {
	data, err := JUnit(someResults())
	require.NoError(t, err)
	var got junitSuites
	require.NoError(t, xml.Unmarshal(data, &got))
	require.Equal(t, 3, got.Tests)
	require.Equal(t, []int{1, 1}, []int{got.Failures, got.Errors})
	require.Equal(t, 1, got.Suites[0].Failures)
	require.Equal(t, 1, got.Suites[0].Errors)
	require.Nil(t, got.Suites[0].Cases[0].Failure)
	require.Equal(t, "too slow", got.Suites[0].Cases[1].Failure.Message)
	require.Equal(t, "gone", got.Suites[0].Cases[2].Error.Message)
}

func TestTheReportForPeopleNeedsNothingFromElsewhere(t *testing.T) {
	data, err := HTML(someResults(), Trends(someResults()))
	require.NoError(t, err)
	page := string(data)
	require.Contains(t, page, "it &lt;comes&gt; back", "what comes from a file is text")
	require.Equal(t, 3, strings.Count(page, `src="data:image/svg&#43;xml;base64,`))
	for _, elsewhere := range []string{"http://", "https://", "<script", "<link", "@import", "url("} {
		require.NotContains(t, page, elsewhere)
	}
	svg, err := timelineSVG(someResults()[0])
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(svg, new(struct{ XMLName xml.Name })))
}

func TestTrendsCompareWithTheMedianOfTheRunsBefore(t *testing.T) {
	of := func(seconds float64, passed bool) Result {
		return Result{Name: "a", Recovered: seconds >= 0, Passed: passed, Recovery: Recovery{Seconds: seconds}, Lost: Lost{Configurations: 1}, Target: Target{Recovery: 60}}
	}
	require.Equal(t, []Trend{{Name: "a", Runs: 4, Passed: 2, Target: 60, Last: 16, Best: 10, Median: 12, Worst: 16, Spread: 6, Change: 5, LostConfigurations: 4}},
		Trends([]Result{of(10, true), of(12, true), of(-1, false), of(16, false)}))
	require.Equal(t, -1.0, Trends([]Result{of(10, true), of(-1, false)})[0].Last)
}

func TestHistoryIsKept(t *testing.T) {
	state := t.TempDir()
	for _, r := range someResults() {
		require.NoError(t, Save(state, r))
	}
	kept, err := History(state)
	require.NoError(t, err)
	require.Len(t, kept, 3)
	require.Equal(t, "controller-killed", kept[0].Name)
	require.Len(t, LastRun(kept), 3)
	none, err := History(t.TempDir())
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestWindowsHoldForDrills(t *testing.T) {
	c := testCluster()
	c.Maintenance = &config.Maintenance{Reserve: config.Duration(20 * time.Minute), Windows: []config.Window{{Days: []string{"sat"}, Start: "22:00", Length: config.Duration(2 * time.Hour), Zone: "UTC"}}}
	saturday := time.Date(2026, 11, 21, 22, 30, 0, 0, time.UTC)
	require.NoError(t, InWindow(c, saturday, 10*time.Minute))
	require.ErrorContains(t, InWindow(c, saturday.Add(-time.Hour), 10*time.Minute), "no maintenance window is open")
	require.ErrorContains(t, InWindow(c, saturday, 80*time.Minute), "the window is open for 1h30m0s more")
	require.NoError(t, InWindow(testCluster(), saturday.Add(-time.Hour), time.Hour), "without windows at any time")
}

func TestScenariosOfYourOwn(t *testing.T) {
	dir := t.TempDir()
	c := testCluster()
	c.File = filepath.Join(dir, "cluster.yaml")
	c.Drill = &config.Drill{Scenarios: []string{"own.yaml"}}
	write := func(text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "own.yaml"), []byte(text), 0o600))
	}
	const good = "name: dns-away\nhypothesis: nobody notices\nblastRadius: nothing\ninject: mv a b\nundo: mv b a\nhold: 5s\nrecovered: test -e a\nbears: [edge]\n"
	write(good)
	all, err := All(c)
	require.NoError(t, err)
	own := all[len(all)-1]
	require.Equal(t, "dns-away", own.Name)
	require.Equal(t, UntilHeld, own.Until)
	require.Equal(t, []Injection{{Kind: Command, Command: "mv a b", Undo: "mv b a"}}, own.Faults(Facts{}))
	for text, want := range map[string]string{
		strings.Replace(good, "name: dns-away", "name: edge-killed", 1): "there is a scenario edge-killed already",
		strings.Replace(good, "inject: mv a b\n", "", 1):                "inject: is required",
		strings.Replace(good, "undo: mv b a\n", "", 1):                  "needs an undo",
		strings.Replace(good, "[edge]", "[moon]", 1):                    `"moon" is none of`,
		good + "host: z9\n":  "no host of that name",
		good + "injekt: x\n": "injekt",
	} {
		write(text)
		_, err := All(c)
		require.ErrorContains(t, err, want)
	}
}

func TestEveryBuiltinScenarioIsWhole(t *testing.T) {
	facts, err := (&fake{}).Look(t.Context())
	require.NoError(t, err)
	facts.BuildTask, facts.BuildHost, facts.GitPath = "build-1", "a2", "/srv/git"
	names := map[string]bool{}
	for _, s := range Builtin() {
		names[s.Name] = true
		require.NotEmpty(t, s.Hypothesis, s.Name)
		require.NotEmpty(t, s.Blast(facts), s.Name)
		require.Positive(t, s.Recovery, s.Name)
		faults := s.Faults(facts)
		require.NotEmpty(t, faults, s.Name)
		if len(lastingOf(faults)) > 0 {
			require.NotEmpty(t, s.Until, "%s: a fault that lasts must end", s.Name)
		}
	}
	for _, name := range Standard() {
		require.True(t, names[name], name)
	}
	require.Len(t, Standard(), len(names))
	chosen, err := Choose(Builtin(), nil, "standard", Facts{Cluster: testCluster(), CanPower: "no", CanCut: "no"})
	require.NoError(t, err)
	for _, s := range chosen {
		require.NotContains(t, []string{"network-cut", "controller-host-off", "git-unreachable"}, s.Name)
	}
}
