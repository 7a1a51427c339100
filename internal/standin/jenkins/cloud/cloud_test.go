package cloud

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/fakemaster"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestFirstBuildSaysWhatThePluginSays(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	c, n := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	await(t, m, "launched, the rest declined, suppressed again", "SUBSCRIBE", "UPDATE_FRAMEWORK", "REVIVE", "ACCEPT", "DECLINE", "UPDATE_FRAMEWORK")
	n.RemoveNode(n.names()[0])
	testkit.Eventually(t, time.Minute, "the kill and its status", func(context.Context) bool { return len(m.Calls()) == 10 })
	requireLikeRecorded(t, readRecorded(t, "calls-01.jsonl"), m.Calls())
}

func TestTwoLaunchesGoIntoOneAccept(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	c, _ := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	await(t, m, "a first build is over", "SUBSCRIBE", "UPDATE_FRAMEWORK", "REVIVE", "ACCEPT", "DECLINE", "UPDATE_FRAMEWORK")
	before := len(m.Calls())
	testkit.Eventually(t, time.Minute, "a rest has gathered two tokens", func(context.Context) bool {
		c.session.mu.Lock()
		defer c.session.mu.Unlock()
		return c.session.tokens == 2
	})
	c.Provision("dock", 1)
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "both launched", func(context.Context) bool { return len(m.Calls()) == before+9 })
	requireLikeRecorded(t, readRecorded(t, "calls-02.jsonl"), m.Calls()[before:])
}

func TestCutStreamIsSubscribedAgainAndForgetsItsPods(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	c, n := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	await(t, m, "first launch", "SUBSCRIBE", "UPDATE_FRAMEWORK", "REVIVE", "ACCEPT", "DECLINE", "UPDATE_FRAMEWORK")
	old := n.names()[0]
	before := len(m.Calls())
	m.Cut()
	testkit.Eventually(t, time.Minute, "subscribed again", func(context.Context) bool { return len(m.Calls()) >= before+2 })
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "second launch", func(context.Context) bool { return len(m.Calls()) == before+8 })
	requireLikeRecorded(t, readRecorded(t, "calls-03.jsonl"), m.Calls()[before:])
	n.RemoveNode(old)
	require.NotContains(t, m.Types(), "KILL", "the new stream does not know the old pod")
	require.Contains(t, m.Tasks(), old)
}

func TestRedirectIsFollowedForSubscribeAndCalls(t *testing.T) {
	t.Parallel()
	leader := fakemaster.Start(t, &fakemaster.Master{})
	standby := fakemaster.Start(t, &fakemaster.Master{})
	standby.Redirect(leader.URL())
	c, _ := start(t, config(standby.URL()), fast())
	c.Provision("mesos", 1)
	await(t, leader, "launched by the leader", "SUBSCRIBE", "UPDATE_FRAMEWORK", "REVIVE", "ACCEPT", "DECLINE", "UPDATE_FRAMEWORK")
	first, second := []recorded{}, []recorded{}
	for _, r := range readRecorded(t, "calls-07.jsonl") {
		if r.Master == "first" {
			first = append(first, r)
		} else {
			second = append(second, r)
		}
	}
	testkit.Eventually(t, time.Minute, "all acknowledged", func(context.Context) bool { return len(leader.Calls()) == len(second) })
	requireLikeRecorded(t, first, standby.Calls())
	requireLikeRecorded(t, second, leader.Calls())
}

func TestRemovedFrameworkIsGivenUpAfterSixTries(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	m.Remove()
	c, n := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "the node of the dead session is gone", func(context.Context) bool { return len(m.Calls()) == 6 && len(n.names()) == 0 })
	requireLikeRecorded(t, readRecorded(t, "calls-08.jsonl"), m.Calls())
	c.Provision("mesos", 1)
	require.Empty(t, n.names(), "every later launch fails for good")
	require.Len(t, m.Calls(), 6)
}

func TestEndlessRetriesSurviveAnOutage(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	m.Down(true)
	o := fast()
	o.ConnectionRetries = -1
	c, _ := start(t, config(m.URL()), o)
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "more tries than the default allows", func(context.Context) bool { return len(m.Calls()) > 8 })
	m.Down(false)
	testkit.Eventually(t, time.Minute, "launched after the outage", func(context.Context) bool { return slices.Contains(m.Types(), "ACCEPT") })
}

