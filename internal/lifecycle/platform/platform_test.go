package platform_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/platform"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

var (
	control = []string{"c1", "c2", "c3"}
	agents  = []string{"a1", "a2"}
	// inWindow is a Sunday at 01:00 UTC; the window lasts until 05:00, and its last hour is kept.
	inWindow = time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
)

// rig is one run: the cluster, and what the process leaves on the disk.
type rig struct {
	t    *testing.T
	f    *fake
	dir  string
	now  time.Time
	opts platform.Options
}

func part(t *testing.T, role, component, from, to string, hosts []string) platform.Part {
	t.Helper()
	p, err := platform.NewPart(role, component, from, to, hosts)
	require.NoError(t, err)
	return p
}

func everything(t *testing.T) []platform.Part {
	return []platform.Part{
		part(t, provision.RoleZooKeeper, source.ZooKeeper, "3.8.0", "3.8.4", control),
		part(t, provision.RoleMesosMaster, source.Mesos, "1.10.0", "1.11.0", control),
		part(t, provision.RoleMarathon, source.Marathon, "1.10.19", "1.11.26", control),
		part(t, provision.RoleMesosAgent, source.Mesos, "1.10.0", "1.11.0", agents),
	}
}

func newRig(t *testing.T, parts []platform.Part) *rig {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "jomctl-platform-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &rig{t: t, f: newFake(parts), dir: dir, now: inWindow}
	r.opts = platform.Options{Drain: time.Minute, Instance: time.Minute, Tick: time.Millisecond, Now: func() time.Time { return r.now },
		Window: upgrade.Window{Reserve: time.Hour, Windows: []config.Window{{Name: "night", Days: []string{"sun"}, Start: "00:00", Length: config.Duration(5 * time.Hour), Zone: "UTC"}}}}
	return r
}

// open is what a process finds: the store, the journal and the plan.
func (r *rig) open() (*platform.Store, *op.Journal, op.Plan) {
	r.t.Helper()
	store, err := platform.Open(filepath.Join(r.dir, "state"))
	require.NoError(r.t, err)
	if store.State.Run == "" {
		store.Begin(platform.State{Run: "run-1", Began: r.now, Parts: r.f.parts})
	}
	path := filepath.Join(r.dir, "journal")
	if _, err := os.Stat(path); err != nil {
		require.NoError(r.t, os.WriteFile(path, nil, 0o600))
	}
	journal, err := op.OpenJournal(path)
	require.NoError(r.t, err)
	return store, journal, platform.Plan(r.f, store, r.opts)
}

// run is one process; it returns what the run ended with, and whether that is to be taken back.
func (r *rig) run() (error, bool) {
	r.t.Helper()
	store, journal, plan := r.open()
	defer journal.Close()
	_, err := op.Run(context.Background(), plan, op.Options{Journal: journal})
	return err, err != nil && platform.TakeBack(store, err)
}

func (r *rig) rollback() error {
	r.t.Helper()
	_, journal, plan := r.open()
	defer journal.Close()
	_, err := op.Rollback(context.Background(), plan, op.Options{Journal: journal})
	return err
}

func (r *rig) state() platform.State {
	store, err := platform.Open(filepath.Join(r.dir, "state"))
	require.NoError(r.t, err)
	return store.State
}

// whole checks that everything runs, and every part is on one side: the new one where it is proven.
func (r *rig) whole(what string) {
	r.t.Helper()
	require.Empty(r.t, r.f.violations, what)
	require.Empty(r.t, r.f.drained, what)
	state := r.state()
	for _, part := range r.f.parts {
		want := platform.Old
		if slices.Contains(state.Proven, part.Role) {
			want = platform.New
		}
		for _, host := range part.Hosts {
			require.Equal(r.t, want, r.f.runs[part.Role+"-"+host], "%s: %s on %s", what, part.Role, host)
		}
		if part.Role == provision.RoleMarathon {
			require.Equal(r.t, want, r.f.storage, what)
		}
	}
	if state.Outcome != "" {
		require.Equal(r.t, state.Changed(), r.f.recorded, what)
	}
}

