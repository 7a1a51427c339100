// Package contract is what every host.Machine and its host.Units must do, as tests that run on a real machine.
package contract

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
)

// Run checks a machine. It works in a new folder below the machine's own and with units of new names, and leaves
// nothing behind.
func Run(t *testing.T, m host.Machine) {
	t.Helper()
	r := &rig{machine: m, id: strings.ToLower(rand.Text()[:8])}
	r.dir = host.Path(m, "contract-"+r.id)
	t.Cleanup(func() { assert.NoError(t, m.Remove(context.Background(), r.dir)) })
	t.Run("files", r.files)
	t.Run("commands", r.commands)
	t.Run("units start once and again when their spec changes", r.unitsStart)
	t.Run("units come back when their program ends", r.unitsComeBack)
	t.Run("units that cannot start say why", r.unitsThatCannotStart)
	t.Run("units get their words and environment as they are", r.unitsGetWords)
	t.Run("a stop ends what the kill mode says", r.killModes)
	t.Run("a stopped unit is known, a removed one is not", r.stopAndRemove)
	if units, ok := m.Units().(*host.Systemd); ok {
		t.Run("drift of a service is seen and put right", func(t *testing.T) { r.drift(t, units) })
		t.Run("services of others are masked", func(t *testing.T) { r.masks(t, units) })
		t.Run("the journal has what a service wrote", func(t *testing.T) { r.journal(t, units) })
	}
}

type rig struct {
	machine host.Machine
	id, dir string
}

// await asks until the condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute in vain: %s", what)
		}
	}
}

func (r *rig) files(t *testing.T) {
	m, path := r.machine, filepath.Join(r.dir, "etc", `odd 'name" $x ü`)
	steps := []struct {
		text    string
		mode    fs.FileMode
		changed bool
	}{{"one", 0o644, true}, {"one", 0o644, false}, {"one", 0o600, true}, {"two", 0o600, true}, {"two", 0o600, false}, {"", 0o755, true}}
	for i, step := range steps {
		changed, err := m.WriteFile(t.Context(), path, []byte(step.text), step.mode)
		require.NoError(t, err)
		assert.Equal(t, step.changed, changed, "step %d", i)
		text, err := m.ReadFile(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, step.text, string(text))
		info, err := m.Stat(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, host.Info{Mode: step.mode, Size: int64(len(step.text))}, info)
	}
	require.NoError(t, m.MkdirAll(t.Context(), filepath.Join(r.dir, "a", "b"), 0o750))
	info, err := m.Stat(t.Context(), filepath.Join(r.dir, "a", "b"))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|0o750, info.Mode)
	for range 2 {
		require.NoError(t, m.Remove(t.Context(), filepath.Join(r.dir, "etc")))
	}
	_, err = m.Stat(t.Context(), path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = m.ReadFile(t.Context(), path)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func (r *rig) commands(t *testing.T) {
	out, err := r.machine.Run(t.Context(), "/bin/sh", "-c", `printf '%s|' "$@"; echo no >&2`, "sh", "a b", "", "$HOME", "it's", "x\ny")
	require.NoError(t, err)
	assert.Equal(t, host.Output{Stdout: "a b||$HOME|it's|x\ny|", Stderr: "no\n"}, out)
	out, err = r.machine.Run(t.Context(), "/bin/sh", "-c", "echo wrong flag >&2; exit 7")
	require.ErrorContains(t, err, "exit status 7: wrong flag")
	assert.Equal(t, 7, out.Code)
	out, err = r.machine.Run(t.Context(), "/missing/program")
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, -1, out.Code)

	marker := "31536" + fmt.Sprint(time.Now().UnixNano()%1000000)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = r.machine.Run(ctx, "sleep", marker)
	require.Error(t, err)
	await(t, "the command has ended with its context", func() bool { return len(r.processes(t, "sleep "+marker)) == 0 })
}

// processes are the ids of the processes with that command line.
func (r *rig) processes(t *testing.T, command string) []string {
	t.Helper()
	const script = `for f in /proc/[0-9]*/cmdline; do
	[ "$(tr '\0' ' ' <"$f" 2>/dev/null)" = "$1 " ] && echo "$f" | cut -d / -f 3
done
exit 0`
	out, err := r.machine.Run(t.Context(), "/bin/sh", "-c", script, "sh", command)
	require.NoError(t, err)
	return strings.Fields(out.Stdout)
}
