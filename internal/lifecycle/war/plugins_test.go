package war

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

// ofItsRelease is the war of a cluster whose release is `mine`.
func ofItsRelease(t *testing.T, c *config.Cluster) War {
	t.Helper()
	release, err := bundles.Load(c.Resolve("./mine"))
	require.NoError(t, err)
	return Of(c, release)
}

func TestTheReleasesPluginsComeWithItsWar(t *testing.T) {
	s, c := lifecycletest.NewReleaseSite(t)
	w := ofItsRelease(t, c)
	require.False(t, w.Cached())
	require.Len(t, w.Changes(), 2)
	require.Contains(t, w.Changes()[1], "copy 4 plugins of the release")

	require.NoError(t, w.Fetch(t.Context(), lifecycletest.Quiet))
	require.True(t, w.Cached())
	require.Empty(t, w.Changes())
	require.Len(t, s.Asked, 5)
	files, err := filepath.Glob(filepath.Join(w.Plugins.Dir, "*.hpi"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	data, err := os.ReadFile(filepath.Join(w.Plugins.Dir, "mesos.hpi"))
	require.NoError(t, err)
	require.Equal(t, s.Files["/mesos"], data)

	require.NoError(t, os.RemoveAll(w.Plugins.Dir))
	require.False(t, w.Cached(), "the war alone is not enough")
	require.NoError(t, w.Fetch(t.Context(), lifecycletest.Quiet))
	require.Len(t, s.Asked, 5, "what was downloaded once is kept")
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	require.Zero(t, info.ModTime().Unix(), "and it does not look new")
}

func TestAPluginThatIsNotTheReleasesIsRefused(t *testing.T) {
	s, c := lifecycletest.NewReleaseSite(t)
	s.Files["/metrics"] = []byte("malware")
	w := ofItsRelease(t, c)
	err := w.Fetch(t.Context(), lifecycletest.Quiet)
	var refusal *op.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, err.Error(), lifecycletest.SHA256([]byte("malware")))
	require.False(t, w.Cached())
	require.NoDirExists(t, w.Plugins.Dir)
	left, err := os.ReadDir(filepath.Dir(w.Plugins.Dir))
	require.NoError(t, err)
	require.Empty(t, left)
	delete(s.Files, "/metrics")
	require.ErrorContains(t, w.Fetch(t.Context(), lifecycletest.Quiet), "404")
}

func TestAnotherLockIsAnotherFolder(t *testing.T) {
	s, c := lifecycletest.NewReleaseSite(t)
	before := ofItsRelease(t, c)
	require.NoError(t, before.Fetch(t.Context(), lifecycletest.Quiet))
	s.Lock.Plugins[0].SHA256 = strings.Repeat("0", 64)
	s.Write(t, c)
	after := ofItsRelease(t, c)
	require.NotEqual(t, before.Plugins.Dir, after.Plugins.Dir)
	require.True(t, before.Cached())
	require.False(t, after.Cached())
}
