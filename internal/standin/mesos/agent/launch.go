package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
	"github.com/jomctl/jomctl/internal/standin/mesos/agent/fetch"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// launchError is a failed launch: what the status says.
type launchError struct {
	reason mesos.TaskStatus_Reason
	text   string
}

func (e launchError) Error() string { return e.text }

func launchFailed(format string, args ...any) error {
	return launchError{mesos.REASON_CONTAINER_LAUNCH_FAILED, "Failed to launch container: " + fmt.Sprintf(format, args...)}
}

// run takes a task over from the master and launches it beside the other work.
func (a *Agent) run(order wire.Run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fw := a.framework(order.Framework)
	id := order.Task.TaskID.Value
	if a.leaving || fw.tasks[id] != nil {
		a.log.warn("Ignoring run task %s: already there, or shutting down", id)
		return
	}
	a.log.info("Got assigned task '%s' for framework %s", id, order.Framework.ID.GetValue())
	t := &task{framework: fw, owner: order.Framework, info: order.Task, container: uuid.NewString(), state: mesos.TASK_STAGING}
	t.sandbox = a.store.sandbox(a.info.ID.GetValue(), fw.info.ID.GetValue(), id, t.container)
	t.runtime = filepath.Join(a.cfg.runtimeDir, "containers", t.container)
	fw.tasks[id] = t
	go func() {
		if err := a.launch(t); err != nil {
			a.launchFailed(t, err)
		}
	}()
}

func (a *Agent) launchFailed(t *task, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log.warn("Container '%s' for task '%s' failed to start: %v", t.container, t.id(), err)
	a.counts.launchErrors++
	reason := mesos.REASON_CONTAINER_LAUNCH_FAILED
	var known launchError
	if errors.As(err, &known) {
		reason = known.reason
	}
	a.terminate(t, mesos.TASK_FAILED, reason, err.Error())
	a.executorGone(t)
}

// launch makes the sandbox, fetches, and starts the executor.
func (a *Agent) launch(t *task) error {
	if err := a.canRun(t); err != nil {
		return err
	}
	a.mu.Lock()
	err := a.store.saveTask(a.info.ID.GetValue(), t)
	a.mu.Unlock()
	if err != nil {
		return launchFailed("Failed to checkpoint task: %v", err)
	}
	if err := a.store.makeSandbox(t.sandbox); err != nil {
		return launchFailed("Failed to create executor directory '%s': %v", t.sandbox, err)
	}
	who, err := a.taskUser(t)
	if err != nil {
		return err
	}
	out, err := openLogs(t.sandbox)
	if err != nil {
		return launchFailed("%v", err)
	}
	defer out.close()
	if err := a.fetch(t, out.stderr); err != nil {
		return err
	}
	if err := who.own(t.sandbox); err != nil {
		return launchFailed("Failed to chown work directory: %v", err)
	}
	a.mu.Lock()
	dropped := t.killed
	a.mu.Unlock()
	if dropped {
		a.executorGoneNow(t)
		return nil
	}
	return a.startExecutor(t, who, out)
}

// canRun refuses what this stand-in does not do, in the words of the real agent where it would refuse too.
func (a *Agent) canRun(t *task) error {
	for _, id := range []string{t.id(), t.owner.ID.GetValue()} {
		if id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/\x00") || len(id) > 255 {
			return launchFailed("id '%s' cannot be a folder's name", id)
		}
	}
	switch {
	case t.info.Executor != nil:
		return launchFailed("the stand-in agent runs command tasks only, this one has its own executor")
	case t.info.Command == nil:
		return launchFailed("the stand-in agent runs command tasks only, this one has no command")
	case t.info.Check != nil:
		return launchFailed("the stand-in agent leaves out TaskInfo.check")
	}
	return a.canContain(t)
}

func (a *Agent) canContain(t *task) error {
	container := t.info.Container
	switch {
	case container == nil:
		return nil
	case container.GetType() == mesos.ContainerInfo_DOCKER && !a.cfg.docker:
		return launchError{mesos.REASON_EXECUTOR_TERMINATED, "Abnormal executor termination: unknown container"}
	case container.GetType() == mesos.ContainerInfo_DOCKER:
		return nil
	case container.Mesos != nil && container.Mesos.Image != nil:
		return launchFailed("the stand-in agent has no image provisioner for the MESOS containerizer; use a DOCKER container")
	case len(container.Volumes) > 0:
		return launchFailed("the stand-in agent mounts no volumes for the MESOS containerizer; use a DOCKER container")
	}
	return nil
}

