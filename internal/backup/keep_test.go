package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBackupsThatDoNotCountPushNoneOut has a home that moves to another host, and is torn there.
func TestBackupsThatDoNotCountPushNoneOut(t *testing.T) {
	program, _ := fakeRestic(t)
	home := newHome(t)
	first, second := newHost(t, home, program), newHost(t, home, program)
	good, err := first.run(Request{Verify: true})
	require.NoError(t, err)
	require.True(t, good.Record.Counts())
	put(t, home, "jobs/a/config.xml", "<torn>")
	for range 3 { // only the first host knows of the good one, and two are to be kept
		reply, err := second.run(Request{Verify: true})
		require.NoError(t, err)
		require.False(t, reply.Record.Counts())
		require.Empty(t, reply.Removed)
	}
	require.Equal(t, []string{"1", "2", "3", "4"}, first.ids())
	state, err := second.set.Records.State()
	require.NoError(t, err)
	require.Equal(t, 3, state.Failures)
	require.Nil(t, state.Good)

	put(t, home, "jobs/a/config.xml", declared+"<project/>")
	reply, err := second.run(Request{Verify: true})
	require.NoError(t, err)
	require.Len(t, reply.Removed, 3, "what is kept is asked for again as soon as the newest counts")
	require.Equal(t, []string{"4", "5"}, second.ids())
	records, err := filepath.Glob(filepath.Join(string(second.set.Records), "*.json"))
	require.NoError(t, err)
	require.Len(t, records, 2, "records go with their backups")
}

func TestTheNewestThatCountsStaysHoweverOld(t *testing.T) {
	program, _ := fakeRestic(t)
	h := newHost(t, newHome(t), program)
	_, err := h.run(Request{Verify: true})
	require.NoError(t, err)
	h.holds(time.Now(), time.Now(), time.Now()) // nobody verifies these
	_, err = h.run(Request{})
	require.NoError(t, err)
	require.Equal(t, []string{"1", "4", "5"}, h.ids())
	_, err = h.run(Request{Verify: true})
	require.NoError(t, err)
	require.Equal(t, []string{"5", "6"}, h.ids(), "there is a newer one now")
	_, err = h.run(Request{KeepAll: true})
	require.NoError(t, err)
	require.Len(t, h.ids(), 3)
}

// TestATornRecordKeepsNobodyFromHisBackups and loses none that may be the last one that counts.
func TestATornRecordKeepsNobodyFromHisBackups(t *testing.T) {
	program, _ := fakeRestic(t)
	h := newHost(t, newHome(t), program)
	good, err := h.run(Request{Verify: true})
	require.NoError(t, err)
	id := good.Taken.ID
	require.NoError(t, os.WriteFile(h.set.Records.file(id), []byte(`{"proof": {"ti`), 0o600))
	h.holds(time.Now())
	_, err = h.run(Request{})
	var known *Error
	require.ErrorAs(t, err, &known)
	require.Contains(t, known.Hint(), "jomctl backups verify "+id[:8])
	require.ErrorContains(t, err, "is made; removing those that are too old: ", "the new one is there")
	require.ErrorContains(t, err, id+".json")
	require.Equal(t, []string{"1", "2", "3"}, h.ids(), "none is removed while nobody knows which counts")
	all, err := h.set.List(t.Context())
	require.NoError(t, err, "a note that is torn keeps nobody from a restore")
	require.Len(t, all, 3)
	require.False(t, all[2].Counts())
	_, err = h.set.Restore(t.Context(), id, filepath.Join(t.TempDir(), "to"))
	require.NoError(t, err)
	record, err := h.set.Prove(t.Context(), id)
	require.NoError(t, err)
	require.True(t, record.Counts(), "verified again it counts again")
	removed, err := h.set.Tidy(t.Context())
	require.NoError(t, err)
	require.Empty(t, removed, "the one that counts and the two newest")
}

