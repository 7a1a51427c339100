package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// browser is an administrator's session.
type browser struct {
	t                  testing.TB
	url                string
	password           string
	client             *http.Client
	crumbField, crumbs string
}

func (b *bench) browser(url string) *browser {
	b.t.Helper()
	password, err := os.ReadFile(b.path(".jomctl", "secrets", "admin"))
	require.NoError(b.t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(b.t, err)
	return &browser{t: b.t, url: url, password: strings.TrimSpace(string(password)), client: &http.Client{Jar: jar, Timeout: time.Minute}}
}

func (w *browser) do(method, path, body string) (int, string) {
	w.t.Helper()
	request, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	require.NoError(w.t, err)
	request.SetBasicAuth("admin", w.password)
	request.Header.Set("Content-Type", "application/xml")
	if w.crumbField != "" {
		request.Header.Set(w.crumbField, w.crumbs)
	}
	response, err := w.client.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return response.StatusCode, string(data)
}

// crumb is asked for again after each start of the controller.
func (w *browser) crumb() {
	w.t.Helper()
	code, text := w.do(http.MethodGet, "/crumbIssuer/api/json", "")
	require.Equal(w.t, 200, code)
	var crumb struct{ Crumb, CrumbRequestField string }
	require.NoError(w.t, json.Unmarshal([]byte(text), &crumb))
	w.crumbField, w.crumbs = crumb.CrumbRequestField, crumb.Crumb
}

func (w *browser) createJob(name string) {
	w.t.Helper()
	w.crumb()
	code, text := w.do(http.MethodPost, "/createItem?name="+name, "<project><description>"+name+"</description></project>")
	require.Equal(w.t, 200, code, text)
}

func (b *bench) git(args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"--git-dir", b.path("history.git")}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b *bench) inHistory(name string) {
	b.t.Helper()
	testkit.Eventually(b.t, time.Minute, name+" is pushed", func(context.Context) bool {
		_, err := b.git("cat-file", "-e", "main:"+name)
		return err == nil
	})
}

func TestAHomeComesBackFromItsHistory(t *testing.T) {
	needs(t)
	b := newBench(t)
	out, err := exec.Command("git", "init", "--quiet", "--bare", b.path("history.git")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	b.write("apiVersion: jomctl/v1\nname: kept\ntarget: local\nlocal: {address: " + b.address + "}\n" +
		"jenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}, scm: {repository: ./history.git, debounce: 100ms, maxDelay: 1s}}\n")
	var answer installAnswer
	b.run("install", "--yes", "-o", "json", "--proof-sleep", "1s").ok().json(&answer)
	b.inHistory("config.xml")
	b.browser(answer.URL).createJob("kept")
	b.inHistory("jobs/kept/config.xml")
	b.inHistory("users/admin/config.xml")

	homes, err := filepath.Glob(b.path(".jomctl", "hosts", "*", "jenkins_home"))
	require.NoError(t, err)
	require.Len(t, homes, 1)
	before := b.status()
	for _, process := range b.processes() {
		if strings.Contains(process, "jomhome run") {
			var pid int
			_, err := fmt.Sscan(process, &pid)
			require.NoError(t, err)
			kill(t, pid)
		}
	}
	require.NoError(t, os.RemoveAll(homes[0]))
	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(homes[0]), "history")))
	testkit.Eventually(t, 2*time.Minute, "another task is the controller, and ready", func(context.Context) bool {
		s := b.status()
		return s.Ready && s.Controller.Task != before.Controller.Task && s.Controller.Task != ""
	})
	code, text := b.browser(answer.URL).do(http.MethodGet, "/job/kept/config.xml", "")
	require.Equal(t, 200, code, "the job is there, and so is its user")
	require.Contains(t, text, "<description>kept</description>")
	epochs, err := b.git("log", "--reverse", "--format=%s", "--grep=^Controller epoch", "main")
	require.NoError(t, err)
	require.Regexp(t, `^Controller epoch 1 starts on \S+\nController epoch 2 starts on \S+$`, epochs)
	b.browser(answer.URL).createJob("afterwards")
	b.inHistory("jobs/afterwards/config.xml")
	b.homeCommands(answer.URL)
}

// homeCommands looks at a home with a job `kept`, and gives that job its earlier state.
func (b *bench) homeCommands(url string) {
	t := b.t
	testkit.Eventually(t, time.Minute, "the home is what is pushed", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	require.Contains(t, b.run("home", "status").ok().out, "everything, last")
	var commits struct {
		Commits []struct{ Commit, Subject string }
	}
	b.run("home", "history", "jobs/kept", "-o", "json").ok().json(&commits)
	require.NotEmpty(t, commits.Commits)
	first := commits.Commits[len(commits.Commits)-1].Commit

	web := b.browser(url)
	web.createJob("third")
	code, text := web.do(http.MethodPost, "/job/kept/config.xml", "<project><description>spoilt</description></project>")
	require.Equal(t, 200, code, text)
	testkit.Eventually(t, time.Minute, "the change is pushed", func(context.Context) bool {
		return strings.Contains(b.run("home", "diff", first, "--only", "jobs/kept").ok().out, "+  <description>spoilt</description>")
	})
	require.Contains(t, b.run("home", "restore", "--at", "nonesuch", "--yes").exits(2).errOut, "no commit")
	require.Contains(t, b.run("home", "restore", "--at", first, "--only", "jobs/kept", "--plan").ok().out, "change jobs/kept/config.xml")
	b.run("home", "restore", "--at", first, "--only", "jobs/kept", "--yes").ok()
	web = b.browser(url)
	_, text = web.do(http.MethodGet, "/job/kept/config.xml", "")
	require.Contains(t, text, "<description>kept</description>")
	code, _ = web.do(http.MethodGet, "/job/third/config.xml", "")
	require.Equal(t, 200, code, "what was not named stays")
	testkit.Eventually(t, time.Minute, "the home is what is pushed", func(context.Context) bool { return b.run("home", "verify").code == 0 })
	b.run("prove", "--yes", "--sleep", "1s").ok()
}
