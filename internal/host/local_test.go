package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestWriteFileWritesOnlyWhatDiffers(t *testing.T) {
	m, err := NewLocal("a1", "127.0.10.21", t.TempDir(), "/bin/true")
	require.NoError(t, err)
	path := Path(m, "etc", "x.conf")
	steps := []struct {
		text    string
		mode    fs.FileMode
		changed bool
	}{{"one", 0o644, true}, {"one", 0o644, false}, {"one", 0o600, true}, {"two", 0o600, true}, {"two", 0o600, false}}
	for i, step := range steps {
		changed, err := m.WriteFile(t.Context(), path, []byte(step.text), step.mode)
		require.NoError(t, err)
		assert.Equal(t, step.changed, changed, "step %d", i)
		text, err := m.ReadFile(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, step.text, string(text))
		info, err := m.Stat(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, step.mode, info.Mode.Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file stays")

	require.NoError(t, m.Remove(t.Context(), Path(m, "etc")))
	require.NoError(t, m.Remove(t.Context(), Path(m, "etc")))
	_, err = m.Stat(t.Context(), path)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = m.ReadFile(t.Context(), path)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestRunTellsCodeAndOutput(t *testing.T) {
	m, err := NewLocal("a1", "127.0.10.21", t.TempDir(), "/bin/true")
	require.NoError(t, err)
	out, err := m.Run(t.Context(), "/bin/sh", "-c", "echo yes; echo no >&2")
	require.NoError(t, err)
	assert.Equal(t, Output{Stdout: "yes\n", Stderr: "no\n"}, out)

	out, err = m.Run(t.Context(), "/bin/sh", "-c", "echo wrong flag >&2; exit 7")
	assert.Equal(t, 7, out.Code)
	require.ErrorContains(t, err, "run /bin/sh: exit status 7: wrong flag")
	var exit *exec.ExitError
	assert.True(t, errors.As(err, &exit))

	out, err = m.Run(t.Context(), "/missing/program")
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, -1, out.Code)
}

func TestReapUnderEndsOnlyWhatLivesThere(t *testing.T) {
	dir := t.TempDir()
	start := func(variable, value, script string) *exec.Cmd {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Env = []string{"PATH=/usr/bin:/bin", variable + "=" + value}
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
		testkit.Eventually(t, 10*time.Second, "it runs", func(context.Context) bool { return commandOf(cmd.Process.Pid) != "" })
		return cmd
	}
	task := start("MESOS_SANDBOX", dir+"/a1/slaves/s/runs/1", "exec sleep 1000")
	stubborn := start("JENKINS_HOME", dir+"/home", `trap "" TERM; while :; do sleep 0.1; done`)
	elsewhere := start("MESOS_SANDBOX", dir+"-other/a1", "exec sleep 1000")
	unrelated := start("PWD_OF", dir, "exec sleep 1000")

	found, err := ProcessesUnder(dir)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(found, func(p Process) bool { return p.PID == task.Process.Pid && p.Command != "" }))
	reaped, err := ReapUnder(t.Context(), dir)
	require.NoError(t, err)
	pids := []int{}
	for _, r := range reaped {
		pids = append(pids, r.PID)
	}
	assert.Contains(t, pids, task.Process.Pid)
	assert.Contains(t, pids, stubborn.Process.Pid)
	assert.False(t, alive(task.Process.Pid) || alive(stubborn.Process.Pid))
	assert.True(t, alive(elsewhere.Process.Pid) && alive(unrelated.Process.Pid))

	for _, wrong := range []string{"", "/", "relative"} {
		_, err := ReapUnder(t.Context(), wrong)
		assert.Error(t, err, wrong)
	}
}
