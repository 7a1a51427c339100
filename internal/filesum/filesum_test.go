package filesum

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSHA256(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	sum, err := SHA256(path)
	require.NoError(t, err)
	require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sum, "of FIPS 180-2, B.1")

	_, err = SHA256(path + "-none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, path+"-none")

	_, err = SHA256(filepath.Dir(path))
	require.ErrorContains(t, err, filepath.Dir(path), "a folder has none")
}
