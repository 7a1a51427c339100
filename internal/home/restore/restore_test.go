package restore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
	"github.com/jomctl/jomctl/internal/home/restore"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/testkit"
)

func newRepo(t *testing.T) *git.Repo {
	t.Helper()
	repo, err := git.Open(t.Context(), filepath.Join(t.TempDir(), "home.git"), git.Remote{URL: "/none", Branch: "main"})
	require.NoError(t, err)
	return repo
}

func commit(t *testing.T, repo *git.Repo, ref string, files map[string]string) git.Hash {
	t.Helper()
	hash, err := repo.Commit(t.Context(), git.Commit{Ref: ref, Force: true, Message: "m", When: time.Now()}, func(c *git.Changes) error {
		for name, text := range files {
			c.Write(name, []byte(text), strings.HasSuffix(name, ".sh"))
		}
		return nil
	})
	require.NoError(t, err)
	return hash
}

func write(t *testing.T, home, name, text string) {
	t.Helper()
	full := filepath.Join(home, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
}

func read(t *testing.T, home, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, name))
	require.NoError(t, err)
	return string(data)
}

const bob = "users/bob_0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a/config.xml"

func TestRestoreIntoAHome(t *testing.T) {
	repo, home := newRepo(t), filepath.Join(t.TempDir(), "home")
	main := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "userContent/run.sh": "#!/bin/sh", "users/bob/config.xml": "<user/>",
		"jobs/a/config.xml": "<project/>", "jobs/a.b/config.xml": "<project/>", "jobs/a/jobs/b/config.xml": "<project/>", "README.md": "a person's"})
	numbers := commit(t, repo, git.Numbers, map[string]string{homesync.NumbersFile: "41 jobs/a/jobs/b\n"})
	write(t, home, "plugins/x.jpi", "laid down before")
	empty, err := restore.Empty(home)
	require.NoError(t, err)
	require.True(t, empty)
	result, err := restore.Into(t.Context(), repo, main, numbers, home, claim.Marker{Home: "h"})
	require.NoError(t, err)
	require.Equal(t, restore.Result{Files: 6, Numbers: 2}, result)
	require.Equal(t, "141\n", read(t, home, "jobs/a/jobs/b/nextBuildNumber"))
	require.Equal(t, "101\n", read(t, home, "jobs/a.b/nextBuildNumber"))
	require.NoFileExists(t, filepath.Join(home, "jobs/a/nextBuildNumber"))
	require.NoFileExists(t, filepath.Join(home, "README.md"))
	for name, mode := range map[string]os.FileMode{"userContent/run.sh": 0o755, "users/bob/config.xml": 0o600, "config.xml": 0o644} {
		info, err := os.Stat(filepath.Join(home, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	marker, _, err := claim.ReadMarker(home)
	require.NoError(t, err)
	require.Equal(t, main.String(), marker.Restoring, "until the history is claimed")
	empty, err = restore.Empty(home)
	require.NoError(t, err)
	require.False(t, empty)
	differences, refused, err := restore.Compare(t.Context(), repo, main, home)
	require.NoError(t, err)
	require.Empty(t, differences)
	require.Empty(t, refused)
}

func TestNothingTakesItsPlaceBeforeAllIsVerified(t *testing.T) {
	repo := newRepo(t)
	home := filepath.Join(t.TempDir(), "home")
	broken := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "jobs/a/config.xml": "<half"})
	_, err := restore.Into(t.Context(), repo, broken, git.Hash{}, home, claim.Marker{})
	require.ErrorContains(t, err, "jobs/a/config.xml: it is not well-formed XML")
	require.NoFileExists(t, filepath.Join(home, "config.xml"))
	require.NoDirExists(t, filepath.Join(home, ".jomctl/restore"))
}

