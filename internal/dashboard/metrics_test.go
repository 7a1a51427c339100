package dashboard

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
)

// described are the names of all metrics, also of those without a value now.
func described(t *testing.T, c prometheus.Collector) map[string]bool {
	t.Helper()
	out := make(chan *prometheus.Desc, 200)
	c.Describe(out)
	close(out)
	names := map[string]bool{}
	for desc := range out {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(desc.String())[1]
		require.False(t, names[name], "%s is there twice", name)
		names[name] = true
	}
	return names
}

func TestMetricsAreNamedAsPrometheusWants(t *testing.T) {
	w := newWorld()
	hub := newTestHub(t, w)
	collector := newCollector(hub.Snapshot)
	require.Zero(t, testutil.CollectAndCount(collector), "before the first look nothing is known")
	hub.Poll(t.Context())
	hub.Probed(Probe{Target: "edge", Up: true})
	problems, err := testutil.CollectAndLint(collector)
	require.NoError(t, err)
	require.Empty(t, problems)
	names := described(t, collector)
	for name := range names {
		require.NotZero(t, testutil.CollectAndCount(collector, name), "%s has a value in a whole cluster", name)
	}
	require.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(`
# HELP jomctl_home_unpushed_age_seconds Age of the oldest change of the home that the repository does not have; 0 when it has all.
# TYPE jomctl_home_unpushed_age_seconds gauge
jomctl_home_unpushed_age_seconds 40
# HELP jomctl_mesos_agent_memory_bytes Memory that the Mesos agent offers.
# TYPE jomctl_mesos_agent_memory_bytes gauge
jomctl_mesos_agent_memory_bytes{agent="10.0.0.11"} 8.589934592e+09
jomctl_mesos_agent_memory_bytes{agent="10.0.0.12"} 8.589934592e+09
# HELP jomctl_queue_oldest_wait_seconds How long the oldest waiting build has waited.
# TYPE jomctl_queue_oldest_wait_seconds gauge
jomctl_queue_oldest_wait_seconds 90
`), "jomctl_home_unpushed_age_seconds", "jomctl_mesos_agent_memory_bytes", "jomctl_queue_oldest_wait_seconds"))
}

func TestMetricsOfABrokenCluster(t *testing.T) {
	w := newWorld()
	hub := newTestHub(t, w)
	w.change(down)
	w.change(func(r *status.Report) { r.Hosts = append(r.Hosts, r.Hosts[0]) }) // named twice
	hub.Poll(t.Context())
	collector := newCollector(hub.Snapshot)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(collector))
	_, err := registry.Gather()
	require.NoError(t, err)
	require.Zero(t, testutil.CollectAndCount(collector, "jomctl_queue_length"), "what is not known has no value")
	require.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(`
# HELP jomctl_cluster_reachable 1 when at least one part of the cluster answers.
# TYPE jomctl_cluster_reachable gauge
jomctl_cluster_reachable 0
# HELP jomctl_findings Findings, by severity.
# TYPE jomctl_findings gauge
jomctl_findings{severity="error"} 1
jomctl_findings{severity="info"} 0
jomctl_findings{severity="warning"} 1
`), "jomctl_cluster_reachable", "jomctl_findings"))
}

func TestTheGrafanaDashboardAndThePageOfTheDocsNameMetricsThatExist(t *testing.T) {
	names := described(t, newCollector(func() Snapshot { return Snapshot{} }))
	var parsed struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(Grafana(), &parsed))
	used := map[string]bool{}
	for _, panel := range parsed.Panels {
		for _, target := range panel.Targets {
			found := regexp.MustCompile(`jomctl_\w+`).FindAllString(target.Expr, -1)
			require.NotEmpty(t, found, target.Expr)
			for _, name := range found {
				used[name] = true
			}
		}
	}
	require.Greater(t, len(used), 20)
	for name := range used {
		require.True(t, names[name], "%s of grafana.json does not exist", name)
	}
	page, err := os.ReadFile("../../docs/dashboard.md")
	require.NoError(t, err)
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`(jomctl_\\w+)").FindAllStringSubmatch(string(page), -1) {
		documented[name[1]] = true
	}
	require.Equal(t, names, documented)
}
