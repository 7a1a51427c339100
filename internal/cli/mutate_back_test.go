package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

// cutOffControl leaves a change of the control hosts behind that has failed in the last of the steps.
func cutOffControl(t *testing.T, b *bench, before string, steps ...string) {
	t.Helper()
	const after = "apiVersion: jomctl/v1\nname: ci\ntarget: local\nlocal: {control: 3}\n"
	record, err := json.Marshal(map[string]string{"cluster": after, "before": before})
	require.NoError(t, err)
	b.write("cluster.yaml", after)
	require.NoError(t, os.MkdirAll(b.path(".jomctl"), 0o700))
	b.write(".jomctl/control-change.json", string(record))
	journal, err := op.CreateJournal(b.path(".jomctl", "journal"), "control add")
	require.NoError(t, err)
	defer journal.Close()
	stage := op.Stage{Name: "all"}
	for n, id := range steps {
		stage.Steps = append(stage.Steps, op.Step{ID: id, Title: id, Probe: func(context.Context) (op.State, error) { return op.Needed, nil },
			Do: func(context.Context, op.Say) error {
				if n == len(steps)-1 {
					return errors.New("it fell over")
				}
				return nil
			}})
		if n < len(steps)-1 { // which must be done after its Do
			done := false
			stage.Steps[n].Probe = func(context.Context) (op.State, error) {
				if done {
					return op.Done, nil
				}
				done = true
				return op.Needed, nil
			}
		}
	}
	_, err = op.Run(t.Context(), op.Plan{Verb: "control add", Stages: []op.Stage{stage}},
		op.Options{Journal: journal, Meta: op.Meta{Args: []string{"control", "add", "--", "c2", "c3"}}})
	require.ErrorContains(t, err, "it fell over")
}

func TestAChangeOfTheControlHostsIsTakenBackAsLongAsItCan(t *testing.T) {
	const before = "apiVersion: jomctl/v1\nname: ci # mine\ntarget: local\n"
	b := newBench(t)
	cutOffControl(t, b, before, "control-change", "cluster-file", "zookeeper-c2")
	code, _, err := b.run("rollback", "--yes")
	require.Equal(t, 3, code, err)
	require.Contains(t, err, "it has come to zookeeper-c2")
	require.Contains(t, err, "go on with `jomctl resume`")
	require.FileExists(t, b.path(".jomctl", "control-change.json"))

	b = newBench(t)
	cutOffControl(t, b, before, "control-change", "cluster-file", "admin-password")
	code, _, err = b.run("rollback", "--yes")
	require.Equal(t, 7, code, err)
	require.Contains(t, err, "2 steps taken back, 1 kept")
	text, readErr := os.ReadFile(b.path("cluster.yaml"))
	require.NoError(t, readErr)
	require.Equal(t, before, string(text))
	require.NoFileExists(t, b.path(".jomctl", "control-change.json"))
	_, err = b.ok("resume", "--yes")
	require.Contains(t, err, "nothing to resume")
}

func TestAFailureHalfWayNamesWhatElseCanBeDone(t *testing.T) {
	half, none := &op.StepError{Verb: "control add", Step: "base-m2", Begun: true, Err: errors.New("x")}, &op.StepError{Verb: "control add", Step: "war", Err: errors.New("x")}
	change := mutation{Advice: controlAdvice}
	require.Equal(t, "go on with `jomctl resume` (or the same command again): finished steps are skipped\n"+controlAdvice, hintOf(change.advise(half)))
	require.Equal(t, 1, exitCode(change.advise(half)))
	require.Equal(t, hintOf(none), hintOf(change.advise(none)))
}