func TestAnEarlierStateOfSomeFiles(t *testing.T) {
	repo, home := newRepo(t), t.TempDir()
	old := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson>old</hudson>", "jobs/a/config.xml": "<project>old</project>", "jobs/gone/config.xml": "<project/>",
		"users/bob/config.xml": "<user><id>bob</id></user>"})
	write(t, home, "config.xml", "<hudson>new</hudson>")
	write(t, home, "jobs/a/config.xml", "<project>new</project>")
	write(t, home, "jobs/ab/config.xml", "<project>new</project>")
	write(t, home, "jobs/new/config.xml", "<project/>")
	write(t, home, bob, "<user><id>bob</id><fullName>B</fullName></user>")
	write(t, home, "secrets/master.key", "x")

	differences, _, err := restore.Compare(t.Context(), repo, old, home)
	require.NoError(t, err)
	require.Equal(t, []restore.Difference{{"config.xml", "config.xml", restore.Changed}, {"jobs/a/config.xml", "jobs/a/config.xml", restore.Changed}, {"jobs/ab/config.xml", "jobs/ab/config.xml", restore.Extra},
		{"jobs/gone/config.xml", "", restore.Missing}, {"jobs/new/config.xml", "jobs/new/config.xml", restore.Extra}, {"users/bob/config.xml", bob, restore.Changed}}, differences)

	written, removed, err := restore.Apply(t.Context(), repo, old, home, []string{"jobs/a", "/jobs/gone/"})
	require.NoError(t, err)
	require.Equal(t, []int{2, 0}, []int{written, removed})
	require.Equal(t, "<project>old</project>", read(t, home, "jobs/a/config.xml"))
	require.Equal(t, "<hudson>new</hudson>", read(t, home, "config.xml"))
	require.FileExists(t, filepath.Join(home, "jobs/ab/config.xml"))

	written, removed, err = restore.Apply(t.Context(), repo, old, home, nil)
	require.NoError(t, err)
	require.Equal(t, []int{2, 2}, []int{written, removed})
	require.Equal(t, "<user><id>bob</id></user>", read(t, home, bob), "where Jenkins looks for it")
	require.NoDirExists(t, filepath.Join(home, "users/bob"))
	require.NoFileExists(t, filepath.Join(home, "jobs/new/config.xml"))
	require.Equal(t, "x", read(t, home, "secrets/master.key"))
}

// What a restore is for: a file that is damaged, or that no history could keep, becomes what it was. The comparison of the home with its history
// still names it as refused alone.
func TestADamagedFileIsRestored(t *testing.T) {
	repo, home := newRepo(t), t.TempDir()
	good := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "jobs/a/config.xml": "<project/>", "jobs/b/config.xml": "<project/>", "jobs/c/config.xml": "<project/>",
		"jobs/same/config.xml": "<project><password>old</password></project>", "users/bob/config.xml": "<user><id>bob</id></user>"})
	write(t, home, "config.xml", "<hudson><half")
	write(t, home, "jobs/a/config.xml", "<project><password>hunter2</password></project>")
	write(t, home, "elsewhere.txt", "<project/>")
	require.NoError(t, os.MkdirAll(filepath.Join(home, "jobs/b"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(home, "elsewhere.txt"), filepath.Join(home, "jobs/b/config.xml")))
	write(t, home, "jobs/c/config.xml", "")
	write(t, home, "jobs/same/config.xml", "<project><password>old</password></project>")
	write(t, home, "jobs/new/config.xml", "<half")
	write(t, home, bob, "<user><id>bob</id><password>hunter2</password></user>")

	differences, refused, err := restore.Compare(t.Context(), repo, good, home)
	require.NoError(t, err)
	require.Empty(t, differences, "a refused file is no difference, and its account not missing")
	require.Len(t, refused, 7)
	changes, err := restore.Changes(t.Context(), repo, good, home)
	require.NoError(t, err)
	want := []restore.Difference{{"config.xml", "config.xml", restore.Changed}, {"jobs/a/config.xml", "jobs/a/config.xml", restore.Changed}, {"jobs/b/config.xml", "jobs/b/config.xml", restore.Changed},
		{"jobs/c/config.xml", "jobs/c/config.xml", restore.Changed}, {"users/bob/config.xml", bob, restore.Changed}}
	require.Equal(t, want, changes)

	written, removed, err := restore.Apply(t.Context(), repo, good, home, []string{"jobs/b", "jobs/c"})
	require.NoError(t, err)
	require.Equal(t, []int{2, 0}, []int{written, removed})
	require.Equal(t, "<hudson><half", read(t, home, "config.xml"))
	written, removed, err = restore.Apply(t.Context(), repo, good, home, nil)
	require.NoError(t, err)
	require.Equal(t, []int{3, 0}, []int{written, removed})
	require.Equal(t, "<hudson/>", read(t, home, "config.xml"))
	require.Equal(t, "<project/>", read(t, home, "jobs/a/config.xml"))
	require.Equal(t, "<user><id>bob</id></user>", read(t, home, bob))
	info, err := os.Lstat(filepath.Join(home, "jobs/b/config.xml"))
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular())
	require.Equal(t, "<half", read(t, home, "jobs/new/config.xml"), "what the commit does not have, and no other either, is not removed")
	for name, text := range map[string]string{"config.xml": "<hudson><half", "jobs/a/config.xml": "<project><password>hunter2</password></project>"} {
		require.Equal(t, text, read(t, home, filepath.Join(restore.Aside, name)), "it is in no history")
	}
	changes, err = restore.Changes(t.Context(), repo, good, home)
	require.NoError(t, err)
	require.Empty(t, changes)

	write(t, home, "config.xml", "<another half")
	_, _, err = restore.Apply(t.Context(), repo, good, home, nil)
	require.NoError(t, err)
	require.Equal(t, "<hudson><half", read(t, home, filepath.Join(restore.Aside, "config.xml")), "what an earlier restore put there stays")
	require.Equal(t, "<another half", read(t, home, filepath.Join(restore.Aside, "config.xml.2")))
}

