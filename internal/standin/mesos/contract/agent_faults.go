package contract

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// AgentStartup asserts how an agent refuses to start: what it says and its exit code.
func AgentStartup(t *testing.T, launcher Launcher) {
	dir := t.TempDir()
	good := []string{"--master=127.0.0.1:1", "--ip=127.0.0.1", "--work_dir=" + dir + "/work", "--runtime_dir=" + dir + "/run", "--no-systemd_enable_support", "--launcher=posix"}
	free := func() string { return "--port=" + strings.TrimPrefix(testkit.FreeAddr(t, "127.0.0.1"), "127.0.0.1:") }
	busy := launcher.StartAgent(t, "--master=127.0.0.1:1")
	require.Eventually(t, func() bool { _, err := tryAsk("GET", busy.URL+"/health", nil, ""); return err == nil }, patience, 20*time.Millisecond)
	for _, c := range []struct {
		name  string
		flags []string
		code  int
		text  string
	}{
		{"no flags", nil, 1, "Flag 'work_dir' is required, but it was not provided\n\nSee `mesos-agent --help` for a list of supported flags.\n"},
		{"no master", []string{"--work_dir=" + dir}, 1, "EXIT with status 1: Missing required option `--master` or `--master_detector`"},
		{"unknown flag", append(good, "--nosuchflag=1"), 1, "Failed to load unknown flag 'nosuchflag'\n\nSee `mesos-agent --help` for a list of supported flags.\n"},
		{"resources", append(good, free(), "--resources=cpus=1"), 1, "EXIT with status 1: Failed to determine agent resources: Bad value for resources, missing or extra ':' in cpus=1"},
		{"attributes", append(good, free(), "--attributes=rack"), -1, "Invalid attribute key:value pair 'rack'"},
		{"isolation", append(good, free(), "--isolation=nosuch"), 1, "Unknown or unsupported isolator 'nosuch'"},
		{"port in use", append(good, "--port="+valueOf(busy.Flags, "--port")), -1, "Address already in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			output, code := launcher.Run(t, "mesos-agent", patience, c.flags...)
			assert.Contains(t, output, c.text)
			if c.code < 0 {
				// The real program aborts: a signal, which a shell shows as 134.
				assert.Contains(t, []int{-1, 134}, code)
				return
			}
			assert.Equal(t, c.code, code)
		})
	}
}

// AgentFaults asserts what outlives an agent that is killed, and what an agent keeps of its old life.
func AgentFaults(t *testing.T, launcher Launcher) {
	master := launcher.StartMaster(t)
	Ready(t, master.URL)
	work, runtime := t.TempDir(), t.TempDir()
	agent := launcher.StartAgent(t, "--master="+address(master), "--attributes=rack:a", "--resources=cpus:2;mem:1024;disk:1000", "--work_dir="+work, "--runtime_dir="+runtime)
	AgentRegistered(t, agent.URL)
	id := fetch(t, agent.URL+"/state").text("id")
	keeps := subscribe(t, master.URL, frameworkInfo("keeps", nil))
	_, status := keeps.run("c-kept", "exec sleep 1000")
	executor := int(status.at("container_status")["executor_pid"].(float64))
	loses := subscribe(t, master.URL, frameworkInfo("loses", info{"checkpoint": false}))
	loses.run("c-bound", "exec sleep 1000")

	agent.Kill()
	assert.Equal(t, "REASON_AGENT_DISCONNECTED", loses.awaitState("c-bound", "TASK_LOST").text("reason"))
	agent.Start()
	AgentsActive(t, master.URL, 1)
	assert.Equal(t, id, fetch(t, agent.URL+"/state").text("id"), "the id stays with the work_dir")
	assert.NoError(t, syscall.Kill(executor, 0), "the executor of a checkpointing framework lives on")
	assert.NotEmpty(t, sandboxOf(t, agent.URL, "c-kept"))

	require.NoError(t, syscall.Kill(executor, syscall.SIGKILL))
	assert.Equal(t, "REASON_EXECUTOR_TERMINATED", keeps.awaitState("c-kept", "TASK_FAILED").text("reason"))

	agent.Kill()
	flags := []string{"--master=" + address(master), "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port=" + valueOf(agent.Flags, "--port"), "--work_dir=" + work,
		"--runtime_dir=" + runtime, "--attributes=rack:b", "--resources=cpus:2;mem:1024;disk:1000", "--launcher=posix", "--no-systemd_enable_support"}
	output, code := launcher.Run(t, "mesos-agent", patience, flags...)
	assert.Equal(t, 1, code)
	assert.Contains(t, output, "Incompatible agent info detected")
	assert.Contains(t, output, fmt.Sprintf("rm -f %s", filepath.Join(work, "meta/slaves/latest")))

	agent.Start()
	AgentsActive(t, master.URL, 1)
	keeps.run("c-doomed", "exec sleep 1000")
	agent.Signal(syscall.SIGUSR1)
	assert.Equal(t, 0, agent.WaitExit(patience))
	testkit.Eventually(t, patience, "the unregistered agent is gone", func(context.Context) bool { return len(fetch(t, master.URL+"/slaves").list("slaves")) == 0 })
}
