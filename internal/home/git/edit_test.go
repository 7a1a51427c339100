package git_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/git"
)

func edit(t *testing.T, repo *git.Repo, parent git.Hash, edits ...git.Edit) git.Hash {
	t.Helper()
	t.Cleanup(repo.Rest)
	hash, err := repo.Edit(t.Context(), git.Commit{Ref: repo.Main(), Parent: parent, Message: "an edit\n\nwith a body\n", Name: "<x>", When: time.Unix(1e9, 0)}, edits)
	require.NoError(t, err)
	return hash
}

// Two ways to make a commit must make the same one, name by name: fast-import is the judge of the order of entries, of folders that become
// files, of what is left of emptied folders.
func TestEditsMakeTheCommitsThatFastImportMakes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- a test
	judge, repo := open(t, "/none"), open(t, "/none")
	names := []string{"a", "a.b", "a-b", "a0", "ab", "b", "jobs", "ü\"", "line\nbreak", "a b"}
	path := func() string {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = names[r.IntN(len(names))]
		}
		return strings.Join(parts, "/")
	}
	var parent git.Hash
	for range 40 {
		var edits []git.Edit
		for range r.IntN(3) {
			edits = append(edits, git.Edit{Path: path(), Delete: true})
		}
		var written []string
		for range r.IntN(5) {
			name := path()
			if slices.ContainsFunc(written, func(w string) bool {
				return w == name || strings.HasPrefix(w, name+"/") || strings.HasPrefix(name, w+"/")
			}) {
				continue
			}
			written = append(written, name)
			edits = append(edits, git.Edit{Path: name, Data: fmt.Appendf(nil, "%0*d", 1+r.IntN(3)*4000, r.IntN(50)), Executable: r.IntN(4) == 0})
		}
		want, err := judge.Commit(t.Context(), git.Commit{Ref: judge.Main(), Parent: parent, Message: "an edit\n\nwith a body\n", Name: "<x>", When: time.Unix(1e9, 0)}, func(c *git.Changes) error {
			for _, e := range edits {
				if e.Delete {
					c.Delete(e.Path)
				}
			}
			for _, e := range edits {
				if !e.Delete {
					c.Write(e.Path, e.Data, e.Executable)
				}
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, want, edit(t, repo, parent, edits...), "%+v", edits)
		parent = want
	}
	_, err := repo.Run(t.Context(), "fsck", "--full", "--strict")
	require.NoError(t, err)
	require.NoError(t, repo.Tidy(t.Context()))
	_, err = repo.Run(t.Context(), "gc", "--quiet", "--prune=now")
	require.NoError(t, err)
	edit(t, repo, parent, git.Edit{Path: "after/packing", Data: []byte("x")})
}

func TestAnEditComparesAndSwaps(t *testing.T) {
	repo := open(t, "/none")
	one := edit(t, repo, git.Hash{}, git.Edit{Path: "f", Data: []byte("1")})
	two := edit(t, repo, one, git.Edit{Path: "f", Data: []byte("2")})
	for _, parent := range []git.Hash{{}, one} {
		_, err := repo.Edit(t.Context(), git.Commit{Ref: repo.Main(), Parent: parent, Message: "m", When: time.Now()}, []git.Edit{{Path: "f", Data: []byte("3")}})
		require.Error(t, err)
	}
	refs, err := repo.Refs(t.Context())
	require.NoError(t, err)
	require.Equal(t, two, refs[repo.Main()])
	require.Equal(t, map[string]string{"f": "2"}, files(t, repo, two))
	for _, edits := range [][]git.Edit{{{Path: "a", Data: []byte("x")}, {Path: "a/b", Data: []byte("x")}}, {{Path: "../a", Data: []byte("x")}}, {{Path: "a//b", Data: []byte("x")}}, {{Path: ".git", Data: []byte("x")}}} {
		_, err := repo.Edit(t.Context(), git.Commit{Ref: repo.Main(), Parent: two, Message: "m", When: time.Now()}, edits)
		require.ErrorIs(t, err, git.ErrUnfit)
	}
	_, err = repo.Edit(t.Context(), git.Commit{Ref: repo.Main(), Parent: git.Hash{1}, Message: "m", When: time.Now()}, []git.Edit{{Path: "f", Data: []byte("3")}})
	require.ErrorContains(t, err, "missing")
}

// pushed makes a remote with one commit that a repository has pushed.
func pushed(t *testing.T, prepare ...string) (string, *git.Repo, git.Hash) {
	t.Helper()
	remote := bare(t)
	if len(prepare) > 0 {
		out, err := exec.Command("git", append([]string{"--git-dir", remote, "config"}, prepare...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	repo := open(t, remote)
	one := edit(t, repo, git.Hash{}, git.Edit{Path: "jobs/a/config.xml", Data: []byte("1")})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), New: one}, git.Update{Ref: git.Owner, New: one}))
	return remote, repo, one
}

