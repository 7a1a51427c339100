package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	defaultLogSize    = 20 << 20
	supervisorLogSize = 1 << 20
	rotateEvery       = 2 * time.Second
)

// supervisor keeps one unit's program running.
type supervisor struct {
	dir   string
	unit  Unit
	state state
	log   io.Writer
}

// program is a running program as its supervisor sees it.
type program struct {
	process
	ended <-chan Exit
}

// Supervise is the body of `jomctl supervise SPECFILE`: it keeps the unit's program running until SIGTERM or the end of
// the context, then ends it. It writes what it does to stderr. The exit code is 0 after a stop, 1 when the spec
// cannot be read, 3 when another supervisor has the unit.
func Supervise(ctx context.Context, specPath string) int {
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	// Notify and not Ignore, because an ignored signal would stay ignored in the program.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	s := &supervisor{dir: filepath.Dir(specPath), log: os.Stderr}
	lock, err := lockFile(filepath.Join(s.dir, lockName), time.Second)
	if err != nil {
		s.say("another supervisor has this unit: %v", err)
		return 3
	}
	defer lock.Close()
	err = readJSON(specPath, &s.unit)
	if err == nil {
		err = s.unit.validate()
	}
	if err != nil {
		s.say("read the unit: %v", err)
		return 1
	}
	go s.untilGone(specPath, cancel)
	s.run(ctx)
	return 0
}

// untilGone stops the unit when its folder has been deleted by hand: nobody could find its program any more.
func (s *supervisor) untilGone(specPath string, stop func()) {
	for {
		time.Sleep(rotateEvery)
		if _, err := os.Stat(specPath); errors.Is(err, fs.ErrNotExist) {
			s.say("%s is gone", specPath)
			stop()
			return
		}
	}
}

