package drill

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
)

// TestWhatIsLostIsNotTakenForThere has losses that look like nothing was lost.
func TestWhatIsLostIsNotTakenForThere(t *testing.T) {
	for name, c := range map[string]struct {
		fake           *fake
		scenario       string
		configurations int
		builds         int
		want           string
	}{
		"the job is that of an earlier drill, with a higher number": {&fake{reverts: true}, "controller-killed", 4, 0, "4 of 4 configurations that were saved are lost"},
		"the first build has the number of one that is gone":        {&fake{countsAnew: true}, "controller-killed", 0, 1, "1 of 1 finished builds are lost, the target is 0"},
		"what was saved while the fault lasted":                     {&fake{losesMeanwhile: true, fate: "completed"}, "git-unreachable", 1, 0, "1 of 5 configurations that were saved are lost"},
	} {
		t.Run(name, func(t *testing.T) {
			results, err := execute(t, t.Context(), c.fake, t.TempDir(), op.Options{}, scenarioOf(t, c.scenario))
			require.NoError(t, err)
			r := results[0]
			require.True(t, r.Recovered)
			require.False(t, r.Passed)
			require.Equal(t, c.configurations, r.Lost.Configurations)
			require.Equal(t, c.builds, r.Lost.Builds)
			require.Contains(t, strings.Join(r.Reasons, "\n"), c.want)
		})
	}
}

func TestTheAgeOfWhatIsLostIsThatOfTheOldest(t *testing.T) {
	results, err := execute(t, t.Context(), &fake{loses: 3}, t.TempDir(), op.Options{}, scenarioOf(t, "controller-killed"))
	require.NoError(t, err)
	one, err := execute(t, t.Context(), &fake{loses: 1}, t.TempDir(), op.Options{}, scenarioOf(t, "controller-killed"))
	require.NoError(t, err)
	require.Positive(t, one[0].Lost.ConfigurationSeconds)
	require.Greater(t, results[0].Lost.ConfigurationSeconds, 0.002, "two pauses of a millisecond lie between the second and the last")
	results, err = execute(t, t.Context(), &fake{losesMeanwhile: true, fate: "completed"}, t.TempDir(), op.Options{}, scenarioOf(t, "git-unreachable"))
	require.NoError(t, err)
	require.Negative(t, results[0].Lost.ConfigurationSeconds)
	require.Contains(t, results[0].Lost.Oldest(), "s after the fault")
	require.Equal(t, "1.5 s before the fault", Lost{ConfigurationSeconds: 1.5}.Oldest())
}

func TestATargetLetsOnlyTheNewestBeMissing(t *testing.T) {
	for name, c := range map[string]struct {
		lost   Lost
		target Target
		passes bool
	}{
		"nothing lost":                       {Lost{}, Target{}, true},
		"one, and none may be":               {Lost{Configurations: 1, ConfigurationSeconds: 0.1}, Target{}, false},
		"one, just before the fault":         {Lost{Configurations: 1, ConfigurationSeconds: 2.9}, Target{ConfigurationSeconds: 3}, true},
		"many, just before the fault":        {Lost{Configurations: 9, ConfigurationSeconds: 2.9}, Target{ConfigurationSeconds: 3}, true},
		"one that was old":                   {Lost{Configurations: 1, ConfigurationSeconds: 3.1}, Target{ConfigurationSeconds: 3}, false},
		"one that was old, and one may be":   {Lost{Configurations: 1, ConfigurationSeconds: 99}, Target{Configurations: 1}, true},
		"two, and one may be":                {Lost{Configurations: 2, ConfigurationSeconds: 99}, Target{Configurations: 1}, false},
		"one, at the same moment":            {Lost{Configurations: 1}, Target{}, false},
		"one while the fault lasted":         {Lost{Configurations: 1, ConfigurationSeconds: -9}, Target{ConfigurationSeconds: 3}, false},
		"a build, and none may be":           {Lost{Builds: 1, Built: 1}, Target{}, false},
		"a build, and one may be":            {Lost{Builds: 1, Built: 1}, Target{Builds: 1}, true},
		"the running build, which should go": {Lost{Running: "requeued"}, Target{}, false},
		"the running build still runs":       {Lost{Running: "running"}, Target{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRun(&fake{}, scenarioOf(t, "marathon-killed"), Options{Cluster: testCluster(), Pace: quickly()})
			story(r)
			c.target.Recovery = 60
			r.result.Lost, r.result.Target = c.lost, c.target
			r.judge()
			require.Equal(t, c.passes, r.result.Passed, "%v", r.result.Reasons)
		})
	}
}