func (a *Agent) fetch(t *task, log *os.File) error {
	uris := t.info.Command.URIs
	if len(uris) == 0 {
		return nil
	}
	err := fetch.All(uris, t.sandbox, a.cfg.flags.get("frameworks_home"), a.cfg.fetchStall, log)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.counts.fetchesFailed++
		return launchFailed("Failed to fetch all URIs for container '%s': exited with status 1", t.container)
	}
	a.counts.fetchesSucceded++
	return nil
}

// account is the user a task runs as; uid -1 keeps the agent's.
type account struct {
	uid, gid int
	groups   []int
}

func (w account) own(dir string) error {
	if w.uid < 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, w.uid, w.gid)
	})
}

// taskUser finds the user of the command or the framework. Without root nobody can be switched to.
func (a *Agent) taskUser(t *task) (account, error) {
	none := account{uid: -1, gid: -1}
	name := t.owner.User
	if t.info.Command.User != nil {
		name = *t.info.Command.User
	}
	if !a.cfg.flags.is("switch_user") || os.Geteuid() != 0 || name == "" {
		return none, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return none, launchFailed("Failed to chown '%s' to user '%s' : No such user '%s'", filepath.Join(t.sandbox, "stdout"), name, name)
	}
	who := none
	who.uid, _ = strconv.Atoi(found.Uid)
	who.gid, _ = strconv.Atoi(found.Gid)
	groups, _ := found.GroupIds()
	for _, text := range groups {
		if group, err := strconv.Atoi(text); err == nil {
			who.groups = append(who.groups, group)
		}
	}
	if who.uid == os.Geteuid() {
		return none, nil
	}
	return who, nil
}

type logs struct{ stdout, stderr *os.File }

func openLogs(sandbox string) (logs, error) {
	var out logs
	var err error
	if out.stdout, err = os.OpenFile(filepath.Join(sandbox, "stdout"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return out, fmt.Errorf("create stdout: %w", err)
	}
	if out.stderr, err = os.OpenFile(filepath.Join(sandbox, "stderr"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		_ = out.stdout.Close()
		return out, fmt.Errorf("create stderr: %w", err)
	}
	return out, nil
}

func (l logs) close() {
	_ = l.stdout.Close()
	_ = l.stderr.Close()
}

// startExecutor runs this same program as the executor in its own session, with one end of a socket pair as file 3.
func (a *Agent) startExecutor(t *task, who account, out logs) error {
	if err := os.MkdirAll(t.runtime, 0o700); err != nil {
		return launchFailed("create runtime folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(t.runtime, ownerName), []byte(a.cfg.workDir), 0o600); err != nil {
		return launchFailed("write into runtime folder: %v", err)
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return launchFailed("%v", err)
	}
	defer theirs.Close()
	env := a.environment(t)
	launch := execute.Launch{
		Task: t.info, Env: env, Sandbox: t.sandbox, UID: who.uid, GID: who.gid, Groups: who.groups,
		Checkpoint: checkpoints(t.owner), RecoveryTimeout: a.cfg.recoveryTimeout.Seconds(),
		ReportKilling: capable(t.owner, mesos.FrameworkInfo_Capability_TASK_KILLING_STATE),
	}
	if c := t.info.Container; c != nil && c.GetType() == mesos.ContainerInfo_DOCKER {
		if launch.Docker, err = a.dockerRun(t); err != nil {
			return err
		}
	}
	// The program may have been replaced on disk meanwhile, /proc/self/exe is the one that runs.
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"mesos-executor", "--launcher_dir=" + a.cfg.flags.get("launcher_dir"), "--runtime=" + t.runtime},
		Dir: t.sandbox, Env: env, Stdout: out.stdout, Stderr: out.stderr, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		_ = conn.Close()
		return launchFailed("Failed to fork executor: %v", err)
	}
	go func() { _ = cmd.Wait() }()
	a.mu.Lock()
	defer a.mu.Unlock()
	t.executorPID = cmd.Process.Pid
	if t.killed {
		_ = conn.Close()
		a.executorGone(t)
		return nil
	}
	a.store.saveRun(a.info.ID.GetValue(), t)
	// The launch must be the first word, so nobody may see the connection before.
	_ = conn.Send(execute.ToExecutor{Launch: &launch})
	t.conn = conn
	go a.listen(t, conn)
	return nil
}

func capable(info mesos.FrameworkInfo, kind mesos.FrameworkInfo_Capability_Type) bool {
	for _, one := range info.Capabilities {
		if one.Type == kind {
			return true
		}
	}
	return false
}
