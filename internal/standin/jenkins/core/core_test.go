package core

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/testkit"
)

func job(label, script string) []byte {
	roam := ""
	if label == "" {
		roam = "<canRoam>true</canRoam>"
	}
	return []byte("<project>" + roam + "<assignedNode>" + label + "</assignedNode><builders><hudson.tasks.Shell><command>" + script + "</command></hudson.tasks.Shell></builders></project>")
}

// open loads a home; the controller is stopped at the end of the test.
func open(t *testing.T, dir string, executors int) *Controller {
	t.Helper()
	cfg, err := home.LoadConfig(dir)
	require.NoError(t, err)
	cfg.NumExecutors = executors
	users, _, err := home.LoadUsers(dir)
	require.NoError(t, err)
	c, err := New(Options{Home: dir, Version: "2.568.3", Tick: 20 * time.Millisecond, Clock: 10 * time.Millisecond, Log: io.Discard}, cfg, users)
	require.NoError(t, err)
	t.Cleanup(func() { c.Stop(Lost) })
	c.Start()
	return c
}

func create(t *testing.T, c *Controller, name string, data []byte) {
	t.Helper()
	c.Locked(func() { require.NoError(t, c.CreateJob(name, data)) })
}

func schedule(t *testing.T, c *Controller, name string, params ...Param) *Item {
	t.Helper()
	var item *Item
	c.Locked(func() {
		var err error
		item, err = c.Schedule(c.Job(name), params, "admin", 0)
		require.NoError(t, err)
	})
	return item
}

func eventually(t *testing.T, c *Controller, what string, condition func() bool) {
	t.Helper()
	testkit.Eventually(t, time.Minute, what, func(context.Context) bool {
		ok := false
		c.Locked(func() { ok = condition() })
		return ok
	})
}

func TestQuietKeepsWhatWaits(t *testing.T) {
	c := open(t, t.TempDir(), 1)
	create(t, c, "j", job("", "true"))
	c.QuietDown(true, "")
	item := schedule(t, c, "j")
	eventually(t, c, "its quiet period is over", func() bool { return c.Why(item) == "Finished waiting" })
	c.Locked(c.maintain)
	c.Locked(func() { require.True(t, item.Waiting()) })
	c.QuietDown(false, "")
	eventually(t, c, "it leaves", item.Left)
}

func TestSameJobIsQueuedOnce(t *testing.T) {
	c := open(t, t.TempDir(), 0)
	create(t, c, "j", job("", "true"))
	a := schedule(t, c, "j", Param{Name: "P", Value: "1"})
	require.Same(t, a, schedule(t, c, "j", Param{Name: "P", Value: "1"}))
	require.NotSame(t, a, schedule(t, c, "j", Param{Name: "P", Value: "2"}))
	c.Locked(func() {
		c.Job("j").Config.Disabled = true
		require.NoError(t, c.SaveJob(c.Job("j")))
		require.Empty(t, c.Items())
		require.True(t, a.Cancelled)
		_, err := c.Schedule(c.Job("j"), nil, "", 0)
		require.ErrorIs(t, err, ErrConflict)
	})
}

func TestHomeSurvivesAStop(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 1)
	create(t, c, "ok", job("", "echo hi"))
	create(t, c, "lab", job("x", "true"))
	schedule(t, c, "ok", Param{Name: "P", Value: "v"})
	eventually(t, c, "ok is built", func() bool { b := c.Job("ok").Build(1); return b != nil && !b.Building })
	waiting := schedule(t, c, "lab")
	eventually(t, c, "buildable", waiting.Buildable)
	c.Stop(Lost)
	again := open(t, dir, 0)
	again.Locked(func() {
		b := again.Job("OK").Build(1)
		require.Equal(t, "SUCCESS", b.Result)
		require.Equal(t, "admin", b.User)
		require.Equal(t, []Param{{Name: "P", Value: "v"}}, b.Params)
		require.Equal(t, 2, again.Job("ok").NextBuild)
		items := again.Items()
		require.Len(t, items, 1)
		require.Equal(t, waiting.ID, items[0].ID)
		require.Greater(t, again.nextItem, waiting.ID)
	})
	require.NoFileExists(t, filepath.Join(dir, "queue.xml"))
	require.FileExists(t, filepath.Join(dir, "queue.xml.bak"))
}

func TestBuildsThatRunAtAStop(t *testing.T) {
	for end, want := range map[End]string{Lost: "", Aborted: "ABORTED"} {
		dir := t.TempDir()
		c := open(t, dir, 1)
		create(t, c, "long", job("", "sleep 300"))
		item := schedule(t, c, "long")
		eventually(t, c, "it runs", item.Left)
		c.Stop(end)
		again := open(t, dir, 0)
		again.Locked(func() {
			require.Equal(t, 2, again.Job("long").NextBuild, "the number is used up")
			b := again.Job("long").Build(1)
			if want == "" {
				require.Nil(t, b)
				return
			}
			require.Equal(t, want, b.Result)
		})
	}
}

// standInCloud makes a node per asked executor and connects its agent over the real port.
type standInCloud struct {
	c     *Controller
	mu    sync.Mutex
	asked int
	nodes []string
}

func (s *standInCloud) Serves(label string) bool { return label == "cloud" }

func (s *standInCloud) Provision(label string, excess int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += excess
	for range excess {
		name := fmt.Sprintf("agent-%d", len(s.nodes)+1)
		s.nodes = append(s.nodes, name)
		s.c.AddEphemeral(&Node{Name: name, Labels: []string{label}, Mode: "NORMAL", NumExecutors: 1}, nil)
	}
}

func (s *standInCloud) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.nodes...)
}

