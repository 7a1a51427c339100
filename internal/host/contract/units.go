package contract

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
)

// unit is a shell script as a unit that is removed with the test.
func (r *rig) unit(t *testing.T, name, script string) host.Unit {
	t.Helper()
	name = "contract-" + name + "-" + r.id
	require.NoError(t, r.machine.MkdirAll(t.Context(), r.dir, 0o755))
	t.Cleanup(func() { assert.NoError(t, r.machine.Units().Remove(context.Background(), name)) })
	return host.Unit{Name: name, Description: "100% of a contract test", Argv: []string{"/bin/sh", "-c", script}, Dir: r.dir,
		Env: map[string]string{"PATH": "/usr/bin:/bin"}, RestartDelay: 100 * time.Millisecond, StopTimeout: 5 * time.Second,
		KillMode: host.KillGroup, LogFile: filepath.Join(r.dir, name+".log")}
}

func (r *rig) apply(t *testing.T, u host.Unit) bool {
	t.Helper()
	changed, err := r.machine.Units().Apply(t.Context(), u)
	require.NoError(t, err)
	return changed
}

func (r *rig) status(t *testing.T, u host.Unit) host.Status {
	t.Helper()
	s, err := r.machine.Units().Status(t.Context(), u.Name)
	require.NoError(t, err)
	return s
}

// read waits for a file that a program writes.
func (r *rig) read(t *testing.T, path string) string {
	t.Helper()
	var text []byte
	await(t, path+" is written", func() bool {
		var err error
		text, err = r.machine.ReadFile(t.Context(), path)
		return err == nil && len(text) > 0
	})
	return string(text)
}

func (r *rig) unitsStart(t *testing.T) {
	u := r.unit(t, "once", "exec sleep 1000")
	assert.Equal(t, host.Status{Name: u.Name}, r.status(t, u), "an unknown unit")
	assert.True(t, r.apply(t, u))
	s := r.status(t, u)
	assert.True(t, s.Active && s.Running && s.PID > 0, "%+v", s)
	assert.Equal(t, u.Digest(), s.Digest)
	assert.Zero(t, s.Restarts)
	assert.Nil(t, s.LastExit)
	assert.Empty(t, s.Problem)
	assert.Empty(t, s.Drift)
	assert.WithinDuration(t, time.Now(), s.Since, 10*time.Minute)

	assert.False(t, r.apply(t, u), "the same spec changes nothing")
	assert.Equal(t, s.PID, r.status(t, u).PID)
	u.Stamp = "other"
	assert.True(t, r.apply(t, u))
	next := r.status(t, u)
	assert.True(t, next.Running)
	assert.Equal(t, u.Digest(), next.Digest)
	assert.NotEqual(t, s.PID, next.PID)
	u.Env["NEW"] = "1"
	assert.True(t, r.apply(t, u), "the environment is part of the spec")
	assert.NotEqual(t, next.PID, r.status(t, u).PID)

	all, err := r.machine.Units().List(t.Context())
	require.NoError(t, err)
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	assert.Contains(t, names, u.Name)
}

func (r *rig) unitsComeBack(t *testing.T) {
	u := r.unit(t, "back", "exit 7")
	r.apply(t, u)
	await(t, "it is started again and again", func() bool { return r.status(t, u).Restarts > 6 })
	s := r.status(t, u)
	assert.True(t, s.Active)
	require.NotNil(t, s.LastExit)
	assert.Equal(t, "exit 7", s.LastExit.String())
	assert.Empty(t, s.Problem)

	u.Argv = []string{"/bin/sleep", "1000"}
	r.apply(t, u)
	pid := r.status(t, u).PID
	_, err := r.machine.Run(t.Context(), "/bin/sh", "-c", `kill -KILL "$1"`, "sh", strconv.Itoa(pid))
	require.NoError(t, err)
	await(t, "it is started again", func() bool { s := r.status(t, u); return s.Running && s.PID != pid })
	s = r.status(t, u)
	assert.Equal(t, 1, s.Restarts)
	require.NotNil(t, s.LastExit)
	assert.Equal(t, "signal killed", s.LastExit.String())
	assert.WithinDuration(t, time.Now(), s.LastExit.Time, 10*time.Minute)
}