// A file may have become a folder since, and a folder a file.
func TestAFileThatBecameAFolderIsRestored(t *testing.T) {
	repo, home := newRepo(t), t.TempDir()
	old := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "userContent/x": "a file", "userContent/y/z": "in a folder"})
	write(t, home, "config.xml", "<hudson/>")
	write(t, home, "userContent/x/deep/file", "now a folder")
	write(t, home, "userContent/x/other", "now a folder")
	write(t, home, "userContent/y", "now a file")
	written, removed, err := restore.Apply(t.Context(), repo, old, home, nil)
	require.NoError(t, err)
	require.Equal(t, []int{2, 3}, []int{written, removed})
	require.Equal(t, "a file", read(t, home, "userContent/x"))
	require.Equal(t, "in a folder", read(t, home, "userContent/y/z"))

	require.NoError(t, os.Remove(filepath.Join(home, "userContent/x")))
	write(t, home, "userContent/x/save-atomic1tmp", "of nobody's history")
	_, _, err = restore.Apply(t.Context(), repo, old, home, nil)
	require.ErrorContains(t, err, filepath.Join(home, "userContent/x/save-atomic1tmp")+" is in the way, which no history keeps: move it away")
	require.FileExists(t, filepath.Join(home, "userContent/x/save-atomic1tmp"))
}

// A home may be a link, as to a larger disk. It is not empty for that, and nothing is laid over it.
func TestAHomeBehindALink(t *testing.T) {
	repo, real := newRepo(t), filepath.Join(t.TempDir(), "disk")
	write(t, real, "config.xml", "<hudson>mine</hudson>")
	write(t, real, "jobs/a/config.xml", "<project/>")
	home := filepath.Join(t.TempDir(), "home")
	require.NoError(t, os.Symlink(real, home))
	empty, err := restore.Empty(home)
	require.NoError(t, err)
	require.False(t, empty)
	old := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson>old</hudson>", "jobs/a/config.xml": "<project/>"})
	differences, _, err := restore.Compare(t.Context(), repo, old, home)
	require.NoError(t, err)
	require.Equal(t, []restore.Difference{{"config.xml", "config.xml", restore.Changed}}, differences)
	result, err := restore.Into(t.Context(), repo, old, git.Hash{}, home, claim.Marker{Restoring: "x"})
	require.NoError(t, err)
	require.Equal(t, 2, result.Files)
	require.Equal(t, "<hudson>old</hudson>", read(t, real, "config.xml"), "what a restore that was cut off laid down is taken away")
	require.NoError(t, os.RemoveAll(real))
	empty, err = restore.Empty(home)
	require.NoError(t, err)
	require.True(t, empty)
}