func TestABackupIsDueByItsAge(t *testing.T) {
	for name, c := range map[string]struct {
		ages    []time.Duration
		skipped bool
	}{
		"none":                             {nil, false},
		"young":                            {[]time.Duration{20 * time.Minute}, true},
		"old":                              {[]time.Duration{40 * time.Minute}, false},
		"of a clock that is a bit ahead":   {[]time.Duration{-time.Minute}, true},
		"of a clock that was wrong":        {[]time.Duration{-30 * 24 * time.Hour}, false},
		"of a wrong clock, beside a young": {[]time.Duration{20 * time.Minute, -30 * 24 * time.Hour}, true},
	} {
		t.Run(name, func(t *testing.T) {
			program, _ := fakeRestic(t)
			h := newHost(t, newHome(t), program)
			for _, age := range c.ages {
				h.holds(time.Now().Add(-age))
			}
			reply, err := h.run(Request{Due: true})
			require.NoError(t, err)
			require.Equal(t, c.skipped, reply.Skipped != "", reply.Skipped)
			require.Equal(t, c.skipped, reply.Taken == nil)
		})
	}
	program, _ := fakeRestic(t)
	h := newHost(t, filepath.Join(t.TempDir(), "none"), program)
	reply, err := h.run(Request{Due: true})
	require.NoError(t, err, "the home is on another host")
	require.Contains(t, reply.Skipped, "there is no home here")
	_, err = h.run(Request{})
	require.ErrorIs(t, err, ErrNoBackup, "who asks for one is told")
}

// TestARunThatFailsIsWrittenDownAndLosesNothing has a repository that fails in each verb of a run.
func TestARunThatFailsIsWrittenDownAndLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		verb, text string
		kind       error
		backups    []string
		want       string
	}{
		"the disk is full":        {"backup", "Fatal: unable to save snapshot: write /fake/data/12: no space left on device", ErrNoRoom, []string{"1"}, "there is no room left"},
		"locked while it proves":  {"restore", "unable to create lock in backend: repository is already locked by PID 12 on far by root", ErrLocked, []string{"1", "2"}, "backup 00000002 is made, and does not count yet: "},
		"it cannot be restored":   {"restore", "ignoring error for /f2: ciphertext verification failed", nil, []string{"1", "2"}, "the backup does not count: "},
		"a part of it is missing": {"restore", "ignoring error for /f2: StreamPack: open /r/data/eb/eb84: no such file or directory\nFatal: There were 6 errors", nil, []string{"1", "2"}, "the backup does not count: "},
		"none can be removed":     {"forget", "Fatal: unable to remove: permission denied", ErrForbidden, []string{"1", "2", "3"}, "is made; removing those that are too old: "},
		"a file that is not said": {"partial", "Warning: at least one source file could not be read", ErrForbidden, []string{"1"}, "restic does not say which: Warning: at least one"},
	} {
		t.Run(name, func(t *testing.T) {
			program, _ := fakeRestic(t)
			h := newHost(t, newHome(t), program)
			_, err := h.run(Request{Verify: true})
			require.NoError(t, err)
			if c.verb == "forget" { // there must be one to be removed
				_, err = h.run(Request{Verify: true})
				require.NoError(t, err)
			}
			h.fails(c.verb, c.text)
			reply, err := h.run(Request{Verify: true})
			if c.kind == nil {
				require.NoError(t, err)
				require.False(t, reply.Record.Counts())
			} else {
				require.ErrorIs(t, err, c.kind)
				text, encodeErr := Encode(reply, err)
				require.NoError(t, encodeErr)
				_, err = Decode(string(text))
				require.ErrorIs(t, err, c.kind, "over the wire, too")
				require.ErrorContains(t, err, c.want)
				var hinted interface{ Hint() string }
				require.ErrorAs(t, err, &hinted)
				require.NotEmpty(t, hinted.Hint())
			}
			require.Equal(t, c.backups, h.ids())
			state, err := h.set.Records.State()
			require.NoError(t, err)
			require.Contains(t, state.Last.Error, c.want)
			require.NotNil(t, state.Good, "what counted before still does")
			all, err := h.set.List(t.Context())
			require.NoError(t, err)
			require.True(t, all[len(all)-1].Counts())
			prom, err := os.ReadFile(filepath.Join(h.server.Config.State, "backup.prom"))
			require.NoError(t, err)
			require.Contains(t, string(prom), "jomctl_backup_last_good_timestamp_seconds")
			left, _ := os.ReadDir(h.set.Scratch)
			require.Empty(t, left, "no secrets stay behind")
			if c.kind == ErrNoRoom {
				h.fails(c.verb, "")
				_, err = h.run(Request{Verify: true})
				require.NoError(t, err, "and the next one goes through")
			}
		})
	}
}

