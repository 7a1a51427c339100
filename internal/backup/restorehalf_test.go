package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// TestAHalfRestoreIsNoHome interrupts a restore, fills its disk, and damages its repository.
func TestAHalfRestoreIsNoHome(t *testing.T) {
	program, repo := fakeRestic(t)
	h := newHost(t, newHome(t), program)
	reply, err := h.run(Request{})
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "to")

	h.fails("restore", "write: no space left on device")
	_, err = h.set.Restore(t.Context(), reply.Taken.ID, to)
	require.ErrorIs(t, err, ErrNoRoom)
	require.Empty(t, files(t, to), "what is there does not look like a home")
	h.fails("restore", "Load(<data/0123456789>, 0, 0) failed: connection reset by peer")
	_, err = h.set.Restore(t.Context(), reply.Taken.ID, to)
	require.ErrorContains(t, err, "connection reset")
	require.Empty(t, files(t, to), "nor where the repository goes away")
	h.fails("restore", "ciphertext verification failed")
	_, err = h.set.Restore(t.Context(), reply.Taken.ID, to)
	require.ErrorIs(t, err, ErrDamaged)
	require.NotEmpty(t, files(t, to), "it may be all that can be had of a damaged repository")
	require.NoError(t, os.RemoveAll(to))
	h.fails("restore", "")

	require.NoError(t, os.WriteFile(filepath.Join(repo, "hang"), nil, 0o600))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("Ctrl-C")
	ended := make(chan error, 1)
	go func() {
		_, err := h.set.Restore(ctx, reply.Taken.ID, to)
		ended <- err
	}()
	testkit.Eventually(t, time.Minute, "the restore has begun", func(context.Context) bool {
		text, _ := os.ReadFile(filepath.Join(repo, "hang"))
		return len(text) > 0
	})
	cancel(why)
	require.ErrorIs(t, <-ended, why)
	require.Empty(t, files(t, to))
	require.NoError(t, os.Remove(filepath.Join(repo, "hang")))
	_, err = h.set.Restore(t.Context(), reply.Taken.ID, to)
	require.NoError(t, err, "and it can be done again at once")
}

// TestWhatIsRestoredBesideIsAHomeOrNothing has backups that must not take the home's place.
func TestWhatIsRestoredBesideIsAHomeOrNothing(t *testing.T) {
	program, _ := fakeRestic(t)
	home := newHome(t)
	h := newHost(t, home, program)
	h.server.Hooks.CopyMark = func(string, string) error { return errors.New("no mark") }
	h.set.Last = 10
	good, err := h.run(Request{})
	require.NoError(t, err)
	put(t, home, "config.xml", "<torn>")
	torn, err := h.run(Request{})
	require.NoError(t, err)
	beside := h.server.besideDir(torn.Taken.ID)
	put(t, beside, "left/of/an/earlier", "restore")
	_, err = h.server.beside(t.Context(), h.set, torn.Taken.ID)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "config.xml cannot be read")
	require.NoDirExists(t, beside, "nothing stays that an exchange could take")

	_, err = h.server.beside(t.Context(), h.set, good.Taken.ID)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(h.server.besideDir(good.Taken.ID), "config.xml"))
	text, err := os.ReadFile(filepath.Join(home, "config.xml"))
	require.NoError(t, err)
	require.Equal(t, "<torn>", string(text), "the home is as it was")
	_, err = h.server.Do(t.Context(), Request{Verb: VerbDiscard, ID: good.Taken.ID})
	require.NoError(t, err)
	require.NoDirExists(t, h.server.besideDir(good.Taken.ID))
	_, err = h.server.exchange(good.Taken.ID)
	require.Error(t, err, "there is nothing to exchange it with")
	require.FileExists(t, filepath.Join(home, "config.xml"))

	h.server.Config.History = true
	h.server.Hooks.HasMark = func(string) (bool, error) { return true, nil }
	_, err = h.server.beside(t.Context(), h.set, good.Taken.ID)
	require.ErrorContains(t, err, "no mark")
	require.NoDirExists(t, h.server.besideDir(good.Taken.ID))
}
