package backup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAHomeThatCannotBePutBackStaysAsItIs has ways back that fail, each at another place.
func TestAHomeThatCannotBePutBackStaysAsItIs(t *testing.T) {
	fine := func(string) error { return nil }
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, l *Left, h *host)
		finish func(string) error
		want   string
	}{
		"a controller runs on it": {func(_ *testing.T, l *Left, _ *host) {
			l.Own = func(string) (func(), error) { return nil, errors.New("in use by another controller") }
		}, fine, "in use by another controller"},
		"the backup is damaged":    {func(_ *testing.T, _ *Left, h *host) { h.fails("restore", "ciphertext verification failed") }, fine, "the repository is damaged"},
		"the password is gone":     {func(t *testing.T, _ *Left, h *host) { require.NoError(t, os.Remove(h.set.Repository.PasswordFile)) }, fine, "is not there"},
		"what changed is missing":  {func(t *testing.T, l *Left, _ *host) { require.NoError(t, os.RemoveAll(l.file(deltaFolder))) }, fine, "jobs/a/config.xml is another file"},
		"what changed is torn":     {func(t *testing.T, l *Left, _ *host) { put(t, l.file(deltaFolder), "jobs/a/config.xml", "<to") }, fine, "jobs/a/config.xml is another file"},
		"what was left is torn":    {func(t *testing.T, l *Left, _ *host) { put(t, l.Folder, leftFile, "{") }, fine, leftFile},
		"the last step has failed": {func(*testing.T, *Left, *host) {}, func(string) error { return errors.New("no account") }, "no account"},
		"the backup is not whole": {func(t *testing.T, _ *Left, h *host) {
			put(t, filepath.Join(h.repo, "data", h.first()), "config.xml", "<torn>")
		}, fine, "is not whole: config.xml cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			program, _ := fakeRestic(t)
			h := newHost(t, newHome(t), program)
			l := Left{Home: h.server.Config.Home, Folder: filepath.Join(t.TempDir(), "run"), Own: func(string) (func(), error) { return func() {}, nil }}
			require.NoError(t, l.Note())
			require.NoError(t, h.set.Ensure(t.Context(), quiet))
			taken, err := h.set.Make(t.Context(), quiet)
			require.NoError(t, err)
			putTimed(t, filepath.Join(l.Home, "jobs/a/config.xml"), "<after-the-backup/>")
			count, err := l.Keep()
			require.NoError(t, err)
			require.Equal(t, 1, count)
			putTimed(t, filepath.Join(l.Home, "jobs/a/config.xml"), "<of-the-failed-version/>")
			before, err := Files(l.Home)
			require.NoError(t, err)
			c.spoil(t, &l, h)
			_, err = l.Back(t.Context(), h.set, taken.ID, "failed-upgrade", c.finish)
			require.ErrorContains(t, err, c.want)
			after, err := Files(l.Home)
			require.NoError(t, err)
			require.Equal(t, before, after, "the home is as it was")
			beside, err := filepath.Glob(literalGlob(l.Home) + ".*")
			require.NoError(t, err)
			require.Empty(t, beside, "nothing is left beside it")
		})
	}
}

func TestWhatAControllerStillWritesIsNotKept(t *testing.T) {
	l := Left{Home: newHome(t), Folder: filepath.Join(t.TempDir(), "run"), Own: func(string) (func(), error) { return nil, errors.New("in use") }}
	require.NoError(t, l.Note())
	_, err := l.Keep()
	require.ErrorContains(t, err, "in use")
	require.False(t, l.Known(), "there is no way back to what was not kept")
	_, err = l.Touched()
	require.Error(t, err)
}
