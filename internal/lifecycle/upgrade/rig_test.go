package upgrade_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

// rig is one run: the cluster, and what the process leaves on the disk.
type rig struct {
	t    *testing.T
	f    *fake
	dir  string
	now  time.Time
	opts upgrade.Options
}

// inWindow is a Sunday at 01:00 UTC; the window lasts until 05:00, and its last hour is kept.
var inWindow = time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)

// scratch is in memory where that can be: each record is put on the disk by itself.
func scratch(t *testing.T) string {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "jomctl-upgrade-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, f: newFake(), dir: scratch(t), now: inWindow}
	r.opts = upgrade.Options{Drain: time.Minute, Canary: time.Minute, Start: time.Minute, Tick: time.Millisecond,
		Window: upgrade.Window{Reserve: time.Hour, Windows: []config.Window{{Name: "night", Days: []string{"sun"}, Start: "00:00", Length: config.Duration(5 * time.Hour), Zone: "UTC"}}},
		Now:    func() time.Time { return r.now }}
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// open is what a process finds: the store, the journal, and the plan.
func (r *rig) open() (*upgrade.Store, *op.Journal, op.Plan) {
	r.t.Helper()
	store, err := upgrade.Open(r.path("state"))
	require.NoError(r.t, err)
	if store.State.Run == "" {
		store.Begin(upgrade.State{Run: "run-1", From: upgrade.Version{Release: "previous", Core: "2.555.3"}, To: upgrade.Version{Release: "default", Core: "2.568.3"}, Began: r.now})
	}
	if _, err := os.Stat(r.path("journal")); err != nil {
		require.NoError(r.t, os.WriteFile(r.path("journal"), nil, 0o600))
	}
	journal, err := op.OpenJournal(r.path("journal"))
	require.NoError(r.t, err)
	return store, journal, upgrade.Plan(r.f, store, r.opts)
}

// run is what the command does: run, and take back where that is to be.
func (r *rig) run(after func()) (err error) {
	r.t.Helper()
	store, journal, plan := r.open()
	defer journal.Close()
	note := func(op.Record) {
		if after != nil {
			after()
		}
	}
	_, err = op.Run(context.Background(), plan, op.Options{Journal: journal, AfterRecord: note})
	if err == nil || !upgrade.TakeBack(store, err) {
		return err
	}
	if _, back := op.Rollback(context.Background(), plan, op.Options{Journal: journal, AfterRecord: note}); back != nil {
		return errors.Join(errBack, back, err)
	}
	return &op.RolledBackError{Verb: upgrade.Verb, Cause: err}
}

var errBack = errors.New("the way back has failed")

// rollback is `jomctl rollback`.
func (r *rig) rollback() error {
	r.t.Helper()
	_, journal, plan := r.open()
	defer journal.Close()
	_, err := op.Rollback(context.Background(), plan, op.Options{Journal: journal})
	return err
}

// killed is another rig that begins where this one would be if it were killed now.
func (r *rig) killed() *rig {
	r.t.Helper()
	dir := scratch(r.t)
	require.NoError(r.t, os.CopyFS(dir, os.DirFS(r.dir)))
	other := &rig{t: r.t, f: r.f.clone(), dir: dir, now: r.now, opts: r.opts}
	other.opts.Now = func() time.Time { return other.now }
	return other
}

func (r *rig) state() upgrade.State {
	r.t.Helper()
	store, err := upgrade.Open(r.path("state"))
	require.NoError(r.t, err)
	return store.State
}

// isNew asks for everything that a good end is.
func (r *rig) isNew() {
	r.t.Helper()
	f := r.f
	require.Empty(r.t, f.violations)
	require.Equal(r.t, upgrade.New, f.runs)
	require.Equal(r.t, upgrade.New, f.recorded)
	require.False(r.t, f.quiet || f.shut)
	require.False(r.t, f.held, "old backups are removed again")
	require.Equal(r.t, "hello", f.message)
	require.Empty(r.t, f.started[upgrade.Old])
	require.Contains(r.t, f.started[upgrade.New], "waits", "what waited is not lost")
	require.Equal(r.t, upgrade.Proven, r.state().Outcome)
}

// isOld asks for everything that the way back promises.
func (r *rig) isOld() {
	r.t.Helper()
	f := r.f
	require.Empty(r.t, f.violations)
	require.Equal(r.t, upgrade.Old, f.runs)
	require.Equal(r.t, upgrade.Old, f.recorded)
	require.False(r.t, f.quiet || f.shut)
	require.False(r.t, f.held, "old backups are removed again")
	require.Equal(r.t, "hello", f.message)
	home := maps.Clone(f.home)
	delete(home, "queue.xml")
	require.Equal(r.t, newFake().home, home, "the old home")
	require.Empty(r.t, f.started[upgrade.New])
	if len(f.queue) == 0 {
		require.Equal(r.t, []string{"waits"}, f.started[upgrade.Old], "what waited is not lost, and not built twice")
	}
}

// snapshots are rigs killed at every record of the journal, and before and after every effect on the cluster.
func snapshots(t *testing.T, r *rig) (all []*rig) {
	t.Helper()
	kill := func() { all = append(all, r.killed()) }
	r.f.at = kill
	_ = r.run(kill) // how it ends is the test's business
	r.f.at = nil
	return all
}
