package marathon

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/contract"
	"github.com/jomctl/jomctl/internal/testkit"
)

// standins builds the stand-ins' program once for a test.
func standins(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "standin")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/jomctl/jomctl/cmd/standin").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// background runs a program until the end of the test and shows its output if the test fails.
func background(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env = scrubbed()
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s %s:\n%s", name, args[0], log.String())
		}
	})
	return cmd
}

// taskProcess is the process of a task, known by its environment, which only the test's own agents have given to it.
func taskProcess(task string) int {
	entries, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, entry := range entries {
		data, err := os.ReadFile(entry)
		if err != nil || !bytes.Contains(data, []byte("MESOS_TASK_ID="+task+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(entry), "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry))); err == nil && bytes.HasPrefix(line, []byte("sleep\x00")) {
			return pid
		}
	}
	return 0
}

// endBelow ends what the test's own agents have started and left: processes that work below the test's folder.
func endBelow(t *testing.T, dir string) {
	t.Helper()
	entries, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, entry := range entries {
		cwd, err := os.Readlink(entry)
		if err != nil || !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestTogether deploys on the stand-ins of Mesos (one master, two agents, tasks as processes), and with JOMCTL_TEST_REAL=1 runs the
// whole contract there.
func TestTogether(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts six processes")
	}
	z := testkit.StartZooKeeper(t)
	binary := standins(t)
	dir := t.TempDir()
	_, masterPort, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	background(t, binary, "mesos-master", "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port="+masterPort, "--zk=zk://"+z.Addr+"/mesos", "--quorum=1", "--work_dir="+dir+"/master")
	for n := 1; n <= 2; n++ {
		_, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
		require.NoError(t, err)
		background(t, binary, "mesos-agent", "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port="+port, "--master=zk://"+z.Addr+"/mesos",
			fmt.Sprintf("--work_dir=%s/agent%d", dir, n), fmt.Sprintf("--runtime_dir=%s/run%d", dir, n), "--no-systemd_enable_support",
			fmt.Sprintf("--resources=cpus:4;mem:6000;disk:20000;ports:[%d-%d]", 31000+n*100, 31099+n*100))
	}
	p := launch(t, z.Addr, "zk://"+z.Addr+"/mesos")
	p.ready()
	// Tasks outlive their agents, so they have to be ended before these.
	t.Cleanup(func() { endBelow(t, dir) })
	t.Cleanup(func() { p.removeEverything(t) })
	// "resource-limits" asks for unlimited cpus, an infinite number that the stand-ins of Mesos cannot pass on between them.
	restart := func(t *testing.T) { p.kill(); p.comeBack() }
	if os.Getenv("JOMCTL_TEST_REAL") == "1" {
		contract.Run(t, contract.Program{URL: p.url, Patience: 30 * time.Second, Restart: restart, Without: []string{"resource-limits"}, EndTask: func(t *testing.T, id string) {
			pid := 0
			testkit.Eventually(t, patience, "the process of "+id, func(context.Context) bool { pid = taskProcess(id); return pid != 0 })
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}})
	}
	t.Run("a killed task comes back, a killed Marathon leaves it alone", func(t *testing.T) {
		resp, err := http.Post(p.url+"/v2/apps", "application/json", strings.NewReader(`{"id":"/stay","cmd":"exec sleep 100000","cpus":0.1,"mem":32}`))
		require.NoError(t, err)
		resp.Body.Close()
		task := ""
		running := func(context.Context) bool {
			_, doc := p.get("/v2/apps/stay")
			app, _ := doc["app"].(map[string]any)
			tasks, _ := app["tasks"].([]any)
			if len(tasks) != 1 || app["tasksRunning"] != 1.0 {
				return false
			}
			task, _ = tasks[0].(map[string]any)["id"].(string)
			return true
		}
		testkit.Eventually(t, patience, "it runs", running)
		first, pid := task, 0
		testkit.Eventually(t, patience, "its process", func(context.Context) bool { pid = taskProcess(task); return pid != 0 })
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		testkit.Eventually(t, patience, "it comes back", func(ctx context.Context) bool { return running(ctx) && task != first && taskProcess(task) != 0 })
		assert.Equal(t, strings.TrimSuffix(first, "1")+"2", task)
		first, pid = task, taskProcess(task)
		restart(t)
		testkit.Eventually(t, patience, "it is known again", running)
		assert.Equal(t, first, task)
		assert.Equal(t, pid, taskProcess(task), "the same process")
	})
}

func (p *program) removeEverything(t *testing.T) {
	req, err := http.NewRequest(http.MethodDelete, p.url+"/v2/groups?force=true", nil)
	require.NoError(t, err)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
	testkit.Eventually(t, patience, "no task is left", func(context.Context) bool {
		status, doc := p.get("/v2/tasks")
		tasks, _ := doc["tasks"].([]any)
		return status == 200 && len(tasks) == 0
	})
}

// TestTheMastersDeathEndsMarathon: the master is killed and started again; Marathon ends with 103 when the change of leader is seen,
// and finds its framework and its task when it is started again.
func TestTheMastersDeathEndsMarathon(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts six processes")
	}
	z := testkit.StartZooKeeper(t)
	binary := standins(t)
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	start := func() *exec.Cmd {
		return background(t, binary, "mesos-master", "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port="+port, "--zk=zk://"+z.Addr+"/mesos", "--quorum=1",
			"--work_dir="+dir+"/master", "--zk_session_timeout=2secs")
	}
	master := start()
	p := launch(t, z.Addr, "zk://"+z.Addr+"/mesos")
	p.ready()
	_, before := p.get("/v2/info")
	require.NoError(t, master.Process.Kill())
	start()
	assert.Equal(t, exitLostLeadership, p.exit())
	p.start()
	p.comeBack()
	_, after := p.get("/v2/info")
	assert.Equal(t, before["frameworkId"], after["frameworkId"])
}
