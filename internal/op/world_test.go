package op_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

// world is what the steps of a test change: a folder with one file per effect, so that it survives a killed process. A
// file holds one byte per time that the effect was made.
type world struct{ dir string }

func (w world) count(id string) int {
	data, err := os.ReadFile(filepath.Join(w.dir, id))
	if err != nil {
		return 0
	}
	return len(data)
}

func (w world) make(id string) error {
	file, err := os.OpenFile(filepath.Join(w.dir, id), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString("x")
	return err
}

func (w world) remove(id string) error { return os.Remove(filepath.Join(w.dir, id)) }

// step is a step with one effect that is probed.
func (w world) step(id string) op.Step {
	return op.Step{
		ID:    id,
		Title: "make " + id,
		Probe: func(context.Context) (op.State, error) {
			if w.count(id) > 0 {
				return op.Done, nil
			}
			return op.Needed, nil
		},
		Do:   func(context.Context, op.Say) error { return w.make(id) },
		Undo: func(context.Context, op.Say) error { return w.remove(id) },
		Verify: func(context.Context, op.Say) error {
			if w.count(id) != 1 {
				return fmt.Errorf("%s was made %d times", id, w.count(id))
			}
			return nil
		},
		Changes: func(context.Context) []string { return []string{"+ " + id} },
	}
}

// plan has a stage of two, a parallel stage of three and a last one.
func (w world) plan() op.Plan {
	return op.Plan{Verb: "install", Stages: []op.Stage{
		{Name: "first", Steps: []op.Step{w.step("a1"), w.step("a2")}},
		{Name: "agents", Parallel: true, Steps: []op.Step{w.step("b1"), w.step("b2"), w.step("b3")}},
		{Name: "last", Steps: []op.Step{w.step("c1")}},
	}}
}

var planIDs = []string{"a1", "a2", "b1", "b2", "b3", "c1"}

func (w world) counts() map[string]int {
	counts := map[string]int{}
	for _, id := range planIDs {
		if n := w.count(id); n > 0 {
			counts[id] = n
		}
	}
	return counts
}

func onceEach() map[string]int {
	counts := map[string]int{}
	for _, id := range planIDs {
		counts[id] = 1
	}
	return counts
}

// edit changes one step of a plan.
func edit(plan op.Plan, id string, change func(*op.Step)) op.Plan {
	for s := range plan.Stages {
		for i := range plan.Stages[s].Steps {
			if step := &plan.Stages[s].Steps[i]; step.ID == id {
				change(step)
			}
		}
	}
	return plan
}

// events is an observer that writes down what it hears.
type events struct {
	mu    sync.Mutex
	lines []string
}

var _ op.Observer = (*events)(nil)

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}

func (e *events) StageStarted(stage op.Stage)        { e.add("stage %s", stage.Name) }
func (e *events) StepStarted(step op.Step)           { e.add("start %s", step.ID) }
func (e *events) StepSaid(step op.Step, text string) { e.add("said %s: %s", step.ID, text) }
func (e *events) StepEnded(step op.Step, r op.StepResult) {
	e.add("end %s: %s", step.ID, r.Outcome)
}
func (e *events) RunEnded(r op.Result, err error) { e.add("ended: %s", r.Outcome) }

func journal(t *testing.T) *op.Journal {
	t.Helper()
	j, err := op.CreateJournal(t.TempDir(), "install")
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// told lists a journal's records as "kind step" or "kind outcome".
func told(log op.Log) []string {
	lines := []string{}
	for _, record := range log.Records {
		line := string(record.Kind)
		if record.Step != "" {
			line += " " + record.Step
		}
		if record.Outcome != "" {
			line += " " + string(record.Outcome)
		}
		lines = append(lines, line)
	}
	return lines
}

func outcomes(result op.Result) map[string]op.Outcome {
	out := map[string]op.Outcome{}
	for _, step := range result.Steps {
		out[step.ID] = step.Outcome
	}
	return out
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var coder interface{ ExitCode() int }
	require.ErrorAs(t, err, &coder)
	return coder.ExitCode()
}

func hint(t *testing.T, err error) string {
	t.Helper()
	var hinter interface{ Hint() string }
	require.ErrorAs(t, err, &hinter)
	return hinter.Hint()
}

var errBoom = errors.New("boom")

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

func sorted(values []string) []string {
	values = slices.Clone(values)
	slices.Sort(values)
	return values
}
