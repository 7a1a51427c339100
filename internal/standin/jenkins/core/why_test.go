package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
)

func why(c *Controller, item *Item) (text any, stuck bool) {
	c.Locked(func() { text, stuck = c.Why(item), c.Stuck(item) })
	return text, stuck
}

func TestWhyItemsWait(t *testing.T) {
	c := open(t, t.TempDir(), 1)
	create(t, c, "nolabel", job("", "sleep 300"))
	create(t, c, "lab", job("x", "true"))
	create(t, c, "other", job("", "true"))
	lab := schedule(t, c, "lab")
	eventually(t, c, "buildable", lab.Buildable)
	expect := func(item *Item, want any, wantStuck bool) {
		t.Helper()
		text, stuck := why(c, item)
		require.Equal(t, want, text)
		require.Equal(t, wantStuck, stuck)
	}
	expect(lab, "‘Jenkins’ doesn’t have label ‘x’", true)
	running := schedule(t, c, "nolabel")
	eventually(t, c, "it runs", running.Left)
	expect(lab, "Waiting for next available executor", true)
	expect(running, nil, false)
	second := schedule(t, c, "nolabel")
	eventually(t, c, "blocked", second.Blocked)
	expect(second, "Build #1 is already in progress (ETA: N/A)", false)
	other := schedule(t, c, "other")
	eventually(t, c, "buildable", other.Buildable)
	expect(other, "Waiting for next available executor", false)
	c.Locked(func() {
		require.NoError(t, c.AddNode(&Node{Name: "a1", Labels: []string{"x"}, Mode: "NORMAL", NumExecutors: 1}))
	})
	expect(lab, "‘a1’ is offline", true)
	c.Locked(func() {
		require.NoError(t, c.AddNode(&Node{Name: "a2", Labels: []string{"x"}, Mode: "NORMAL", NumExecutors: 1}))
	})
	expect(lab, "All nodes of label ‘x’ are offline", true)
	c.QuietDown(true, "m")
	expect(lab, "Jenkins is about to shut down", true)
	expect(second, "Build #1 is already in progress (ETA: N/A)", false)
	c.QuietDown(false, "")
}

func TestWhyItemsWaitForBuildAgents(t *testing.T) {
	none := open(t, t.TempDir(), 0)
	create(t, none, "lab", job("x", "true"))
	item := schedule(t, none, "lab")
	eventually(t, none, "buildable", item.Buildable)
	text, stuck := why(none, item)
	require.Equal(t, "Waiting for next available executor", text, "without any node there is no talk of labels")
	require.True(t, stuck)
	none.AddEphemeral(&Node{Name: "other", Labels: []string{"y"}, NumExecutors: 1}, nil)
	text, _ = why(none, item)
	require.Equal(t, "There are no nodes with the label ‘x’", text)
	none.Locked(func() {
		none.Node("other").Labels = []string{"x"}
		none.Node("other").channel = &agent.Channel{}
		none.Node("other").accepted = true
	})
	text, stuck = why(none, item)
	require.Equal(t, "‘other’ is not accepting tasks", text)
	require.False(t, stuck)
	none.Locked(func() { none.Node("other").running[0] = &Build{} })
	text, _ = why(none, item)
	require.Equal(t, "Waiting for next available executor on ‘other’", text)
	none.AddEphemeral(&Node{Name: "another", Labels: []string{"x"}, NumExecutors: 1}, nil)
	text, _ = why(none, item)
	require.Equal(t, "Waiting for next available executor on ‘x’", text)
	none.Locked(func() { none.Node("other").running[0], none.Node("other").channel = nil, nil })
}

func TestWhyItemsWaitForAnExclusiveNode(t *testing.T) {
	exclusive := open(t, t.TempDir(), 1)
	exclusive.Locked(func() { exclusive.cfg.Mode = "EXCLUSIVE"; require.NoError(t, exclusive.SaveConfig()) })
	create(t, exclusive, "nolabel", job("", "true"))
	item := schedule(t, exclusive, "nolabel")
	eventually(t, exclusive, "buildable", item.Buildable)
	text, _ := why(exclusive, item)
	require.Equal(t, "‘Jenkins’ is reserved for jobs with matching label expression", text)
}
