package sync_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/git"
)

// smallDisk is a file system of a few MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a small disk needs the right to mount: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill takes what room is left and returns what gives it back.
func fill(t *testing.T, dir string) func() {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	file, err := os.Create(name)
	require.NoError(t, err)
	defer file.Close()
	for chunk := 1 << 16; chunk > 0; {
		if _, err := file.Write(make([]byte, chunk)); err != nil {
			chunk /= 2
		}
	}
	return func() { require.NoError(t, os.Remove(name)) }
}

func TestAFullDiskUnderTheLocalRepositoryLosesNothing(t *testing.T) {
	w := newWorld(t)
	disk := smallDisk(t)
	repo, err := git.Open(t.Context(), filepath.Join(disk, "home.git"), git.Remote{URL: w.remote, Branch: "main"})
	require.NoError(t, err)
	w.repo = repo
	w.options.Claimed = w.claim(repo, 2, "h1")
	w.start().settled()
	free := fill(t, disk)
	for n := range 20 {
		w.write(fmt.Sprintf("jobs/j%d/config.xml", n), "<project>"+strings.Repeat("x", 8192)+"</project>")
	}
	w.eventually("the full disk is reported", func() bool { return w.engine.Status().CommitError != "" })
	require.NoError(t, os.RemoveAll(w.path("jobs/j3")))
	free()
	w.settled()
	require.Empty(t, w.engine.Status().CommitError)
	oneWriter(t, w.remote)
}

func TestAFullDiskUnderTheRemoteLosesNothing(t *testing.T) {
	w := newWorld(t)
	disk := smallDisk(t)
	moved := filepath.Join(disk, "remote.git")
	require.NoError(t, os.CopyFS(moved, os.DirFS(w.remote)))
	w.remote = moved
	w.repo = w.clone()
	w.options.Claimed = w.claim(w.repo, 2, "h1")
	w.start().settled()
	free := fill(t, disk)
	for n := range 20 {
		w.write(fmt.Sprintf("jobs/j%d/config.xml", n), "<project>"+strings.Repeat("x", 8192)+"</project>")
	}
	w.eventually("the full disk is reported", func() bool { return w.engine.Status().PushError != "" })
	require.False(t, w.engine.Status().Fenced)
	free()
	w.settled()
}
