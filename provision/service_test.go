package provision

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
)

// sleeper is a service with a folder, a file with a check, and a program that does nothing.
func sleeper(t *testing.T, text string) Service {
	t.Helper()
	c := newConfig(t)
	f := newFleet(t, c, standins())
	return sleeperOn(f.Machine("c1"), text)
}

func sleeperOn(m host.Machine, text string) Service {
	dir := host.Path(m, "sleeper")
	s := Service{Host: m, Role: "sleeper", Dirs: []string{dir},
		Files: []File{{Path: dir + "/x.conf", Data: []byte(text), Mode: 0o600, Check: []string{"/bin/grep", "-q", "good"}}},
		Unit: host.Unit{Name: "sleeper", Argv: []string{"/bin/sleep", "1000"}, Dir: dir, KillMode: host.KillGroup,
			StopTimeout: time.Second, RestartDelay: time.Second, LogFile: host.Path(m, "log", "sleeper.log")}}
	return s.seal()
}

func TestAPreviewNamesEveryChangeAndApplyMakesThem(t *testing.T) {
	s := sleeper(t, "good")
	done, changes, err := s.Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done)
	assert.Equal(t, []string{"make c1:sleeper", "write c1:sleeper/x.conf", "start sleeper"}, changes)
	_, err = s.Host.Stat(t.Context(), s.Dirs[0])
	assert.ErrorIs(t, err, os.ErrNotExist, "a preview changes nothing")

	apply(t, s)
	changed, err := s.Apply(t.Context())
	require.NoError(t, err)
	assert.False(t, changed)

	other := sleeperOn(s.Host, "good too")
	_, changes, err = other.Probe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"change c1:sleeper/x.conf", "start sleeper anew with other settings"}, changes)
	apply(t, other)

	require.NoError(t, os.Chmod(s.Files[0].Path, 0o644))
	_, changes, err = other.Probe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"change c1:sleeper/x.conf"}, changes, "a changed mode is put right")

	require.NoError(t, other.Host.Units().Stop(t.Context(), "sleeper"))
	apply(t, other)
	require.NoError(t, other.Remove(t.Context()))
	_, changes, err = s.Probe(t.Context())
	require.NoError(t, err)
	assert.Len(t, changes, 3, "nothing is left")
	require.NoError(t, other.Remove(t.Context()), "twice is no error")
}

func TestAFileThatItsCheckRefusesIsNotWritten(t *testing.T) {
	s := sleeper(t, "good")
	apply(t, s)
	bad := sleeperOn(s.Host, "bad")
	changed, err := bad.Apply(t.Context())
	require.ErrorContains(t, err, "sleeper on c1: write ")
	require.ErrorContains(t, err, "the new file is refused")
	assert.False(t, changed)
	text, err := os.ReadFile(s.Files[0].Path)
	require.NoError(t, err)
	assert.Equal(t, "good", string(text))
	entries, err := os.ReadDir(filepath.Dir(s.Files[0].Path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the refused file is gone")
	done, _, err := s.Probe(t.Context())
	require.NoError(t, err)
	assert.True(t, done, "the old program goes on with the old settings")
}

func TestAProgramThatCannotStartIsShownInThePreview(t *testing.T) {
	s := sleeper(t, "good")
	s.Unit.Argv = []string{"/missing/program"}
	_, err := s.Apply(t.Context())
	require.ErrorContains(t, err, "sleeper on c1: start it: ")
	done, changes, err := s.Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done)
	require.Len(t, changes, 1)
	assert.Contains(t, changes[0], "no such file")
}

func TestAUnitThatWasChangedByHandIsPutRight(t *testing.T) {
	m := hostfake.New("m1", "192.0.2.1")
	s := sleeperOn(m, "good")
	s.Files[0].Check = nil
	apply(t, s)
	m.Units().(*hostfake.Units).Disable("sleeper")
	done, changes, err := s.Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done)
	assert.Equal(t, []string{"put right on m1: is disabled"}, changes)
	apply(t, s)
}
