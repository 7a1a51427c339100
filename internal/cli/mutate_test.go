package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

func TestPlanShowsAndChangesNothing(t *testing.T) {
	b := newBench(t)
	out, _ := b.ok("build", "--plan")
	require.Equal(t, "build: 3 of 3 steps to do\nfirst\n  needed  make one\n          + one\n  needed  make two\n          + two\nthen\n  needed  make three\n          + three\n", out)
	require.Empty(t, b.made())
	require.Empty(t, b.files("journal"))
	require.NoFileExists(t, b.path(".jomctl", "lock"))

	b.write("one", "")
	out, _ = b.ok("build", "--plan", "-o", "json")
	value := decode(t, out)
	require.Equal(t, "build", value["verb"])
	steps := value["stages"].([]any)[0].(map[string]any)["steps"].([]any)
	require.Equal(t, map[string]any{"id": "one", "title": "make one", "state": "done"}, steps[0])
}

func TestWithoutTerminalAndYesNothingHappens(t *testing.T) {
	b := newBench(t)
	code, out, err := b.run("build")
	require.Equal(t, 2, code)
	require.Empty(t, out)
	require.Contains(t, err, "3 of 3 steps to do")
	require.Contains(t, err, "--yes")
	require.Empty(t, b.made())
	require.Empty(t, b.files("journal"))
}

func TestOnlyYesIsConsent(t *testing.T) {
	for typed, want := range map[string]int{"y\n": 0, " YES \n": 0, "n\n": 130, "\n": 130, "yess\n": 130, "y?": 130, "no": 130} {
		t.Run(typed, func(t *testing.T) {
			b := newBench(t)
			b.typed = typed
			code, _, err := b.run("build")
			require.Equal(t, want, code, err)
			require.Contains(t, err, "build: make these changes? [y/N]")
			require.Equal(t, want == 0, len(b.made()) == 3)
			if want != 0 {
				require.Contains(t, err, "nothing was changed")
			}
		})
	}
}

func TestAnInterruptedQuestionIsNoConsent(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	streams, _, _, _ := ui.Buffers()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer writer.Close()
	defer reader.Close()
	streams.In = reader
	yes, err := askYesNo(ctx, streams, "Really")
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, yes)
	b.typed = "y\n"
	code, _, _ := b.runContext(ctx, "build")
	require.Equal(t, 130, code)
	require.Empty(t, b.made())
}

func TestARunAnswersOnStdoutAndTalksOnStderr(t *testing.T) {
	b := newBench(t)
	b.answer = func(_ context.Context, result op.Result) (string, map[string]any, error) {
		return "http://127.0.10.10/\n", map[string]any{"url": "http://127.0.10.10/"}, nil
	}
	out, err := b.ok("build", "--yes")
	require.Equal(t, "http://127.0.10.10/\n", out)
	require.Contains(t, err, "build: 3 of 3 steps to do\nfirst\n  done    make one (")
	require.Equal(t, []string{"one", "two", "three"}, b.made())
	require.Len(t, b.files("journal"), 1)

	out, err = b.ok("build")
	require.Equal(t, "http://127.0.10.10/\n", out, "a second run needs no consent, as it changes nothing")
	require.Contains(t, err, "build: nothing to do, all 3 steps are done")
	require.Len(t, b.files("journal"), 1)
	require.NoError(t, os.Remove(b.path("three")))
	out, _ = b.ok("build", "--yes", "-o", "json")
	value := decode(t, out)
	require.Equal(t, "done", value["outcome"])
	require.Equal(t, "http://127.0.10.10/", value["url"])
	require.Equal(t, "skipped", value["steps"].([]any)[0].(map[string]any)["outcome"])
	require.FileExists(t, value["log"].(string))
	require.FileExists(t, value["journal"].(string))
}

type findings struct{}

func (findings) Error() string { return "2 findings" }
func (findings) ExitCode() int { return 4 }

func TestAnAnswerMayEndWithFindings(t *testing.T) {
	b := newBench(t)
	b.answer = func(context.Context, op.Result) (string, map[string]any, error) {
		return "mostly\n", map[string]any{"found": []string{"f"}}, findings{}
	}
	code, out, err := b.run("build", "--yes")
	require.Equal(t, 4, code)
	require.Equal(t, "mostly\n", out)
	require.Contains(t, err, "Error: 2 findings")
	code, out, _ = b.run("build", "--yes", "-o", "json")
	require.Equal(t, 4, code)
	require.Equal(t, []any{"f"}, decode(t, out)["found"])
}