func (r *rig) unitsThatCannotStart(t *testing.T) {
	u := r.unit(t, "cannot", "")
	u.Argv = []string{"/missing/program"}
	_, err := r.machine.Units().Apply(t.Context(), u)
	require.ErrorContains(t, err, u.Name)
	await(t, "the problem is said", func() bool { return r.status(t, u).Problem != "" })
	assert.True(t, r.status(t, u).Active, "it is tried again")
	u.Argv = []string{"/bin/sleep", "1000"}
	assert.True(t, r.apply(t, u))
	assert.Empty(t, r.status(t, u).Problem)
}

func (r *rig) unitsGetWords(t *testing.T) {
	values := []string{"a b", "", "100%", "%n %%", "$HOME ${HOME} $$", `"quoted" 'single'`, `back\slash \n \x41`, "two\nlines", "tab\there", ";", "ü€", "-x", "`id`", "#no", " lead", "trail\\"}
	out := filepath.Join(r.dir, "words out%n")
	script := `{ for w; do printf '%s\0' "$w"; done; env -0 | grep -z '^JT_' | sort -z; } > "$0.new"; mv "$0.new" "$0"; exec sleep 1000`
	u := r.unit(t, "words", "")
	u.Argv = append([]string{"/bin/sh", "-c", script, out}, values...)
	var want strings.Builder
	for _, value := range values {
		want.WriteString(value + "\x00")
	}
	for i, value := range values {
		name := "JT_" + string(rune('A'+i))
		u.Env[name] = value
		want.WriteString(name + "=" + value + "\x00")
	}
	u.Env["PATH"] = "/usr/bin:/bin"
	r.apply(t, u)
	assert.Equal(t, want.String(), r.read(t, out))
	assert.Empty(t, r.status(t, u).Drift)
	assert.False(t, r.apply(t, u))
}

func (r *rig) killModes(t *testing.T) {
	for mode, survives := range map[host.KillMode]bool{host.KillGroup: false, host.KillProcess: true} {
		u := r.unit(t, "kill-"+string(mode), "")
		file := filepath.Join(r.dir, "child-"+string(mode))
		u.Argv[2] = `sleep 1000 & echo $! > "` + file + `"; wait`
		u.KillMode = mode
		r.apply(t, u)
		child := strings.TrimSpace(r.read(t, file))
		require.NoError(t, r.machine.Units().Stop(t.Context(), u.Name))
		runs := func() bool { // a zombie has no command line
			out, err := r.machine.Run(t.Context(), "/bin/sh", "-c", `tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline"; exit 0`, "sh", child)
			return err == nil && strings.Contains(out.Stdout, "sleep")
		}
		if !survives {
			await(t, "a stop of the group ends what the program started", func() bool { return !runs() })
			continue
		}
		assert.True(t, runs(), "what the program started lives on")
		_, err := r.machine.Run(t.Context(), "/bin/sh", "-c", `kill "$1"`, "sh", child)
		require.NoError(t, err)
	}
}

func (r *rig) stopAndRemove(t *testing.T) {
	u := r.unit(t, "stop", "exec sleep 1000")
	r.apply(t, u)
	for range 2 {
		require.NoError(t, r.machine.Units().Stop(t.Context(), u.Name))
	}
	s := r.status(t, u)
	assert.False(t, s.Active || s.Running, "%+v", s)
	assert.Equal(t, u.Digest(), s.Digest)
	assert.True(t, r.apply(t, u), "the next apply starts it")
	assert.True(t, r.status(t, u).Running)
	for range 2 {
		require.NoError(t, r.machine.Units().Remove(t.Context(), u.Name))
	}
	assert.Equal(t, host.Status{Name: u.Name}, r.status(t, u))
	require.NoError(t, r.machine.Units().Stop(t.Context(), u.Name), "an unknown unit")
}