func TestMasterOlderThan190IsRefused(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Version: "1.8.1"})
	c, n := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "given up", func(context.Context) bool { return len(m.Calls()) == 6 && len(n.names()) == 0 })
	require.NotContains(t, m.Types(), "UPDATE_FRAMEWORK")
}

func TestTwoControllersStealTheSubscription(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Silent: true})
	a, _ := start(t, config(m.URL()), fast())
	b, _ := start(t, config(m.URL()), fast())
	a.Provision("mesos", 1)
	b.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "each subscribes again and again", func(context.Context) bool {
		subscribes := 0
		for _, s := range m.Types() {
			if s == "SUBSCRIBE" {
				subscribes++
			}
		}
		return subscribes >= 6
	})
	require.NotContains(t, m.Types(), "ACCEPT")
}

func TestUnknownRunningTaskIsKilled(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	c, _ := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "launched", func(context.Context) bool { return slices.Contains(m.Types(), "ACCEPT") })
	m.Update("jenkins-agent-mesos-old", mesos.TASK_RUNNING, "")
	testkit.Eventually(t, time.Minute, "killed", func(context.Context) bool {
		for _, call := range m.Calls() {
			if call.Kill != nil && call.Kill.TaskID.Value == "jenkins-agent-mesos-old" {
				return true
			}
		}
		return false
	})
}

func TestIdleNodesAreTakenAwayAndTheirTasksKilled(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	o := fast()
	o.Idle = time.Second
	c, n := start(t, config(m.URL()), o)
	c.Provision("mesos", 2)
	testkit.Eventually(t, time.Minute, "two tasks", func(context.Context) bool { return len(m.Tasks()) == 2 || slices.Contains(m.Types(), "KILL") })
	testkit.Eventually(t, time.Minute, "nothing left", func(context.Context) bool { return len(m.Tasks()) == 0 && len(n.names()) == 0 })
}

func TestIdleTimeOfZeroTakesNodesAwayThatStillStart(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Silent: true})
	o := fast()
	o.IdleEvery = 50 * time.Millisecond
	cfg := config(m.URL())
	cfg.Templates[0].IdleMinutes = 0
	c, n := start(t, cfg, o)
	c.Provision("mesos", 1)
	c.Provision("dock", 1)
	testkit.Eventually(t, time.Minute, "only the one with an idle time stays", func(context.Context) bool {
		names := n.names()
		return len(names) == 1 && strings.HasPrefix(names[0], "jenkins-agent-dock-")
	})
	require.NotContains(t, m.Types(), "KILL", "it had not been launched")
}

func TestReloadWithAnotherMasterKeepsTheSession(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{})
	other := fakemaster.Start(t, &fakemaster.Master{})
	c, _ := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "launched", func(context.Context) bool { return slices.Contains(m.Types(), "ACCEPT") })
	changed := config(other.URL())
	require.True(t, c.Same(changed))
	c.Update(changed)
	c.Provision("dock", 1)
	testkit.Eventually(t, time.Minute, "launched over the old connection", func(context.Context) bool { return len(m.Tasks()) == 2 })
	require.Empty(t, other.Calls())
	changed.FrameworkID = "jenkins-7f3c-e4"
	require.False(t, c.Same(changed), "another id is another session")
}

func TestTemplateWithoutExecutorsIsABoundedStorm(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{Silent: true})
	c, n := start(t, config(m.URL()), fast())
	c.mu.Lock()
	c.made = maxStorm - 20
	c.mu.Unlock()
	c.Provision("storm", 1)
	require.Len(t, n.names(), 20, "one build waits, and the loop goes on until its bound")
}

func TestOffersThatDoNotFitAreDeclined(t *testing.T) {
	t.Parallel()
	m := fakemaster.Start(t, &fakemaster.Master{CPUs: 0.4, Mem: 8192})
	c, _ := start(t, config(m.URL()), fast())
	c.Provision("mesos", 1)
	testkit.Eventually(t, time.Minute, "declined", func(context.Context) bool { return slices.Contains(m.Types(), "DECLINE") })
	require.NotContains(t, m.Types(), "ACCEPT")
}
