package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// TestMain lets the test binary be the supervisor, as jomctl is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(Supervise(context.Background(), os.Args[2]))
	}
	os.Exit(m.Run())
}

type rig struct {
	*Local
	t *testing.T
}

func newRig(t *testing.T) *rig {
	t.Helper()
	m, err := NewLocal("c1", "127.0.10.10", t.TempDir(), "")
	require.NoError(t, err)
	r := &rig{Local: m, t: t}
	t.Cleanup(func() {
		all, err := m.Units().List(context.Background())
		assert.NoError(t, err)
		for _, s := range all {
			assert.NoError(t, m.Units().Remove(context.Background(), s.Name))
		}
	})
	return r
}

// unit runs a shell script that appends its pid to the file `starts`.
func (r *rig) unit(script string) Unit {
	return Unit{Name: "prog", Argv: []string{"/bin/sh", "-c", "echo $$ >> starts; " + script}, Dir: r.Dir(),
		Env: map[string]string{"PATH": "/usr/bin:/bin"}, RestartDelay: 50 * time.Millisecond, StopTimeout: 5 * time.Second,
		KillMode: KillGroup, LogFile: filepath.Join(r.Dir(), "log", "prog.log")}
}

func (r *rig) apply(u Unit) bool {
	r.t.Helper()
	changed, err := r.Units().Apply(context.Background(), u)
	require.NoError(r.t, err)
	return changed
}

func (r *rig) status() Status {
	r.t.Helper()
	s, err := r.Units().Status(context.Background(), "prog")
	require.NoError(r.t, err)
	return s
}

// starts are the pids of all programs started so far.
func (r *rig) starts() []int { return r.pids("starts") }

func (r *rig) pids(file string) []int {
	text, _ := os.ReadFile(filepath.Join(r.Dir(), file))
	var pids []int
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		require.NoError(r.t, err)
		pids = append(pids, pid)
	}
	return pids
}

func (r *rig) await(what string, condition func() bool) {
	r.t.Helper()
	testkit.Eventually(r.t, 15*time.Second, what, func(context.Context) bool { return condition() })
}

func (r *rig) supervisor() process {
	r.t.Helper()
	s, err := readState(r.units.folder("prog"))
	require.NoError(r.t, err)
	return s.Supervisor
}

func (r *rig) killSupervisor() {
	r.t.Helper()
	p := r.supervisor()
	p.signal(KillProcess, syscall.SIGKILL)
	r.await("the supervisor is dead", func() bool { return !p.alive() && !r.status().Active })
}

func alive(pid int) bool { _, ok := lookUp(pid); return ok }

func TestApplyStartsOnceAndAgainWhenTheSpecChanges(t *testing.T) {
	r := newRig(t)
	u := r.unit("exec sleep 1000")
	assert.True(t, r.apply(u))
	s := r.status()
	assert.True(t, s.Active && s.Running)
	assert.Equal(t, u.Digest(), s.Digest)
	assert.Nil(t, s.LastExit)
	assert.WithinDuration(t, time.Now(), s.Since, time.Minute)
	first := s.PID

	assert.False(t, r.apply(u), "the same spec changes nothing")
	assert.Equal(t, first, r.status().PID)

	u.Stamp = "other"
	assert.True(t, r.apply(u))
	s = r.status()
	assert.NotEqual(t, first, s.PID)
	assert.False(t, alive(first), "the old program is gone")
	assert.Equal(t, 0, s.Restarts)
}

func TestTheEnvironmentIsCompleteAndTheSupervisorIsDetached(t *testing.T) {
	t.Setenv("MARATHON_HOME", "/leaks")
	r := newRig(t)
	u := r.unit("env > environment; touch done; exec sleep 1000")
	u.Env["LIBPROCESS_IP"] = "127.0.10.10"
	r.apply(u)
	r.await("the program has run", func() bool { _, err := os.Stat(filepath.Join(r.Dir(), "done")); return err == nil })
	text, err := r.ReadFile(t.Context(), filepath.Join(r.Dir(), "environment"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "LIBPROCESS_IP=127.0.10.10\n")
	assert.NotContains(t, string(text), "MARATHON_HOME")
	sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(r.supervisor().PID), 0, 0)
	require.Zero(t, errno)
	assert.Equal(t, r.supervisor().PID, int(sid), "the supervisor leads a session of its own")
}

