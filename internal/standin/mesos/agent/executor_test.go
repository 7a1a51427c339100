package agent

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
	"github.com/jomctl/jomctl/internal/testkit"
)

// lonely is an executor process whose agent is the test.
type lonely struct {
	t    *testing.T
	dir  string
	conn *execute.Conn
	done chan struct{}
}

func startLonely(t *testing.T, launch execute.Launch) *lonely {
	t.Helper()
	l := &lonely{t: t, dir: t.TempDir(), done: make(chan struct{})}
	conn, theirs, err := socketPair()
	require.NoError(t, err)
	defer theirs.Close()
	l.conn = conn
	cmd := exec.Command("/proc/self/exe", "--runtime="+l.dir)
	cmd.Args[0], cmd.ExtraFiles = "mesos-executor", []*os.File{theirs}
	require.NoError(t, cmd.Start())
	go func() {
		_ = cmd.Wait()
		close(l.done)
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		killLeftovers(&task{runtime: l.dir})
		_ = cmd.Process.Kill()
		<-l.done
	})
	launch.Sandbox, launch.UID, launch.GID, launch.Env = t.TempDir(), -1, -1, []string{"PATH=/usr/bin:/bin"}
	require.NoError(t, conn.Send(execute.ToExecutor{Launch: &launch}))
	assert.Equal(t, cmd.Process.Pid, l.next().Hello.PID)
	return l
}

func (l *lonely) next() execute.FromExecutor {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(time.Minute))
	var message execute.FromExecutor
	require.NoError(l.t, l.conn.Receive(&message))
	return message
}

// await reads to the status with the state, without acknowledging anything.
func (l *lonely) await(state mesos.TaskState) *mesos.TaskStatus {
	l.t.Helper()
	for {
		if status := l.next().Status; status != nil && status.GetState() == state {
			return status
		}
	}
}

func (l *lonely) awaitEnd() {
	l.t.Helper()
	testkit.Eventually(l.t, time.Minute, "the executor ends", func(context.Context) bool {
		select {
		case <-l.done:
			return true
		default:
			return false
		}
	})
}

func shell(command string) mesos.TaskInfo {
	return mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t"}, Command: &mesos.CommandInfo{Value: &command}}
}

func TestExecutorWaitsUntilItsLastStatusIsTaken(t *testing.T) {
	l := startLonely(t, execute.Launch{Task: shell("true"), Checkpoint: true, RecoveryTimeout: 600})
	l.await(mesos.TASK_FINISHED)
	require.NoError(t, l.conn.Close())
	var again *execute.Conn
	testkit.Eventually(t, time.Minute, "the executor listens", func(context.Context) bool {
		conn, err := execute.Dial(l.dir)
		again = conn
		return err == nil
	})
	l.conn = again
	require.NotNil(t, l.next().Hello)
	for _, wanted := range []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_FINISHED} {
		status := l.next().Status
		require.Equal(t, wanted, status.GetState(), "everything not taken comes again, in order")
		require.NoError(t, l.conn.Send(execute.ToExecutor{Ack: status.UUID}))
	}
	l.awaitEnd()
}

func TestExecutorGivesUpAfterTheRecoveryTimeout(t *testing.T) {
	l := startLonely(t, execute.Launch{Task: shell("exec sleep 1000"), Checkpoint: true, RecoveryTimeout: 0.2})
	l.await(mesos.TASK_RUNNING)
	require.NoError(t, l.conn.Close())
	l.awaitEnd()
}

func TestExecutorOfATaskWithoutCheckpointEndsWithItsAgent(t *testing.T) {
	l := startLonely(t, execute.Launch{Task: shell("exec sleep 1000")})
	l.await(mesos.TASK_RUNNING)
	_, err := execute.Dial(l.dir)
	assert.Error(t, err, "it does not wait for another agent")
	require.NoError(t, l.conn.Close())
	l.awaitEnd()
}

func TestSecondKillOnlyShortensTheGrace(t *testing.T) {
	deaf := filepath.Join(t.TempDir(), "deaf")
	l := startLonely(t, execute.Launch{Task: shell("trap '' TERM; touch " + deaf + "; while :; do sleep 1; done")})
	l.await(mesos.TASK_RUNNING)
	// It runs before the shell has read its first word.
	testkit.Eventually(t, time.Minute, "the task ignores TERM", func(context.Context) bool {
		_, err := os.Stat(deaf)
		return err == nil
	})
	require.NoError(t, l.conn.Send(execute.ToExecutor{Kill: &execute.Kill{Grace: p(600.0)}}))
	require.NoError(t, l.conn.Send(execute.ToExecutor{Kill: &execute.Kill{Grace: p(0.1)}}))
	require.NoError(t, l.conn.Send(execute.ToExecutor{Kill: &execute.Kill{Grace: p(900.0)}}))
	assert.Equal(t, "Command terminated with signal Killed", l.await(mesos.TASK_KILLED).GetMessage())
}

func TestExecutorThatNeverRegisters(t *testing.T) {
	a, one := stillAgent(t, time.Hour)
	a.cfg.registrationTimeout = time.Millisecond
	one.gone = false
	ours, theirs := net.Pipe()
	defer theirs.Close()
	one.conn = execute.NewConn(ours)
	a.listen(one, one.conn)
	last := one.statuses[0]
	assert.Equal(t, mesos.TASK_FAILED, last.GetState())
	assert.Equal(t, mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT, last.GetReason())
	assert.Equal(t, "Executor did not register within 1ms", last.GetMessage())
	assert.True(t, one.gone)
}

func TestLogIsShownAmongTheFiles(t *testing.T) {
	master, logs := newMaster(t), t.TempDir()
	agent := startAgent(t, master.addr(), "--log_dir="+logs, "--quiet")
	master.awaitRegister(1)
	code, body, _ := agent.ask("GET", "/files/read?path=/slave/log&offset=0&length=200", "")
	assert.Equal(t, 200, code)
	assert.Contains(t, body, "This is the stand-in for mesos-agent")
	assert.Empty(t, agent.log(), "--quiet")
}