func (s *supervisor) say(format string, args ...any) {
	fmt.Fprintf(s.log, "%s %s\n", time.Now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// save writes the state down. A full disk must not end the program, so a failure is only said.
func (s *supervisor) save() {
	if err := writeJSON(filepath.Join(s.dir, stateName), s.state); err != nil {
		s.say("write the state: %v", err)
	}
}

func (s *supervisor) run(ctx context.Context) {
	p, err := s.takeOver()
	if p == nil && err == nil {
		p, err = s.start()
	}
	for {
		if err != nil {
			s.say("start %s: %v", s.unit.Argv[0], err)
			s.state.Phase, s.state.Program, s.state.Problem = phaseWaiting, process{}, err.Error()
		} else {
			exit, stopped := s.watch(ctx, p)
			if stopped {
				s.stop(p)
				return
			}
			s.say("%s: %s", s.unit.Name, exit)
			s.state.Phase, s.state.Program, s.state.LastExit = phaseWaiting, process{}, &exit
		}
		s.save()
		select {
		case <-ctx.Done():
			s.state.Phase = phaseStopped
			s.save()
			return
		case <-time.After(s.unit.RestartDelay):
		}
		s.state.Restarts++
		p, err = s.start()
	}
}

// takeOver deals with the program of a supervisor that was killed: it goes on under this one when the spec is still
// the same (there is no need to interrupt it), and is ended when it is not.
func (s *supervisor) takeOver() (*program, error) {
	self, _ := lookUp(os.Getpid())
	old, err := readState(s.dir)
	if err != nil {
		s.say("read the last state: %v", err)
	}
	p, ok := old.program()
	if ok && old.Digest == s.unit.Digest() {
		s.say("took over process %d", p.PID)
		s.state = old
		s.state.Supervisor, s.state.Program, s.state.Phase = self, p, phaseRunning
		s.save()
		return &program{process: p, ended: s.pollEnd(p)}, nil
	}
	s.state = state{Supervisor: self, Boot: bootID(), Digest: s.unit.Digest(), KillMode: s.unit.KillMode, StopTimeout: s.unit.StopTimeout}
	return nil, old.endProgram()
}

// pollEnd reports the end of a process that is not a child, of which only its absence can be seen.
func (s *supervisor) pollEnd(p process) <-chan Exit {
	ended := make(chan Exit, 1)
	go func() {
		for p.alive() {
			time.Sleep(5 * pollEvery)
		}
		s.killGroup(p)
		ended <- Exit{Code: -1, Time: time.Now()}
	}()
	return ended
}

func (s *supervisor) start() (*program, error) {
	s.state.Invocation, s.state.Phase, s.state.Program, s.state.Problem = uuid.NewString(), phaseStarting, process{}, ""
	s.save()
	out, err := os.OpenFile(s.unit.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(s.unit.Argv[0], s.unit.Argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.unit.Dir, out, out
	cmd.Env = append(environment(s.unit.Env), invocationVariable+"="+s.state.Invocation)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p, ok := lookUp(cmd.Process.Pid)
	if !ok { // ended already: the pid is still ours, as nobody has waited for it
		p = process{PID: cmd.Process.Pid}
	}
	s.state.Phase, s.state.Program, s.state.Since = phaseRunning, p, time.Now()
	s.save()
	ended := make(chan Exit, 1)
	go func() { ended <- s.wait(cmd, p) }()
	return &program{process: p, ended: ended}, nil
}

func environment(env map[string]string) []string {
	lines := make([]string, 0, len(env)+1)
	for name, value := range env {
		lines = append(lines, name+"="+value)
	}
	sort.Strings(lines)
	return lines
}

// wait waits for the program, and ends what is left of its group while the dead program still keeps the pid.
func (s *supervisor) wait(cmd *exec.Cmd, p process) Exit {
	untilDead(p.PID)
	s.killGroup(p)
	_ = cmd.Wait()
	exit := Exit{Code: cmd.ProcessState.ExitCode(), Time: time.Now()}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal().String()
	}
	return exit
}

func (s *supervisor) killGroup(p process) {
	if s.unit.KillMode == KillGroup {
		_ = syscall.Kill(-p.PID, syscall.SIGKILL)
	}
}

// watch waits for the end of the program or of the context, and keeps the logs small meanwhile.
func (s *supervisor) watch(ctx context.Context, p *program) (exit Exit, stopped bool) {
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	size := s.unit.LogSize
	if size <= 0 {
		size = defaultLogSize
	}
	for {
		select {
		case exit := <-p.ended:
			return exit, false
		case <-ctx.Done():
			return Exit{}, true
		case <-tick.C:
			if err := errors.Join(rotate(s.unit.LogFile, size), rotate(filepath.Join(s.dir, supervisorName), supervisorLogSize)); err != nil {
				s.say("%v", err)
			}
		}
	}
}

func (s *supervisor) stop(p *program) {
	s.say("stop %s", s.unit.Name)
	p.signal(s.unit.KillMode, syscall.SIGTERM)
	select {
	case exit := <-p.ended:
		s.state.LastExit = &exit
	case <-time.After(s.unit.StopTimeout):
		s.say("%s does not end within %s: SIGKILL", s.unit.Name, s.unit.StopTimeout)
		p.signal(s.unit.KillMode, syscall.SIGKILL)
		exit := <-p.ended
		s.state.LastExit = &exit
	}
	s.state.Phase, s.state.Program = phaseStopped, process{}
	s.save()
}

// rotate copies a log that is too big aside and empties it. The program keeps its open file, which appends, so it
// needs no telling, and no supervisor has to live for it to be able to write.
func rotate(path string, size int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= size {
		return nil
	}
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("rotate %s: %w", path, err)
	}
	defer from.Close()
	to, err := os.OpenFile(path+".1", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("rotate %s: %w", path, err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close(), os.Truncate(path, 0)); err != nil {
		return fmt.Errorf("rotate %s: %w", path, err)
	}
	return nil
}
