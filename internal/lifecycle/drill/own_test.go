package drill

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/probe"
)

const ownFile = "name: dns-away\nhypothesis: nobody notices\nblastRadius: nothing\nhost: c1\ninject: mv a b\nundo: mv b a\nhold: 5s\nrecovered: test -e a\nrecovery: 30s\nbears: [edge]\n"

// withOwn is a cluster whose file names a scenario of such a text.
func withOwn(t *testing.T, text string) *config.Cluster {
	t.Helper()
	c := testCluster()
	c.File = filepath.Join(t.TempDir(), "cluster.yaml")
	c.Drill = &config.Drill{Scenarios: []string{"drills/own.yaml"}}
	require.NoError(t, os.MkdirAll(filepath.Join(filepath.Dir(c.File), "drills"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(c.File), "drills", "own.yaml"), []byte(text), 0o600))
	return c
}

// TestABadScenarioSaysWhereWhatAndHow has in each error the file, the key, its value, and what to write instead.
func TestABadScenarioSaysWhereWhatAndHow(t *testing.T) {
	replaced := func(from, to string) string {
		require.Contains(t, ownFile, from)
		return strings.Replace(ownFile, from, to, 1)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":             {"", []string{"the file is empty", "inject"}},
		"only a comment":    {"# later\n", []string{"the file is empty"}},
		"a list":            {"- name: x\n", []string{"1:"}},
		"not YAML":          {"name: [\n", []string{"1:"}},
		"no name":           {replaced("name: dns-away\n", ""), []string{`name ""`, "DNS label"}},
		"a name with a dot": {replaced("dns-away", "dns.away"), []string{`name "dns.away"`, "small letters"}},
		"a name as a path":  {replaced("dns-away", "../x"), []string{`name "../x"`}},
		"a name twice":      {replaced("dns-away", "edge-killed"), []string{"there is a scenario edge-killed already"}},
		"no hypothesis":     {replaced("hypothesis: nobody notices\n", ""), []string{`hypothesis ""`, "what should happen"}},
		"no blast radius":   {replaced("blastRadius: nothing\n", ""), []string{`blastRadius ""`, "what users lose"}},
		"no fault":          {replaced("inject: mv a b\n", ""), []string{"inject: is required", "command"}},
		"an empty fault":    {replaced("inject: mv a b", `inject: "  "`), []string{"inject: is required"}},
		"an unknown host":   {replaced("host: c1", "host: z9"), []string{`host "z9"`, "no host of that name", "leave it out"}},
		"hold and no undo":  {replaced("undo: mv b a\n", ""), []string{"hold 5s", "needs an undo"}},
		"hold, empty undo":  {replaced("undo: mv b a", `undo: " "`), []string{`undo " "`, "is no command"}},
		"an empty undo":     {strings.Replace(replaced("undo: mv b a", `undo: " "`), "hold: 5s\n", "", 1), []string{`undo " "`, "leave it out"}},
		"a negative hold":   {replaced("hold: 5s", "hold: -5s"), []string{`hold "-5s"`, "must not be negative"}},
		"no unit":           {replaced("hold: 5s", "hold: five"), []string{`hold "five"`, "for example 30s"}},
		"a negative target": {replaced("recovery: 30s", "recovery: -30s"), []string{`recovery "-30s"`}},
		"bears the moon":    {replaced("[edge]", "[edge, moon]"), []string{`bears: "moon" is none of edge, api`}},
		"a bare number":     {replaced("hold: 5s", "hold: 5"), []string{`hold "5"`, "has no unit"}},
		"a misspelt key":    {replaced("inject:", "injekt:"), []string{"injekt"}},
		"a key twice":       {ownFile + "hold: 9s\n", []string{"hold"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := All(withOwn(t, c.text))
			var usage *UsageError
			require.ErrorAs(t, err, &usage)
			require.Equal(t, 2, usage.ExitCode())
			require.Contains(t, err.Error(), "drill.scenarios: drills/own.yaml: ")
			for _, want := range c.want {
				require.Contains(t, err.Error(), want)
			}
		})
	}
	c := withOwn(t, ownFile)
	c.Drill.Scenarios = []string{"drills/none.yaml"}
	_, err := All(c)
	require.ErrorContains(t, err, "drill.scenarios: drills/none.yaml: ")
	require.ErrorContains(t, err, "no such file")
	c.Drill = &config.Drill{Targets: []config.DrillTarget{{Scenario: "edge-killed"}, {Scenario: "controler-killed"}}}
	_, err = All(c)
	require.ErrorContains(t, err, `drill.targets[1].scenario "controler-killed": there is no scenario`)
	require.ErrorContains(t, err, "there are controller-killed, ")
	c = withOwn(t, ownFile)
	c.Drill.Targets = []config.DrillTarget{{Scenario: "dns-away", Recovery: config.Duration(time.Second)}}
	all, err := All(c)
	require.NoError(t, err)
	require.Equal(t, 1.0, TargetOf(c, all[len(all)-1]).Recovery, "the cluster file's target is for own scenarios, too")
}

