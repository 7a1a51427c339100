package lifecycletest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// War is a jenkins.war that has a manifest with that version, and further empty entries.
func War(t testing.TB, version string, entries ...string) []byte {
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

// SHA256 is the checksum of the data in lower-case hexadecimal digits.
func SHA256(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