// A job that was moved to another disk, with a link in its place, is neither missing nor the same: it is named, and only an order touches it.
func TestAFolderBehindALink(t *testing.T) {
	repo, home, disk := newRepo(t), t.TempDir(), t.TempDir()
	main := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "jobs/a/config.xml": "<project/>", "jobs/a/jobs/b/config.xml": "<project/>", "jobs/ab/config.xml": "<project/>"})
	write(t, home, "config.xml", "<hudson/>")
	write(t, home, "jobs/x", "no folder, and nothing of Jenkins'")
	write(t, disk, "a/config.xml", "<project>moved</project>")
	write(t, disk, "a/jobs/b/config.xml", "<project/>")
	require.NoError(t, os.Symlink(filepath.Join(disk, "a"), filepath.Join(home, "jobs/a")))
	differences, refused, err := restore.Compare(t.Context(), repo, main, home)
	require.NoError(t, err)
	require.Equal(t, []restore.Difference{{Name: "jobs/ab/config.xml", What: restore.Missing}}, differences)
	require.Equal(t, map[string]string{"jobs/a": keep.LinkedFolder}, refused)
	written, _, err := restore.Apply(t.Context(), repo, main, home, []string{"jobs/a"})
	require.NoError(t, err)
	require.Equal(t, 1, written)
	require.Equal(t, "<project/>", read(t, disk, "a/config.xml"))
}

// A history of somebody else's must not write outside of the home, nor a submodule or a link of a person's stop a restore.
func TestWhatAPersonMayPushIsNoFileOfTheHome(t *testing.T) {
	repo, home := newRepo(t), filepath.Join(t.TempDir(), "home")
	main := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "docs/README": "a person's", "jobs/ü 😀\"\n/config.xml": "<project/>"})
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(t.TempDir(), "index"), "GIT_DIR=" + repo.Dir}
	run := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Env = append(os.Environ(), append(index, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")...)
		out, err := cmd.Output()
		require.NoError(t, err, "%v", args)
		return strings.TrimSpace(string(out))
	}
	blob := git.BlobHash([]byte("<hudson/>")).String()
	run("read-tree", main.String())
	run("update-index", "--add", "--cacheinfo", "120000,"+blob+",jobs/link/config.xml", "--cacheinfo", "160000,"+main.String()+",userContent/module")
	pushed, err := git.ParseHash(run("commit-tree", "-m", "by hand", "-p", main.String(), run("write-tree")))
	require.NoError(t, err)
	result, err := restore.Into(t.Context(), repo, pushed, git.Hash{}, home, claim.Marker{})
	require.NoError(t, err)
	require.Equal(t, restore.Result{Files: 2, Numbers: 1}, result)
	require.Equal(t, "<project/>", read(t, home, "jobs/ü 😀\"\n/config.xml"))
	require.NoDirExists(t, filepath.Join(home, "jobs/link"))
	require.NoDirExists(t, filepath.Join(home, "userContent/module"))
	differences, _, err := restore.Compare(t.Context(), repo, pushed, home)
	require.NoError(t, err)
	require.Empty(t, differences)
}

func TestTheRule(t *testing.T) {
	one, two := git.Hash{1}, git.Hash{2}
	mine := claim.Marker{Home: "h", Epoch: 3, Owner: one.String()}
	for name, c := range map[string]struct {
		s    restore.Situation
		want restore.Action
	}{
		"nothing anywhere":               {restore.Situation{Empty: true}, restore.Adopt},
		"a home, an empty repository":    {restore.Situation{}, restore.Adopt},
		"a new repository":               {restore.Situation{Marker: mine, Marked: true}, restore.Adopt},
		"an empty home":                  {restore.Situation{Empty: true, Main: two, OwnerRef: one, ByController: true}, restore.Restore},
		"an emptied home":                {restore.Situation{Empty: true, Marker: mine, Marked: true, Main: two, OwnerRef: one}, restore.Restore},
		"a mirror of a history":          {restore.Situation{Empty: true, Main: two, ByController: true}, restore.Restore},
		"the last owner":                 {restore.Situation{Marker: mine, Marked: true, Main: two, OwnerRef: one}, restore.Continue},
		"the last owner, a person since": {restore.Situation{Marker: mine, Marked: true, Main: two, OwnerRef: one, ByController: false}, restore.Continue},
		"a claim without an end":         {restore.Situation{Marker: claim.Marker{Home: "h", Claiming: one.String()}, Marked: true, Main: two, OwnerRef: one}, restore.Continue},
		"older":                          {restore.Situation{Marker: mine, Marked: true, Main: two, OwnerRef: two, Owner: claim.Owner{Home: "h", Epoch: 4}}, restore.Refuse},
		"another history's":              {restore.Situation{Marker: mine, Marked: true, Main: two, OwnerRef: two, Owner: claim.Owner{Home: "x"}}, restore.Refuse},
		"a stranger":                     {restore.Situation{Main: two, OwnerRef: one}, restore.Refuse},
		"somebody's project":             {restore.Situation{Empty: true, Main: two}, restore.Refuse},
		"no branch any more":             {restore.Situation{Empty: true, OwnerRef: one}, restore.Refuse},
		"a restore that was cut off":     {restore.Situation{Marker: claim.Marker{Restoring: "x"}, Marked: true, Main: two, OwnerRef: one}, restore.Restore},
	} {
		decision := restore.Decide(c.s)
		require.Equal(t, c.want, decision.Action, name)
		if c.want == restore.Refuse {
			require.NotEmpty(t, decision.Why, name)
			require.NotEmpty(t, decision.Fix, name)
		}
	}
}

