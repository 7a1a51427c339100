package drill

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
)

// documented is the shape that docs/drill.md promises to programs, with all that a result has.
type documented struct {
	Scenarios []struct {
		Name      string             `json:"name"`
		Passed    bool               `json:"passed"`
		Recovery  map[string]float64 `json:"recovery"`
		Lost      map[string]any     `json:"lost"`
		Target    map[string]float64 `json:"target"`
		Recovered bool               `json:"recovered"`
		Reasons   []string           `json:"reasons"`
		Title     string             `json:"title"`
		// The rest is there, and only what a result really has.
		Hypothesis, Cluster, Run           string
		Began, Ended                       time.Time
		Faults, Events, Outages, Intervals []map[string]any
		Phases                             []struct {
			Phase    string
			From, To time.Time
		}
		Unmeasured []string
	} `json:"scenarios"`
}

// TestTheReportOfADrillHasTheDocumentedShape reads what a whole drill has measured as a program would.
func TestTheReportOfADrillHasTheDocumentedShape(t *testing.T) {
	f := &fake{fate: "lost", unregistered: true}
	results, err := execute(t, t.Context(), f, t.TempDir(), op.Options{}, scenarioOf(t, "controller-killed"))
	require.NoError(t, err)
	data, err := JSON(results)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var got documented
	require.NoError(t, decoder.Decode(&got), "%s", data)
	require.Len(t, got.Scenarios, 1)
	one := got.Scenarios[0]
	require.True(t, one.Passed, "%v", one.Reasons)
	for _, key := range []string{"seconds", "served", "detection", "rescheduling", "image", "homeRestore", "boot", "edge", "framework", "firstBuild"} {
		require.Contains(t, one.Recovery, key)
	}
	require.Len(t, one.Recovery, 10)
	for _, key := range []string{"configurations", "saved", "configurationSeconds", "builds", "built", "requests", "requested", "running"} {
		require.Contains(t, one.Lost, key)
	}
	require.Equal(t, map[string]float64{"recovery": 60, "configurations": 0, "configurationSeconds": 0, "builds": 0}, one.Target)
	require.Equal(t, []string{probe.Framework}, one.Unmeasured, "what did not answer before the fault is named")
	require.Zero(t, one.Recovery["framework"])
	sum := 0.0
	for i, part := range one.Phases {
		if i > 0 {
			require.Equal(t, one.Phases[i-1].To, part.From)
		}
		sum += part.To.Sub(part.From).Seconds()
	}
	require.Equal(t, "first build", one.Phases[len(one.Phases)-1].Phase)
	require.GreaterOrEqual(t, sum+0.01, one.Recovery["served"], "the phases are all of the recovery")
	fault, err := time.Parse(time.RFC3339Nano, one.Events[0]["at"].(string))
	require.NoError(t, err)
	require.True(t, fault.Equal(one.Phases[0].From), "everything is counted from the fault")
}

// failedResults are a drill that was ended before anything was counted, and one that was.
func failedResults() []Result {
	ended := someResults()[2]
	ended.Recovery, ended.Lost, ended.Phases, ended.Unmeasured = Recovery{Seconds: -1, Served: -1}, Lost{Requests: 7, Requested: 9}, nil, []string{probe.Framework}
	return []Result{ended}
}

func TestWhatWasNotCountedIsNotShownAsNothing(t *testing.T) {
	require.False(t, failedResults()[0].Counted())
	data, err := JUnit(failedResults())
	require.NoError(t, err)
	page, err := HTML(failedResults(), Trends(failedResults()))
	require.NoError(t, err)
	for _, text := range []string{string(data), string(page)} {
		require.NotContains(t, text, "0 of 0", "nobody has counted")
		require.NotRegexp(t, `[ >]-1`, text, "there is no recovery of minus one second")
		require.Contains(t, strings.ToLower(text), "not counted")
		require.Contains(t, text, "7 of 9 requests failed")
		require.Contains(t, strings.ToLower(text), "not measured")
		require.Contains(t, text, probe.Framework)
	}
	require.Contains(t, string(page), "never</td>")
	page, err = HTML(someResults()[:1], nil)
	require.NoError(t, err)
	require.NotContains(t, strings.ToLower(string(page)), "not counted")
	require.NotContains(t, strings.ToLower(string(page)), "not measured")
}