func TestCloudNodesTakeOneBuildAndAreNotAskedForTwice(t *testing.T) {
	c := open(t, t.TempDir(), 0)
	cloud := &standInCloud{c: c}
	c.SetCloud(cloud)
	for i := range 3 {
		create(t, c, fmt.Sprintf("j%d", i), job("cloud", "true"))
		schedule(t, c, fmt.Sprintf("j%d", i))
	}
	testkit.Eventually(t, time.Minute, "three nodes", func(context.Context) bool { return len(cloud.names()) == 3 })
	for range 5 {
		c.provision()
	}
	require.Len(t, cloud.names(), 3, "nodes that are still starting count")
	c.LaunchFailed("agent-1")
	testkit.Eventually(t, time.Minute, "one more for the one that failed", func(context.Context) bool { return len(cloud.names()) == 4 })
	c.Locked(func() {
		n := c.Node("agent-2")
		require.True(t, n.acceptsMore())
		n.accepted = true
		require.False(t, n.acceptsMore(), "single-use")
		n.starting = false
	})
	c.LaunchFailed("agent-2")
	c.Locked(func() { require.NotNil(t, c.Node("agent-2"), "it was online once: it stays as offline") })
	require.True(t, c.RemoveNode("agent-2"))
	require.NoDirExists(t, filepath.Join(c.Home(), "nodes"))
	require.False(t, c.RemoveNode("(built-in)"))
}

func TestUnknownAgentsAreRefused(t *testing.T) {
	c := open(t, t.TempDir(), 0)
	hooks := c.AgentHooks()
	require.EqualError(t, hooks.Accept("nobody", "s", &agent.Channel{}), "Unknown client name: nobody")
	c.AddEphemeral(&Node{Name: "a", NumExecutors: 1}, nil)
	require.ErrorContains(t, hooks.Accept("a", "wrong", &agent.Channel{}), "Incorrect secret")
	require.NoError(t, hooks.Accept("a", c.AgentSecret("a"), &agent.Channel{}))
	require.ErrorContains(t, hooks.Accept("a", c.AgentSecret("a"), &agent.Channel{}), "already connected")
	c.Locked(func() { c.Node("a").channel = nil })
	require.Contains(t, hooks.Banner("1.2.3.4", "5.6.7.8"), "Jenkins-Version: 2.568.3\r\nJenkins-Session: "+c.Session)
}

func TestUnknownElementsAreDroppedAndCoreOnesKept(t *testing.T) {
	j, err := ParseJob([]byte(`<project><nosuch/><properties><com.x.Y/><jenkins.model.BuildDiscarderProperty><strategy/></jenkins.model.BuildDiscarderProperty></properties>
<builders><com.x.Builder/><hudson.tasks.Shell><command>a</command></hudson.tasks.Shell></builders><publishers><hudson.tasks.ArtifactArchiver/></publishers></project>`))
	require.NoError(t, err)
	text := string(j.XML().Render(""))
	for _, gone := range []string{"nosuch", "com.x"} {
		require.NotContains(t, text, gone)
	}
	for _, kept := range []string{"BuildDiscarderProperty", "<command>a</command>", "ArtifactArchiver"} {
		require.Contains(t, text, kept)
	}
	again, err := ParseJob([]byte(text))
	require.NoError(t, err)
	require.Equal(t, text, string(again.XML().Render("")))
	c := open(t, t.TempDir(), 0)
	c.Locked(func() { require.ErrorIs(t, c.CreateJob("e", job("a&amp;&amp;b", "true")), ErrLabel) })
}

func TestThreeHundredJobs(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		folder := filepath.Join(dir, "jobs", fmt.Sprintf("job-%03d", i))
		require.NoError(t, os.MkdirAll(folder, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "config.xml"), job("x", "true"), 0o644))
	}
	before := runtime.NumGoroutine()
	c := open(t, dir, 2)
	c.Locked(func() { require.Len(t, c.Jobs(), 300) })
	for i := range 300 {
		schedule(t, c, fmt.Sprintf("job-%03d", i))
	}
	eventually(t, c, "all are buildable", func() bool {
		for _, item := range c.Items() {
			if !item.Buildable() {
				return false
			}
		}
		return len(c.Items()) == 300
	})
	c.Stop(Lost)
	testkit.Eventually(t, time.Minute, "no goroutine is left", func(context.Context) bool { return runtime.NumGoroutine() <= before })
	text, err := os.ReadFile(filepath.Join(dir, "queue.xml"))
	require.NoError(t, err)
	require.Equal(t, 300, strings.Count(string(text), "<task "))
}

func TestReloadKeepsQueueAndRunningBuilds(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 1)
	create(t, c, "long", job("", "sleep 300"))
	create(t, c, "lab", job("x", "true"))
	item := schedule(t, c, "long")
	eventually(t, c, "it runs", item.Left)
	schedule(t, c, "lab")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "jobs/late"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jobs/late/config.xml"), job("", "true"), 0o644))
	c.Locked(func() { c.cfg.NumExecutors = 1; require.NoError(t, c.SaveConfig()) })
	require.NoError(t, c.Reload())
	c.Locked(func() {
		require.NotNil(t, c.Job("late"))
		require.True(t, c.Job("long").Build(1).Building)
		require.Len(t, c.Items(), 1)
		c.Abort(c.Job("long").Build(1), "admin")
	})
	eventually(t, c, "aborted", func() bool { return c.Job("long").Build(1).Result == "ABORTED" })
	c.Locked(func() { require.NoError(t, c.DeleteJob(c.Job("long"))) })
	require.NoDirExists(t, filepath.Join(dir, "jobs/long"))
}
