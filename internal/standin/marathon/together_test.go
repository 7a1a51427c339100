package marathon

import (
	"bytes"
	"context"
	"encoding/json"
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

// stack is the stand-ins of Mesos (one master, two agents, tasks as processes) and a Marathon on them.
type stack struct {
	*program
	master      *exec.Cmd
	masterURL   string
	startMaster func()
}

func newStack(t *testing.T) *stack {
	t.Helper()
	z := testkit.StartZooKeeper(t)
	binary := standins(t)
	dir := t.TempDir()
	port := func() string {
		_, port, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
		require.NoError(t, err)
		return port
	}
	masterPort := port()
	s := &stack{masterURL: "http://127.0.0.1:" + masterPort}
	s.startMaster = func() {
		s.master = background(t, binary, "mesos-master", "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port="+masterPort, "--zk=zk://"+z.Addr+"/mesos", "--quorum=1",
			"--work_dir="+dir+"/master", "--zk_session_timeout=6secs")
	}
	s.startMaster()
	for n := 1; n <= 2; n++ {
		background(t, binary, "mesos-agent", "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port="+port(), "--master=zk://"+z.Addr+"/mesos",
			fmt.Sprintf("--work_dir=%s/agent%d", dir, n), fmt.Sprintf("--runtime_dir=%s/run%d", dir, n), "--no-systemd_enable_support",
			fmt.Sprintf("--resources=cpus:4;mem:6000;disk:20000;ports:[%d-%d]", 31000+n*100, 31099+n*100))
	}
	s.program = launch(t, z.Addr, "zk://"+z.Addr+"/mesos")
	s.ready()
	// Tasks outlive their agents, so they have to be ended before these.
	t.Cleanup(func() { endBelow(t, dir) })
	t.Cleanup(func() { s.removeEverything(t) })
	return s
}

// restart kills Marathon and starts it until it leads again.
func (s *stack) restart(*testing.T) {
	s.kill()
	s.comeBack()
}

// registered says whether the master has a framework that is connected.
func (s *stack) registered(context.Context) bool {
	resp, err := http.Get(s.masterURL + "/frameworks")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var all struct{ Frameworks []struct{ Connected bool } }
	return json.NewDecoder(resp.Body).Decode(&all) == nil && len(all.Frameworks) == 1 && all.Frameworks[0].Connected
}

// process waits for the process of a task.
func (s *stack) process(t *testing.T, task string) int {
	t.Helper()
	pid := 0
	testkit.Eventually(t, patience, "the process of "+task, func(context.Context) bool { pid = taskProcess(task); return pid != 0 })
	return pid
}

// running is the one running task of an app, empty while there is none.
func (s *stack) running(app string) string {
	_, doc := s.get("/v2/apps" + app)
	view, _ := doc["app"].(map[string]any)
	tasks, _ := view["tasks"].([]any)
	if len(tasks) != 1 || view["tasksRunning"] != 1.0 {
		return ""
	}
	id, _ := tasks[0].(map[string]any)["id"].(string)
	return id
}

// TestTogether deploys on the stand-ins of Mesos, and with JOMCTL_TEST_REAL=1 runs the whole contract there. "resource-limits" asks for
// unlimited cpus, an infinite number that the stand-ins of Mesos cannot pass on between them.
func TestTogether(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts six processes")
	}
	s := newStack(t)
	if os.Getenv("JOMCTL_TEST_REAL") == "1" {
		contract.Run(t, contract.Program{URL: s.url, Patience: patience, Restart: s.restart, Without: []string{"resource-limits"}, EndTask: func(t *testing.T, id string) {
			require.NoError(t, syscall.Kill(s.process(t, id), syscall.SIGKILL))
		}})
	}
	resp, err := http.Post(s.url+"/v2/apps", "application/json", strings.NewReader(`{"id":"/stay","cmd":"exec sleep 100000","cpus":0.1,"mem":32}`))
	require.NoError(t, err)
	resp.Body.Close()
	var first string
	testkit.Eventually(t, patience, "it runs", func(context.Context) bool { first = s.running("/stay"); return first != "" })
	require.NoError(t, syscall.Kill(s.process(t, first), syscall.SIGKILL))
	second := strings.TrimSuffix(first, "1") + "2"
	testkit.Eventually(t, patience, "a killed task comes back", func(context.Context) bool { return s.running("/stay") == second })
	pid := s.process(t, second)
	s.restart(t)
	testkit.Eventually(t, patience, "a killed Marathon knows it again", func(context.Context) bool { return s.running("/stay") == second })
	assert.Equal(t, pid, taskProcess(second), "the same process")
	// A Marathon that has not subscribed yet sees no change of leader and lives on.
	testkit.Eventually(t, patience, "it is registered", s.registered)
	_, before := s.get("/v2/info")
	require.NoError(t, s.master.Process.Kill())
	s.startMaster()
	assert.Equal(t, exitLostLeadership, s.exit(), "the master's death ends Marathon when the change of leader is seen")
	s.start()
	s.comeBack()
	_, after := s.get("/v2/info")
	assert.Equal(t, before["frameworkId"], after["frameworkId"])
	testkit.Eventually(t, patience, "it is known again", func(context.Context) bool { return s.running("/stay") == second })
	assert.Equal(t, pid, taskProcess(second), "still the same process")
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
