package op_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

// recordsOfRun is how many records a run of world.plan writes: begin-run, two per step, end-run.
const recordsOfRun = 2 + 2*6

// TestMain lets the test binary be the process that is killed: with CUT_AFTER=n it runs the plan (or its rollback) and
// kills itself with SIGKILL after record n.
func TestMain(m *testing.M) {
	if os.Getenv("CUT_AFTER") == "" {
		os.Exit(m.Run())
	}
	if err := cutProcess(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cutProcess() error {
	after, err := strconv.Atoi(os.Getenv("CUT_AFTER"))
	if err != nil {
		return err
	}
	j, err := op.OpenJournal(os.Getenv("CUT_JOURNAL"))
	if err != nil {
		return err
	}
	n := 0
	opts := op.Options{Journal: j, Parallel: 1, AfterRecord: func(op.Record) {
		if n++; n == after {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}
	w := world{os.Getenv("CUT_WORLD")}
	plan, run := w.plan(), op.Run
	if os.Getenv("CUT_ROLLBACK") != "" {
		run = op.Rollback
	}
	if id := os.Getenv("CUT_STEP"); id != "" {
		plan = edit(plan, id, func(s *op.Step) {
			s.Do = func(context.Context, op.Say) error {
				err := w.make(id)
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				return err
			}
		})
	}
	_, err = run(context.Background(), plan, opts)
	return err
}

// killedAt runs the plan in a process of its own that is killed after record n.
func killedAt(t *testing.T, w world, path string, n int, env ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CUT_AFTER="+strconv.Itoa(n), "CUT_JOURNAL="+path, "CUT_WORLD="+w.dir)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "record %d was never written: %s", n, out)
	require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), "%s", out)
}

func emptyJournal(t *testing.T) string {
	t.Helper()
	j := journal(t)
	require.NoError(t, j.Close())
	return j.Path()
}

func open(t *testing.T, path string) *op.Journal {
	t.Helper()
	j, err := op.OpenJournal(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestKilledAtEveryRecordAndResumed(t *testing.T) {
	for n := 1; n <= recordsOfRun; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			w, path := world{t.TempDir()}, emptyJournal(t)
			killedAt(t, w, path, n)
			j := open(t, path)
			require.Len(t, j.Log().Records, n)
			require.Equal(t, n == recordsOfRun, j.Log().Finished())
			_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
			require.NoError(t, err)
			require.Equal(t, onceEach(), w.counts())
			require.True(t, j.Log().Finished())
			for _, id := range planIDs {
				require.False(t, j.Log().Pending(id))
			}
		})
	}
}

func TestKilledBetweenTheEffectAndItsRecord(t *testing.T) {
	for _, id := range planIDs {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w, path := world{t.TempDir()}, emptyJournal(t)
			killedAt(t, w, path, -1, "CUT_STEP="+id)
			require.True(t, open(t, path).Log().Pending(id))
			j := open(t, path)
			_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
			require.NoError(t, err)
			require.Equal(t, onceEach(), w.counts())
			require.False(t, j.Log().Pending(id))
		})
	}
}

func TestKilledAtEveryRecordAndRolledBack(t *testing.T) {
	for n := 1; n < recordsOfRun; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			w, path := world{t.TempDir()}, emptyJournal(t)
			killedAt(t, w, path, n)
			plan := undoOfWhatMayBeMissing(w)
			_, err := op.Rollback(context.Background(), plan, op.Options{Journal: open(t, path)})
			require.NoError(t, err)
			require.Empty(t, w.counts())
		})
	}
}

func undoOfWhatMayBeMissing(w world) op.Plan {
	plan := w.plan()
	for _, id := range planIDs {
		plan = edit(plan, id, func(s *op.Step) {
			s.Undo = func(context.Context, op.Say) error { return os.RemoveAll(filepath.Join(w.dir, id)) }
		})
	}
	return plan
}

func TestAKilledRollbackGoesOnWhereItWas(t *testing.T) {
	for n := 1; n <= 2+6; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			w, path := world{t.TempDir()}, emptyJournal(t)
			killedAt(t, w, path, recordsOfRun-1)
			killedAt(t, w, path, n, "CUT_ROLLBACK=1")
			j := open(t, path)
			require.Equal(t, op.VerbRollback, j.Log().Last().Verb)
			require.Equal(t, "install", j.Log().Meta().Verb)
			result, err := op.Rollback(context.Background(), w.plan(), op.Options{Journal: j})
			require.NoError(t, err)
			require.Empty(t, w.counts())
			require.Len(t, result.Steps, max(0, 7-n))
			require.True(t, j.Log().Finished())
		})
	}
}

func TestAStepThatWasCutOffIsVerifiedEvenWhenItLooksDone(t *testing.T) {
	w, path := world{t.TempDir()}, emptyJournal(t)
	killedAt(t, w, path, 2)
	require.NoError(t, w.make("a1"))
	require.NoError(t, w.make("a1"))
	j := open(t, path)
	_, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.EqualError(t, err, "step a1: verifying: a1 was made 2 times")
	_, err = op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.Error(t, err, "a failed proof stays open")
	require.NoError(t, w.remove("a1"))
	require.NoError(t, w.make("a1"))
	result, err := op.Run(context.Background(), w.plan(), op.Options{Journal: j})
	require.NoError(t, err)
	require.Equal(t, op.OutcomeDone, outcomes(result)["a1"])
	require.Equal(t, onceEach(), w.counts())
}
