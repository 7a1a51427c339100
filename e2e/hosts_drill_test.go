package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
)

// TestHostsAreDrilled has faults that only machines of their own can have: their network cut by real packet filters, and their power off.
func TestHostsAreDrilled(t *testing.T) {
	needsLab(t)
	b := newLabBenchOf(t, lab.Control("m1"), lab.Agent("a1"), lab.Agent("a2"))
	b.file("mesos")
	text, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(t, err)
	power := "docker %s " + b.lab.Name + `-"$HOST" >/dev/null`
	b.write(string(text) + "drill: {stage: production, power: {off: '" + strings.ReplaceAll(power, "%s", "kill --signal KILL") + "', on: '" + strings.ReplaceAll(power, "%s", "start") + "'}}\n")
	b.install().ok()
	b.ready(2 * time.Minute)
	b.on("a1", "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends nftables")

	require.Contains(t, b.run("drill", "run", "controller-killed", "--yes").exits(2).errOut, "production", "a yes is not enough")
	for _, name := range []string{"network-cut", "mesos-agent-host-off", "controller-killed"} {
		var answer drillAnswer
		r := b.run("drill", "run", name, "--confirm", "ci", "-o", "json")
		require.Contains(t, []int{0, 4}, r.code, "%s\n%s", r.errOut, r.out)
		r.json(&answer)
		require.Len(t, answer.Scenarios, 1)
		require.True(t, answer.Scenarios[0].Recovered, "%v", answer.Scenarios[0].Reasons)
		require.Zero(t, answer.Scenarios[0].Lost.Configurations)
		require.NotContains(t, strings.Join(answer.Scenarios[0].Reasons, ";"), "two controllers")
		t.Logf("%s: %+v", name, answer.Scenarios[0])
	}
	require.NotContains(t, b.on("a1", "nft list tables"), "jomctl_drill", "the rules are gone")
	require.NotContains(t, b.on("a1", "systemctl list-timers --all"), "jomctl-drill-undo", "and so is the timer")
	require.Contains(t, b.run("drill", "history").ok().out, "network-cut")
}
