package backup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// over does what is asked and sends what came of it over the wire.
func (s Server) over(t *testing.T, q Request) (Reply, error) {
	t.Helper()
	text, err := Encode(s.Do(t.Context(), q))
	require.NoError(t, err)
	return Decode(string(text))
}

// newServer serves a home on a host, with a repository that is not made yet.
func newServer(t *testing.T) Server {
	t.Helper()
	r, home := newRepository(t), newHome(t)
	state := filepath.Join(t.TempDir(), "state")
	c := Config{Cluster: "ci", Release: "default", Home: home, Location: r.Location, PasswordFile: r.PasswordFile, State: state, Last: 2, PeriodSeconds: 3600, Shared: true, History: true}
	marked := map[string]bool{}
	return Server{Config: c, Hooks: Hooks{Epoch: func(string) int64 { return 7 }, Own: func(string) (func(), error) { return func() {}, nil },
		HasMark: func(home string) (bool, error) { return marked[home] || home == c.Home, nil }, CopyMark: func(_, to string) error { marked[to] = true; return nil }}}
}

func TestTheHostOfTheHomeMakesABackupWhenOneIsDue(t *testing.T) {
	s := newServer(t)
	reply, err := s.over(t, Request{Verb: VerbList})
	require.NoError(t, err)
	require.Empty(t, reply.Backups, "there is no repository yet")
	reply, err = s.over(t, Request{Verb: VerbRun, Due: true, Verify: true})
	require.NoError(t, err)
	require.Contains(t, reply.Said[0], "making the repository")
	first := reply.Taken.ID
	reply, err = s.over(t, Request{Verb: VerbRun, Due: true, Verify: true})
	require.NoError(t, err)
	require.Contains(t, reply.Skipped, "the last backup is of")
	reply, err = s.over(t, Request{Verb: VerbList})
	require.NoError(t, err)
	require.Len(t, reply.Backups, 1)
	require.Equal(t, first, reply.Backups[0].Record.ID)
	require.True(t, reply.Backups[0].Counts())
	require.EqualValues(t, 7, reply.Backups[0].Epoch)
	reply, err = s.over(t, Request{Verb: VerbState})
	require.NoError(t, err)
	require.Equal(t, first, reply.State.Good.ID)
	require.Equal(t, reply.State.Good, reply.State.Last, "a run that had nothing to do says nothing of backups")
	require.FileExists(t, filepath.Join(s.Config.State, "backup.prom"))

	put(t, s.Config.Home, "jobs/a/config.xml", "<torn>")
	reply, err = s.over(t, Request{Verb: VerbRun, Verify: true})
	require.NoError(t, err)
	require.False(t, reply.Record.Counts())
	require.NoError(t, os.Rename(s.Config.Location, s.Config.Location+".unmounted"))
	_, err = s.over(t, Request{Verb: VerbRun, Due: true, Verify: true})
	require.ErrorIs(t, err, ErrNoRepository)
	reply, err = s.over(t, Request{Verb: VerbState})
	require.NoError(t, err)
	require.Equal(t, 2, reply.State.Failures)
	require.Contains(t, reply.State.Last.Error, "2 backups were made to one")
	require.Equal(t, first, reply.State.Good.ID)
	require.Contains(t, reply.State.Metrics("ci"), "jomctl_backup_failures{cluster=\"ci\"} 2\n")
}

func TestAHostRestoresBesideTheHomeAndExchangesThem(t *testing.T) {
	s := newServer(t)
	account := filepath.Join(t.TempDir(), "config.xml")
	put(t, filepath.Dir(account), "config.xml", "<user><id>Admin</id><passwordHash>#jbcrypt:$2a$now</passwordHash></user>")
	s.Config.Account = account
	put(t, s.Config.Home, hashed+"/config.xml", "<user><id>admin</id><passwordHash>#jbcrypt:then</passwordHash></user>")
	reply, err := s.over(t, Request{Verb: VerbRun})
	require.NoError(t, err)
	id := reply.Taken.ID
	put(t, s.Config.Home, "jobs/a/config.xml", "<later/>")

	release, err := hold(filepath.Join(s.Config.Home, ".jomctl", "backup.lock"))
	require.NoError(t, err)
	_, err = s.over(t, Request{Verb: VerbBeside, ID: id})
	require.ErrorIs(t, err, ErrLocked, "another host is at work on the shared home")
	release()
	reply, err = s.over(t, Request{Verb: VerbBeside, ID: id})
	require.NoError(t, err)
	require.True(t, reply.Verdict.Counts())
	own := s.Hooks.Own
	s.Hooks.Own = func(string) (func(), error) { return nil, errors.New("in use by another controller") }
	_, err = s.over(t, Request{Verb: VerbExchange, ID: id})
	require.ErrorContains(t, err, "in use by another controller")
	_, err = s.over(t, Request{Verb: VerbFree})
	require.ErrorIs(t, err, ErrForbidden)
	s.Hooks.Own = own
	reply, err = s.over(t, Request{Verb: VerbExchange, ID: id})
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(s.Config.Home, hashed, "config.xml"))
	require.NoError(t, err)
	require.Equal(t, "<user><id>admin</id><passwordHash>#jbcrypt:$2a$now</passwordHash></user>", string(data))
	data, err = os.ReadFile(filepath.Join(reply.Kept, "jobs/a/config.xml"))
	require.NoError(t, err)
	require.Equal(t, "<later/>", string(data))

	s.Hooks.HasMark = func(string) (bool, error) { return false, nil }
	_, err = s.over(t, Request{Verb: VerbBeside, ID: id})
	require.ErrorContains(t, err, "is not the home of the history")
	_, err = s.over(t, Request{Verb: "sing", ID: id})
	require.ErrorContains(t, err, `does not know "sing"`)
	_, err = Decode("<html>")
	require.Error(t, err)
}

