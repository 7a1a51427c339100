package backup

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// putTimed writes a file with another time than any other writing, however coarse the clock of the disk.
func putTimed(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	at := time.Unix(1_700_000_000+int64(len(text)), int64(len(path)))
	require.NoError(t, os.Chtimes(path, at, at))
}

// copyOf is a folder as a restored backup is: with the times of the files.
func copyOf(t *testing.T, home string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, os.CopyFS(dir, os.DirFS(home)))
	marks, err := Files(home)
	require.NoError(t, err)
	for name, mark := range marks {
		at := time.Unix(0, mark.Mtime)
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), at, at))
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o600))
	}
	return dir
}

func TestAHomeIsPutTogetherAgainAsItWasLeft(t *testing.T) {
	dir := t.TempDir()
	l := Left{Home: filepath.Join(dir, "home"), Folder: filepath.Join(dir, "run"), Own: func(string) (func(), error) { return func() {}, nil }}
	for name, text := range map[string]string{"config.xml": "old", "queue.xml": "q", "jobs/a/config.xml": "a", "jobs/a/nextBuildNumber": "7", "jobs/b/config.xml": "b", "logs/x.log": "noise"} {
		putTimed(t, filepath.Join(l.Home, name), text)
	}
	require.NoError(t, l.Note())
	backup := copyOf(t, l.Home)

	// What the old version writes until it has ended.
	putTimed(t, filepath.Join(l.Home, "queue.xml"), "longer queue")
	putTimed(t, filepath.Join(l.Home, "jobs/new/config.xml"), "made at the last moment")
	require.NoError(t, os.Chmod(filepath.Join(l.Home, "jobs/new"), 0o710))
	require.NoError(t, os.RemoveAll(filepath.Join(l.Home, "jobs/b")))
	require.False(t, l.Known())
	for range 2 { // cut off and done again
		count, err := l.Keep()
		require.NoError(t, err)
		require.Equal(t, 2, count)
	}
	require.True(t, l.Known())
	left, err := Files(l.Home)
	require.NoError(t, err)

	touched, err := l.Touched()
	require.NoError(t, err)
	require.False(t, touched)
	require.NoError(t, l.Shut())
	require.NoError(t, l.Shut())
	putTimed(t, filepath.Join(l.Home, "logs/y.log"), "more noise")
	touched, err = l.Touched()
	require.NoError(t, err)
	require.False(t, touched, "neither the queue that was put aside nor what no backup holds counts")
	require.NoError(t, l.Untouched())
	again, err := Files(l.Home)
	require.NoError(t, err)
	require.Equal(t, left, again)

	putTimed(t, filepath.Join(l.Home, "config.xml"), "of the new version")
	touched, err = l.Touched()
	require.NoError(t, err)
	require.True(t, touched)

	require.NoError(t, l.overlay(backup))
	restored, err := Files(backup)
	require.NoError(t, err)
	require.Equal(t, left, restored, "the backup and what changed after it are the home that was left")
	text, err := os.ReadFile(filepath.Join(backup, "queue.xml"))
	require.NoError(t, err)
	require.Equal(t, "longer queue", string(text))
	info, err := os.Stat(filepath.Join(backup, "jobs/new"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o710), info.Mode().Perm(), "folders are like those that were left")

	putTimed(t, filepath.Join(backup, "jobs/a/config.xml"), "damaged")
	require.ErrorContains(t, l.overlay(backup), "jobs/a/config.xml is another file")
	require.NoError(t, l.Space(Set{Scratch: filepath.Join(dir, "scratch")}))
}

