package backup

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func files(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(root, full); err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	return names
}

func TestABackupIsTheHomeWithoutWhatIsMadeAgain(t *testing.T) {
	r, home := newRepository(t), newHome(t)
	exists, err := r.Exists(t.Context())
	require.NoError(t, err)
	require.False(t, exists)
	require.NoError(t, r.Init(t.Context()))
	taken, err := r.Take(t.Context(), home, tags, quiet)
	require.NoError(t, err)
	require.Equal(t, 1, taken.Tries)
	require.Len(t, taken.ID, 64)

	all, err := r.List(t.Context(), "ci")
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, Snapshot{ID: taken.ID, Time: all[0].Time, Home: home, Tags: tags}, all[0])
	others, err := r.List(t.Context(), "other")
	require.NoError(t, err)
	require.Empty(t, others)

	to := filepath.Join(t.TempDir(), "deep", "to")
	verdict, err := r.Restore(t.Context(), taken.ID[:8], to)
	require.NoError(t, err)
	require.Empty(t, verdict.Problems)
	require.Empty(t, verdict.Warnings)
	require.Equal(t, []int{3, 1, taken.Files}, []int{verdict.Jobs, verdict.Users, verdict.Files - 1}, "restic counts no links")
	var want []string
	for _, name := range files(t, home) {
		if !strings.HasPrefix(name, "war/") && !strings.HasPrefix(name, "plugins/git/") && name != ".jomctl/owner" && name != "jobs/f/jobs/workspace/workspace/x" {
			want = append(want, name)
		}
	}
	require.Equal(t, want, files(t, to))
	info, err := os.Stat(to)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), "it holds secrets")
	_, err = r.Restore(t.Context(), taken.ID, to)
	require.ErrorIs(t, err, ErrOccupied)
	_, err = r.Restore(t.Context(), "0000000000", filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, ErrNoBackup)
}

func TestABackupIsTakenAgainUntilNothingChanges(t *testing.T) {
	for name, c := range map[string]struct {
		changes int
		file    string
		tries   int
		left    []string
	}{
		"once":   {1, "secrets/new", 2, nil},
		"always": {100, "jobs/a/config.xml", tries, []string{"jobs/a/config.xml"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, home := made(t), newHome(t)
			said, n := 0, 0
			taken, err := r.take(t.Context(), home, tags, func(string) { said++ }, func() {
				if n < c.changes {
					n++
					put(t, home, c.file, fmt.Sprintf("<a n='%d'/>", n))
				}
			})
			require.NoError(t, err)
			require.Equal(t, c.tries, taken.Tries)
			require.Equal(t, c.left, taken.Unsettled)
			require.Positive(t, taken.Added)
			all, err := r.List(t.Context(), "ci")
			require.NoError(t, err)
			require.Len(t, all, 1, "what was taken again is gone")
			require.Equal(t, taken.ID, all[0].ID)
			if c.left == nil {
				require.Equal(t, c.tries-1, said)
			}
		})
	}
}

func TestWhatIsAChangeOfTheSet(t *testing.T) {
	home := newHome(t)
	before, err := look(home)
	require.NoError(t, err)
	for _, busy := range []string{"jobs/a/builds/2/build.xml", "queue.xml", hashed + "/apiTokenStats.xml", "jobs/a/nextBuildNumber", "userContent/x.xml", "war/x.xml"} {
		put(t, home, busy, "<a/>")
	}
	after, err := look(home)
	require.NoError(t, err)
	require.Empty(t, differing(before, after))
	require.NoError(t, os.RemoveAll(filepath.Join(home, "jobs/a")))
	put(t, home, "secrets/new", "x", "jobs/f/config.xml", "<changed/>")
	after, err = look(home)
	require.NoError(t, err)
	require.Equal(t, []string{"jobs/a/config.xml", "jobs/f/config.xml", "secrets/new"}, differing(before, after))
}

func TestNothingIsTakenOfNothing(t *testing.T) {
	r := made(t)
	_, err := r.Take(t.Context(), t.TempDir(), tags, quiet)
	require.ErrorIs(t, err, ErrNoBackup)
	_, err = r.Take(t.Context(), filepath.Join(t.TempDir(), "none"), tags, quiet)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, location := range []string{"/srv/home/backups", "/srv/home", "/srv"} {
		require.ErrorIs(t, Repository{Location: location}.apart("/srv/home"), ErrForbidden, location)
	}
	for _, location := range []string{"/srv/homes", "sftp:x:/srv/home/b", "/other"} {
		require.NoError(t, Repository{Location: location}.apart("/srv/home"), location)
	}
}

