package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// CrashDisk is a small ext4 file system that can lose its power.
type CrashDisk struct {
	// Dir is where it is mounted.
	Dir   string
	image string
	t     testing.TB
}

// NewCrashDisk makes and mounts the file system; without the right to do so the test is skipped.
func NewCrashDisk(t testing.TB) *CrashDisk {
	t.Helper()
	d := &CrashDisk{Dir: t.TempDir(), image: filepath.Join(t.TempDir(), "disk"), t: t}
	require.NoError(t, os.WriteFile(d.image, nil, 0o600))
	require.NoError(t, os.Truncate(d.image, 16<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-O", "has_journal", d.image).CombinedOutput(); err != nil {
		t.Skipf("a disk that loses its power needs mkfs.ext4: %v: %s", err, out)
	}
	// The kernel itself is to write nothing while the test runs.
	d.mount(d.image, d.Dir, "loop,commit=600")
	return d
}

func (d *CrashDisk) mount(image, dir, options string) {
	d.t.Helper()
	if out, err := exec.Command("mount", "-o", options, image, dir).CombinedOutput(); err != nil {
		d.t.Skipf("a disk that loses its power needs the right to mount: %v: %s", err, out)
	}
	d.t.Cleanup(func() {
		out, err := exec.Command("umount", dir).CombinedOutput()
		require.NoError(d.t, err, "%s", out)
	})
}

// Crash returns a folder with what the file system would hold after a loss of power now: what was not brought to the disk is not there.
func (d *CrashDisk) Crash() string {
	d.t.Helper()
	data, err := os.ReadFile(d.image)
	require.NoError(d.t, err)
	image, dir := filepath.Join(d.t.TempDir(), "disk"), d.t.TempDir()
	require.NoError(d.t, os.WriteFile(image, data, 0o600))
	d.mount(image, dir, "loop")
	return dir
}
