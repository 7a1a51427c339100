package fakemaster

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

func (m *Master) launch(task mesos.TaskInfo) {
	name := task.TaskID.Value
	var used [2]float64
	for _, r := range task.Resources {
		switch r.Name {
		case "cpus":
			used[0] = r.Scalar.Value
		case "mem":
			used[1] = r.Scalar.Value
		}
	}
	var once sync.Once
	end := func(state mesos.TaskState, text string) {
		once.Do(func() {
			m.mu.Lock()
			delete(m.tasks, name)
			delete(m.used, name)
			m.mu.Unlock()
			m.Update(name, state, text)
		})
	}
	m.mu.Lock()
	m.used[name] = used
	m.tasks[name] = func() { end(mesos.TASK_KILLED, "Command terminated with signal Terminated") }
	m.mu.Unlock()
	m.Update(name, mesos.TASK_STARTING, "")
	m.Update(name, mesos.TASK_RUNNING, "")
	if m.Runner == nil {
		return
	}
	m.wg.Add(1)
	kill, err := m.Runner(task, func(exit int) {
		defer m.wg.Done()
		state := mesos.TASK_FINISHED
		if exit != 0 {
			state = mesos.TASK_FAILED
		}
		end(state, fmt.Sprintf("Command exited with status %d", exit))
	})
	if err != nil {
		m.wg.Done()
		end(mesos.TASK_FAILED, err.Error())
		return
	}
	m.mu.Lock()
	if m.tasks[name] != nil {
		m.tasks[name] = kill
	}
	m.mu.Unlock()
}

// Update sends a status about any task to the subscribed framework.
func (m *Master) Update(name string, state mesos.TaskState, text string) {
	id := uuid.New()
	source := mesos.SOURCE_EXECUTOR
	e := &scheduler.Event{Type: scheduler.Event_UPDATE, Update: &scheduler.Event_Update{Status: mesos.TaskStatus{TaskID: mesos.TaskID{Value: name},
		State: &state, AgentID: &mesos.AgentID{Value: "S0"}, UUID: id[:], Source: &source, Message: &text}}}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.streams {
		select {
		case s.out <- e:
		default:
		}
	}
}

// RunHere is a Runner that does what a Mesos agent does for a plain command: fetch the uris, run the shell in a sandbox.
// path is the PATH of the tasks.
func RunHere(t testing.TB, path string) Runner {
	base := t.TempDir()
	return func(task mesos.TaskInfo, ended func(int)) (func(), error) {
		sandbox := filepath.Join(base, task.TaskID.Value)
		if err := os.MkdirAll(sandbox, 0o755); err != nil {
			return nil, err
		}
		for _, u := range task.Command.URIs {
			if err := fetch(u.Value, filepath.Join(sandbox, filepath.Base(u.Value))); err != nil {
				return nil, err
			}
		}
		out, err := os.Create(filepath.Join(sandbox, "stderr"))
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("/bin/sh", "-c", task.Command.GetValue())
		cmd.Dir, cmd.Stdout, cmd.Stderr = sandbox, out, out
		cmd.Env = []string{"PATH=" + path, "MESOS_SANDBOX=" + sandbox, "HOME=" + sandbox}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			_ = out.Close()
			return nil, err
		}
		go func() {
			_ = cmd.Wait()
			_ = out.Close()
			ended(cmd.ProcessState.ExitCode())
		}()
		return func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }, nil
	}
}

func fetch(url, to string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch %s: %s", url, resp.Status)
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
