package clusterfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

func TestUpgradeWritesTheReleaseAndNothingElse(t *testing.T) {
	const head = "apiVersion: jomctl/v1\n# ours\nname: ci # the name\n"
	for name, c := range map[string]struct{ text, want string }{
		"added":   {head + "target: local\n", head + "release: ./mine\ntarget: local\n"},
		"changed": {head + "target: local\nrelease: previous   # since spring\n", head + "target: local\nrelease: ./mine   # since spring\n"},
		"quoted":  {head + "release: \"previous\"\ntarget: local\n", head + "release: ./mine\ntarget: local\n"},
		"same":    {head + "release: ./mine\ntarget: local\n", head + "release: ./mine\ntarget: local\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cluster.yaml")
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o640))
			require.NoError(t, SetRelease(path, "./mine"))
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
		})
	}
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(path, []byte("{apiVersion: jomctl/v1, name: ci, target: local}\n"), 0o600))
	var refusal *op.Refusal
	require.ErrorAs(t, SetRelease(path, "default2"), &refusal)
	require.Contains(t, refusal.Fix, "jomctl resume")
}
