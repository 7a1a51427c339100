package git_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/git"
)

func bare(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "remote.git")
	out, err := exec.Command("git", "init", "--quiet", "--bare", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func open(t *testing.T, remote string) *git.Repo {
	t.Helper()
	repo, err := git.Open(t.Context(), filepath.Join(t.TempDir(), "home.git"), git.Remote{URL: remote, Branch: "main"})
	require.NoError(t, err)
	return repo
}

func commit(t *testing.T, repo *git.Repo, parent git.Hash, files map[string]string) git.Hash {
	t.Helper()
	hash, err := repo.Commit(t.Context(), git.Commit{Ref: repo.Main(), Parent: parent, Message: "a commit", When: time.Unix(1e9, 0)}, func(c *git.Changes) error {
		for name, text := range files {
			if text == "" {
				c.Delete(name)
			} else {
				c.Write(name, []byte(text), strings.HasSuffix(name, ".sh"))
			}
		}
		return nil
	})
	require.NoError(t, err)
	return hash
}

func files(t *testing.T, repo *git.Repo, of git.Hash) map[string]string {
	t.Helper()
	all, hashes, names := map[string]string{}, []git.Hash{}, []string{}
	require.NoError(t, repo.Tree(t.Context(), of, func(e git.Entry) error {
		require.Equal(t, strings.HasSuffix(e.Path, ".sh"), e.Executable)
		hashes, names = append(hashes, e.Hash), append(names, e.Path)
		return nil
	}))
	require.NoError(t, repo.Blobs(t.Context(), hashes, func(i int, data []byte) error {
		require.Equal(t, hashes[i], git.BlobHash(data))
		all[names[i]] = string(data)
		return nil
	}))
	return all
}

func TestACommitHoldsTheGivenBytes(t *testing.T) {
	repo := open(t, bare(t))
	want := map[string]string{"config.xml": "<a/>", "jobs/a b/config.xml": "\x00\n\"", "jobs/ü\"q/config.xml": "1\r\n", "jobs/line\nbreak/config.xml": "x", "userContent/run.sh": "#!"}
	one := commit(t, repo, git.Hash{}, want)
	require.Equal(t, want, files(t, repo, one))
	two := commit(t, repo, one, map[string]string{"jobs/a b": "", "config.xml": "<b/>"})
	delete(want, "jobs/a b/config.xml")
	want["config.xml"] = "<b/>"
	require.Equal(t, want, files(t, repo, two))
	data, ok, err := repo.File(t.Context(), two, "config.xml")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "<b/>", string(data))
	_, ok, err = repo.File(t.Context(), two, "none")
	require.NoError(t, err)
	require.False(t, ok)
	ancestor, err := repo.Ancestor(t.Context(), one, two)
	require.NoError(t, err)
	require.True(t, ancestor)
	ancestor, err = repo.Ancestor(t.Context(), two, one)
	require.NoError(t, err)
	require.False(t, ancestor)
}

func TestACutOffCommitChangesNothing(t *testing.T) {
	repo := open(t, bare(t))
	one := commit(t, repo, git.Hash{}, map[string]string{"config.xml": "<a/>"})
	_, err := repo.Commit(t.Context(), git.Commit{Ref: repo.Main(), Parent: one, Message: "m", When: time.Now()}, func(c *git.Changes) error {
		c.Write("config.xml", []byte("<half"), false)
		return errors.New("the disk is on fire")
	})
	require.ErrorContains(t, err, "the disk is on fire")
	_, err = repo.Commit(t.Context(), git.Commit{Ref: repo.Main(), Message: "m", When: time.Now()}, nil)
	require.Error(t, err, "a commit without its parent must not replace the branch")
	refs, err := repo.Refs(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, refs[repo.Main()])
	left, err := filepath.Glob(filepath.Join(repo.Dir, "fast_import_crash_*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAPushIsAllOrNothing(t *testing.T) {
	remote := bare(t)
	a, b := open(t, remote), open(t, remote)
	one := commit(t, a, git.Hash{}, map[string]string{"f": "1"})
	require.NoError(t, a.Push(t.Context(), git.Update{Ref: a.Main(), New: one}, git.Update{Ref: git.Owner, New: one}))
	refs, err := a.Refs(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, refs[git.Tracking(a.Main())], "a push remembers what the remote has")

	seen, err := b.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]git.Hash{b.Main(): one, git.Owner: one}, seen)
	two := commit(t, b, git.Hash{}, map[string]string{"f": "2"})
	require.ErrorIs(t, b.Push(t.Context(), git.Update{Ref: b.Main(), New: two}), git.ErrMoved, "it exists")
	three := commit(t, a, one, map[string]string{"f": "3"})
	err = a.Push(t.Context(), git.Update{Ref: a.Main(), Old: one, New: three}, git.Update{Ref: git.Owner, Old: three, New: three})
	require.ErrorIs(t, err, git.ErrMoved, "one ref of two is not what was expected")
	refs, err = b.Remotes(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, refs[b.Main()])
	require.NoError(t, a.Push(t.Context(), git.Update{Ref: a.Main(), Old: one, New: three}, git.Update{Ref: git.Owner, Old: one, New: one}))
}

