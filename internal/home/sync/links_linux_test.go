package sync_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A job that is moved to another disk, with a link in its place, stays in the history as it was, and is named.
func TestALinkInThePlaceOfAFolderDeletesNothing(t *testing.T) {
	w := newWorld(t)
	w.write("jobs/a/config.xml", "<project>a</project>")
	w.write("jobs/b/config.xml", "<project>b</project>")
	w.start().settled()
	disk := t.TempDir()
	link := func(job string) { // at once, so that the engine never sees neither
		moved := filepath.Join(disk, job)
		require.NoError(t, os.Symlink(moved, moved+".new"))
		require.NoError(t, unix.Renameat2(unix.AT_FDCWD, moved+".new", unix.AT_FDCWD, w.path("jobs/"+job), unix.RENAME_EXCHANGE))
		require.NoError(t, os.Rename(moved+".new", moved))
	}
	w.stop()
	link("a")
	require.NoError(t, w.engine.Flush(t.Context()))
	require.Contains(t, w.engine.Status().Refused["jobs/a"], "link in the place of a folder")
	require.Equal(t, "<project>a</project>", w.pushed()["jobs/a/config.xml"])

	w.options.Claimed = w.claim(w.repo, 2, "h1")
	w.options.Quiet = 300 * time.Millisecond
	w.start()
	w.write("jobs/c/config.xml", "<project>c</project>")
	w.eventually("another job is pushed", func() bool { return w.pushed()["jobs/c/config.xml"] != "" })
	link("b")
	w.eventually("the second link is named", func() bool { return w.engine.Status().Refused["jobs/b"] != "" })
	w.write("jobs/d/config.xml", "<project>d</project>")
	w.eventually("another job is pushed", func() bool { return w.pushed()["jobs/d/config.xml"] != "" })
	require.Equal(t, "<project>b</project>", w.pushed()["jobs/b/config.xml"])
	require.NoError(t, os.Remove(w.path("jobs/b")))
	require.NoError(t, os.Rename(filepath.Join(disk, "b"), w.path("jobs/b")))
	w.eventually("a folder is a folder again", func() bool { return w.engine.Status().Refused["jobs/b"] == "" })
	require.NoError(t, os.RemoveAll(w.path("jobs/b")))
	w.eventually("and goes like one", func() bool { _, there := w.pushed()["jobs/b/config.xml"]; return !there })
}