func TestEverythingChangesInOrder(t *testing.T) {
	r := newRig(t, everything(t))
	err, _ := r.run()
	require.NoError(t, err)
	r.whole("good")
	require.Equal(t, upgrade.Proven, r.state().Outcome)
	require.Equal(t, []string{"zookeeper-c1=new", "zookeeper-c2=new", "zookeeper-c3=new", "mesos-master-c1=new", "mesos-master-c2=new", "mesos-master-c3=new",
		"marathon-c1=new", "marathon-c2=new", "marathon-c3=new", "mesos-agent-a1=new", "mesos-agent-a2=new"}, r.f.order)
	require.Equal(t, []string{source.ZooKeeper, source.Mesos, source.Marathon}, r.f.recorded)
}

// TestEveryCallThatFails ends each run at every one of its calls, before and after its effect: the part that is half changed goes back.
func TestEveryCallThatFails(t *testing.T) {
	good := newRig(t, everything(t))
	err, _ := good.run()
	require.NoError(t, err)
	for _, late := range []bool{false, true} {
		for n := 1; n <= good.f.calls; n++ {
			what := fmt.Sprintf("call %d, late %v", n, late)
			r := newRig(t, everything(t))
			r.f.fail, r.f.late = n, late
			err, back := r.run()
			require.ErrorIs(t, err, errInjected, what)
			if !back {
				require.Empty(t, r.f.order, "%s: something was changed", what)
				r.whole(what)
				continue
			}
			require.NoError(t, r.rollback(), what)
			r.whole(what)
			require.Equal(t, upgrade.RolledBack, r.state().Outcome, what)
		}
	}
}

// TestEveryCut ends the process at every call; another one goes on, or takes it back.
func TestEveryCut(t *testing.T) {
	good := newRig(t, everything(t))
	err, _ := good.run()
	require.NoError(t, err)
	for n := 1; n <= good.f.calls; n++ {
		for _, resume := range []bool{true, false} {
			what := fmt.Sprintf("cut at call %d, resumed %v", n, resume)
			r := newRig(t, everything(t))
			r.opts.Instance = 20 * time.Millisecond
			r.f.dead = n
			err, _ := r.run()
			require.ErrorIs(t, err, errInjected, what)
			r.f.dead, r.opts.Instance = 0, time.Minute
			if !resume {
				require.NoError(t, r.rollback(), what)
				r.whole(what)
				continue
			}
			err, _ = r.run()
			require.NoError(t, err, what)
			r.whole(what)
			require.Equal(t, upgrade.Proven, r.state().Outcome, what)
		}
	}
}

// TestAFailedWayBackCanBeGoneOnWith lets every call of a way back fail once.
func TestAFailedWayBackCanBeGoneOnWith(t *testing.T) {
	for _, broken := range []string{"zookeeper-c3", "mesos-master-c2", "marathon-c1", "marathon-c3", "mesos-agent-a2"} {
		for n := 1; ; n++ {
			r := newRig(t, everything(t))
			r.opts.Instance, r.opts.Drain = 5*time.Millisecond, 5*time.Millisecond
			r.f.broken = broken
			err, back := r.run()
			require.Error(t, err)
			require.True(t, back, broken)
			r.opts.Instance = time.Minute
			r.f.calls, r.f.fail = 0, n
			err = r.rollback()
			if err == nil {
				r.whole(broken)
				require.Greater(t, n, 1)
				break
			}
			require.ErrorIs(t, err, errInjected)
			require.NoError(t, r.rollback(), "%s, call %d", broken, n)
			r.whole(fmt.Sprintf("%s, call %d", broken, n))
		}
	}
}