func TestADirectPushIsAPush(t *testing.T) {
	remote, repo, one := pushed(t)
	two := edit(t, repo, one, git.Edit{Path: "jobs/b/config.xml", Data: []byte("2")})
	three := edit(t, repo, two, git.Edit{Path: "jobs/a", Delete: true})
	owned := git.Update{Ref: git.Owner, Old: one, New: one}
	require.ErrorIs(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: three}, git.Update{Ref: git.Owner, Old: two, New: two}), git.ErrMoved, "another owner's")
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: three}, owned))
	out, err := exec.Command("git", "--git-dir", remote, "fsck", "--full", "--strict", "--no-dangling").CombinedOutput()
	require.NoError(t, err, "%s", out)
	other := open(t, remote)
	seen, err := other.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, three, seen[other.Main()])
	require.Equal(t, map[string]string{"jobs/b/config.xml": "2"}, files(t, other, three))
	refs, err := repo.Refs(t.Context())
	require.NoError(t, err)
	require.Equal(t, three, refs[git.Tracking(repo.Main())])

	objects := func() []string {
		found, err := filepath.Glob(filepath.Join(remote, "objects", "??", "*"))
		require.NoError(t, err)
		return found
	}
	require.NotEmpty(t, objects())
	out, err = exec.Command("git", "--git-dir", remote, "config", "gc.auto", "1").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for i, count := 0, 0; count < 2; i++ { // where git counts
		if text := fmt.Sprint(i); git.BlobHash([]byte(text))[0] == 0x17 {
			cmd := exec.Command("git", "--git-dir", remote, "hash-object", "-w", "--stdin")
			cmd.Stdin = strings.NewReader(text)
			require.NoError(t, cmd.Run())
			count++
		}
	}
	require.NoError(t, repo.Tidy(t.Context()))
	require.NotContains(t, strings.Join(objects(), " "), three.String()[2:], "the remote is tidied as it wants to be")

	// Somebody else was faster.
	require.NoError(t, other.Set(t.Context(), other.Main(), three))
	theirs := edit(t, other, three, git.Edit{Path: "theirs", Data: []byte("x")})
	require.NoError(t, other.Push(t.Context(), git.Update{Ref: other.Main(), Old: three, New: theirs}))
	four := edit(t, repo, three, git.Edit{Path: "jobs/c/config.xml", Data: []byte("4")})
	require.ErrorIs(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: three, New: four}, owned), git.ErrMoved)
	remotes, err := repo.Remotes(t.Context())
	require.NoError(t, err)
	require.Equal(t, theirs, remotes[repo.Main()])
	require.Equal(t, one, remotes[git.Owner])
}

// What a repository wants to happen at a push happens.
func TestARepositoryWithAWillOfItsOwnIsPushedToByGit(t *testing.T) {
	remote, repo, one := pushed(t)
	hook := filepath.Join(remote, "hooks", "pre-receive")
	require.NoError(t, os.WriteFile(hook, []byte("#!/bin/sh\necho not today >&2\nexit 1\n"), 0o755)) // #nosec G306 -- a hook
	two := edit(t, repo, one, git.Edit{Path: "f", Data: []byte("2")})
	require.ErrorContains(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}), "not today")
	require.NoError(t, os.Remove(hook))
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}))

	remote, repo, one = pushed(t, "core.sharedRepository", "0660")
	two = edit(t, repo, one, git.Edit{Path: "f", Data: []byte("2")})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}))
	info, err := os.Stat(filepath.Join(remote, "objects", two.String()[:2], two.String()[2:]))
	require.NoError(t, err)
	require.EqualValues(t, 0o440, info.Mode().Perm(), "as the repository shares it")
	// One that begins to share is seen.
	remote, repo, one = pushed(t)
	two = edit(t, repo, one, git.Edit{Path: "f", Data: []byte("2")})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}))
	out, err := exec.Command("git", "--git-dir", remote, "config", "core.sharedRepository", "0660").CombinedOutput()
	require.NoError(t, err, "%s", out)
	three := edit(t, repo, two, git.Edit{Path: "f", Data: []byte("3")})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: two, New: three}))
	info, err = os.Stat(filepath.Join(remote, "objects", three.String()[:2], three.String()[2:]))
	require.NoError(t, err)
	require.EqualValues(t, 0o440, info.Mode().Perm())
}
