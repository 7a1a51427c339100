package lifecycle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
)

// TestDestroyLeavesNoEmptyFolderOfSecrets also keeps what somebody has put there.
func TestDestroyLeavesNoEmptyFolderOfSecrets(t *testing.T) {
	for name, foreign := range map[string]bool{"ours alone": false, "a file of the user": true} {
		t.Run(name, func(t *testing.T) {
			c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal, File: filepath.Join(t.TempDir(), "cluster.yaml")}
			config.Default(c)
			env := environment(t, c)
			secrets := filepath.Join(c.StateDir(), "secrets")
			require.NoError(t, os.MkdirAll(secrets, 0o700))
			for _, file := range []string{"admin", "admin.hash"} {
				require.NoError(t, os.WriteFile(filepath.Join(secrets, file), []byte("x"), 0o600))
			}
			if foreign {
				require.NoError(t, os.WriteFile(filepath.Join(secrets, "backup"), []byte("x"), 0o600))
			}
			step := env.filesGoneStep(DestroyOptions{})
			state, err := step.Probe(t.Context())
			require.NoError(t, err)
			require.Equal(t, op.Needed, state)
			require.NoError(t, step.Do(t.Context(), func(string, ...any) {}))
			state, err = step.Probe(t.Context())
			require.NoError(t, err)
			require.Equal(t, op.Done, state)
			if foreign {
				require.FileExists(t, filepath.Join(secrets, "backup"))
				require.NoFileExists(t, filepath.Join(secrets, "admin"))
				return
			}
			require.NoDirExists(t, secrets)

			require.NoError(t, os.Mkdir(secrets, 0o700)) // as a destroy that was cut off leaves it
			state, err = step.Probe(t.Context())
			require.NoError(t, err)
			require.Equal(t, op.Needed, state)
			require.NoError(t, step.Do(t.Context(), func(string, ...any) {}))
			require.NoDirExists(t, secrets)
		})
	}
}