func TestWhatCannotBePutBackStays(t *testing.T) {
	r := newRig(t, []platform.Part{part(t, provision.RoleZooKeeper, source.ZooKeeper, "3.7.2", "3.8.4", control)})
	r.opts.Instance = 5 * time.Millisecond
	r.f.broken = "zookeeper-c2"
	err, back := r.run()
	require.Error(t, err)
	require.False(t, back, "both versions work together, and the old one may not read what the new one has written")
	var stays *platform.StaysError
	require.ErrorAs(t, r.rollback(), &stays)
	require.Equal(t, platform.New, r.f.runs["zookeeper-c1"])
	r.f.broken, r.opts.Instance = "", time.Minute
	err, _ = r.run()
	require.NoError(t, err)
	r.whole("resumed")
}

func TestTheWindow(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		r := newRig(t, everything(t))
		r.now = inWindow.Add(24 * time.Hour)
		err, back := r.run()
		var refused *upgrade.RefusedError
		require.ErrorAs(t, err, &refused)
		require.False(t, back)
		require.Empty(t, r.f.order)
	})
	t.Run("reserve reached", func(t *testing.T) {
		r := newRig(t, everything(t))
		r.opts.Now = func() time.Time {
			if len(r.f.order) < 5 {
				return inWindow
			}
			return inWindow.Add(3*time.Hour + time.Minute)
		}
		err, back := r.run()
		var reserve *upgrade.ReserveError
		require.ErrorAs(t, err, &reserve)
		require.True(t, back)
		require.NoError(t, r.rollback())
		r.whole("reserve")
		require.Equal(t, []string{source.ZooKeeper}, r.f.recorded, "what was proven stays")
	})
	t.Run("a reason", func(t *testing.T) {
		r := newRig(t, everything(t))
		r.f.reasons = []upgrade.Reason{{Subject: "marathon", Problem: "a deployment is under way"}}
		err, back := r.run()
		require.ErrorContains(t, err, "a deployment is under way")
		require.False(t, back)
	})
}

// TestMarathonOfTheSameVersionMigratesNothing changes its instances one by one.
func TestMarathonOfTheSameVersionMigratesNothing(t *testing.T) {
	r := newRig(t, []platform.Part{part(t, provision.RoleMarathon, source.Marathon, "1.11.26-1", "1.11.26-2", control)})
	r.f.storage = platform.New // it reads what is there
	err, _ := r.run()
	require.NoError(t, err)
	require.Empty(t, r.f.violations)
	require.Len(t, r.f.order, 3)
	require.Empty(t, r.state().Backup)
}

// TestNothingIsTouchedWhileAnotherOneIsMissing lets an instance end by itself between two others.
func TestNothingIsTouchedWhileAnotherOneIsMissing(t *testing.T) {
	r := newRig(t, everything(t))
	r.opts.Instance = 5 * time.Millisecond
	r.f.runs["mesos-master-c2"] = ""
	err, back := r.run()
	require.ErrorContains(t, err, "mesos-master-c2 is down")
	require.ErrorContains(t, err, "is left alone")
	require.True(t, back)
	require.NotContains(t, r.f.order, "mesos-master-c1=new")
	require.NoError(t, r.rollback())
	require.Equal(t, platform.Old, r.f.runs["mesos-master-c1"])
	require.Equal(t, []string{source.ZooKeeper}, r.f.recorded)
	require.Equal(t, upgrade.RolledBack, r.state().Outcome)
}

// TestADrainedAgentStaysDrained keeps what somebody else wanted.
func TestADrainedAgentStaysDrained(t *testing.T) {
	r := newRig(t, everything(t))
	r.f.drained["a2"] = true
	store, journal, _ := r.open()
	require.NoError(t, journal.Close())
	store.State.Drained = []string{"a2"}
	require.NoError(t, store.Save())
	err, _ := r.run()
	require.NoError(t, err)
	require.Empty(t, r.f.violations)
	require.Equal(t, map[string]bool{"a2": true}, r.f.drained)
}
