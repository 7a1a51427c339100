package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/testkit"
)

// ask sends a request through the edge and returns status and body, 0 when there is no answer.
func ask(method, url, body string) (int, string) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// TestAWholeLocalClusterRunsATask starts every role with the stand-ins, and loses the supervisor's hold on an agent under
// a running task.
func TestAWholeLocalClusterRunsATask(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the stand-ins")
	}
	c := newConfig(t)
	p := installed(t, c)
	p.Standin = filepath.Join(t.TempDir(), "standin")
	out, err := exec.Command("go", "build", "-o", p.Standin, "github.com/jomctl/jomctl/cmd/standin").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() { // after the fleet's own, which leaves the executors alone
		_, err := host.ReapUnder(context.Background(), c.StateDir())
		assert.NoError(t, err)
	})
	f := newFleet(t, c, p)
	apply(t, f.AllServices()...)
	defer func() {
		if t.Failed() {
			for _, s := range f.AllServices() {
				text := logOf(s)
				t.Logf("%s:\n%s", s.Title(), text[max(0, len(text)-2000):])
			}
		}
	}()

	master, marathon := EdgeURL(c, EdgeMasterPort), EdgeURL(c, EdgeMarathonPort)
	testkit.Eventually(t, 30*time.Second, "both agents are registered", func(context.Context) bool {
		_, body := ask("GET", master+"/slaves", "")
		var slaves struct {
			Slaves []struct{ Active bool }
		}
		return json.Unmarshal([]byte(body), &slaves) == nil && len(slaves.Slaves) == 2 && slaves.Slaves[0].Active && slaves.Slaves[1].Active
	})
	app := fmt.Sprintf(`{"id":"/task","cmd":"env > environment; echo $$ > '%s/pid'; exec sleep 1000","cpus":0.1,"mem":32,"instances":1,
		"requirePorts":true,"portDefinitions":[{"port":%d}]}`, c.Dir(), c.Jenkins.App.HTTPPort)
	testkit.Eventually(t, 60*time.Second, "the edge has a Marathon that takes the app", func(context.Context) bool {
		code, _ := ask("POST", marathon+"/v2/apps", app)
		return code == http.StatusCreated
	})
	testkit.Eventually(t, 30*time.Second, "the task runs on its fixed port", func(context.Context) bool {
		_, body := ask("GET", marathon+"/v2/apps/task", "")
		return strings.Contains(body, "TASK_RUNNING") && strings.Contains(body, fmt.Sprintf(`"ports":[%d]`, c.Jenkins.App.HTTPPort))
	})
	pidFile := filepath.Join(c.Dir(), "pid")
	testkit.Eventually(t, 10*time.Second, "the task has written its pid", func(context.Context) bool {
		info, err := os.Stat(pidFile)
		return err == nil && info.Size() > 0
	})
	tasks, err := host.ProcessesUnder(c.StateDir())
	require.NoError(t, err)
	require.NotEmpty(t, tasks)

	for _, agent := range f.Services(RoleMesosAgent) {
		require.NoError(t, agent.Host.Units().Stop(t.Context(), agent.Unit.Name))
	}
	pid, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	assert.DirExists(t, "/proc/"+strings.TrimSpace(string(pid)), "the task survives its agent")
	apply(t, f.Services(RoleMesosAgent)...)
	testkit.Eventually(t, 30*time.Second, "both agents are back", func(context.Context) bool {
		_, body := ask("GET", master+"/slaves", "")
		return strings.Count(body, `"active":true`) == 2
	})
	assert.DirExists(t, "/proc/"+strings.TrimSpace(string(pid)))

	c.Local.Resources.Mem = 700 * config.MiB
	apply(t, newFleet(t, c, p).Services(RoleMesosAgent)...)
	testkit.Eventually(t, 30*time.Second, "both agents are back and offer less", func(context.Context) bool {
		_, body := ask("GET", master+"/slaves", "")
		return strings.Count(body, `"active":true`) == 2 && strings.Count(body, `"resources":{"cpus":4.0,"disk":20480.0,"gpus":0.0,"mem":700.0,`) == 2
	})
}