func TestAHostPutsTheHomeBackThatWasLeft(t *testing.T) {
	s := newServer(t)
	s.Config.Shared, s.Config.Last = false, 1
	at := filepath.Join(s.Config.Home, "jobs/a/config.xml")
	putTimed(t, filepath.Join(s.Config.Home, hashed, "config.xml"), "<user><id>admin</id><passwordHash>#jbcrypt:then</passwordHash></user>")
	account := filepath.Join(t.TempDir(), "config.xml")
	putTimed(t, account, "<user><id>admin</id><passwordHash>#jbcrypt:now</passwordHash></user>")
	s.Config.Account = account
	ask := func(q Request) Reply {
		t.Helper()
		q.Run = "run-1"
		reply, err := s.over(t, q)
		require.NoError(t, err)
		return reply
	}
	ask(Request{Verb: VerbSpace})
	ask(Request{Verb: VerbNote})
	first := ask(Request{Verb: VerbRun, KeepAll: true}).Taken.ID
	id := ask(Request{Verb: VerbRun, KeepAll: true}).Taken.ID
	require.Len(t, ask(Request{Verb: VerbList}).Backups, 2, "the one that is rehearsed on stays: %s", first)
	putTimed(t, at, "<after-the-backup/>")
	require.Equal(t, 1, ask(Request{Verb: VerbKeep}).Count)
	ask(Request{Verb: VerbRun})
	require.Len(t, ask(Request{Verb: VerbList}).Backups, 3, "the timer's backup removes none that the way back needs")
	left, err := Files(s.Config.Home)
	require.NoError(t, err)
	require.False(t, ask(Request{Verb: VerbTouched}).Touched)
	ask(Request{Verb: VerbShut})
	ask(Request{Verb: VerbUntouched})
	putTimed(t, at, "<of-the-new-version/>")
	require.True(t, ask(Request{Verb: VerbTouched}).Touched)

	// One that a jomctl which is gone has begun is waited for.
	release, err := hold(filepath.Join(s.Config.Home+".upgrades", "run-1", "lock"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Do(ctx, Request{Verb: VerbBack, Run: "run-1", ID: id, Word: "failed-upgrade"})
	require.ErrorIs(t, err, context.Canceled)
	release()

	// What was restored ahead is taken, unless somebody has been at it.
	there := func(path string) os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info
	}
	beside := s.Config.Home + ".restoring-" + id[:8]
	ask(Request{Verb: VerbAhead, ID: id})
	restored, home := there(beside), there(s.Config.Home)
	ask(Request{Verb: VerbAhead, ID: id})
	require.True(t, os.SameFile(restored, there(beside)), "once")
	ask(Request{Verb: VerbBack, ID: id, Word: "first-try"})
	require.True(t, os.SameFile(restored, there(s.Config.Home)))
	require.False(t, os.SameFile(home, there(s.Config.Home)))
	require.NoDirExists(t, beside)
	putTimed(t, at, "<of-the-new-version/>")
	ask(Request{Verb: VerbAhead, ID: id})
	putTimed(t, filepath.Join(beside, "jobs/a/config.xml"), "<somebody/>")
	require.NoError(t, os.RemoveAll(filepath.Join(beside, "users")))

	kept := ask(Request{Verb: VerbBack, ID: id, Word: "failed-upgrade"}).Kept
	require.False(t, os.SameFile(restored, there(s.Config.Home)))
	require.Regexp(t, `\.failed-upgrade-\d{8}T\d{6}Z$`, kept)
	text, err := os.ReadFile(filepath.Join(kept, "jobs/a/config.xml"))
	require.NoError(t, err)
	require.Equal(t, "<of-the-new-version/>", string(text), "the failed home is kept")
	back, err := Files(s.Config.Home)
	require.NoError(t, err)
	require.Equal(t, left, back)
	require.False(t, ask(Request{Verb: VerbTouched}).Touched, "cut off after it and asked again, there is nothing to do")

	ask(Request{Verb: VerbSpace, Known: "run-1"})
	_, err = s.over(t, Request{Verb: VerbSpace, Run: "run-2", Known: "nobody"})
	require.ErrorIs(t, err, ErrNoBackup)
	_, err = s.over(t, Request{Verb: VerbSpace, Run: "../.."})
	require.ErrorContains(t, err, "no name of a run")
	_, err = s.over(t, Request{Verb: VerbBack, Run: "run-2", Known: "run-1", ID: id, Word: "before-rollback"})
	require.NoError(t, err)
	text, err = os.ReadFile(filepath.Join(s.Config.Home, hashed, "config.xml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "#jbcrypt:now", "the account of a home of long ago has the password of now")
	require.NoError(t, os.RemoveAll(s.Config.Home))
	require.Empty(t, ask(Request{Verb: VerbBack, ID: id, Word: "failed-upgrade"}).Kept, "there was none to keep")
	back, err = Files(s.Config.Home)
	require.NoError(t, err)
	require.Equal(t, left, back, "a home that somebody has removed comes back, too")
	ask(Request{Verb: VerbClose})
	ask(Request{Verb: VerbClose})
	require.NotEmpty(t, ask(Request{Verb: VerbRun}).Removed)
}

func TestFilesAreCopiedWithTheirOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	from, to := t.TempDir(), t.TempDir()
	putTimed(t, filepath.Join(from, "a/b/c"), "text")
	for _, name := range []string{"a", "a/b", "a/b/c"} {
		require.NoError(t, os.Chown(filepath.Join(from, name), 1500, 1501))
	}
	require.NoError(t, copyKept(from, to, "a/b/c"))
	for _, name := range []string{"a", "a/b", "a/b/c"} {
		var st syscall.Stat_t
		require.NoError(t, syscall.Stat(filepath.Join(to, name), &st))
		require.Equal(t, []uint32{1500, 1501}, []uint32{st.Uid, st.Gid}, name)
	}
}
