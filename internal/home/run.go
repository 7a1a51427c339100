package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/home/history"
)

// Exit codes of a controller that was stopped by its guard; any other code is the controller's own.
const (
	ExitPrepare = 70
	ExitUnsafe  = 71
	// ExitFenced: the home is, or may be, another controller's by now.
	ExitFenced = 72
	// ExitRefused: the home and its history do not belong together, and a person must say what counts.
	ExitRefused = 73
)

// lastWord is how long the last push may take. Marathon gives a task 30 s to end, and Jenkins needs some of them.
const lastWord = 15 * time.Second

// takenInterval is how often the owner file is read.
const takenInterval = time.Second

// lookInterval is how often a starting controller is looked at: a stranger has no more time than this.
const lookInterval = 250 * time.Millisecond

// Streams are where the controller's output goes.
type Streams struct {
	Out, Err io.Writer
}

// Run owns the home, prepares it, runs the controller until it ends and returns its exit code. SIGTERM and SIGINT are
// passed on. A controller that lets strangers in, whose boot has failed, or that has no agent port is stopped.
func Run(ctx context.Context, c Controller, streams Streams) (int, error) {
	c, err := c.expanded(os.Getenv)
	if err != nil {
		return ExitPrepare, err
	}
	if err := checkLock(c); err != nil { // before anything is touched, or a lock taken
		return ExitPrepare, err
	}
	release, err := Own(c.Home)
	if err != nil {
		return ExitPrepare, err
	}
	defer release()
	if reaps(os.Getpid()) {
		reaping, stop := context.WithCancel(ctx)
		defer stop()
		go reapOrphans(reaping, orphanInterval)
	}
	kept, err := openHistory(ctx, c, streams)
	if err != nil {
		var refused *history.RefusedError
		if errors.As(err, &refused) {
			return ExitRefused, err
		}
		return ExitPrepare, err
	}
	defer kept.close(streams)
	if err := Prepare(c); err != nil {
		return ExitPrepare, err
	}
	stop, err := serveOwner(c.Owner, kept.ownership)
	if err != nil {
		return ExitPrepare, err
	}
	defer stop()
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(append(os.Environ(), "JENKINS_HOME="+c.Home), c.Env...)
	cmd.Stdout, cmd.Stderr = streams.Out, streams.Err
	// The controller must not outlive its owner, who holds the lock on the home.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return supervise(ctx, c, cmd, kept, streams)
}

// keeper is a run's history, or nothing where none is kept.
type keeper struct{ *history.Run }

// openHistory waits for the lock and the history of the home; a signal ends the wait.
func openHistory(ctx context.Context, c Controller, streams Streams) (keeper, error) {
	if c.History == nil {
		return keeper{}, nil
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	host := os.Getenv("HOST")
	if name, err := os.Hostname(); err == nil && (host == "" || host == "127.0.0.1") {
		host = name
	}
	run := &history.Run{Config: *c.History, Home: c.Home, Host: host, Task: os.Getenv("MESOS_TASK_ID"), Address: os.Getenv("HOST") + ":" + os.Getenv("PORT0"),
		Say: func(format string, args ...any) { fmt.Fprintf(streams.Err, "jomhome: "+format+"\n", args...) }}
	return keeper{run}, run.Open(ctx)
}

func (k keeper) start() <-chan error {
	if k.Run == nil {
		return nil
	}
	k.Start()
	return k.Failed()
}

// lost says why the controller must not be started any more.
func (k keeper) lost() error {
	if k.Run == nil {
		return nil
	}
	return k.Reason()
}

// ownership says whether the home is this controller's for sure.
func (k keeper) ownership() (Ownership, error) {
	o := Ownership{Host: os.Getenv("HOST"), Task: os.Getenv("MESOS_TASK_ID")}
	if k.Run == nil {
		return o, nil // the lock on the home's file lasts as long as this process
	}
	var err error
	o.Epoch, err = k.Sure()
	return o, err
}

// left is how long the controller may live from now on, should this process be stopped.
func (k keeper) left() time.Duration {
	if k.Run != nil {
		if left, ok := k.Left(); ok {
			return left
		}
	}
	return unlocked
}

func (k keeper) close(streams Streams) {
	if k.Run == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWord)
	defer cancel()
	if err := k.Close(ctx); err != nil {
		fmt.Fprintf(streams.Err, "jomhome: the last push: %v\n", err)
	}
}

func supervise(ctx context.Context, c Controller, cmd *exec.Cmd, kept keeper, streams Streams) (int, error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	if err := kept.lost(); err != nil {
		return ExitFenced, err
	}
	fenced := kept.start()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := make(chan error, 1)
	go func() {
		if err := taken(ctx, c.Home, takenInterval); err != nil {
			lost <- err
		}
	}()
	started := make(chan error, 1)
	ended := make(chan error, 1)
	go runOnOneThread(cmd, started, ended)
	if err := <-started; err != nil {
		return ExitPrepare, fmt.Errorf("starting the controller: %w", err)
	}
	// Its end is waited for: a watchdog that is just being started shares the lock of the home for a moment.
	gone, unwatched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(unwatched)
		guarded(cmd.Process.Pid, kept.left, streams, gone)
	}()
	defer func() {
		close(gone)
		<-unwatched
	}()
	unsafe := make(chan error, 1)
	go func() {
		unsafe <- newGuard(c.URL).watch(ctx, c, lookInterval, func() {
			fmt.Fprintln(streams.Err, "jomhome: the controller is up and refuses anonymous visitors")
		})
	}()
	for {
		select {
		case sig := <-signals:
			_ = cmd.Process.Signal(sig) // it may just have ended, which the next turn sees
		case err := <-ended:
			if kept.left() <= 0 { // the watchdog was faster
				return ExitFenced, errors.New("this process was stopped for longer than its lock lasts, and its watchdog has ended the controller")
			}
			return exitCode(err), nil
		case err := <-fenced:
			return endNow(cmd, ended, ExitFenced, err) // another controller may start any moment
		case err := <-lost:
			return endNow(cmd, ended, ExitFenced, err)
		case err := <-unsafe:
			if err == nil { // the context ended: stop as for SIGTERM
				_ = cmd.Process.Signal(syscall.SIGTERM)
				unsafe = nil
				continue
			}
			return endNow(cmd, ended, ExitUnsafe, err) // a stranger may be inside
		}
	}
}

// endNow kills the controller, which gets no time to write anything more, and waits until it is gone.
func endNow(cmd *exec.Cmd, ended <-chan error, code int, why error) (int, error) {
	_ = cmd.Process.Kill()
	<-ended
	return code, why
}

// runOnOneThread starts and waits on one locked thread: the kernel's parent-death signal is tied to the thread that
// started the child, and Go would otherwise be free to end that thread.
func runOnOneThread(cmd *exec.Cmd, started, ended chan<- error) {
	runtime.LockOSThread()
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal())
		}
		return exit.ExitCode()
	default:
		return ExitPrepare
	}
}

// Check asks a URL once and tells whether it answers 200, as the app's health check wants it.
func Check(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, _ := newGuard("").status(ctx, url)
	if status != 200 {
		return fmt.Errorf("%s answers %d", url, status)
	}
	return nil
}
