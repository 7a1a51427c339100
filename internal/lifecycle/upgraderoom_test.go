package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
)

func TestUpgradeTheNewControllerNeedsAPlace(t *testing.T) {
	agent := func(host string, cpus, mem float64) cluster.Agent {
		return cluster.Agent{ID: "S-" + host, Hostname: host, Active: true, Total: cluster.Resources{CPUs: 4, Mem: 4096}, Used: cluster.Resources{CPUs: cpus, Mem: mem}}
	}
	away, drained := agent("a", 0, 0), agent("a", 0, 0)
	away.Active, drained.Deactivated = false, true
	old := []cluster.Task{{AgentID: "S-a", Resources: cluster.Resources{CPUs: 1, Mem: 2048}}}
	need := cluster.Resources{CPUs: 1, Mem: 2048}
	for name, c := range map[string]struct {
		agents []cluster.Agent
		host   string
		want   string
	}{
		"where the old one was":   {[]cluster.Agent{agent("a", 4, 4096)}, "a", ""},
		"not beside other things": {[]cluster.Agent{agent("b", 4, 4096)}, "", "needs 1 CPUs and 2048 MiB, and 0 CPUs and 0 MiB would be free"},
		"elsewhere":               {[]cluster.Agent{agent("b", 4, 4096), agent("c", 3, 2048)}, "", ""},
		"elsewhere has no home":   {[]cluster.Agent{agent("b", 0, 0)}, "a", "no Mesos agent on a, where the home lies, takes tasks: it is away"},
		"away":                    {[]cluster.Agent{away}, "a", "away, or drained"},
		"drained":                 {[]cluster.Agent{drained, agent("b", 4, 0)}, "a", "away, or drained"},
	} {
		t.Run(name, func(t *testing.T) {
			got := noPlace(c.agents, old, c.host, need)
			if c.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, c.want)
		})
	}
	require.Contains(t, noPlace([]cluster.Agent{agent("a", 4, 4096)}, old, "a", cluster.Resources{CPUs: 1, Mem: 2049}), "2048 MiB would be free", "the new one asks for more")
}
