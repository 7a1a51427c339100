package restore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/restore"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
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
