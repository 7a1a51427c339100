package execute

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestEndsInWords(t *testing.T) {
	for status, wanted := range map[syscall.WaitStatus]string{
		0:       "Command exited with status 0",
		7 << 8:  "Command exited with status 7",
		9:       "Command terminated with signal Killed",
		15:      "Command terminated with signal Terminated",
		11:      "Command terminated with signal Segmentation fault",
		6 | 128: "Command terminated with signal Aborted (core dumped)",
	} {
		assert.Equal(t, wanted, ended(status))
	}
}

func TestProgramsAreFoundInTheTasksPath(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "tool")
	require.NoError(t, os.WriteFile(tool, nil, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), nil, 0o600))
	env := []string{"A=1", "PATH=/nonexistent:" + dir}
	assert.Equal(t, tool, lookPath("tool", env, "/"))
	assert.Equal(t, "text", lookPath("text", env, "/"), "not executable")
	assert.Equal(t, "./tool", lookPath("./tool", env, "/"))
	assert.Equal(t, tool, lookPath("tool", []string{"PATH=."}, dir), "relative to the sandbox")
}

func TestKillTree(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "sleep 1000 & setsid sleep 1000 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	testkit.Eventually(t, time.Minute, "three processes", func(context.Context) bool { return len(Tree(pid)) == 3 })
	assert.NotZero(t, Started(pid))
	assert.Equal(t, 3, KillTree(pid, syscall.SIGKILL))
	_ = cmd.Wait()
	testkit.Eventually(t, time.Minute, "nothing left", func(context.Context) bool { return len(Tree(pid)) == 0 })
	assert.Zero(t, Started(pid))
	assert.Empty(t, Tree(1), "never everything")
	assert.Zero(t, KillTree(0, syscall.SIGKILL))
}

func TestSocketsInDeepFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 40))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	_, err := Dial(dir)
	require.Error(t, err, "nobody listens")
	listener, err := listen(dir)
	require.NoError(t, err)
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := listener.Accept()
		accepted <- conn
	}()
	conn, err := Dial(dir)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Send(ToExecutor{Ack: []byte("x")}))
	theirs := NewConn(<-accepted)
	defer theirs.Close()
	var message ToExecutor
	require.NoError(t, theirs.Receive(&message))
	assert.Equal(t, []byte("x"), message.Ack)
}

func TestGrace(t *testing.T) {
	e := &executor{}
	assert.Equal(t, 3*time.Second, e.grace(nil))
	e.launch.Task.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 5e9}}
	assert.Equal(t, 5*time.Second, e.grace(nil))
	assert.Equal(t, 500*time.Millisecond, e.grace(p(0.5)))
}

func TestExecutorAloneRefuses(t *testing.T) {
	assert.Equal(t, 1, Main(nil))
}