func TestTheTargetIsThatOfTheClusterFile(t *testing.T) {
	c := testCluster()
	c.Jenkins.SCM = &config.SCM{Debounce: config.Duration(2 * time.Second)}
	deleted, killed := scenarioOf(t, homeDeleted), scenarioOf(t, "controller-killed")
	require.Equal(t, Target{Recovery: 120, ConfigurationSeconds: 5, Builds: 1}, TargetOf(c, deleted))
	require.Equal(t, Target{Recovery: 60}, TargetOf(c, killed))
	c.Drill = &config.Drill{Targets: []config.DrillTarget{{Scenario: homeDeleted, Recovery: config.Duration(90 * time.Second)}, {Scenario: "controller-killed", Configurations: 2, Builds: 3}}}
	require.Equal(t, Target{Recovery: 90, ConfigurationSeconds: 5, Builds: 1}, TargetOf(c, deleted), "what is left out is the scenario's own: git keeps no builds")
	require.Equal(t, Target{Recovery: 60, Configurations: 2, Builds: 3}, TargetOf(c, killed))
}

// story is a drill whose fault nobody has felt.
func story(r *run) {
	fault := time.Now().Add(-10 * time.Second)
	r.facts.Task = "t0"
	r.events = []probe.Event{{At: fault, Kind: probe.EventFault}}
	for _, at := range []time.Duration{-time.Second, time.Second, 9 * time.Second} {
		for _, target := range probe.Targets() {
			r.samples = append(r.samples, probe.Sample{Target: target, At: fault.Add(at), OK: true, Value: "t0"})
		}
	}
}

// controllerWith is a canary on a controller that answers each path with a text.
func controllerWith(t *testing.T, texts map[string]string) *jobs {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, there := texts[strings.TrimSuffix(r.URL.Path, "/")]
		if !there {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Jenkins", "2.568.2")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return &jobs{client: jenkins.New(server.URL, "admin", "x"), label: "mesos", tick: time.Millisecond}
}

func TestTheNumberedConfigurationIsThisDrills(t *testing.T) {
	for text, want := range map[string]int{
		jenkins.FreestyleJob("mesos", "true", "drill d1 configuration 4"): 4,
		jenkins.FreestyleJob("mesos", "true", "drill d0 configuration 9"): 0,
		jenkins.FreestyleJob("mesos", "true", "drill configuration 9"):    0,
		jenkins.FreestyleJob("mesos", "true", "somebody wrote this"):      0,
	} {
		n, err := controllerWith(t, map[string]string{"/job/jomctl-drill/config.xml": text}).Saved(t.Context(), "d1")
		require.NoError(t, err)
		require.Equal(t, want, n, text)
	}
	n, err := controllerWith(t, nil).Saved(t.Context(), "d1")
	require.NoError(t, err, "a job that is gone has lost all")
	require.Zero(t, n)
}

func TestWhatBecameOfTheBuildThatRan(t *testing.T) {
	const build = "/job/jomctl-drill-running/7/api/json"
	queue := func(job string) string { return `{"items":[{"id":3,"task":{"name":"` + job + `"}}]}` }
	for name, c := range map[string]struct {
		texts map[string]string
		want  string
	}{
		"completed":       {map[string]string{build: `{"number":7,"result":"SUCCESS"}`}, "completed"},
		"failed":          {map[string]string{build: `{"number":7,"result":"FAILURE"}`}, "failed"},
		"aborted":         {map[string]string{build: `{"number":7,"result":"ABORTED"}`}, "failed"},
		"running":         {map[string]string{build: `{"number":7,"building":true}`}, "running"},
		"waits again":     {map[string]string{"/queue/api/json": queue(runningJob), "/computer/api/json": `{}`}, "requeued"},
		"runs again":      {map[string]string{"/queue/api/json": `{}`, "/computer/api/json": `{"computer":[{"executors":[{"currentExecutable":{"fullDisplayName":"jomctl-drill-running #8","url":"u"}}]}]}`}, "requeued"},
		"another waits":   {map[string]string{"/queue/api/json": queue(canaryJob), "/computer/api/json": `{"computer":[{"executors":[{"currentExecutable":{"fullDisplayName":"jomctl-drill #8","url":"u"}}]}]}`}, "lost"},
		"gone altogether": {map[string]string{"/queue/api/json": `{}`, "/computer/api/json": `{}`}, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			c.texts["/api/json"] = `{}`
			c.texts["/job/jomctl-drill-running/api/json"] = `{"name":"jomctl-drill-running","url":"/job/jomctl-drill-running"}`
			fate, err := controllerWith(t, c.texts).Fate(t.Context(), 7)
			require.NoError(t, err)
			require.Equal(t, c.want, fate)
		})
	}
	_, err := controllerWith(t, map[string]string{"/api/json": `{}`}).Fate(t.Context(), 7)
	require.Error(t, err, "a controller that cannot be asked has not lost the build")
}

func TestOnlyBuildsThatEndedWellAreThere(t *testing.T) {
	j := controllerWith(t, map[string]string{"/api/json": `{}`, "/job/jomctl-drill/api/json": `{"name":"jomctl-drill","url":"/job/jomctl-drill"}`,
		"/job/jomctl-drill/1/api/json": `{"number":1,"result":"SUCCESS"}`, "/job/jomctl-drill/2/api/json": `{"number":2,"result":"FAILURE"}`})
	there, err := j.Builds(t.Context(), []int64{1, 2, 3})
	require.NoError(t, err)
	require.Equal(t, []int64{1}, there)
}
