package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
)

func socketPair() (*execute.Conn, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "executor"), os.NewFile(uintptr(pair[1]), "agent")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("use a socket pair: %w", err)
	}
	return execute.NewConn(conn), theirs, nil
}

// listen follows one executor until it goes away.
func (a *Agent) listen(t *task, conn *execute.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(a.cfg.registrationTimeout))
	for {
		var message execute.FromExecutor
		if err := conn.Receive(&message); err != nil {
			a.lostExecutor(t, conn, errors.Is(err, os.ErrDeadlineExceeded))
			return
		}
		_ = conn.SetReadDeadline(time.Time{})
		a.fromExecutor(t, conn, message)
	}
}

func (a *Agent) fromExecutor(t *task, conn *execute.Conn, message execute.FromExecutor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case message.Hello != nil:
		t.executorPID = message.Hello.PID
		if message.Hello.TaskPID > 0 {
			t.taskPID = message.Hello.TaskPID
		}
	case message.Forked > 0:
		t.taskPID = message.Forked
	case message.Status != nil:
		a.update(t, *message.Status)
		_ = conn.Send(execute.ToExecutor{Ack: message.Status.UUID})
	}
}

func (a *Agent) lostExecutor(t *task, conn *execute.Conn, tooLate bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = conn.Close()
	if !terminal(t.state) && tooLate {
		if t.executorPID > 1 { // 0 would be this agent's own process group
			_ = syscall.Kill(t.executorPID, syscall.SIGKILL)
		}
		a.terminate(t, mesos.TASK_FAILED, mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT,
			"Executor did not register within "+formatDuration(a.cfg.registrationTimeout))
	}
	a.executorDied(t)
}

// executorDied cleans up after an executor that has gone; a task that had not ended then has failed.
func (a *Agent) executorDied(t *task) {
	if !terminal(t.state) {
		a.terminate(t, mesos.TASK_FAILED, mesos.REASON_EXECUTOR_TERMINATED, "Executor terminated")
	}
	a.executorGone(t)
}

func (a *Agent) executorGoneNow(t *task) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.executorGone(t)
}

func (a *Agent) executorGone(t *task) {
	if t.gone {
		return
	}
	t.gone, t.conn = true, nil
	a.counts.executorsTerminated++
	killLeftovers(t)
	if c := t.info.Container; c != nil && c.GetType() == mesos.ContainerInfo_DOCKER && a.cfg.docker {
		go a.removeContainer(t.container)
	}
	_ = os.RemoveAll(t.runtime)
	a.settle(t)
}

// killLeftovers kills what an executor that died by itself has left running. The process comes from its runtime folder;
// a stranger that has the number by now started at another time. While others of the session live the number cannot
// have been given again, so a leader that has gone is no stranger.
func killLeftovers(t *task) {
	var pid int
	var started uint64
	text, err := os.ReadFile(filepath.Join(t.runtime, execute.PIDName))
	if err != nil {
		return
	}
	if _, err := fmt.Sscan(string(text), &pid, &started); err != nil || pid <= 1 {
		return
	}
	if now := execute.Started(pid); now == 0 || now == started {
		execute.KillTree(pid, syscall.SIGKILL)
	}
}
