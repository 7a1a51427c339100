package wholefile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// reader counts how often a file was read.
type reader struct {
	memo  Memo[string]
	path  string
	reads int
}

func (r *reader) look(t *testing.T) string {
	t.Helper()
	text, err := r.memo.Of(r.path, func() (string, error) {
		r.reads++
		data, err := os.ReadFile(r.path)
		if errors.Is(err, fs.ErrNotExist) {
			return "gone", nil
		}
		return string(data), err
	})
	require.NoError(t, err)
	return text
}

// kept looks until the file is not read any more, as it has been left alone for long enough.
func (r *reader) kept(t *testing.T) string {
	t.Helper()
	text := ""
	testkit.Eventually(t, time.Minute, "the file is settled", func(context.Context) bool {
		before := r.reads
		text = r.look(t)
		return r.reads == before
	})
	return text
}

func TestAMemoFollowsTheFile(t *testing.T) {
	t.Parallel()
	times := time.Now().Add(-time.Hour)
	write := func(t *testing.T, path, text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, times, times))
	}
	var changes []func()
	for name, change := range map[string]struct {
		now  string
		make func(t *testing.T, path string)
	}{
		"written in place with the same size and time": {"two", func(t *testing.T, path string) { write(t, path, "two") }},
		"replaced by one of the same size and time": {"six", func(t *testing.T, path string) {
			require.NoError(t, Write(path, []byte("six"), 0o600))
			require.NoError(t, os.Chtimes(path, times, times))
		}},
		"another one put in its place": {"old", func(t *testing.T, path string) { require.NoError(t, os.Rename(path+".old", path)) }},
		"appended to": {"oneself", func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.WriteString("self")
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}},
		"emptied": {"", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) }},
		"removed": {"gone", func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }},
	} {
		dir := t.TempDir()
		r := &reader{path: filepath.Join(dir, "file")}
		write(t, r.path+".old", "old")
		write(t, r.path, "one")
		changes = append(changes, func() {
			t.Run(name, func(t *testing.T) {
				require.Equal(t, "one", r.kept(t))
				r.memo.Only(r.path)
				require.Len(t, r.memo.known, 1)
				change.make(t, r.path)
				require.Equal(t, change.now, r.look(t))
				write(t, r.path, "new")
				require.Equal(t, "new", r.look(t))
				r.memo.Only()
				require.Empty(t, r.memo.known)
			})
		})
	}
	for _, change := range changes { // they settle together
		change()
	}
}

// A change that follows at once may have the same size, inode and time on a file system whose clock ticks slowly.
func TestWhatHasJustChangedIsNotKept(t *testing.T) {
	r := &reader{path: filepath.Join(t.TempDir(), "file")}
	for i := range 50 {
		text := string(rune('a' + i%20))
		require.NoError(t, Write(r.path, []byte(text), 0o600))
		require.Equal(t, text, r.look(t))
	}
}

func TestAMemoOfAFolderFollowsItsNames(t *testing.T) {
	t.Parallel()
	var changes []func()
	for now, change := range map[string]func(dir string) error{
		"a new": func(dir string) error { return os.Mkdir(filepath.Join(dir, "new"), 0o700) },
		"b":     func(dir string) error { return os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")) },
		"":      func(dir string) error { return os.Remove(filepath.Join(dir, "a")) },
	} {
		dir, memo, reads := t.TempDir(), Memo[string]{}, 0
		require.NoError(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
		look := func() string {
			text, err := memo.Of(dir, func() (string, error) {
				reads++
				return strings.Join(names(t, dir), " "), nil
			})
			require.NoError(t, err)
			return text
		}
		changes = append(changes, func() {
			testkit.Eventually(t, time.Minute, "the folder is settled", func(context.Context) bool {
				before := reads
				return look() == "a" && reads == before
			})
			require.NoError(t, change(dir))
			require.Equal(t, now, look())
		})
	}
	for _, change := range changes {
		change()
	}
}

func TestAnErrorIsNotKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	memo := Memo[int]{}
	broken := errors.New("cannot be read")
	_, err := memo.Of(path, func() (int, error) { return 0, broken })
	require.ErrorIs(t, err, broken)
	n, err := memo.Of(path, func() (int, error) { return 7, nil })
	require.NoError(t, err)
	require.Equal(t, 7, n)
}
