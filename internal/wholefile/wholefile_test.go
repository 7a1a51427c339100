package wholefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func content(t *testing.T, path string) (string, fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	return string(data), info.Mode()
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func TestWriteMakesAndReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, Write(path, []byte("one"), 0o600))
	text, mode := content(t, path)
	require.Equal(t, "one", text)
	require.Equal(t, fs.FileMode(0o600), mode)

	require.NoError(t, Write(path, []byte("two"), 0o666))
	text, mode = content(t, path)
	require.Equal(t, "two", text)
	require.Equal(t, fs.FileMode(0o666), mode, "the umask and the old mode do not count")
	require.Equal(t, []string{"file"}, names(t, dir), "nothing is left beside it")
}

func TestWriteThatFailsKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o755))
	err := Write(path, []byte("new"), 0o600)
	require.Error(t, err)
	require.ErrorContains(t, err, path)
	require.Equal(t, []string{"file"}, names(t, dir))

	err = Write(filepath.Join(dir, "missing", "file"), nil, 0o600)
	require.ErrorIs(t, err, fs.ErrNotExist, "a folder that nobody made may be a slip of the pen")
}
