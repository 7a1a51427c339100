package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDestroyGoesByWhatWasInstalled leaves no cluster behind that nobody can end because its file has changed or is gone.
func TestDestroyGoesByWhatWasInstalled(t *testing.T) {
	for name, change := range map[string]func(b *bench){
		"file gone":    func(b *bench) { require.NoError(b.t, os.Remove(b.path("cluster.yaml"))) },
		"file broken":  func(b *bench) { b.write("cluster.yaml", "name: [") },
		"name changed": func(b *bench) { b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: other\ntarget: local\n") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			shown, _ := b.ok("config", "show")
			require.NoError(t, os.MkdirAll(b.path(".jomctl", "hosts", "a1"), 0o700))
			b.write(".jomctl/installed.yaml", shown)
			change(b)
			out, _ := b.ok("destroy", "--yes")
			require.Contains(t, out, "Cluster ci is gone")
			require.NoDirExists(t, b.path(".jomctl", "hosts"))
			require.NoFileExists(t, b.path(".jomctl", "installed.yaml"))
			_, err := os.Stat(b.path("cluster.yaml"))
			require.Equal(t, name == "file gone", os.IsNotExist(err), "the user's file is never touched")
		})
	}
}

func TestDestroyWithoutARecordGoesByTheFile(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("destroy", "--yes")
	require.Contains(t, out, "cluster.yaml is kept")
	b.write(".jomctl/installed.yaml", "nonsense")
	_, stderr := b.ok("destroy", "--yes")
	require.Contains(t, stderr, "installed.yaml cannot be used")
	require.NoFileExists(t, b.path(".jomctl", "installed.yaml"))
	require.NoError(t, os.Remove(b.path("cluster.yaml")))
	code, _, _ := b.run("destroy", "--yes")
	require.Equal(t, 2, code)
}
