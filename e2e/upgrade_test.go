package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// longJob builds for as long as its parameter says.
const longJob = `<project><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions><hudson.model.StringParameterDefinition>` +
	`<name>SECONDS</name><defaultValue>1</defaultValue></hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties>` +
	`<assignedNode>mesos</assignedNode><canRoam>false</canRoam><builders><hudson.tasks.Shell><command>echo for ${SECONDS}s; sleep ${SECONDS}</command></hudson.tasks.Shell></builders></project>`

// upgradeRun is what is known of the newest upgrade.
type upgradeRun struct {
	Outcome    string
	Cause      string
	FailedHome string
	To         struct{ Image string }
	Begun      map[string]time.Time
	Ended      map[string]time.Time
	Work       struct{ Running, Queued []struct{ Job string } }
}

func (b *bench) upgradeState() (s upgradeRun) {
	b.t.Helper()
	data, err := os.ReadFile(b.path(".jomctl", "upgrade", "run.json"))
	if err != nil {
		return s
	}
	require.NoError(b.t, json.Unmarshal(data, &s))
	return s
}

// ownRelease is a release of the user's own: a copy of `default` with some of its text replaced, old and new in turn.
func (b *bench) ownRelease(name, file string, replaced ...string) string {
	b.t.Helper()
	dir := b.path(name)
	require.NoError(b.t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "bundles", "default"))))
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	require.NoError(b.t, err)
	changed := strings.NewReplacer(replaced...).Replace(string(text))
	require.NotEqual(b.t, string(text), changed)
	require.NoError(b.t, os.WriteFile(path, []byte(changed), 0o600))
	return "./" + name
}

// keptFiles are the sums of what nobody may lose: jobs, builds, accounts, secrets.
func (b *bench) keptFiles() map[string]string {
	b.t.Helper()
	homes, err := filepath.Glob(b.path(".jomctl", "hosts", "*", "jenkins_home"))
	require.NoError(b.t, err)
	require.Len(b.t, homes, 1)
	all := map[string]string{}
	for _, part := range []string{"jobs", "users", "secrets"} {
		err := filepath.WalkDir(filepath.Join(homes[0], part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			sum := sha256.Sum256(data)
			all[strings.TrimPrefix(path, homes[0])] = hex.EncodeToString(sum[:])
			return err
		})
		require.NoError(b.t, err)
	}
	require.NotEmpty(b.t, all)
	return all
}

func (w *browser) post(path, body string) {
	w.t.Helper()
	code, text := w.do(http.MethodPost, path, body)
	require.Less(w.t, code, 400, "%s: %s", path, text)
}

func (w *browser) get(path string, into any) {
	w.t.Helper()
	code, text := w.do(http.MethodGet, path, "")
	require.Equal(w.t, 200, code, text)
	require.NoError(w.t, json.Unmarshal([]byte(text), into))
}

func (w *browser) version() string {
	w.t.Helper()
	response, err := w.client.Get(w.url + "/login")
	require.NoError(w.t, err)
	defer response.Body.Close()
	return response.Header.Get("X-Jenkins")
}

// TestUpgrade is one cluster that meets one trouble after the other, and is upgraded in the end, with builds under way and its upgrade killed.
func TestUpgrade(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("restic"); err != nil {
		testkit.Missing(t, "restic (apt-get install restic)")
	}
	b := newBench(t)
	yesterday := strings.ToLower(time.Now().UTC().Add(-24 * time.Hour).Format("Mon"))
	b.quick("up", "release: previous # the line before", "backup: {repository: ./backups}",
		"maintenance: {reserve: 1m, windows: [{name: night, days: ["+yesterday+"], start: \"00:00\", length: 2m, zone: UTC}]}")
	var answer installAnswer
	b.run("install", "--yes", "-o", "json", "--proof-sleep", "1s").ok().json(&answer)
	web := b.browser(answer.URL)
	web.createJob("kept")
	web.post("/createItem?name=long", longJob)
	require.Equal(t, "2.555.3", web.version())

	refused := b.run("upgrade-jenkins", "--release", "default", "--yes").exits(3)
	require.Contains(t, refused.errOut, "no maintenance window is open")
	b.run("upgrade-jenkins", "--release", "default", "--now", "--wait").exits(2)

	kept := b.keptFiles()
	broken := b.ownRelease("broken", "app.json.tmpl", `{{json .Command}}`, `"echo this release is broken >&2; exit 9"`)
	failed := b.run("upgrade-jenkins", "--release", broken, "--now", "--yes").exits(7)
	require.Contains(t, failed.errOut, "this release is broken")
	b.isBack(web, kept)

	failed = b.run("upgrade-jenkins", "--release", "default", "--now", "--canary-timeout", "300ms", "--yes").exits(7)
	require.Contains(t, failed.errOut, "canary on template mesos")
	b.isBack(web, kept)
	require.DirExists(t, b.upgradeState().FailedHome, "the failed home is kept")

	lacking := b.ownRelease("lacking", "plugins.lock", `requiredCore: "2.504.3"`, `requiredCore: "2.999.1"`)
	refused = b.run("upgrade-jenkins", "--release", lacking, "--now", "--yes").exits(3)
	require.Contains(t, refused.errOut, "was not loaded")
	require.Zero(t, b.upgradeState().Begun["announce"], "nothing was begun that would have to be taken back")
	require.Equal(t, "2.555.3", web.version())

	b.killedUpgrade(web, answer.URL)
}

