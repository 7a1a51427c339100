package git_test

import (
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

func at(t *testing.T, remote string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir", remote, "-c", "user.name=p", "-c", "user.email=p@q"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// A lock that a killed git left in the remote is in the way, and no sign of another controller; whichever way the push goes.
func TestALockThatWasLeftInTheRemoteIsNoOtherOwner(t *testing.T) {
	for name, hook := range map[string]bool{"directly": false, "by git": true} {
		t.Run(name, func(t *testing.T) {
			remote, repo, one := pushed(t)
			if hook {
				require.NoError(t, os.WriteFile(filepath.Join(remote, "hooks", "post-receive"), []byte("#!/bin/sh\n"), 0o755)) // #nosec G306 -- a hook
			}
			two := edit(t, repo, one, git.Edit{Path: "f", Data: []byte("2")})
			lock := filepath.Join(remote, "refs/heads/main.lock")
			require.NoError(t, os.WriteFile(lock, nil, 0o600))
			err := repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}, git.Update{Ref: git.Owner, Old: one, New: one})
			require.ErrorContains(t, err, "main.lock")
			require.NotErrorIs(t, err, git.ErrMoved)
			require.FileExists(t, lock, "a git process may hold it")
			require.NoError(t, os.Remove(lock))
			require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}, git.Update{Ref: git.Owner, Old: one, New: one}))
		})
	}
}

// What lost its machine in the middle of a push leaves its lock for good: it must not stop the history for good.
func TestAnOldLockInARemoteOnAPathIsRemoved(t *testing.T) {
	for name, hook := range map[string]bool{"directly": false, "by git": true} {
		for _, ref := range []string{"refs/heads/main", git.Owner, "packed-refs"} {
			t.Run(name+" "+ref, func(t *testing.T) {
				remote, repo, one := pushed(t)
				if hook {
					require.NoError(t, os.WriteFile(filepath.Join(remote, "hooks", "post-receive"), []byte("#!/bin/sh\n"), 0o755)) // #nosec G306 -- a hook
				}
				at(t, remote, "update-ref", git.Owner, one.String())
				var said []string
				repo.Remote.Say = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
				two := edit(t, repo, one, git.Edit{Path: "f", Data: []byte("2")})
				lock := filepath.Join(remote, ref+".lock")
				require.NoError(t, os.WriteFile(lock, nil, 0o600))
				updates := []git.Update{{Ref: repo.Main(), Old: one, New: two}, {Ref: git.Owner, Old: one, New: two}}
				if ref == "packed-refs" { // which a push needs for a deletion alone
					updates = append(updates, git.Update{Ref: git.Numbers, Old: one})
					at(t, remote, "update-ref", git.Numbers, one.String())
				}
				require.ErrorContains(t, repo.Push(t.Context(), updates...), filepath.Base(lock))
				require.FileExists(t, lock)
				old := time.Now().Add(-git.LeftLock - time.Minute)
				require.NoError(t, os.Chtimes(lock, old, old))
				require.NoError(t, repo.Push(t.Context(), updates...))
				require.Equal(t, two.String(), at(t, remote, "rev-parse", "main"))
				require.NoFileExists(t, lock)
				require.Len(t, said, 1)
				require.Contains(t, said[0], lock+" was 11m")
				left, err := filepath.Glob(filepath.Join(remote, "jomhome-*"))
				require.NoError(t, err)
				require.Empty(t, left)
			})
		}
	}
}

// Remotes as people leave them: new, with a detached HEAD, with refs of their own, rewritten by force, emptied.
func TestRemotesOfAllKinds(t *testing.T) {
	remote := bare(t)
	repo := open(t, remote)
	seen, err := repo.Fetch(t.Context())
	require.NoError(t, err)
	require.Empty(t, seen)
	one := commit(t, repo, git.Hash{}, map[string]string{"f": "1"})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), New: one}))

	at(t, remote, "update-ref", "--no-deref", "HEAD", one.String())
	at(t, remote, "tag", "-a", "-m", "x", "main", one.String()) // of the branch's name
	at(t, remote, "update-ref", "refs/heads/feature/main", one.String())
	other := open(t, remote)
	seen, err = other.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]git.Hash{repo.Main(): one}, seen)

	theirs, err := git.ParseHash(at(t, remote, "commit-tree", "-m", "by force", one.String()+"^{tree}"))
	require.NoError(t, err)
	at(t, remote, "update-ref", "refs/heads/main", theirs.String())
	two := commit(t, repo, one, map[string]string{"f": "2"})
	require.ErrorIs(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}), git.ErrMoved)
	seen, err = repo.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, theirs, seen[repo.Main()], "what it is now, though nothing leads from one to the other")
	part, err := repo.Ancestor(t.Context(), one, theirs)
	require.NoError(t, err)
	require.False(t, part)

	at(t, remote, "update-ref", "-d", "refs/heads/main")
	require.ErrorIs(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: theirs, New: two}), git.ErrMoved, "it is gone")
	seen, err = repo.Fetch(t.Context())
	require.NoError(t, err)
	require.Empty(t, seen)
	refs, err := repo.Refs(t.Context())
	require.NoError(t, err)
	require.NotContains(t, refs, git.Tracking(repo.Main()), "nor remembered")
}

func TestNamesOfObjects(t *testing.T) {
	for _, text := range []string{"", "main", strings.Repeat("0", 39), strings.Repeat("0", 41), strings.Repeat("g", 40), strings.Repeat("é", 20)} {
		_, err := git.ParseHash(text)
		require.ErrorContains(t, err, "is not the name of an object", text)
	}
	require.Equal(t, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", git.BlobHash(nil).String())
}
