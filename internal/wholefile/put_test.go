package wholefile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplaceKeepsTheModeAndTheLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "repository", "cluster.yaml"), filepath.Join(dir, "cluster.yaml")
	require.NoError(t, os.Mkdir(filepath.Dir(real), 0o755))
	require.NoError(t, os.WriteFile(real, []byte("before"), 0o640))
	require.NoError(t, os.Symlink(real, link))

	require.NoError(t, Replace(link, []byte("after")))

	target, err := os.Readlink(link)
	require.NoError(t, err, "the link stays a link")
	require.Equal(t, real, target)
	data, err := os.ReadFile(real)
	require.NoError(t, err)
	require.Equal(t, "after", string(data))
	info, err := os.Stat(real)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())
}