// isBack asks for everything that a rollback promises.
func (b *bench) isBack(web *browser, kept map[string]string) {
	b.t.Helper()
	require.Equal(b.t, "2.555.3", web.version())
	require.Equal(b.t, kept, b.keptFiles(), "the old home")
	state := b.upgradeState()
	require.Equal(b.t, "rolled back", state.Outcome)
	require.NotEmpty(b.t, state.Cause)
	var root struct {
		QuietingDown bool
		Description  string
	}
	web.get("/api/json?tree=quietingDown,description", &root)
	require.False(b.t, root.QuietingDown)
	require.Empty(b.t, root.Description)
	text, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(b.t, err)
	require.Contains(b.t, string(text), "release: previous # the line before")
	require.Contains(b.t, b.run("install", "--plan").ok().out, "nothing to do")
}

// killedUpgrade upgrades while one build runs and another waits, kills jomctl when the old version is gone, and resumes.
func (b *bench) killedUpgrade(web *browser, url string) {
	t := b.t
	web.crumb()
	web.post("/job/long/buildWithParameters?SECONDS=3&delay=0sec", "")
	testkit.Eventually(t, 2*time.Minute, "a build runs", func(context.Context) bool {
		code, text := web.do(http.MethodGet, "/job/long/1/api/json?tree=building", "")
		return code == 200 && strings.Contains(text, "true")
	})
	web.post("/job/long/buildWithParameters?SECONDS=2&delay=0sec", "")
	args := []string{"upgrade-jenkins", "--release", "default", "--now", "--yes"}
	cmd := b.command(context.Background(), args...)
	require.NoError(t, cmd.Start())
	testkit.Eventually(t, 3*time.Minute, "the new version is being deployed", func(context.Context) bool {
		return !b.upgradeState().Begun["deploy"].IsZero()
	})
	kill(t, cmd.Process.Pid)
	_ = cmd.Wait()
	require.Contains(t, b.run("install", "--yes").exits(3).errOut, "half-way")
	require.Contains(t, b.run("upgrade-jenkins", "--release", "./broken", "--now", "--yes").exits(3).errOut, "half-way")

	b.run("resume", "--yes").ok()
	require.Equal(t, "2.568.3", web.version())
	web = b.browser(url)
	var first, second struct {
		Result  string
		Actions []struct {
			Parameters []struct{ Name, Value string }
		}
	}
	web.get("/job/long/1/api/json", &first)
	require.Equal(t, "SUCCESS", first.Result, "the drain has let it end")
	testkit.Eventually(t, 2*time.Minute, "the build that waited is made by the new version", func(context.Context) bool {
		code, text := web.do(http.MethodGet, "/job/long/2/api/json", "")
		return code == 200 && json.Unmarshal([]byte(text), &second) == nil && second.Result == "SUCCESS"
	})
	require.Contains(t, fmt.Sprint(second.Actions), "{SECONDS 2}", "with its parameter")
	code, _ := web.do(http.MethodGet, "/job/long/3/api/json", "")
	require.Equal(t, 404, code, "and once")

	text, err := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "release: default # the line before")
	require.Contains(t, b.run("install", "--plan").ok().out, "nothing to do")
	require.Contains(t, b.run("upgrade-jenkins", "--release", "default", "--now", "--yes").ok().errOut, "nothing to do")
	var runs struct {
		Runs []struct{ Outcome string }
	}
	b.run("releases", "-o", "json").ok().json(&runs)
	require.Len(t, runs.Runs, 3)
	require.Equal(t, "proven", runs.Runs[0].Outcome)
	require.Contains(t, b.run("releases").ok().out, "this release is broken")
	require.Contains(t, b.run("resume").ok().errOut, "nothing to resume")
}