func TestAProgramThatEndsIsStartedAgainForEver(t *testing.T) {
	r := newRig(t)
	r.apply(r.unit("exit 103"))
	r.await("it was started five times", func() bool { return len(r.starts()) >= 5 })
	s := r.status()
	assert.True(t, s.Active)
	assert.GreaterOrEqual(t, s.Restarts, 3)
	require.NotNil(t, s.LastExit)
	assert.Equal(t, 103, s.LastExit.Code)
	assert.Equal(t, "exit 103", s.LastExit.String())
}

func TestAKilledProgramComesBack(t *testing.T) {
	r := newRig(t)
	r.apply(r.unit("exec sleep 1000"))
	first := r.status().PID
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	r.await("another one runs", func() bool { s := r.status(); return s.Running && s.PID != first })
	s := r.status()
	assert.Equal(t, 1, s.Restarts)
	assert.Equal(t, "signal killed", s.LastExit.String())
}

// What a look has learned of files that were left alone is kept; it follows them all the same.
func TestAUnitThatWasLeftAloneIsStillFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.unit("exec sleep 1000")
	r.apply(u)
	began, first := time.Now(), r.status()
	r.await("it is looked at for a while", func() bool {
		s, err := r.Units().List(t.Context())
		require.NoError(t, err)
		require.Len(t, s, 1)
		require.Equal(t, first, s[0])
		return time.Since(began) > 2500*time.Millisecond
	})
	require.NoError(t, syscall.Kill(first.PID, syscall.SIGKILL))
	r.await("another program is seen", func() bool { s := r.status(); return s.Running && s.PID != first.PID && s.Restarts == 1 })

	u.Stamp = "changed"
	require.True(t, r.apply(u))
	require.Equal(t, u.Digest(), r.status().Digest)
	other := u
	other.Name = "another"
	r.apply(other)
	all, err := r.Units().List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.NoError(t, r.Units().Stop(t.Context(), "prog"))
	require.False(t, r.status().Active)
	require.NoError(t, r.Units().Remove(t.Context(), "another"))
	all, err = r.Units().List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.False(t, all[0].Running)
}

func TestStopEndsTheGroupOrTheProcess(t *testing.T) {
	for mode, childSurvives := range map[KillMode]bool{KillGroup: false, KillProcess: true} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t)
			u := r.unit("sleep 1000 & echo $! >> child; exec sleep 1000")
			u.KillMode = mode
			r.apply(u)
			r.await("the child is there", func() bool { return len(r.pids("child")) == 1 })
			child := r.pids("child")[0]
			t.Cleanup(func() {
				for _, pid := range r.pids("child") {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			})

			require.NoError(t, r.Units().Stop(t.Context(), "prog"))
			s := r.status()
			assert.False(t, s.Active || s.Running)
			assert.False(t, alive(r.starts()[0]))
			assert.Equal(t, childSurvives, alive(child))
			assert.True(t, r.apply(u), "apply starts a stopped unit")
			r.await("so that there is a second child", func() bool { return len(r.pids("child")) == 2 })
		})
	}
}

func TestStopKillsAProgramThatIgnoresSIGTERM(t *testing.T) {
	r := newRig(t)
	u := r.unit(`trap "" TERM; touch ready; while :; do sleep 0.1; done`)
	u.StopTimeout = 100 * time.Millisecond
	r.apply(u)
	r.await("it ignores the signal", func() bool { _, err := os.Stat(filepath.Join(r.Dir(), "ready")); return err == nil })
	require.NoError(t, r.Units().Stop(t.Context(), "prog"))
	assert.False(t, alive(r.starts()[0]))
	assert.Equal(t, "signal killed", r.status().LastExit.String())
}

func TestAKilledSupervisorsProgramIsTakenOverUninterrupted(t *testing.T) {
	r := newRig(t)
	u := r.unit("exec sleep 1000")
	r.apply(u)
	pid := r.status().PID
	r.killSupervisor()
	s := r.status()
	assert.False(t, s.Active)
	assert.True(t, s.Running, "the program is known although nobody keeps it")

	assert.True(t, r.apply(u))
	s = r.status()
	assert.True(t, s.Active && s.Running)
	assert.Equal(t, pid, s.PID, "the program was not interrupted")
	assert.Equal(t, []int{pid}, r.starts(), "nor started a second time")

	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	r.await("it is kept running all the same", func() bool { s := r.status(); return s.Running && s.PID != pid })
	assert.Equal(t, "ended", r.status().LastExit.String())
}

