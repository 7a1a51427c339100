package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
)

// mesosAgent is a Mesos agent as the leading master has it.
type mesosAgent struct {
	ID, Hostname string
	Attributes   map[string]any
}

// mesosAgents are the Mesos agents by the names of their hosts, as the leading master has them behind the edge.
func (b *labBench) mesosAgents() map[string]mesosAgent {
	b.t.Helper()
	q, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, provision.EdgeURL(b.cluster(), provision.EdgeMasterPort)+"/slaves", nil)
	require.NoError(b.t, err)
	response, err := http.DefaultClient.Do(q)
	require.NoError(b.t, err)
	defer response.Body.Close()
	var answer struct{ Slaves []mesosAgent }
	require.NoError(b.t, json.NewDecoder(response.Body).Decode(&answer))
	agents := map[string]mesosAgent{}
	for _, h := range b.lab.Hosts {
		for _, agent := range answer.Slaves {
			if agent.Hostname == h.Address {
				agents[h.Name] = agent
			}
		}
	}
	return agents
}

func (b *labBench) cluster() *config.Cluster {
	b.t.Helper()
	c, err := config.Load(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	return c
}

// jenkins is a client of the controller as its admin.
func (b *labBench) jenkins() *jenkins.Client {
	b.t.Helper()
	c := b.cluster()
	password, err := c.Jenkins.Admin.Password.Resolve(c)
	require.NoError(b.t, err)
	client := jenkins.New(provision.EdgeURL(c, provision.EdgeControllerPort), c.Jenkins.Admin.User, password)
	b.t.Cleanup(client.Close)
	return client
}

// hold starts a build that runs until release ends it, and waits until it runs on this host, which must be the only one in service.
func (b *labBench) hold(job, host string) (release func()) {
	b.t.Helper()
	client := b.jenkins()
	require.NoError(b.t, client.EnsureJob(b.t.Context(), job, jenkins.FreestyleJob("mesos", "touch /tmp/"+job+"-runs; while [ ! -e /tmp/"+job+"-ends ]; do sleep 0.2; done", "a test's")))
	_, err := client.StartBuild(b.t.Context(), job)
	require.NoError(b.t, err)
	testkit.Eventually(b.t, 2*time.Minute, job+" runs on "+host, func(context.Context) bool {
		_, err := b.lab.Run(host, "test", "-e", "/tmp/"+job+"-runs")
		return err == nil
	})
	return func() { b.t.Helper(); b.on(host, "touch /tmp/"+job+"-ends") }
}

// ended waits until the first build of a job has ended, and returns its result.
func (b *labBench) ended(job string) string {
	b.t.Helper()
	client, result := b.jenkins(), ""
	testkit.Eventually(b.t, 2*time.Minute, job+" has ended", func(ctx context.Context) bool {
		build, err := client.Build(ctx, job, 1)
		result = build.Result
		return err == nil && !build.Building
	})
	return result
}

// states are the states of the Mesos agents as `agents list` has them.
func (b *labBench) states() map[string]string {
	b.t.Helper()
	var answer struct {
		Agents []struct{ Name, State string }
	}
	b.run("agents", "list", "-o", "json").ok().json(&answer)
	states := map[string]string{}
	for _, agent := range answer.Agents {
		states[agent.Name] = agent.State
	}
	return states
}

func agentAdded(b *labBench) {
	before := b.ready(time.Minute).pids()
	r := b.run("agents", "add", "a3", "--address", b.lab.Host("a3").Address, "--attribute", "rack=r3", "--attribute", "disk=ssd", "--yes", "--accept-host-keys").ok()
	require.Contains(b.t, r.out, "Added: a3")
	require.Equal(b.t, map[string]string{"a1": "active", "a2": "active", "a3": "active"}, b.states())
	require.Equal(b.t, map[string]any{"rack": "r3", "disk": "ssd"}, b.mesosAgents()["a3"].Attributes)
	table := b.run("agents", "list").ok().out
	require.Regexp(b.t, `(?m)^a1 .*controller, home`, table)
	require.Regexp(b.t, `(?m)^a3 .*active`, table)
	after := b.ready(time.Minute).pids()
	for name, pid := range before {
		require.Equal(b.t, pid, after[name], "%s was restarted", name)
	}
}

func agentDrained(b *labBench) {
	b.run("agents", "drain", "a1", "a3", "--yes").ok()
	require.Equal(b.t, map[string]string{"a1": "drained", "a2": "active", "a3": "drained"}, b.states())
	release := b.hold("waited-for", "a2")
	r := b.run("agents", "drain", "a2", "--timeout", "1s", "--yes").exits(1)
	require.Contains(b.t, r.errOut, "waited-for #1")
	require.Contains(b.t, r.errOut, "jomctl agents undrain a2")
	require.Equal(b.t, "draining", b.states()["a2"])

	talk, end := b.talking("agents", "drain", "a2", "--yes", "--verbose")
	testkit.Eventually(b.t, time.Minute, "the drain says what it waits for", func(context.Context) bool { return strings.Contains(talk(), "waited-for #1") })
	release()
	end().ok()
	require.Equal(b.t, "SUCCESS", b.ended("waited-for"))
	require.Equal(b.t, "drained", b.states()["a2"])
	b.run("agents", "undrain", "a2", "--yes").ok()
	require.Equal(b.t, "active", b.states()["a2"])
}

// attributesChanged finds a1 and a3 drained, so that builds run on a2, and the controller on a1.
func attributesChanged(b *labBench) {
	b.hold("lost", "a2")
	before, task := b.mesosAgents(), b.status().Controller.Task
	attributes := func(a2 string) {
		b.describe("", map[string]string{"a1": "attributes: {rack: r1}", "a2": a2, "a3": "attributes: {rack: r3, disk: ssd}"}, "m1", "a1", "a2", "a3")
	}
	attributes("attributes: {rack: r2}")
	require.Contains(b.t, b.run("install", "--plan").ok().out, "lost on a2: lost #1", "a restart ends builds")
	attributes("")
	require.NotContains(b.t, b.run("install", "--plan").ok().out, "lost on")
	b.install().ok()
	after := b.mesosAgents()
	require.Equal(b.t, map[string]any{"rack": "r1"}, after["a1"].Attributes)
	require.Equal(b.t, before["a1"].ID, after["a1"].ID, "the Mesos agent is the same one")
	require.Equal(b.t, task, b.status().Controller.Task, "and the controller goes on")
	build, err := b.jenkins().Build(b.t.Context(), "lost", 1)
	require.NoError(b.t, err)
	require.True(b.t, build.Building, "as builds on other hosts do")

	b.describe("", map[string]string{"a1": "attributes: {rack: r9}", "a2": "", "a3": "attributes: {rack: r3, disk: ssd}"}, "m1", "a1", "a2", "a3")
	r := b.run("install").exits(2)
	for _, want := range []string{"its tasks end", "the controller runs on a1: it is restarted", "there is no terminal to ask on"} {
		require.Contains(b.t, r.errOut, want)
	}
	require.Equal(b.t, after["a1"].ID, b.mesosAgents()["a1"].ID, "nothing was changed")
	b.describe("", map[string]string{"a1": "attributes: {rack: r1}", "a2": "attributes: {rack: r2}", "a3": "attributes: {rack: r4}"}, "m1", "a1", "a2", "a3")
	b.install().ok()
	require.NotEqual(b.t, "SUCCESS", b.ended("lost"))
	now := b.mesosAgents()
	require.Equal(b.t, map[string]any{"rack": "r2"}, now["a2"].Attributes)
	require.Equal(b.t, map[string]any{"rack": "r4"}, now["a3"].Attributes)
	require.Equal(b.t, after["a2"].ID, now["a2"].ID)
	require.NotEqual(b.t, after["a3"].ID, now["a3"].ID, "another value needs a new identity")
	require.Equal(b.t, task, b.status().Controller.Task)
	b.run("agents", "undrain", "a1", "a3", "--yes") // a3 is a new one, which nobody has drained
	b.ready(time.Minute)
}

func agentRemoved(b *labBench) {
	b.run("agents", "remove", "a1", "--yes").exits(3) // it has the home
	r := b.run("agents", "remove", "a3", "--yes").ok()
	require.Contains(b.t, r.out, "Removed: a3")
	require.Empty(b.t, b.on("a3", traces))
	require.Equal(b.t, map[string]string{"a1": "active", "a2": "active"}, b.states())
	require.Len(b.t, b.mesosAgents(), 2)
	b.ready(time.Minute)
	require.Contains(b.t, b.install().ok().errOut, "nothing to do")
}
