package jenkins

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deadBase is a URL where nothing listens.
func deadBase(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return "http://" + listener.Addr().String()
}

// gojenkins dereferences nil on every POST to a server that is gone.
func TestPostToADeadServerIsAnError(t *testing.T) {
	ctx := context.Background()
	c := New(deadBase(t), "admin", "secret")
	for name, call := range map[string]func() error{
		"EnsureJob":  func() error { return c.EnsureJob(ctx, "x", "<project/>") },
		"DeleteJob":  func() error { return c.DeleteJob(ctx, "x") },
		"StartBuild": func() error { _, err := c.StartBuild(ctx, "x"); return err },
		"QuietDown":  func() error { return c.QuietDown(ctx, "x") },
		"Info":       func() error { _, err := c.Info(ctx); return err },
		"Nodes":      func() error { _, err := c.Nodes(ctx); return err },
	} {
		err := call()
		assert.ErrorContains(t, err, "connection refused", name)
		assert.ErrorContains(t, err, c.Base(), name)
	}
	assert.Equal(t, PhaseRefused, c.State(ctx).Phase)
}

// gojenkins says `invalid character '<'` for a missing job, for a starting server and for a successful delete alike.
func TestHTMLIsJudgedByItsStatus(t *testing.T) {
	ctx := context.Background()
	f := newJenkins(t)
	c := f.client()
	require.NoError(t, c.EnsureJob(ctx, "one", FreestyleJob("mesos", "true", "")))
	require.NoError(t, c.EnsureJob(ctx, "one", FreestyleJob("mesos", "false", "")), "an existing job is updated")
	assert.Contains(t, f.jobs["one"], "<command>false</command>")
	require.NoError(t, c.DeleteJob(ctx, "one"), "302 is a success")
	assert.NotContains(t, f.jobs, "one")
	require.NoError(t, c.DeleteJob(ctx, "one"), "gone is gone")

	_, err := c.StartBuild(ctx, "one")
	assert.True(t, IsNotFound(err), "%v", err)
	_, err = c.Build(ctx, "one", 7)
	assert.True(t, IsNotFound(err), "%v", err)
	assert.NotContains(t, err.Error(), "invalid character")

	f.phase = "starting"
	_, err = c.Nodes(ctx)
	assert.ErrorContains(t, err, "HTTP 503: Starting Jenkins")
	var own *Error
	require.ErrorAs(t, err, &own)
	assert.Contains(t, own.Hint(), "starting")
	assert.Zero(t, f.seen("POST /quietDown"))
}

func TestXErrorIsTheReason(t *testing.T) {
	f := newJenkins(t)
	c := f.client()
	_, err := c.post(context.Background(), "/createItem?name=x", nil)
	require.NoError(t, err)
	f.jobs["x"] = "<project/>"
	_, err = c.post(context.Background(), "/createItem?name=x", nil)
	assert.ErrorContains(t, err, "A job already exists with the name  x")
}

// gojenkins cuts the base out of URLs that carry the controller's own root URL.
func TestBuildsAreFoundBehindAnotherRootURL(t *testing.T) {
	ctx := context.Background()
	f := newJenkins(t)
	c := f.client()
	require.NoError(t, c.EnsureJob(ctx, "one", "<project/>"))
	id, err := c.StartBuild(ctx, "one")
	require.NoError(t, err)
	item, err := c.QueueItem(ctx, id)
	require.NoError(t, err)
	assert.EqualValues(t, 1, item.Build)
	build, err := c.Build(ctx, "one", 1)
	require.NoError(t, err)
	assert.Equal(t, "jenkins-agent-mesos-one-1", build.Node)
	assert.Equal(t, int64(1795247140932), build.Started.UnixMilli())
}

