package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestWhatUsersCanMendIsSaid(t *testing.T) {
	r := made(t)
	wrong := r
	wrong.PasswordFile, wrong.Password = "", "another"
	far := r
	far.Location = "rest:http://" + testkit.FreeAddr(t, "127.0.0.1") + "/x"
	lost := r
	lost.PasswordFile += ".lost"
	absent := r
	absent.Program = "restic-nonesuch"
	readable := r
	readable.PasswordFile = filepath.Join(t.TempDir(), "readable")
	require.NoError(t, os.WriteFile(readable.PasswordFile, []byte("pass word"), 0o644))
	for name, c := range map[string]struct {
		r     Repository
		kind  error
		place string
	}{
		"wrong password": {wrong, ErrWrongPassword, r.Location}, "far away": {far, ErrUnreachable, far.Location}, "lost password": {lost, ErrWrongPassword, lost.PasswordFile},
		"not installed": {absent, ErrNotInstalled, "restic-nonesuch"}, "password for everybody": {readable, ErrWrongPassword, readable.PasswordFile},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.r.Exists(t.Context())
			require.ErrorIs(t, err, c.kind)
			var known *Error
			require.ErrorAs(t, err, &known)
			require.Equal(t, c.place, known.Place)
			require.NotEmpty(t, known.Problem)
			require.NotEmpty(t, known.Hint())
			require.NotContains(t, err.Error(), "pass word")
		})
	}
	require.Error(t, r.Init(t.Context()), "it is there already")
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	_, err := r.Exists(ended)
	require.ErrorIs(t, err, why)
}

// The texts are restic's own, of 0.14 and later.
func TestWhatResticWritesIsUnderstood(t *testing.T) {
	for text, kind := range map[string]error{
		"Save(<data/1234567890>) returned error, retrying after 552.330144ms: write /r/data/12: no space left on device": ErrNoRoom,
		"Fatal: wrong password or no key found": ErrWrongPassword,
		"unable to create lock in backend: repository is already locked exclusively by PID 12 on h by root (UID 0, GID 0)\nlock was created at 2026": ErrLocked,
		"Fatal: unable to open config file: client.Head: dial tcp: lookup nonesuch: no such host\nIs there a repository at the following location?":  ErrUnreachable,
		"Host key verification failed.\nFatal: unable to open repository at sftp:x:/x: unable to start the sftp session, error: EOF":                 ErrUnreachable,
		"Fatal: unable to open config file: stat /x/config: permission denied\nIs there a repository at the following location?":                     ErrForbidden,
		"Fatal: unable to open config file: stat /x/config: no such file or directory\nIs there a repository at the following location?\n/x":         ErrNoRepository,
		"Fatal: repository does not exist: unable to open config file: stat /x/config: no such file or directory":                                    ErrNoRepository,
		"Fatal: no matching ID found for prefix \"0000\"":                              ErrNoBackup,
		"pack 1234: ciphertext verification failed\nFatal: repository contains errors": ErrDamaged,
		"Load(<data/eb8470f98e>, 9126, 0) returned error, retrying after 552.330144ms: open /r/data/eb/eb84: no such file or directory\n" +
			"ignoring error for /f2: StreamPack: open /r/data/eb/eb84: no such file or directory\nFatal: There were 6 errors": ErrDamaged,
		"ignoring error for /f2: UtimesNano: no such file or directory\nFatal: There were 1 errors": ErrDamaged,
		"ignoring error for /f2: open /to/f2: permission denied\nFatal: There were 1 errors":        ErrForbidden,
		"ignoring error for /f2: write /to/f2: no space left on device\nFatal: There were 1 errors": ErrNoRoom,
	} {
		err := Repository{Location: "/r"}.explain("backup", text, errors.New("exit status 1"))
		require.ErrorIs(t, err, kind, text)
		require.True(t, strings.HasPrefix(err.Error(), "/r: "), err.Error())
	}
	err := Repository{Location: "/r"}.explain("backup", "Fatal: something new\n", errors.New("exit status 1"))
	require.EqualError(t, err, "restic backup on /r: exit status 1: Fatal: something new")
	var known *Error
	require.False(t, errors.As(err, &known))
}

func TestSecretsAreNoArgumentsAndTheUsersOwnSettingsDoNotCount(t *testing.T) {
	t.Setenv("RESTIC_REPOSITORY_FILE", "/elsewhere")
	t.Setenv("RESTIC_PASSWORD_COMMAND", "echo x")
	dir := t.TempDir()
	program := filepath.Join(dir, "restic")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nenv >"+dir+"/env\necho \"$@\" >"+dir+"/args\n"), 0o755))
	r := Repository{Location: "s3:https://host/x", Password: "hunter2", Program: program}
	require.NoError(t, r.Init(t.Context()))
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	require.NoError(t, err)
	require.Contains(t, string(env), "RESTIC_REPOSITORY=s3:https://host/x\n")
	require.Contains(t, string(env), "RESTIC_PASSWORD=hunter2\n")
	require.NotContains(t, string(env), "elsewhere")
	require.NotContains(t, string(env), "RESTIC_PASSWORD_COMMAND")
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	require.NoError(t, err)
	require.Equal(t, "init\n", string(args))
}

func TestDamageIsFound(t *testing.T) {
	r, home := made(t), newHome(t)
	taken, err := r.Take(t.Context(), home, tags, quiet)
	require.NoError(t, err)
	require.NoError(t, r.Check(t.Context(), true))
	packs, err := filepath.Glob(filepath.Join(r.Location, "data", "*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, packs)
	for _, pack := range packs {
		data, err := os.ReadFile(pack)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(pack, 0o600))
		for i := range min(len(data), 200) {
			data[i] ^= 0xff
		}
		require.NoError(t, os.WriteFile(pack, data, 0o600))
	}
	require.ErrorIs(t, r.Check(t.Context(), true), ErrDamaged)
	// A backup that counted does not count any more.
	scratch := filepath.Join(t.TempDir(), "scratch")
	set := Set{Repository: r, Records: Records(t.TempDir()), Scratch: scratch}
	require.NoError(t, set.Records.Write(Record{ID: taken.ID, Proof: &Proof{}}))
	_, err = set.Prove(t.Context(), taken.ID)
	require.NoError(t, err)
	record, err := set.Records.Read(taken.ID)
	require.NoError(t, err)
	require.False(t, record.Counts(), "it is written down")
	left, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Empty(t, left, "secrets do not stay behind")
}
