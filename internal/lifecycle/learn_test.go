package lifecycle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
)

// step is an item that does and says what it was made of.
type step struct {
	name  string
	apply func() error
	lines []string
	err   error
}

func (s step) Title() string { return s.name }

func (s step) Probe(context.Context) (bool, []string, error) {
	return len(s.lines) == 0, s.lines, s.err
}

func (s step) Apply(context.Context) (bool, error) { return true, s.apply() }

func TestProgramsAreSentBesideThePackages(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "program"), filepath.Join(dir, "host", "program")
	require.NoError(t, os.WriteFile(from, []byte("program"), 0o600))
	m, err := host.NewLocal("a1", "127.0.0.1", filepath.Join(dir, "host"), from)
	require.NoError(t, err)
	var done []string
	packages := step{name: "packages", apply: func() error {
		testkit.Eventually(t, time.Minute, "the program is there", func(context.Context) bool { _, err := os.Stat(to); return err == nil })
		done = append(done, "packages")
		return nil
	}}
	engine := step{name: "engine", apply: func() error { done = append(done, "engine"); return errors.New("no room") }}
	last := step{name: "last", apply: func() error { done = append(done, "last"); return nil }}
	upload := hosts.Upload{Host: m, From: hosts.NewProgram(from), To: to}
	err = applyAll(t.Context(), []provision.Item{packages, engine, upload, last})
	require.EqualError(t, err, "engine: no room")
	require.Equal(t, []string{"packages", "engine"}, done, "in order, and not past what failed")

	upload.From = hosts.NewProgram(filepath.Join(dir, "gone"))
	require.ErrorContains(t, applyAll(t.Context(), []provision.Item{upload, last}), to+" on a1: read the program")
	require.Equal(t, []string{"packages", "engine", "last"}, done)
}

func TestChangesOfItemsStayInTheirOrder(t *testing.T) {
	items := []provision.Item{step{name: "a", lines: []string{"1", "2"}}, step{name: "b"}, step{name: "c", lines: []string{"3"}}}
	done, lines, err := probeAll(t.Context(), items)
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, []string{"1", "2", "3"}, lines)
	done, _, err = probeAll(t.Context(), items[1:2])
	require.NoError(t, err)
	require.True(t, done)
	items[1] = step{name: "b", err: errors.New("no answer")}
	_, _, err = probeAll(t.Context(), items)
	require.EqualError(t, err, "b: no answer")
}
