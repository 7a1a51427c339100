package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// The files of a unit's folder.
const (
	specName       = "spec.json"
	stateName      = "state.json"
	lockName       = "lock"       // held by the supervisor for as long as it lives
	applyLockName  = "apply.lock" // held by a command while it changes the unit
	supervisorName = "supervisor.log"
)

// phase is what a supervisor is doing.
type phase string

const (
	phaseStarting phase = "starting" // the program may or may not have been started
	phaseRunning  phase = "running"
	phaseWaiting  phase = "waiting" // until it is time to start it again
	phaseStopped  phase = "stopped"
)

// state is what a supervisor writes down, enough for its successor to find the program when the supervisor was killed.
type state struct {
	Supervisor process `json:"supervisor"`
	Boot       string  `json:"boot"`
	Digest     string  `json:"digest"`
	Phase      phase   `json:"phase"`
	Program    process `json:"program"`
	// Invocation is in the environment of the program and all it has started, as JOMCTL_INVOCATION.
	Invocation  string        `json:"invocation,omitempty"`
	KillMode    KillMode      `json:"killMode"`
	StopTimeout time.Duration `json:"stopTimeout"`
	Since       time.Time     `json:"since"`
	Restarts    int           `json:"restarts"`
	LastExit    *Exit         `json:"lastExit,omitempty"`
	Problem     string        `json:"problem,omitempty"`
}

const invocationVariable = "JOMCTL_INVOCATION"

// readState returns the zero state where there is none.
func readState(dir string) (state, error) {
	var s state
	err := readJSON(filepath.Join(dir, stateName), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	return s, err
}

// program finds the running program by the state that its supervisor left.
func (s state) program() (process, bool) {
	if s.Boot != bootID() {
		return process{}, false
	}
	if s.Program.alive() {
		return s.Program, true
	}
	if s.Phase != phaseStarting || s.Invocation == "" {
		return process{}, false
	}
	// The supervisor was killed between starting the program and writing down its pid. What the program has started
	// has its environment too, but is younger.
	found, err := withEnvironment(s.ours)
	if err != nil || len(found) == 0 {
		return process{}, false
	}
	return found[0], true
}

func (s state) ours(name, value string) bool {
	return name == invocationVariable && value == s.Invocation
}

// endProgram ends what a killed supervisor left running, by the rules of the spec it ran under.
func (s state) endProgram() error {
	if p, ok := s.program(); ok {
		if err := p.end(s.KillMode, s.StopTimeout); err != nil {
			return err
		}
	}
	if s.KillMode != KillGroup || s.Invocation == "" || s.Boot != bootID() {
		return nil
	}
	left, err := withEnvironment(s.ours)
	for _, p := range left {
		p.signal(KillProcess, syscall.SIGKILL)
	}
	return err
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("parse %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Write(path, append(text, '\n'), 0o600)
}

// lockFile takes an flock, waiting for it at most for the given time. Closing the file gives it back.
func lockFile(path string, wait time.Duration) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(wait)
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		time.Sleep(pollEvery)
	}
}

// locked says whether some other open file holds the lock. It is asked of every unit at each look at a cluster, and goes without an os.File.
func locked(path string) (bool, error) {
	fd, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = syscall.Close(fd) }()
	err = uninterrupted(func() error { return syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func openPlain(path string) (fd int, err error) {
	err = uninterrupted(func() error {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
