package contract

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// Launcher starts the programs that the suites talk to. What it starts ends with the test.
type Launcher interface {
	// StartMaster starts mesos-master with flags beside --ip, --port and --work_dir, which it chooses unless given, and
	// returns at once.
	StartMaster(t testing.TB, flags ...string) *Process
	// StartAgent does the same with mesos-agent.
	StartAgent(t testing.TB, flags ...string) *Process
	// Run runs a program to its end and returns what it printed and its exit code; one that runs on is killed after limit.
	Run(t testing.TB, program string, limit time.Duration, flags ...string) (output string, code int)
}

// Programs starts mesos-master and mesos-agent of a folder, real ones or stand-ins.
type Programs struct {
	Master, Agent string // paths
}

// NewPrograms finds the programs in a folder: both by their names, or one stand-in binary `standin` for both, which is
// linked to their names in a folder of the test.
func NewPrograms(t testing.TB, dir string) Programs {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "standin")); err == nil {
		links := t.TempDir()
		for _, name := range []string{"mesos-master", "mesos-agent"} {
			require.NoError(t, os.Symlink(filepath.Join(dir, "standin"), filepath.Join(links, name)))
		}
		dir = links
	}
	p := Programs{Master: filepath.Join(dir, "mesos-master"), Agent: filepath.Join(dir, "mesos-agent")}
	for _, file := range []string{p.Master, p.Agent} {
		_, err := os.Stat(file)
		require.NoError(t, err)
	}
	return p
}

// StartMaster implements Launcher.
func (p Programs) StartMaster(t testing.TB, flags ...string) *Process {
	t.Helper()
	return start(t, p.Master, withDefaults(t, flags, ""))
}

// StartAgent implements Launcher. The agent runs without isolation, as it must without root.
func (p Programs) StartAgent(t testing.TB, flags ...string) *Process {
	t.Helper()
	flags = withDefaults(t, flags, "--runtime_dir=")
	extra := []string{}
	dir := filepath.Dir(p.Agent)
	if _, err := os.Stat(filepath.Join(dir, "mesos-containerizer")); err == nil {
		extra = append(extra, "--launcher_dir="+dir) // real programs that are not installed
	}
	for _, flag := range append(extra, "--launcher=posix", "--isolation=posix/cpu,posix/mem", "--containerizers=mesos", "--no-systemd_enable_support") {
		name, _, _ := strings.Cut(flag, "=")
		if !has(flags, name) {
			flags = append(flags, flag)
		}
	}
	return start(t, p.Agent, flags)
}

func has(flags []string, name string) bool {
	return slices.ContainsFunc(flags, func(flag string) bool { return flag == name || strings.HasPrefix(flag, name+"=") })
}

func withDefaults(t testing.TB, flags []string, runtimeDir string) []string {
	flags = slices.Clone(flags)
	if !has(flags, "--ip") {
		flags = append(flags, "--ip=127.0.0.1")
	}
	if !has(flags, "--hostname") {
		flags = append(flags, "--hostname="+valueOf(flags, "--ip"))
	}
	if !has(flags, "--port") {
		_, port, err := net.SplitHostPort(testkit.FreeAddr(t, valueOf(flags, "--ip")))
		require.NoError(t, err)
		flags = append(flags, "--port="+port)
	}
	if !has(flags, "--work_dir") {
		flags = append(flags, "--work_dir="+t.TempDir())
	}
	if runtimeDir != "" && !has(flags, "--runtime_dir") {
		flags = append(flags, runtimeDir+t.TempDir())
	}
	return flags
}

func valueOf(flags []string, name string) string {
	for _, flag := range flags {
		if value, ok := strings.CutPrefix(flag, name+"="); ok {
			return value
		}
	}
	return ""
}

// Run implements Launcher.
func (p Programs) Run(t testing.TB, program string, limit time.Duration, flags ...string) (string, int) {
	t.Helper()
	path := map[string]string{"mesos-master": p.Master, "mesos-agent": p.Agent}[program]
	require.NotEmpty(t, path, program)
	one := start(t, path, flags)
	select {
	case <-one.ended:
	case <-time.After(limit):
		one.Signal(syscall.SIGKILL)
		<-one.ended
	}
	return one.Output(), one.cmd.ProcessState.ExitCode()
}

// Process is a started program.
type Process struct {
	// URL is its base URL, http://ip:port.
	URL   string
	Flags []string

	t      testing.TB
	path   string
	cmd    *exec.Cmd
	ended  chan struct{}
	output *output
}

// output collects what a program prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func start(t testing.TB, path string, flags []string) *Process {
	t.Helper()
	p := &Process{t: t, path: path, Flags: flags, output: &output{}, URL: fmt.Sprintf("http://%s", net.JoinHostPort(valueOf(flags, "--ip"), valueOf(flags, "--port")))}
	p.Start()
	t.Cleanup(func() {
		p.Signal(syscall.SIGKILL)
		<-p.ended
		if strings.Contains(p.Output(), "WARNING: DATA RACE") { // programs built with -race
			t.Errorf("%s has a data race", path)
		}
		if t.Failed() {
			t.Logf("%s %s printed:\n%s", path, strings.Join(flags, " "), p.Output())
		}
	})
	return p
}

// Start starts the program again with the same flags, after it has ended.
func (p *Process) Start() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, p.Flags...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(p.t, p.cmd.Start())
	ended := make(chan struct{})
	p.ended = ended
	cmd := p.cmd
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
}

// Signal sends a signal, nothing when the program has ended.
func (p *Process) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill ends the program as kill -9 does and waits until it is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// WaitExit waits until the program ends by itself and returns its exit code.
func (p *Process) WaitExit(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("%s still runs after %s", p.path, limit)
		return 0
	}
}

// Output is all that the program has printed so far.
func (p *Process) Output() string {
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return p.output.text.String()
}
