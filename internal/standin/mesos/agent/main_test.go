package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
	"github.com/jomctl/jomctl/internal/standin/mesos/master"
	"github.com/jomctl/jomctl/internal/testkit"
)

// The test's own program is also the agent and the executor that the tests start.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "mesos-agent":
		os.Exit(Main(os.Args[1:]))
	case "mesos-executor":
		os.Exit(ExecutorMain(os.Args[1:]))
	case "mesos-master":
		os.Exit(master.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// program is an agent as its own process.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	out  string // file
	work string
	addr string
}

// startAgent runs an agent on a free port against the master, with its own folders unless flags say otherwise.
func startAgent(t *testing.T, leader string, flags ...string) *program {
	t.Helper()
	return startAgentIn(t, t.TempDir(), testkit.FreeAddr(t, "127.0.0.1"), leader, flags...)
}

func startAgentIn(t *testing.T, work, addr, leader string, flags ...string) *program {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	args := append([]string{
		"--master=" + leader, "--ip=" + host, "--hostname=" + host, "--port=" + port, "--work_dir=" + work + "/work", "--runtime_dir=" + work + "/run",
		"--no-systemd_enable_support", "--launcher=posix",
	}, flags...)
	if !strings.Contains(strings.Join(flags, " "), "--resources") {
		args = append(args, "--resources=cpus:4;mem:1024;disk:1000;ports:[31000-31099]")
	}
	return startProgram(t, work, addr, args...)
}

func startProgram(t *testing.T, work, addr string, args ...string) *program {
	t.Helper()
	return startNamed(t, "mesos-agent", work, addr, args...)
}

func startNamed(t *testing.T, name, work, addr string, args ...string) *program {
	t.Helper()
	a := &program{t: t, done: make(chan struct{}), work: work, addr: addr, out: filepath.Join(t.TempDir(), "agent.log")}
	log, err := os.Create(a.out)
	require.NoError(t, err)
	defer log.Close()
	a.cmd = exec.Command("/proc/self/exe", args...)
	a.cmd.Args[0] = name
	a.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SECRET_OF_THE_AGENT=1"}
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, a.cmd.Start())
	go func() {
		_ = a.cmd.Wait()
		close(a.done)
	}()
	t.Cleanup(a.cleanup)
	return a
}

// cleanup ends the agent and whatever executors it has left.
func (a *program) cleanup() {
	a.kill()
	containers, _ := filepath.Glob(filepath.Join(a.work, "run", "containers", "*"))
	for _, dir := range containers {
		endExecutor(dir)
	}
	if strings.Contains(a.log(), "DATA RACE") {
		a.t.Error("a data race in the agent's process")
	}
	if a.t.Failed() {
		a.t.Logf("agent's log:\n%s", a.log())
	}
}

// endExecutor kills an executor that would wait for its agent, and its task.
func endExecutor(dir string) {
	killLeftovers(&task{runtime: dir})
	conn, err := execute.Dial(dir)
	if err != nil {
		return
	}
	defer conn.Close()
	var first execute.FromExecutor
	if conn.Receive(&first) == nil && first.Hello != nil {
		_ = syscall.Kill(first.Hello.PID, syscall.SIGKILL)
	}
}

func (a *program) kill() {
	_ = a.cmd.Process.Kill()
	<-a.done
}

func (a *program) signal(sig syscall.Signal) { require.NoError(a.t, a.cmd.Process.Signal(sig)) }

func (a *program) log() string {
	content, _ := os.ReadFile(a.out)
	return string(content)
}

// code waits for the agent's end.
func (a *program) code() int {
	a.t.Helper()
	testkit.Eventually(a.t, time.Minute, "the agent ends", func(context.Context) bool {
		select {
		case <-a.done:
			return true
		default:
			return false
		}
	})
	return a.cmd.ProcessState.ExitCode()
}

// awaitRegistered waits until the agent knows that a master has taken it in, and by which id.
func (a *program) awaitRegistered() {
	a.t.Helper()
	awaitBody(a.t, a.url("/metrics/snapshot"), `"slave/registered":1.0`)
}

func (a *program) url(path string) string { return fmt.Sprintf("http://%s%s", a.addr, path) }

func alive(pid int) bool {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(content), ") Z ")
}