func TestAFailureIsToldOnceWithHintAndLog(t *testing.T) {
	b := newBench(t)
	b.fails("two")
	code, out, err := b.run("build", "--yes")
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.Contains(t, err, "  failed  make two")
	require.Contains(t, err, "Error: step two: two fell over\nHint:  go on with `jomctl resume` (or `jomctl build` again)")
	require.Contains(t, err, "--file "+b.path("cluster.yaml"))
	log, readErr := os.ReadFile(b.files("log")[0])
	require.NoError(t, readErr)
	require.Contains(t, err, b.files("log")[0])
	require.Contains(t, string(log), `msg="step ended" step=two outcome=failed`)

	code, out, _ = b.run("build", "--yes", "-o", "json")
	require.Equal(t, 1, code)
	failure := decode(t, out)["error"].(map[string]any)
	require.Equal(t, "step two: two fell over", failure["message"])
	require.EqualValues(t, 1, failure["exitCode"])
	require.Contains(t, failure["hint"], "jomctl resume")
	require.NotEmpty(t, failure["log"])
}

func TestEveryMutatingCommandHoldsTheLock(t *testing.T) {
	b := newBench(t)
	var code int
	var stderr string
	b.at = func(_ context.Context, id string, _ op.Say) error {
		if id == "one" {
			code, _, stderr = b.run("wreck", "--yes")
		}
		return nil
	}
	b.ok("build", "--yes")
	require.Equal(t, 5, code)
	require.Contains(t, stderr, `locked by "build" of `)
	require.Contains(t, stderr, "jomctl unlock --force")
	_, held, err := op.ReadLock(b.path(".jomctl"))
	require.NoError(t, err)
	require.False(t, held, "and gives it back")
}

func TestALostLeaseStopsTheRunForResume(t *testing.T) {
	b := newBench(t)
	lost := make(chan struct{})
	var s *session
	b.inside = func(session *session) { s = session }
	b.at = func(ctx context.Context, id string, _ op.Say) error {
		if id != "one" {
			return nil
		}
		require.NoError(t, s.AddLease(ctx, testLease{lost}))
		close(lost)
		<-ctx.Done()
		return ctx.Err()
	}
	code, _, err := b.run("build", "--yes")
	require.Equal(t, 6, code)
	require.Contains(t, err, "build stopped in one: the lock was lost")
	require.Contains(t, err, "jomctl resume")
}

type testLease struct{ lost chan struct{} }

func (l testLease) Acquire(context.Context, op.Owner) (<-chan struct{}, func(), error) {
	return l.lost, func() {}, nil
}

func TestCtrlCIsResumable(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	b.at = func(ctx context.Context, id string, say op.Say) error {
		if id != "two" {
			return nil
		}
		say("waiting for a leader")
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	code, _, err := b.runContext(ctx, "build", "--yes", "--verbose")
	require.Equal(t, 6, code)
	require.Contains(t, err, "  ...     make two (")
	require.Contains(t, err, "waiting for a leader")
	require.Contains(t, err, "build stopped in two")
	b.at = nil
	b.ok("resume", "--yes")
	require.Len(t, b.made(), 3)
}

func TestABrokenClusterFileIsRefusedBeforeAnythingElse(t *testing.T) {
	b := newBench(t)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: CI_\ntarget: moon\n")
	code, _, err := b.run("build", "--yes")
	require.Equal(t, 2, code)
	require.Contains(t, err, "name")
	require.Contains(t, err, "moon")
	require.NoDirExists(t, b.path(".jomctl"))
}

func TestProbesThatCannotLookStopBeforeTheQuestion(t *testing.T) {
	b := newBench(t)
	streams, _, _, stderr := ui.Buffers()
	a := &app{streams: streams, log: &logFile{}}
	m := &mutator{app: a, cmd: a.rootFor(t), session: &session{}, prepare: func(context.Context, *session) (mutation, error) {
		step := b.step("one")
		step.Probe = func(context.Context) (op.State, error) { return "", errors.New("no route to host") }
		return mutation{Plan: op.Plan{Stages: []op.Stage{{Steps: []op.Step{step}}}}}, nil
	}}
	_, _, err := m.look(context.Background(), m.prepare)
	require.ErrorContains(t, err, "step one: looking at its state: no route to host")
	require.Empty(t, strings.TrimSpace(stderr.String()))
}
