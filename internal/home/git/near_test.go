package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/git"
)

func TestTheFirstFetchFromAPathTakesTheObjectsAsTheyAre(t *testing.T) {
	remote, repo, one := pushed(t)
	run := func(args ...string) {
		out, err := exec.Command("git", append([]string{"--git-dir", remote}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("gc", "--quiet")
	two := edit(t, repo, one, git.Edit{Path: "jobs/b/config.xml", Data: []byte("2")})
	require.NoError(t, repo.Push(t.Context(), git.Update{Ref: repo.Main(), Old: one, New: two}))
	want := map[string]string{"jobs/a/config.xml": "1", "jobs/b/config.xml": "2"}
	fresh := func() (*git.Repo, map[string]git.Hash) {
		repo := open(t, remote)
		seen, err := repo.Fetch(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, files(t, repo, seen[repo.Main()]))
		_, err = repo.Run(t.Context(), "fsck", "--full", "--strict", "--no-dangling")
		require.NoError(t, err)
		return repo, seen
	}
	copied, seen := fresh()
	require.Equal(t, map[string]git.Hash{copied.Main(): two, git.Owner: one}, seen)
	pack, err := filepath.Glob(filepath.Join(remote, "objects", "pack", "*.pack"))
	require.NoError(t, err)
	require.Len(t, pack, 1)
	require.FileExists(t, filepath.Join(copied.Dir, "objects", "pack", filepath.Base(pack[0])), "it is the remote's pack, not one made for this fetch")

	// It stands on its own.
	require.NoError(t, os.Rename(remote, remote+".gone"))
	require.Equal(t, want, files(t, copied, two))
	require.NoError(t, os.Rename(remote+".gone", remote))
	// A remote that has only some of its objects itself is fetched from as ever.
	lender := bare(t)
	require.NoError(t, os.WriteFile(filepath.Join(remote, "objects", "info", "alternates"), []byte(lender+"/objects\n"), 0o600))
	fresh()
}