func TestTheStateOfTheRunsIsTheLatest(t *testing.T) {
	here, there := Records(t.TempDir()), Records(filepath.Join(t.TempDir(), "new"))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, there.Note(Run{Ended: at, ID: "a", Counts: true}))
	require.NoError(t, there.Note(Run{Ended: at.Add(time.Hour), Error: "full"}))
	state, err := there.State()
	require.NoError(t, err)
	require.NoError(t, here.Merge(state))
	require.NoError(t, here.Note(Run{Ended: at.Add(2 * time.Hour), ID: "b", Counts: true}))
	require.NoError(t, here.Merge(state), "an older one changes nothing")
	state, err = here.State()
	require.NoError(t, err)
	require.Equal(t, "b", state.Good.ID)
	require.Zero(t, state.Failures)
	require.NoError(t, os.WriteFile(here.StateFile(), []byte("torn"), 0o600))
	_, err = here.State()
	require.Error(t, err)
	require.NoError(t, here.Note(Run{Ended: at, Error: "x"}))
}

func TestHowAServerOfBackupsIsReached(t *testing.T) {
	for location, want := range map[string][2]string{"sftp:me@host:/b": {"host", "22"}, "sftp:host:b": {"host", "22"}, "sftp://me@host:2222//b": {"host", "2222"}, "sftp://host/b": {"host", "22"}} {
		name, port, ok := SFTPServer(location)
		require.True(t, ok, location)
		require.Equal(t, want, [2]string{name, port}, location)
	}
	for _, location := range []string{"/srv/b", "s3:https://h/b", "rest:http://h:8000/"} {
		_, _, ok := SFTPServer(location)
		require.False(t, ok, location)
		require.Empty(t, Repository{Location: location, KeyFile: "/k"}.options())
	}
	require.Empty(t, Repository{Location: "sftp:me@host:/b"}.options(), "the user's own way in")
	options := Repository{Location: "sftp://me@host:2222//b", KeyFile: "/a key", KnownHosts: "/known"}.options()
	require.Contains(t, options[1], `sftp.command=ssh -F none`)
	require.Contains(t, options[1], `UserKnownHostsFile=/known`)
	require.Contains(t, options[1], `-i "/a key" -p 2222 me@host -s sftp`)

	dir := t.TempDir()
	put(t, dir, "environment", "# S3\nexport AWS_ACCESS_KEY_ID=abc\n\nAWS_SECRET_ACCESS_KEY=\"d=e f\"\n")
	r := Repository{EnvironmentFile: filepath.Join(dir, "environment")}
	secrets, err := r.secrets()
	require.NoError(t, err)
	require.Equal(t, []string{"AWS_ACCESS_KEY_ID=abc", "AWS_SECRET_ACCESS_KEY=d=e f"}, secrets)
	require.NoError(t, os.Chmod(r.EnvironmentFile, 0o644))
	_, err = r.secrets()
	require.ErrorContains(t, err, "0644")
	_, err = Variables("AWS_ACCESS_KEY_ID abc")
	require.ErrorContains(t, err, "line 1")
}

func TestTheFileOfTheBackupsIsChecked(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "bad", `{"home": "relative"}`, "good", `{"cluster": "ci", "home": "/h", "repository": "/r", "passwordFile": "/p", "state": "/s", "last": 3}`)
	_, err := LoadConfig(filepath.Join(dir, "bad"))
	for _, want := range []string{"home", "state", "passwordFile", "repository"} {
		require.ErrorContains(t, err, want)
	}
	c, err := LoadConfig(filepath.Join(dir, "good"))
	require.NoError(t, err)
	require.Equal(t, "/s/scratch", c.Set().Scratch)
	_, err = LoadConfig(filepath.Join(dir, "none"))
	require.Error(t, err)
}