// The remote itself must compare: a client that looked before the other one's push must not win.
func TestTheRemoteComparesUnderItsLock(t *testing.T) {
	remote := bare(t)
	a, b := open(t, remote), open(t, remote)
	one := commit(t, a, git.Hash{}, map[string]string{"f": "1"})
	require.NoError(t, a.Push(t.Context(), git.Update{Ref: a.Main(), New: one}))
	_, err := b.Fetch(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Set(t.Context(), b.Main(), one))
	late, other := commit(t, a, one, map[string]string{"f": "late"}), commit(t, b, one, map[string]string{"f": "other"})
	// The hook runs after the client's own look and before the refs are locked: there the other push comes in.
	hook := fmt.Sprintf("#!/bin/sh\ncat >/dev/null\nif mkdir %s/once 2>/dev/null; then\n  unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n"+
		"  git --git-dir=%s push --quiet %s %s:refs/heads/main\nfi\n", remote, b.Dir, remote, other)
	require.NoError(t, os.WriteFile(filepath.Join(remote, "hooks", "pre-receive"), []byte(hook), 0o755)) // #nosec G306 -- a hook
	err = a.Push(t.Context(), git.Update{Ref: a.Main(), Old: one, New: late})
	require.Error(t, err)
	refs, err := a.Remotes(t.Context())
	require.NoError(t, err)
	require.Equal(t, other, refs[a.Main()])
}

func TestARemoteOutOfReachIsAnError(t *testing.T) {
	repo := open(t, filepath.Join(t.TempDir(), "none.git"))
	_, err := repo.Fetch(t.Context())
	var failed *git.Error
	require.ErrorAs(t, err, &failed)
	require.Contains(t, err.Error(), "none.git")
	require.NotErrorIs(t, err, git.ErrMoved)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = repo.Refs(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestLocksOfKilledProcessesAreRemoved(t *testing.T) {
	repo := open(t, bare(t))
	one := commit(t, repo, git.Hash{}, map[string]string{"f": "1"})
	for _, name := range []string{"refs/heads/main.lock", "packed-refs.lock", "fast_import_crash_1"} {
		require.NoError(t, os.WriteFile(filepath.Join(repo.Dir, name), nil, 0o600))
	}
	_, err := repo.Commit(t.Context(), git.Commit{Ref: repo.Main(), Parent: one, Message: "m", When: time.Now()}, nil)
	require.ErrorContains(t, err, "committing to refs/heads/main")
	require.NoError(t, repo.Recover())
	require.NoFileExists(t, filepath.Join(repo.Dir, "fast_import_crash_1"))
	commit(t, repo, one, map[string]string{"f": "2"})
	require.NoError(t, repo.Tidy(t.Context()))
}

// A git that waits for a word before it moves a ref: the context ends meanwhile, and the ref is moved all the same, without a lock left behind.
func TestACommandThatMovesRefsOutlastsItsContext(t *testing.T) {
	repo := open(t, bare(t))
	first := commit(t, repo, git.Hash{}, map[string]string{"a": "1"})
	real, err := exec.LookPath("git")
	require.NoError(t, err)
	dir := t.TempDir()
	started, word := filepath.Join(dir, "started"), filepath.Join(dir, "word")
	require.NoError(t, exec.Command("mkfifo", started, word).Run())
	script := fmt.Sprintf("#!/bin/sh\necho > %s\nread line < %s\nexec %s \"$@\"\n", started, word, real)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	moved := make(chan error, 1)
	go func() { moved <- repo.Set(ctx, "refs/heads/copy", first) }()
	_, err = os.ReadFile(started)
	require.NoError(t, err)
	cancel()
	require.NoError(t, os.WriteFile(word, []byte("go\n"), 0o600))
	require.NoError(t, <-moved)
	require.ErrorIs(t, repo.Set(ctx, "refs/heads/copy", first), context.Canceled, "a command is not begun after its context")
	t.Setenv("PATH", filepath.Dir(real))
	refs, err := repo.Refs(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, refs["refs/heads/copy"])
}