func TestWhatAnOwnScenarioLeavesOut(t *testing.T) {
	all, err := All(withOwn(t, "name: a\nhypothesis: h\nblastRadius: b\ninject: i\n"))
	require.NoError(t, err)
	s := all[len(all)-1]
	require.True(t, s.Own)
	require.Equal(t, []any{"a", time.Minute, probe.Targets(), "b"}, []any{s.Title, s.Recovery, s.Bears, s.Blast(Facts{})})
	require.Empty(t, lastingOf(s.Faults(Facts{})), "what has no undo has ended by itself")
	require.NoError(t, Refuse(s, Facts{Report: readyReport()}))
	require.Equal(t, 30*time.Second, ownOf(t).Recovery)
	require.Len(t, lastingOf(ownOf(t).Faults(Facts{})), 1)
}

// TestAnOwnScenarioIsOverWhenItsConditionHolds has one that holds only the third time that it is asked.
func TestAnOwnScenarioIsOverWhenItsConditionHolds(t *testing.T) {
	s := ownOf(t)
	s.Hold = time.Millisecond
	f := &fake{commandFails: 2}
	results, err := execute(t, t.Context(), f, t.TempDir(), op.Options{}, s)
	require.NoError(t, err)
	require.True(t, results[0].Passed, "%v", results[0].Reasons)
	require.Equal(t, []string{"c1: test -e a", "c1: test -e a", "c1: test -e a"}, f.commands)
	require.Equal(t, []string{"command mv a b on c1"}, f.ever)
	require.Equal(t, f.ever, f.undone)

	// It never holds: not recovered, and taken back all the same.
	f = &fake{commandFails: 1 << 30}
	s.Recovery = time.Millisecond
	pace := quickly()
	pace.Extra = 100 * time.Millisecond
	facts, err := f.Look(t.Context())
	require.NoError(t, err)
	results, err = Execute(t.Context(), f, []Scenario{s}, facts, Options{Cluster: testCluster(), State: t.TempDir(), Pace: pace}, op.Options{})
	var failed *FailedError
	require.ErrorAs(t, err, &failed)
	require.Contains(t, failed.Problem, "not recovered within ")
	require.False(t, results[0].Recovered)
	require.Equal(t, f.ever, f.undone)
}

func ownOf(t *testing.T) Scenario {
	t.Helper()
	all, err := All(withOwn(t, ownFile))
	require.NoError(t, err)
	return all[len(all)-1]
}

func TestScenariosAreChosenByNameOrSuite(t *testing.T) {
	facts, err := (&fake{}).Look(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		names []string
		suite string
		want  string
	}{
		"none":       {nil, "", "say which scenarios"},
		"both":       {[]string{"edge-killed"}, "standard", "not both"},
		"no suite":   {nil, "quick", `no suite "quick"`},
		"no name":    {[]string{"edge-kiled"}, "", `no scenario "edge-kiled"`},
		"name twice": {[]string{"edge-killed", "edge-killed"}, "", "named twice; --repeat 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Choose(Builtin(), c.names, c.suite, facts)
			var usage *UsageError
			require.ErrorAs(t, err, &usage)
			require.ErrorContains(t, err, c.want)
		})
	}
	chosen, err := Choose(Builtin(), []string{"edge-killed", "controller-killed"}, "", facts)
	require.NoError(t, err)
	require.Equal(t, []string{"edge-killed", "controller-killed"}, []string{chosen[0].Name, chosen[1].Name}, "in the order in which they were named")
}
