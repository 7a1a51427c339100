package e2e

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// drillCluster installs a cluster with a history of the home.
func drillCluster(t *testing.T, name string, control, agents string, more ...string) *bench {
	b := newBench(t)
	out, err := exec.Command("git", "init", "--quiet", "--bare", b.path("history.git")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	b.write("apiVersion: jomctl/v1\nname: " + name + "\ntarget: local\nlocal: {address: " + b.address + ", control: " + control + ", agents: " + agents + "}\n" +
		"jenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}, scm: {repository: ./history.git, debounce: 100ms, maxDelay: 1s}}\n" + strings.Join(more, "\n"))
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
	b.ready(90 * time.Second)
	return b
}

// leftNothing says that no process of the cluster is stopped, and that nothing is written down as left behind.
func (b *bench) leftNothing() {
	b.t.Helper()
	for _, process := range b.processes() {
		pid, _, _ := strings.Cut(process, " ")
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err == nil {
			require.NotContains(b.t, string(stat), ") T ", "%s is stopped", process)
		}
	}
	require.NoFileExists(b.t, b.path(".jomctl", "drill", "active.json"))
}

func TestDrillsAreMeasuredAndTakenBack(t *testing.T) {
	needs(t)
	b := drillCluster(t, "drilled", "1", "2", "drill: {targets: [{scenario: edge-killed, recovery: 1ms}]}")
	require.Contains(t, b.run("drill", "list").ok().out, "network-cut")
	require.Contains(t, b.run("drill", "run", "controller-killed", "--plan").ok().out, "blast radius: ")
	require.Contains(t, b.run("drill", "run", "zookeeper-lost", "--yes").exits(3).errOut, "it needs three")
	require.Contains(t, b.run("drill", "run", "moon", "--yes").exits(2).errOut, "no scenario")

	// Passed, and missed: exit code 4 says that all has recovered, and not in time.
	var answer drillAnswer
	drillSeen(t, b).exits(4).json(&answer)
	require.Len(t, answer.Scenarios, 2)
	killed, edge := answer.Scenarios[0], answer.Scenarios[1]
	require.True(t, killed.Recovered, "%v", killed.Reasons)
	require.Positive(t, killed.Recovery.Seconds)
	require.Positive(t, killed.Recovery.Boot)
	require.Positive(t, killed.Lost.Requests)
	require.Equal(t, 4, killed.Lost.Saved)
	require.Zero(t, killed.Lost.Configurations, "git was reachable, and the disk is there")
	require.Zero(t, killed.Lost.Builds)
	require.True(t, edge.Recovered)
	require.False(t, edge.Passed)
	require.Contains(t, strings.Join(edge.Reasons, ";"), "the target is 0.0 s")
	b.leftNothing()

	drillKilled(b)

	require.NoError(t, xml.Unmarshal([]byte(b.run("drill", "report", "--format", "junit").ok().out), new(struct{ XMLName xml.Name })))
	require.Contains(t, b.run("drill", "report", "--format", "html").ok().out, "data:image/svg")
	require.Contains(t, b.run("drill", "history").ok().out, "controller-killed")
}

// drillSeen runs drills while the dashboard's page is open in a browser, which shows them, their faults and their ends without a reload.
func drillSeen(t *testing.T, b *bench) result {
	t.Helper()
	p := b.openPage(t)
	p.says("histories", "None yet: no drill is recorded")
	ended := make(chan result, 1)
	go func() { ended <- b.run("drill", "run", "controller-killed", "edge-killed", "--yes", "-o", "json") }()
	p.said("running drill run[^]*now: ")
	p.said("controller-killed")
	p.said("controller down since")
	p.picture("drill-running")
	p.said("edge-killed") // it is up again after a second, between two looks perhaps
	r := <-ended
	p.says("histories", "passed Controller process killed[^]*recovered in")
	p.says("histories", "missed Edge killed[^]*the target is 0.0 s")
	p.says("summary", "Ready[^]*edge up since")
	p.says("histories", "done drill run")
	p.picture("drill-ended")
	return r
}

// drillKilled kills jomctl while a fault is in force; the next command that changes something takes it back first.
func drillKilled(b *bench) {
	t := b.t
	cmd := b.command(context.Background(), "drill", "run", "mesos-agent-stopped", "--yes")
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	testkit.Eventually(t, 2*time.Minute, "the fault is made", func(context.Context) bool {
		select {
		case err := <-ended:
			t.Fatalf("the drill has ended: %v", err)
		default:
		}
		return b.stopped() > 0
	})
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	<-ended
	require.Positive(t, b.stopped(), "nobody has taken it back yet")
	shown := b.run("status").exits(4).out
	require.Contains(t, shown, "drill mesos-agent-stopped: was killed, and its fault")
	require.Contains(t, shown, "jomctl drill undo")
	testkit.Eventually(t, time.Minute, "the next run takes it back", func(context.Context) bool {
		r := b.run("prove", "--yes", "--sleep", "1s", "--builds", "1")
		require.NotContains(t, r.errOut, "panic")
		return b.stopped() == 0
	})
	b.leftNothing()
	b.ready(2 * time.Minute)
}

// stopped counts the processes of the cluster that are stopped.
func (b *bench) stopped() int {
	n := 0
	for _, process := range b.processes() {
		pid, _, _ := strings.Cut(process, " ")
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && strings.Contains(string(stat), ") T ") {
			n++
		}
	}
	return n
}