func TestAWrongPasswordMakesNoNewRepository(t *testing.T) {
	program, repo := fakeRestic(t)
	h := newHost(t, newHome(t), program)
	_, err := h.run(Request{})
	require.NoError(t, err)
	before, err := os.ReadFile(filepath.Join(repo, "config"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.set.Repository.PasswordFile, []byte("another"), 0o600))
	_, err = h.run(Request{Due: true, Verify: true})
	require.ErrorIs(t, err, ErrWrongPassword)
	_, err = h.set.Restore(t.Context(), h.ids()[0], filepath.Join(t.TempDir(), "to"))
	require.ErrorIs(t, err, ErrWrongPassword)
	after, err := os.ReadFile(filepath.Join(repo, "config"))
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, []string{"1"}, h.ids())
	state, err := h.set.Records.State()
	require.NoError(t, err)
	require.Equal(t, 1, state.Failures)
}

func TestOneRunAtATimeAndLookingIsFree(t *testing.T) {
	program, _ := fakeRestic(t)
	h := newHost(t, newHome(t), program)
	release, err := h.server.alone(VerbRun)
	require.NoError(t, err)
	for _, verb := range []string{VerbRun, VerbVerify, VerbBeside, VerbExchange, VerbDiscard, VerbInit} {
		_, err := h.server.Do(t.Context(), Request{Verb: verb, ID: "x"})
		require.ErrorIs(t, err, ErrLocked, verb)
	}
	_, err = h.server.Do(t.Context(), Request{Verb: VerbState})
	require.NoError(t, err)
	_, err = h.server.Do(t.Context(), Request{Verb: VerbFree})
	require.NoError(t, err)
	release()
	again, err := h.server.alone(VerbRun)
	require.NoError(t, err)
	again()

	// Two hosts of a shared home, each with a lock of its own.
	h.server.Config.Shared = true
	other := newHost(t, h.server.Config.Home, program)
	other.server.Config.Shared = true
	release, err = h.server.alone(VerbRun)
	require.NoError(t, err)
	_, err = other.server.alone(VerbRun)
	require.ErrorIs(t, err, ErrLocked)
	release()
	release, err = other.server.alone(VerbRun)
	require.NoError(t, err)
	release()
}

func TestTheLatestOfSeveralHostsIsKnown(t *testing.T) {
	at := func(hour int, id string) *Run {
		return &Run{Ended: time.Date(2026, 1, 2, hour, 0, 0, 0, time.UTC), ID: id, Counts: true}
	}
	failed := func(hour int) *Run { r := at(hour, ""); r.Counts, r.Error = false, "full"; return r }
	for name, c := range map[string]struct{ mine, other, want State }{
		"nothing":                      {State{}, State{}, State{}},
		"the first":                    {State{}, State{Last: at(1, "a"), Good: at(1, "a")}, State{Last: at(1, "a"), Good: at(1, "a")}},
		"older":                        {State{Last: at(2, "b"), Good: at(2, "b")}, State{Last: at(1, "a"), Good: at(1, "a")}, State{Last: at(2, "b"), Good: at(2, "b")}},
		"newer":                        {State{Last: at(1, "a"), Good: at(1, "a")}, State{Last: at(2, "b"), Good: at(2, "b")}, State{Last: at(2, "b"), Good: at(2, "b")}},
		"a failure elsewhere":          {State{Last: at(2, "b"), Good: at(2, "b")}, State{Last: failed(3), Good: at(1, "a"), Failures: 2}, State{Last: failed(3), Good: at(2, "b"), Failures: 2}},
		"good elsewhere, before mine":  {State{Last: failed(3), Good: at(1, "a"), Failures: 2}, State{Last: at(2, "b"), Good: at(2, "b")}, State{Last: failed(3), Good: at(2, "b"), Failures: 2}},
		"good elsewhere, after mine":   {State{Last: failed(3), Failures: 2}, State{Last: at(4, "b"), Good: at(4, "b")}, State{Last: at(4, "b"), Good: at(4, "b")}},
		"a failure, and none was good": {State{}, State{Last: failed(3), Failures: 1}, State{Last: failed(3), Failures: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			records := Records(filepath.Join(t.TempDir(), "records"))
			require.NoError(t, records.put(c.mine))
			require.NoError(t, records.Merge(c.other))
			got, err := records.State()
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	torn := Records(t.TempDir())
	put(t, string(torn), "runs", "{")
	require.NoError(t, torn.Merge(State{Last: at(1, "a")}))
	got, err := torn.State()
	require.NoError(t, err)
	require.Equal(t, "a", got.Last.ID)
	require.Equal(t, fmt.Sprintf("%v", *at(1, "a")), fmt.Sprintf("%v", *got.Last))
}