func TestTheLastProvenBackupStays(t *testing.T) {
	r, home := made(t), newHome(t)
	var ids []string
	for n := range 3 {
		put(t, home, "jobs/a/config.xml", fmt.Sprintf("<a n='%d'/>", n))
		taken, err := r.Take(t.Context(), home, tags, quiet)
		require.NoError(t, err)
		ids = append(ids, taken.ID)
	}
	removed, err := r.Forget(t.Context(), "ci", 1, 0, ids[0])
	require.NoError(t, err)
	require.Equal(t, []string{ids[1]}, removed)
	removed, err = r.Forget(t.Context(), "other", 1, 1, "")
	require.NoError(t, err)
	require.Empty(t, removed, "another cluster's are not touched")
	all, err := r.List(t.Context(), "ci")
	require.NoError(t, err)
	require.Len(t, all, 2)
	one, err := Find(all, ids[0][:10])
	require.NoError(t, err)
	require.Equal(t, ids[0], one.ID)
	for _, id := range []string{"", "zz", ids[1]} {
		_, err = Find(all, id)
		require.ErrorIs(t, err, ErrNoBackup)
	}
	require.NoError(t, r.Check(t.Context(), true))
}

func TestTheLockOfADeadRunGoesAndOfALivingOneStays(t *testing.T) {
	r, home := made(t), newHome(t)
	for n := range 2 {
		put(t, home, "jobs/a/config.xml", fmt.Sprintf("<a n='%d'/>", n))
		_, err := r.Take(t.Context(), home, tags, quiet)
		require.NoError(t, err)
	}
	other := exec.Command("restic", "backup", "--stdin")
	other.Env = r.environment()
	in, err := other.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill() })
	testkit.Eventually(t, time.Minute, "the other run has its lock", func(context.Context) bool {
		locks, _ := filepath.Glob(filepath.Join(r.Location, "locks", "*"))
		return len(locks) > 0
	})
	_, err = r.Forget(t.Context(), "ci", 1, 0, "")
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
	locks, err := filepath.Glob(filepath.Join(r.Location, "locks", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, locks, "a killed run leaves its lock")
	removed, err := r.Forget(t.Context(), "ci", 1, 0, "")
	require.NoError(t, err)
	require.Len(t, removed, 1)
}

// What restic 0.14 writes about a file that it may not read, and about one that a build has removed meanwhile.
func TestAFileThatCannotBeReadIsNoBackup(t *testing.T) {
	home := newHome(t)
	program := filepath.Join(t.TempDir(), "restic")
	script := func(item string) string {
		return `#!/bin/sh
case $1 in
backup)
	echo '{"message_type":"summary","total_files_processed":1,"total_bytes_processed":2,"data_added":351,"snapshot_id":"28114267"}'
	echo '{"message_type":"error","error":{"Op":"open","Path":"b","Err":13},"during":"archival","item":"` + item + `"}' >&2
	echo 'Warning: at least one source file could not be read' >&2
	exit 3;;
snapshots) echo '[{"id":"28114267ff"}]';;
forget) echo "$@" >"$0.forgotten";;
esac
`
	}
	r := Repository{Location: "/r", Password: "x", Program: program}
	require.NoError(t, os.WriteFile(program, []byte(script(filepath.Join(home, "jobs/gone/config.xml"))), 0o755))
	taken, err := r.Take(t.Context(), home, tags, quiet)
	require.NoError(t, err)
	require.Equal(t, "28114267ff", taken.ID)
	require.NoFileExists(t, program+".forgotten")

	require.NoError(t, os.WriteFile(program, []byte(script(filepath.Join(home, "credentials.xml"))), 0o755))
	_, err = r.Take(t.Context(), home, tags, quiet)
	require.ErrorIs(t, err, ErrForbidden)
	require.ErrorContains(t, err, "credentials.xml: cannot be read")
	forgotten, err := os.ReadFile(program + ".forgotten")
	require.NoError(t, err)
	require.Equal(t, "forget 28114267\n", string(forgotten))
}
