package jenkins

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bndr/gojenkins"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/contract"
	"github.com/jomctl/jomctl/internal/testkit"
)

// requireDone accepts what gojenkins says of calls that worked but were answered by a redirect to an HTML page.
func requireDone(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.ErrorContains(t, err, "invalid character '<'")
	}
}

// hastyHome has a quiet period of one second.
func hastyHome(t *testing.T) string {
	home := contract.SecuredHome(t)
	contract.WriteFile(t, home, "jenkins.yaml", "jenkins: {quietPeriod: 1}\n")
	return home
}

func gojenkinsClient(t *testing.T) (*gojenkins.Jenkins, *contract.Controller) {
	c := program(t).Start(t, hastyHome(t), "-Djomctl.standin.queueTickMillis=200").Up()
	base := strings.TrimSuffix(c.Base, "/")
	contract.WriteFile(t, c.Home, "jenkins.model.JenkinsLocationConfiguration.xml", "<jenkins.model.JenkinsLocationConfiguration><jenkinsUrl>"+c.Base+"</jenkinsUrl></jenkins.model.JenkinsLocationConfiguration>")
	c.Post("reload", "")
	j, err := gojenkins.CreateJenkins(nil, base, "admin", "admin-pw").Init(t.Context())
	require.NoError(t, err)
	// Init has made loggers that write to stdout.
	gojenkins.Error = log.New(io.Discard, "", 0)
	return j, c
}

// The library has package-level loggers, so its tests cannot run side by side.
func TestGojenkinsJobs(t *testing.T) {
	ctx := t.Context()
	j, _ := gojenkinsClient(t)
	require.NotEmpty(t, j.Version)
	_, err := j.CreateJob(ctx, contract.Job("", "echo one"), "gj1")
	require.NoError(t, err)
	_, err = j.CreateJob(ctx, contract.Job("", "echo one"), "gj1")
	require.ErrorContains(t, err, "A job already exists with the name")
	_, err = j.GetJob(ctx, "nosuch")
	require.ErrorContains(t, err, "invalid character '<'", "404 is HTML")
	names, err := j.GetAllJobNames(ctx)
	require.NoError(t, err)
	require.Len(t, names, 1)
	job, err := j.GetJob(ctx, "gj1")
	require.NoError(t, err)
	text, err := job.GetConfig(ctx)
	require.NoError(t, err)
	require.Contains(t, text, "echo one")
	require.NotNil(t, j.UpdateJob(ctx, "gj1", contract.Job("", "echo two")))
	id, err := j.BuildJob(ctx, "gj1", nil)
	require.NoError(t, err)
	require.Positive(t, id)
	again, err := j.BuildJob(ctx, "gj1", nil)
	require.NoError(t, err)
	require.Zero(t, again, "already queued")
	task, err := j.GetQueueItem(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "gj1", task.Raw.Task.Name)
	build, err := j.GetBuildFromQueueID(ctx, job, id)
	require.NoError(t, err)
	testkit.Eventually(t, time.Minute, "it ends", func(context.Context) bool { return !build.IsRunning(ctx) })
	require.Contains(t, build.GetConsoleOutput(ctx), "echo two")
	require.Equal(t, "SUCCESS", build.GetResult())
	_, err = j.GetBuild(ctx, "gj1", 99)
	require.Error(t, err)
	_, err = job.Disable(ctx)
	requireDone(t, err)
	_, err = job.Enable(ctx)
	requireDone(t, err)
	_, err = j.CopyJob(ctx, "gj1", "gj2")
	requireDone(t, err)
	j.RenameJob(ctx, "gj2", "gj3")
	_, err = j.DeleteJob(ctx, "gj3")
	requireDone(t, err)
	names, err = j.GetAllJobNames(ctx)
	require.NoError(t, err)
	require.Len(t, names, 1)
}

// The library has package-level loggers, so its tests cannot run side by side.
func TestGojenkinsNodesPluginsUsers(t *testing.T) {
	ctx := t.Context()
	j, _ := gojenkinsClient(t)
	nodes, err := j.GetAllNodes(ctx)
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	_, err = j.CreateNode(ctx, "gjn", 1, "d", "/tmp/gjn", "lab", map[string]string{"method": "JNLPLauncher"})
	requireDone(t, err)
	node, err := j.GetNode(ctx, "gjn")
	require.NoError(t, err)
	online, err := node.IsOnline(ctx)
	require.NoError(t, err)
	require.False(t, online)
	_, err = node.ToggleTemporarilyOffline(ctx)
	requireDone(t, err)
	_, err = j.DeleteNode(ctx, "gjn")
	requireDone(t, err)
	label, err := j.GetLabel(ctx, "built-in")
	require.NoError(t, err)
	require.Len(t, label.GetNodes(), 1)
	plugin, err := j.HasPlugin(ctx, "mesos")
	require.NoError(t, err)
	require.Equal(t, "2.0", plugin.Version)
	views, err := j.GetAllViews(ctx)
	require.NoError(t, err)
	require.Len(t, views, 1)
	token, err := j.GenerateAPIToken(ctx, "t")
	require.NoError(t, err)
	require.Len(t, token.Value, 34)
	require.NoError(t, token.Revoke())
	_, err = j.CreateUser(ctx, "gju", "pw", "G", "g@x")
	requireDone(t, err)
	require.NoError(t, ignoreHTML(j.DeleteUser(ctx, "gju")))
	_, err = j.CreateFolder(ctx, "fold")
	require.ErrorContains(t, err, "No item type")
}

func ignoreHTML(err error) error {
	if err != nil && strings.Contains(err.Error(), "invalid character '<'") {
		return nil
	}
	return err
}

//go:embed testdata/python_client.py
var pythonClient string

func TestPythonJenkins(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import jenkins").Run(); err != nil {
		var missing *exec.ExitError
		require.True(t, errors.As(err, &missing) || errors.Is(err, os.ErrNotExist))
		testkit.Missing(t, "python-jenkins (apt-get install python3-jenkins)")
	}
	c := program(t).Start(t, hastyHome(t), "-Djomctl.standin.queueTickMillis=200").Up()
	cmd := exec.CommandContext(t.Context(), python, "-c", pythonClient, c.Base)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "all done")
}