func TestAKilledSupervisorsProgramIsEndedWhenTheSpecChanged(t *testing.T) {
	r := newRig(t)
	u := r.unit("sleep 1000 & echo $! > child; exec sleep 1000")
	r.apply(u)
	r.await("the child is there", func() bool { return len(r.pids("child")) == 1 })
	pid, child := r.status().PID, r.pids("child")[0]
	r.killSupervisor()
	u.Stamp = "other"
	assert.True(t, r.apply(u))
	assert.False(t, alive(pid))
	assert.False(t, alive(child))
	assert.NotEqual(t, pid, r.status().PID)
}

func TestAProgramWhosePidWasNeverWrittenDownIsFound(t *testing.T) {
	r := newRig(t)
	u := r.unit("exec sleep 1000")
	r.apply(u)
	pid, dir := r.status().PID, r.units.folder("prog")
	r.killSupervisor()
	s, err := readState(dir)
	require.NoError(t, err)
	s.Phase, s.Program = phaseStarting, process{}
	require.NoError(t, writeJSON(filepath.Join(dir, stateName), s))

	r.apply(u)
	assert.Equal(t, pid, r.status().PID)
	assert.Equal(t, []int{pid}, r.starts())
}

func TestRemoveWithoutASupervisorEndsTheProgram(t *testing.T) {
	r := newRig(t)
	r.apply(r.unit("exec sleep 1000"))
	pid := r.status().PID
	r.killSupervisor()
	require.NoError(t, r.Units().Remove(t.Context(), "prog"))
	assert.False(t, alive(pid))
	assert.Equal(t, Status{Name: "prog"}, r.status())
	require.NoError(t, r.Units().Remove(t.Context(), "prog"), "twice is no error")
}

func TestAUnitWhoseFolderIsDeletedEnds(t *testing.T) {
	r := newRig(t)
	r.apply(r.unit("exec sleep 1000"))
	pid, supervisor := r.status().PID, r.supervisor()
	require.NoError(t, os.RemoveAll(r.Dir()))
	r.await("program and supervisor end", func() bool { return !alive(pid) && !supervisor.alive() })
}

func TestTwoSupervisorsNeverRunForOneUnit(t *testing.T) {
	r := newRig(t)
	r.apply(r.unit("exec sleep 1000"))
	cmd := exec.Command(os.Args[0], "supervise", filepath.Join(r.units.folder("prog"), specName))
	text, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, 3, cmd.ProcessState.ExitCode())
	assert.Contains(t, string(text), "another supervisor has this unit")
	assert.Len(t, r.starts(), 1)
}

func TestAProgramThatCannotStartIsAnError(t *testing.T) {
	r := newRig(t)
	u := r.unit("")
	u.Argv = []string{filepath.Join(r.Dir(), "missing")}
	_, err := r.Units().Apply(t.Context(), u)
	require.ErrorContains(t, err, "start unit prog: fork/exec")
	_, err = r.Units().Apply(t.Context(), u)
	require.ErrorContains(t, err, "no such file", "it stays an error while it is retried")
	assert.True(t, r.status().Active)

	require.NoError(t, os.WriteFile(u.Argv[0], []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
	r.await("it starts once it can", func() bool { return r.status().Running })
	assert.Empty(t, r.status().Problem)
}

func TestInvalidUnitsAreRefused(t *testing.T) {
	r := newRig(t)
	for want, spoil := range map[string]func(*Unit){
		"made of a-z":       func(u *Unit) { u.Name = "../x" },
		"absolute path":     func(u *Unit) { u.Argv = []string{"sleep", "1"} },
		"working folder":    func(u *Unit) { u.Dir = "" },
		"unknown kill mode": func(u *Unit) { u.KillMode = "" },
	} {
		u := r.unit("exit 0")
		spoil(&u)
		_, err := r.Units().Apply(t.Context(), u)
		assert.ErrorContains(t, err, want)
	}
}

func TestTheLogIsRotatedUnderARunningProgram(t *testing.T) {
	r := newRig(t)
	u := r.unit(`i=0; while :; do i=$((i+1)); echo "line $i of the log"; sleep 0.01; done`)
	u.LogSize = 2000
	r.apply(u)
	r.await("the old log is there", func() bool { _, err := os.Stat(u.LogFile + ".1"); return err == nil })
	r.await("the log goes on from its start", func() bool {
		info, err := os.Stat(u.LogFile)
		return err == nil && info.Size() > 0
	})
	text, err := os.ReadFile(u.LogFile)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(text), "line "), "no hole at the start of the log: %q", text)
	assert.Len(t, r.starts(), 1)
}