func TestATestReaderCountsFailuresAndErrorsApart(t *testing.T) {
	data, err := JUnit(someResults())
	require.NoError(t, err)
	var got struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Time     float64  `xml:"time,attr"`
		Suites   []struct {
			Tests    int       `xml:"tests,attr"`
			Failures int       `xml:"failures,attr"`
			Errors   int       `xml:"errors,attr"`
			Stamp    time.Time `xml:"timestamp,attr"`
			Cases    []struct {
				Class string  `xml:"classname,attr"`
				Time  float64 `xml:"time,attr"`
				Out   string  `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(data, &got))
	require.Equal(t, []int{3, 1, 1}, []int{got.Tests, got.Failures, got.Errors})
	require.Len(t, got.Suites, 1)
	require.Equal(t, []int{3, 1, 1}, []int{got.Suites[0].Tests, got.Suites[0].Failures, got.Suites[0].Errors})
	require.Len(t, got.Suites[0].Cases, 3)
	require.Equal(t, "jomctl.drill.ci", got.Suites[0].Cases[0].Class)
	require.Equal(t, 60.0, got.Suites[0].Cases[0].Time)
	sum := 0.0
	for _, one := range got.Suites[0].Cases {
		sum += one.Time
	}
	require.Equal(t, sum, got.Time)
	require.Contains(t, got.Suites[0].Cases[0].Out, "recovery 12.30 s, target 60 s: boot 8.00 s")
	none, err := JUnit(nil)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(none, &got))
}

// TestThePageBearsOddResults has results that drawing could stumble over.
func TestThePageBearsOddResults(t *testing.T) {
	began := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	for name, r := range map[string]Result{
		"nothing measured":        {Name: "a", Began: began},
		"no fault":                {Name: "a", Began: began, Intervals: []probe.Interval{{Target: probe.Edge, Up: true, From: began, To: began.Add(time.Second)}}},
		"one moment":              {Name: "a", Began: began, Intervals: []probe.Interval{{Target: probe.Edge, From: began, To: began}}},
		"three hours":             {Name: "a", Began: began, Intervals: []probe.Interval{{Target: probe.Edge, From: began, To: began.Add(3 * time.Hour)}}},
		"a target of another day": {Name: "a", Began: began, Intervals: []probe.Interval{{Target: "carrier-pigeon", From: began, To: began.Add(time.Hour)}}},
		"markup in a command":     {Name: "a", Began: began, Reasons: []string{"<script>alert(1)</script>"}, Events: []probe.Event{{At: began, Kind: probe.EventFault, Detail: `"><img src=http://x>`}}},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := HTML([]Result{r, r}, Trends([]Result{r, r}))
			require.NoError(t, err)
			require.NotContains(t, string(page), "<script")
			require.NotContains(t, string(page), "<img src=http")
			svg, err := timelineSVG(r)
			require.NoError(t, err)
			if svg != nil {
				require.NoError(t, xml.Unmarshal(svg, new(struct{ XMLName xml.Name })))
				require.NotContains(t, string(svg), "NaN")
			}
			ticks := secondsOf(r, faultOf(r))
			require.NotEmpty(t, ticks)
			require.Less(t, len(ticks), 20, "what cannot be read is no axis")
		})
	}
}

func TestTrendsOfWhatNeverRecovered(t *testing.T) {
	of := func(seconds float64) Result {
		return Result{Name: "a", Recovered: seconds >= 0, Recovery: Recovery{Seconds: seconds}, Lost: Lost{Builds: 1}}
	}
	never := Trends([]Result{of(-1), of(-1)})[0]
	require.Equal(t, []float64{-1, -1, -1, -1, 0, 0}, []float64{never.Last, never.Best, never.Median, never.Worst, never.Spread, never.Change}, "there is no best recovery of no seconds")
	require.Equal(t, 2, never.LostBuilds)
	require.Equal(t, []float64{7, 7, 7, 0}, func(t Trend) []float64 { return []float64{t.Last, t.Best, t.Worst, t.Change} }(Trends([]Result{of(-1), of(7)})[0]))
	faster := Trends([]Result{of(10), of(20), of(30), of(12)})[0]
	require.Equal(t, []float64{12, 10, 16, 30, 20, -8}, []float64{faster.Last, faster.Best, faster.Median, faster.Worst, faster.Spread, faster.Change}, "faster than before is negative")
}

func TestAResultThatCannotBeReadIsNamed(t *testing.T) {
	state := t.TempDir()
	for _, r := range someResults() {
		require.NoError(t, Save(state, r))
	}
	dir := resultsDir(state)
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".x.json.tmp"), []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("{"), 0o600))
	all, err := History(state)
	require.NoError(t, err, "what is no result is none")
	require.Len(t, all, 3)
	torn := filepath.Join(dir, "20260101T000000.000-edge-killed.json")
	require.NoError(t, os.WriteFile(torn, []byte(`{"name": "ed`), 0o600))
	_, err = History(state)
	require.ErrorContains(t, err, torn)
	require.ErrorContains(t, err, "move it away")
}

func TestTheLastRunIsAllOfItAndNothingElse(t *testing.T) {
	at := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	state := t.TempDir()
	for i, run := range []string{"r1", "r2", "r1", "r2"} { // the clock went back between two runs
		require.NoError(t, Save(state, Result{Name: "a", Run: run, Began: at.Add(time.Duration(i) * time.Minute)}))
	}
	all, err := History(state)
	require.NoError(t, err)
	last := LastRun(all)
	require.Len(t, last, 2)
	require.Equal(t, []string{"r2", "r2"}, []string{last[0].Run, last[1].Run})
	require.Empty(t, LastRun(nil))
}
