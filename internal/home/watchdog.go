package home

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchdogVariable makes the running program a watchdog; its value is the controller's process.
const watchdogVariable = "JOMHOME_WATCHDOG"

const (
	// beat is how often a watchdog hears how long the controller may live.
	beat = time.Second
	// unlocked is how long a controller without a lock in ZooKeeper may live when nobody watches it.
	unlocked = 30 * time.Second
)

// Watchdog returns true if this process was started as a watchdog, and has ended its work. A program that calls Run calls it first of
// all. The kernel ends a controller whose owner is gone, but not one whose owner is stopped (SIGSTOP, a debugger): that owner cannot see
// its lock run out. So a second process kills the controller when it has not been told for too long that it may live.
func Watchdog() bool {
	pid, err := strconv.Atoi(os.Getenv(watchdogVariable))
	if err != nil {
		return false
	}
	if err := watchOver(pid, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "jomhome: watchdog:", err)
	}
	return true
}

// watchOver reads lines, each with the milliseconds that a process may live from then on, and kills it when they are over, or when nobody
// writes any more.
func watchOver(pid int, in io.Reader) error {
	// A number may be another process's by now; what is behind the descriptor is not.
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	kill := func() error {
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("killing process %d: %w", pid, err)
		}
		return nil
	}
	lines := make(chan time.Duration)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			millis, _ := strconv.ParseInt(strings.TrimSpace(scanner.Text()), 10, 64) // what is no number is none left
			lines <- time.Duration(millis) * time.Millisecond
		}
	}()
	timer, granted := time.NewTimer(unlocked), unlocked
	defer timer.Stop()
	for {
		select {
		case left, open := <-lines:
			if !open || left <= 0 {
				return kill()
			}
			timer.Reset(left)
			granted = left
		case <-timer.C:
			return errors.Join(kill(), fmt.Errorf("the controller, process %d, is ended: its jomhome has not said for %s that it may live, as where it was stopped (SIGSTOP) or the machine stood still",
				pid, granted.Round(time.Millisecond)))
		}
	}
}

// guarded keeps a watchdog over a controller until done is closed. left says how long the controller may live from now on.
func guarded(pid int, left func() time.Duration, streams Streams, done <-chan struct{}) {
	for {
		err := oneWatchdog(pid, left, streams, done)
		select {
		case <-done:
			return
		default:
		}
		fmt.Fprintf(streams.Err, "jomhome: the watchdog of the controller has ended (%v) and is started again\n", err)
		select {
		case <-done:
			return
		case <-time.After(beat):
		}
	}
}

func oneWatchdog(pid int, left func() time.Duration, streams Streams, done <-chan struct{}) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), watchdogVariable+"="+strconv.Itoa(pid))
	cmd.Stderr = streams.Err
	// What is sent to the group of this process must not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		_, _ = fmt.Fprintln(pipe, left().Milliseconds()) // one that does not read has ended
		select {
		case err := <-ended:
			return err
		case <-done: // the controller is gone
			_ = cmd.Process.Kill()
			return <-ended
		case <-tick.C:
		}
	}
}