// gojenkins says (0, nil) for a job that waits in the queue, and writes to standard output.
func TestStartingAWaitingJobGivesItsItem(t *testing.T) {
	ctx := context.Background()
	f := newJenkins(t)
	f.wait = 100
	c := f.client()
	require.NoError(t, c.EnsureJob(ctx, "one", "<project/>"))
	out := capture(t, func() {
		first, err := c.StartBuild(ctx, "one")
		require.NoError(t, err)
		second, err := c.StartBuild(ctx, "one")
		require.NoError(t, err)
		assert.Equal(t, first, second)
	})
	assert.Empty(t, out, "standard output is the program's answer")
	queue, err := c.Queue(ctx)
	require.NoError(t, err)
	require.Len(t, queue, 1)
	assert.Equal(t, f.why, queue[0].Why)
	assert.Equal(t, "one", queue[0].Job)
}

func capture(t *testing.T, work func()) string {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stdout
	os.Stdout = write
	defer func() { os.Stdout = old }()
	work()
	require.NoError(t, write.Close())
	text, err := io.ReadAll(read)
	require.NoError(t, err)
	return string(text)
}

func TestCrumbFollowsTheSession(t *testing.T) {
	ctx := context.Background()
	f := newJenkins(t)
	c := f.client()
	require.NoError(t, c.QuietDown(ctx, "upgrade"))
	require.NoError(t, c.CancelQuietDown(ctx))
	assert.Equal(t, 1, f.seen("GET /crumbIssuer"), "one crumb for a session")
	f.session = "9249388d" // restarted: the crumb is worth nothing now
	require.NoError(t, c.SafeRestart(ctx, "plugins"))
	require.NoError(t, c.EnsureJob(ctx, "one", "<project/>"))
	assert.Equal(t, 2, f.seen("GET /crumbIssuer"))
}

func TestWrongPasswordAndMissingPermission(t *testing.T) {
	f := newJenkins(t)
	_, err := New(f.URL, "admin", "wrong").Info(context.Background())
	var status *StatusError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 401, status.Code)
	var own *Error
	require.ErrorAs(t, err, &own)
	assert.Contains(t, own.Hint(), "password")
	_, err = New(f.URL, "", "").Info(context.Background())
	require.ErrorAs(t, err, &status)
	assert.Equal(t, "hudson.model.Hudson.Read", status.Permission)
}

func TestAPanicOfTheLibraryIsAnError(t *testing.T) {
	f := newJenkins(t)
	err := f.client().with(context.Background(), "try", panicking)
	assert.ErrorContains(t, err, "gojenkins panicked: boom")
}

func TestReadsAndAdministration(t *testing.T) {
	ctx := context.Background()
	f := newJenkins(t)
	f.nodes["jenkins-agent-mesos-1"] = true
	c := f.client()
	defer c.Close()
	info, err := c.Info(ctx)
	require.NoError(t, err)
	assert.Equal(t, Info{Version: "2.568.2", Session: "1de3d5ed", URL: f.root, AgentPort: 50000, Secure: true, Crumbs: true}, info)
	nodes, err := c.Nodes(ctx)
	require.NoError(t, err)
	assert.Equal(t, []Node{{Name: "(built-in)", Idle: true}, {Name: "jenkins-agent-mesos-1", Inbound: true}}, nodes)
	running, err := c.RunningBuilds(ctx)
	require.NoError(t, err)
	assert.Equal(t, []RunningBuild{{Name: "x #1", URL: f.root + "job/x/1/", Node: "jenkins-agent-mesos-1"}}, running)
	problems, err := c.CascCheck(ctx, []byte("jenkins: {nonsense: 1}"))
	require.NoError(t, err)
	assert.Equal(t, []string{"line 3: Invalid configuration elements for type: class jenkins.model.Jenkins : nonsense."}, problems)
	problems, err = c.CascCheck(ctx, []byte("jenkins: {}"))
	require.NoError(t, err)
	assert.Empty(t, problems)
	require.NoError(t, c.Exit(ctx, true))
	require.NoError(t, c.Reload(ctx))
	require.NoError(t, c.CascReload(ctx))
	require.NoError(t, c.DeleteNode(ctx, "jenkins-agent-mesos-1"))
	assert.False(t, errors.Is(err, context.Canceled))
}
