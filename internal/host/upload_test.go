package host

import (
	"context"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUploadSendsOnlyWhatDiffers(t *testing.T) {
	r := newSSHD(t).remote()
	data := make([]byte, 20<<20)
	_, err := rand.Read(data)
	require.NoError(t, err)
	source := filepath.Join(t.TempDir(), "big")
	require.NoError(t, os.WriteFile(source, data, 0o600))
	dir := t.TempDir()
	name := filepath.Join(dir, "new", "odd \\ name\n")
	steps := []struct {
		prepare func() error
		mode    fs.FileMode
		changed bool
	}{
		{func() error { return nil }, 0o644, true},
		{func() error { return nil }, 0o644, false},
		{func() error { return nil }, 0o755, true},
		{func() error { data[5]++; return os.WriteFile(source, data, 0o600) }, 0o755, true},
		{func() error { return os.Truncate(name, 100) }, 0o755, true},
		{func() error { data = nil; return os.WriteFile(source, nil, 0o600) }, 0o755, true},
		{func() error { return nil }, 0o755, false},
	}
	for i, step := range steps {
		require.NoError(t, step.prepare())
		changed, err := r.Upload(t.Context(), source, name, step.mode)
		require.NoError(t, err)
		assert.Equal(t, step.changed, changed, "step %d", i)
		have, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.True(t, string(have) == string(data), "step %d", i)
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, step.mode, info.Mode(), "step %d", i)
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file stays")
	_, err = r.Upload(t.Context(), source, dir, 0o644)
	require.ErrorContains(t, err, "it is a folder")
	_, err = r.Upload(t.Context(), source+"-missing", name, 0o644)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAnInterruptedWriteLeavesTheOldFile(t *testing.T) {
	r := newSSHD(t).remote()
	name := filepath.Join(t.TempDir(), "x")
	_, err := r.WriteFile(t.Context(), name, []byte("old"), 0o644)
	require.NoError(t, err)
	source := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(source, []byte("new"), 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Upload(ctx, source, name, 0o644)
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.WriteFile(ctx, name, []byte("new"), 0o644)
	require.ErrorIs(t, err, context.Canceled)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "old", string(text))
}

func TestAFullDiskIsSaid(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small disk can be mounted by root alone")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, 0)) })
	r := newSSHD(t).remote()
	name := filepath.Join(dir, "x")
	_, err := r.WriteFile(t.Context(), name, []byte("old"), 0o644)
	require.NoError(t, err)
	_, err = r.WriteFile(t.Context(), name, make([]byte, 1<<20), 0o644)
	require.ErrorContains(t, err, "no space is left on the disk of "+dir)
	var full *SpaceError
	require.ErrorAs(t, err, &full)
	require.Contains(t, full.Hint(), "make room on the disk of "+dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "old", string(text))
}

func TestASecretIsNeverInAFileThatOthersMayRead(t *testing.T) {
	r := newSSHD(t).remote()
	name := filepath.Join(t.TempDir(), "secret")
	_, err := withFiles(t.Context(), r, "write", name, func(c *sftp.Client) (bool, error) {
		return true, writeRemote(t.Context(), c, name, 0o600, func(file *sftp.File) error {
			info, err := file.Stat()
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o600), info.Mode(), "already when it is empty")
			_, err = file.Write([]byte("s3cret"))
			return err
		}, nil)
	})
	require.NoError(t, err)
	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())
}
