package status

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
)

func TestADiskHereIsWhatDfSays(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(dir, link))
	for _, path := range []string{dir, link, "/", "/dev/shm"} {
		machine, err := host.NewLocal("a1", "127.0.10.21", path, "/bin/true")
		require.NoError(t, err)
		want, got := collectDisk(t.Context(), machine), diskHere(path)
		require.NotNil(t, want, path)
		require.NotNil(t, got, path)
		require.Equal(t, []any{want.Mount, want.Total}, []any{got.Mount, got.Total}, path)
		require.InDelta(t, want.Used, got.Used, float64(want.Total)/10, "others write meanwhile")
		require.InDelta(t, want.Free, got.Free, float64(want.Total)/10)
	}
	require.Nil(t, diskHere(filepath.Join(dir, "none")))
}
