package execute

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func (e *executor) start() {
	task := e.launch.Task
	if e.launch.Checkpoint {
		if err := e.accept(); err != nil {
			e.say("%v", err)
		}
	}
	e.report(NewStatus(task.TaskID, mesos.TASK_STARTING, ""))
	e.say("Starting task %s", task.TaskID.Value)
	e.cmd = e.command()
	if err := e.cmd.Start(); err != nil {
		// The real launcher has forked by then, so a program that cannot be executed is a task that ran and failed.
		fmt.Fprintf(os.Stderr, "Failed to execute '%s': %v\n", e.cmd.Path, err)
		e.report(NewStatus(task.TaskID, mesos.TASK_RUNNING, ""))
		e.taskEnded(syscall.WaitStatus(1 << 8))
		return
	}
	e.pid = e.cmd.Process.Pid
	e.say("Forked command at %d", e.pid)
	e.writePID()
	if e.conn != nil {
		_ = e.conn.Send(FromExecutor{Forked: e.pid})
	}
	e.report(NewStatus(task.TaskID, mesos.TASK_RUNNING, ""))
	go func() {
		_ = e.cmd.Wait()
		e.events <- exited{e.cmd.ProcessState.Sys().(syscall.WaitStatus)}
	}()
	if limit := task.MaxCompletionTime; limit != nil {
		time.AfterFunc(time.Duration(limit.Nanoseconds), func() { e.events <- timeUp{} })
	}
	if task.HealthCheck != nil {
		go e.watchHealth(*task.HealthCheck)
	}
}

// command is one call of the docker program.
func (d *Docker) command(args ...string) *exec.Cmd {
	return exec.Command(d.Program, append([]string{"-H", d.Socket}, args...)...)
}

func (e *executor) command() *exec.Cmd {
	cmd := &exec.Cmd{Dir: e.launch.Sandbox, Env: e.launch.Env, Stdout: os.Stdout, Stderr: os.Stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if e.launch.UID >= 0 {
		credential := &syscall.Credential{Uid: uint32(e.launch.UID), Gid: uint32(e.launch.GID)}
		for _, group := range e.launch.Groups {
			credential.Groups = append(credential.Groups, uint32(group))
		}
		cmd.SysProcAttr.Credential = credential
	}
	if docker := e.launch.Docker; docker != nil {
		run := docker.command(append([]string{"run"}, docker.Args...)...)
		cmd.Path, cmd.Args = run.Path, run.Args
		cmd.SysProcAttr.Credential = nil // the user is for the container's content, not for the engine
		return cmd
	}
	info := e.launch.Task.Command
	if info.Shell == nil || *info.Shell {
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", info.GetValue()}
		return cmd
	}
	cmd.Path, cmd.Args = lookPath(info.GetValue(), e.launch.Env, e.launch.Sandbox), info.Arguments
	if len(cmd.Args) == 0 {
		cmd.Args = []string{info.GetValue()}
	}
	return cmd
}

// lookPath finds a program in the task's own PATH, not in the executor's.
func lookPath(name string, env []string, dir string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, pair := range env {
		list, ok := strings.CutPrefix(pair, "PATH=")
		if !ok {
			continue
		}
		for _, folder := range filepath.SplitList(list) {
			if !filepath.IsAbs(folder) {
				folder = filepath.Join(dir, folder)
			}
			path := filepath.Join(folder, name)
			if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return name
}

// grace is how long a killed task may take: the call's, the task's own, or 3 seconds.
func (e *executor) grace(asked *float64) time.Duration {
	if asked != nil {
		return time.Duration(*asked * float64(time.Second))
	}
	if policy := e.launch.Task.KillPolicy; policy != nil && policy.GracePeriod != nil {
		return time.Duration(policy.GracePeriod.Nanoseconds)
	}
	return defaultGrace
}

// kill sends SIGTERM once; a second kill can only shorten the grace.
func (e *executor) kill(order Kill) {
	if e.ended || e.cmd == nil {
		return
	}
	deadline := time.Now().Add(e.grace(order.Grace))
	if order.Reason != nil {
		e.killedBy = order.Reason
	}
	if e.killing && !deadline.Before(e.killTime) {
		return
	}
	e.killTime = deadline
	if e.killer != nil {
		e.killer.Stop()
	}
	if !e.killing {
		e.killing = true
		if e.launch.ReportKilling {
			status := NewStatus(e.launch.Task.TaskID, mesos.TASK_KILLING, "")
			status.Reason = e.killedBy
			e.report(status)
		}
		e.say("Killing task %s with SIGTERM, grace %s", e.launch.Task.TaskID.Value, time.Until(deadline).Round(time.Millisecond))
		e.terminate(time.Until(deadline))
	}
	e.killer = time.AfterFunc(time.Until(deadline), func() { e.events <- killNow{} })
}

func (e *executor) terminate(grace time.Duration) {
	if docker := e.launch.Docker; docker != nil {
		seconds := fmt.Sprint(int(grace.Round(time.Second) / time.Second))
		stop := docker.command("stop", "-t", seconds, docker.Name)
		go func() { _ = stop.Run() }()
		return
	}
	KillTree(e.pid, syscall.SIGTERM)
}

func (e *executor) destroy() {
	if docker := e.launch.Docker; docker != nil {
		end := docker.command("kill", docker.Name)
		go func() { _ = end.Run() }()
		return
	}
	KillTree(e.pid, syscall.SIGKILL)
}

func (e *executor) taskEnded(status syscall.WaitStatus) {
	e.ended = true
	if e.killer != nil {
		e.killer.Stop()
	}
	// What the command left behind in its session goes with the container.
	if e.pid > 0 {
		KillTree(e.pid, syscall.SIGKILL)
		_ = os.Remove(filepath.Join(e.dir, PIDName))
	}
	state := mesos.TASK_FAILED
	switch {
	case e.overtime:
	case status.Exited() && status.ExitStatus() == 0:
		state = mesos.TASK_FINISHED
	case e.killing:
		state = mesos.TASK_KILLED
	}
	message := ended(status)
	if e.launch.Docker != nil {
		message = strings.Replace(message, "Command", "Container", 1)
	}
	last := NewStatus(e.launch.Task.TaskID, state, message)
	last.Reason = e.killedBy
	if e.overtime {
		last.Reason = p(mesos.REASON_MAX_COMPLETION_TIME_REACHED)
	}
	if e.sick {
		last.Healthy = p(false)
	}
	e.say("%s (pid: %d)", message, e.pid)
	e.report(last)
}
