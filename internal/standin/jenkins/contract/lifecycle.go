package contract

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// Lifecycle runs starts, stops and restarts. Each part starts its own controllers.
func Lifecycle(t *testing.T, p Program) {
	t.Run("boot", func(t *testing.T) { lifeBoot(t, p) })
	t.Run("sigterm", func(t *testing.T) { lifeSigterm(t, p) })
	t.Run("sigkill", func(t *testing.T) { lifeSigkill(t, p) })
	t.Run("exit", func(t *testing.T) { lifeExit(t, p) })
	t.Run("restart", func(t *testing.T) { lifeRestart(t, p) })
	t.Run("exit lifecycle", func(t *testing.T) { lifeExitLifecycle(t, p) })
	t.Run("prefix", func(t *testing.T) { lifePrefix(t, p) })
	t.Run("reload", func(t *testing.T) { lifeReload(t, p) })
}

func lifeBoot(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t))
	c.AwaitStatus("login", http.StatusServiceUnavailable)
	starting := c.Do(Anonymous, "GET", "health/", "")
	if starting.Status == http.StatusServiceUnavailable {
		require.Equal(t, "Starting Jenkins", starting.Title())
		require.Empty(t, starting.Header.Get("X-Jenkins"))
	}
	c.Up()
	for _, name := range []string{"nodeMonitors.xml", ".lastStarted", "jenkins.install.UpgradeWizard.state", "secret.key", "userContent/readme.txt"} {
		require.FileExists(t, filepath.Join(c.Home, name))
	}
	text, err := os.ReadFile(filepath.Join(c.Home, "config.xml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "<version>"+c.Get("login").Header.Get("X-Jenkins")+"</version>")
	require.NoFileExists(t, filepath.Join(c.Home, "failed-boot-attempts.txt"))
}

func lifeSigterm(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	require.Equal(t, 200, c.Post("createItem?name=lab", Job("nosuch", "true")).Status)
	require.Equal(t, http.StatusCreated, c.Post("job/lab/build?delay=0sec", "").Status)
	c.Signal(syscall.SIGTERM)
	require.Equal(t, 143, c.Exit())
	queue, err := os.ReadFile(filepath.Join(c.Home, "queue.xml"))
	require.NoError(t, err)
	require.Contains(t, string(queue), `<task class="hudson.model.FreeStyleProject">lab</task>`)
	next := p.Start(t, c.Home).Up()
	require.Contains(t, next.Get("queue/api/json").Body, `"lab"`, "the queue survives a clean stop")
	require.FileExists(t, filepath.Join(c.Home, "queue.xml.bak"))
}

func lifeSigkill(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	require.Equal(t, 200, c.Post("createItem?name=long", Job("", "sleep 300")).Status)
	c.Post("job/long/build?delay=0sec", "")
	awaitRunning(t, c, "long")
	c.Signal(syscall.SIGKILL)
	c.Exit()
	next := p.Start(t, c.Home).Up()
	require.Equal(t, http.StatusNotFound, next.Get("job/long/1/api/json").Status, "the build vanishes")
	require.Equal(t, float64(2), value(t, next.Get("job/long/api/json").Body, "nextBuildNumber"), "its number is used up")
}

func lifeExit(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	require.Equal(t, http.StatusMethodNotAllowed, c.Get("exit").Status)
	answer := c.Post("exit", "")
	require.Equal(t, http.StatusOK, answer.Status)
	require.Contains(t, answer.Body, "Shutting down")
	require.Equal(t, 0, c.Exit())

	c = p.Start(t, SecuredHome(t)).Up()
	script, open := gate(t)
	require.Equal(t, 200, c.Post("createItem?name=mid", Job("", script)).Status)
	c.Post("job/mid/build?delay=0sec", "")
	awaitRunning(t, c, "mid")
	require.Contains(t, c.Post("safeExit", "").Body, "Shutting down as soon as all jobs are complete")
	require.Equal(t, true, value(t, c.Get("api/json").Body, "quietingDown"))
	open()
	require.Equal(t, 0, c.Exit())
	require.FileExists(t, filepath.Join(c.Home, "jobs/mid/builds/1/build.xml"))
}

func session(c *Controller) string {
	resp, err := (&http.Client{Timeout: time.Minute}).Get(c.Base + "login")
	if err != nil {
		return ""
	}
	_ = resp.Body.Close()
	return resp.Header.Get("X-Jenkins-Session")
}

func lifeRestart(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	script, open := gate(t)
	require.Equal(t, 200, c.Post("createItem?name=mid", Job("", script)).Status)
	c.Post("job/mid/build?delay=0sec", "")
	awaitRunning(t, c, "mid")
	require.Equal(t, http.StatusFound, c.Post("safeRestart?message=new+plugins", "").Status)
	require.Equal(t, "new plugins", field(t, c.Get("api/json").Body, "quietDownReason"))
	require.Equal(t, http.StatusFound, c.Post("cancelQuietDown", "").Status, "cancels the restart too")
	require.Equal(t, false, value(t, c.Get("api/json").Body, "quietingDown"))
	before, pid := session(c), c.Pid()
	require.Equal(t, http.StatusFound, c.Post("restart", "").Status)
	testkit.Eventually(t, time.Minute, "503", func(context.Context) bool { return c.status("login") == http.StatusServiceUnavailable })
	testkit.Eventually(t, 2*c.boot, "another session", func(context.Context) bool { s := session(c); return s != "" && s != before })
	require.NoError(t, syscall.Kill(pid, 0), "the same process")
	require.Equal(t, false, value(t, c.Get("job/mid/1/api/json").Body, "building"))
	require.Equal(t, "ABORTED", field(t, c.Get("job/mid/1/api/json").Body, "result"))
	open()
}

func lifeExitLifecycle(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t), "-Dhudson.lifecycle=hudson.lifecycle.ExitLifecycle").Up()
	require.Equal(t, http.StatusFound, c.Post("restart", "").Status)
	require.Equal(t, 5, c.Exit())
}

