package platform_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/provision/source"
)

func TestRulesSayWhereTheyStand(t *testing.T) {
	rules, err := platform.Rules()
	require.NoError(t, err)
	require.Len(t, rules, len(source.Components()))
	for _, component := range source.Components() {
		rule := rules[component]
		require.NotEmpty(t, rule.Why, component)
		require.NotEmpty(t, rule.Sources, component)
		for _, page := range rule.Sources {
			require.True(t, strings.HasPrefix(page, "https://"), page)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, one := range []struct {
		component, from, to string
		problem, fix        string
	}{
		{component: source.ZooKeeper, from: "3.8.0", to: "3.8.4"},
		{component: source.ZooKeeper, from: "3.8.0-11+deb12u2", to: "3.9.3"},
		{component: source.ZooKeeper, from: "3.4.14", to: "3.5.10"},
		{component: source.ZooKeeper, from: "3.4.9", to: "3.5.10", problem: "must be 3.4.14 before", fix: "3.4.14 first"},
		{component: source.ZooKeeper, from: "3.6.4", to: "3.8.4", problem: "at once", fix: "newest 3.7.x first"},
		{component: source.ZooKeeper, from: "3.8.4", to: "3.8.0", problem: "older", fix: "3.8.4 or a newer"},
		{component: source.Mesos, from: "1.9.0", to: "1.11.0"},
		{component: source.Mesos, from: "1.11.0-2.0.1", to: "1.11.0-0.7.1.debian12"},
		{component: source.Mesos, from: "1.11.0", to: "1.10.0", problem: "older", fix: "1.11.0"},
		{component: source.Mesos, from: "1.11.0", to: "2.0.0", problem: "two are not", fix: "1.x"},
		{component: source.Mesos, from: "1.7.0", to: "1.8.0", problem: "too old"},
		{component: source.Marathon, from: "1.10.19", to: "1.11.24"},
		{component: source.Marathon, from: "1.9.109", to: "1.11.24", problem: "at once", fix: "newest 1.10.x first"},
		{component: source.Marathon, from: "1.11.24", to: "1.10.19", problem: "older"},
		{component: source.Marathon, from: "1.11.24", to: "", problem: "does not tell its version"},
		{component: source.Marathon, from: "", to: "1.11.24", problem: "running Marathon does not tell"},
	} {
		reason, err := platform.Judge(one.component, one.from, one.to)
		require.NoError(t, err)
		if one.problem == "" {
			require.Nil(t, reason, "%+v", one)
			continue
		}
		require.NotNil(t, reason, "%+v", one)
		require.Contains(t, reason.Problem, one.problem)
		require.Contains(t, reason.Fix, one.fix)
		require.Equal(t, "components."+one.component+".source", reason.Subject)
	}
	_, err := platform.Judge("jenkins", "1", "2")
	require.Error(t, err)
}

func TestSame(t *testing.T) {
	require.True(t, platform.Same("1.11.0-2.0.1", "1.11.0"))
	require.True(t, platform.Same("1:3.8.0-11", "3.8.0"))
	require.False(t, platform.Same("1.11.0", "1.11.1"))
	require.False(t, platform.Same("", ""))
}

func TestTheWayBack(t *testing.T) {
	for _, one := range []struct {
		component, from, to string
		stays               bool
	}{
		{source.ZooKeeper, "3.8.0", "3.8.4", false},
		{source.ZooKeeper, "3.7.0", "3.8.4", true},
		{source.Mesos, "1.9.0", "1.11.0", false},
		{source.Marathon, "1.10.19", "1.11.24", false},
	} {
		p, err := platform.NewPart("role", one.component, one.from, one.to, nil)
		require.NoError(t, err)
		require.Equal(t, one.stays, p.Stays != "", "%+v", one)
	}
}
