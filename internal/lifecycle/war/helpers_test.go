package war

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

// warFile is a war with a manifest and further entries.
func warFile(t *testing.T, version string, entries ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	manifest, err := archive.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	_, err = manifest.Write([]byte("Manifest-Version: 1.0\r\nJenkins-Version: " + version + "\r\n"))
	require.NoError(t, err)
	for _, entry := range entries {
		_, err := archive.Create(entry)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return buffer.Bytes()
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

func quiet(string, ...any) {}

// clusterWith is a local cluster in a folder of its own.
func clusterWith(t *testing.T, more string) *config.Cluster {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(file, []byte("apiVersion: jomctl/v1\nname: ci\ntarget: local\n"+more), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	return c
}