func lifePrefix(t *testing.T, p Program) {
	c := p.StartAt(t, SecuredHome(t), testkit.FreeAddr(t, "127.0.0.1"), "/ci")
	c.Up()
	root := strings.TrimSuffix(c.Base, "ci/")
	outside, err := http.Get(root + "login")
	require.NoError(t, err)
	_ = outside.Body.Close()
	require.Equal(t, http.StatusNotFound, outside.StatusCode)
	require.Empty(t, outside.Header.Get("X-Jenkins"))
	require.Equal(t, "/ci/", c.Post("quietDown", "").Header.Get("Location"))
	require.Equal(t, 200, c.Post("createItem?name=a", Job("", "true")).Status)
	require.True(t, strings.HasPrefix(c.Post("job/a/build", "").Header.Get("Location"), c.Base+"queue/item/"))
}

func lifeReload(t *testing.T, p Program) {
	c := p.Start(t, SecuredHome(t)).Up()
	WriteFile(t, c.Home, "jobs/late/config.xml", Job("", "true"))
	require.Equal(t, http.StatusNotFound, c.Get("job/late/api/json").Status, "a running controller notices nothing")
	require.Equal(t, 200, c.Post("createItem?name=edited", Job("", "true")).Status)
	WriteFile(t, c.Home, "jobs/edited/config.xml", strings.Replace(Job("", "true"), "<description></description>", "<description>by hand</description>", 1))
	require.Equal(t, "", field(t, c.Get("job/edited/api/json").Body, "description"))
	require.Equal(t, http.StatusOK, c.Post("job/edited/reload", "").Status)
	require.Equal(t, "by hand", field(t, c.Get("job/edited/api/json").Body, "description"))
	before := session(c)
	require.Equal(t, http.StatusFound, c.Post("reload", "").Status)
	testkit.Eventually(t, c.boot, "the job is there", func(context.Context) bool { return c.Get("job/late/api/json").Status == http.StatusOK })
	require.Equal(t, before, session(c))
}