// The order to restore is taken away when it is carried out: a loss of power after that must not leave empty files in the place of old ones.
func TestWhatWasAppliedIsOnTheDisk(t *testing.T) {
	disk := testkit.NewCrashDisk(t)
	repo, home := newRepo(t), filepath.Join(disk.Dir, "home")
	files := map[string]string{"config.xml": "<hudson>old</hudson>", "jobs/a/config.xml": "<project/>"}
	old := commit(t, repo, "refs/heads/main", files)
	write(t, home, "config.xml", "<hudson>new</hudson>")
	write(t, home, "jobs/new/config.xml", "<project/>")
	_, _, err := restore.Apply(t.Context(), repo, old, home, nil)
	require.NoError(t, err)
	after := filepath.Join(disk.Crash(), "home")
	for name, text := range files {
		require.Equal(t, text, read(t, after, name), name)
	}
	require.NoFileExists(t, filepath.Join(after, "jobs/new/config.xml"))
}

// A name may be as long as the file system allows.
func TestAFileWithALongNameIsRestored(t *testing.T) {
	repo, home := newRepo(t), t.TempDir()
	name := "userContent/" + strings.Repeat("n", 255)
	old := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", name: "old"})
	write(t, home, "config.xml", "<hudson/>")
	write(t, home, name, "new")
	_, _, err := restore.Apply(t.Context(), repo, old, home, nil)
	require.NoError(t, err)
	require.Equal(t, "old", read(t, home, name))
}

// The jobs may lie on a disk of their own, which is mounted in the home.
func TestAHomeWithADiskForItsJobsIsRestored(t *testing.T) {
	repo, home := newRepo(t), t.TempDir()
	jobs := filepath.Join(home, "jobs")
	require.NoError(t, os.Mkdir(jobs, 0o755))
	if err := syscall.Mount("none", jobs, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a disk of its own needs the right to mount: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(jobs, syscall.MNT_DETACH)) })
	require.NoError(t, os.Mkdir(filepath.Join(jobs, "lost+found"), 0o700))
	main := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "jobs/a/config.xml": "<project>a</project>", "jobs/a/jobs/b/config.xml": "<project/>", "users/bob/config.xml": "<user/>"})
	for _, marker := range []claim.Marker{{Home: "h"}, {Home: "h", Restoring: "x"}} {
		_, err := restore.Into(t.Context(), repo, main, git.Hash{}, home, marker)
		require.NoError(t, err)
		differences, _, err := restore.Compare(t.Context(), repo, main, home)
		require.NoError(t, err)
		require.Empty(t, differences)
		require.Equal(t, "101\n", read(t, home, "jobs/a/jobs/b/nextBuildNumber"))
	}
	write(t, home, "jobs/a/config.xml", "<half")
	_, _, err := restore.Apply(t.Context(), repo, main, home, nil)
	require.NoError(t, err)
	require.Equal(t, "<project>a</project>", read(t, home, "jobs/a/config.xml"))
	require.Equal(t, "<half", read(t, home, filepath.Join(restore.Aside, "jobs/a/config.xml")))
}

func TestWhatIsInTheWayOfARestoreIsNamedWithItsFix(t *testing.T) {
	repo, home := newRepo(t), t.TempDir()
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(home, "jobs")))
	main := commit(t, repo, "refs/heads/main", map[string]string{"config.xml": "<hudson/>", "jobs/a/config.xml": "<project/>"})
	_, err := restore.Into(t.Context(), repo, main, git.Hash{}, home, claim.Marker{})
	require.ErrorContains(t, err, filepath.Join(home, "jobs")+" is in the way of what the history has there: move it away")
}
