package cli

import (
	"log/slog"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// watch passes what a run does on to the terminal and to the log.
type watch struct {
	progress *ui.Progress
	log      *slog.Logger
	// undraw ends the drawing.
	undraw func()
	spent  *spent
	// lines get the events, too; stages are the names of stages by the ids of their steps.
	lines  *eventLines
	stages map[string]string
}

var _ op.Observer = watch{}

func (w watch) StageStarted(stage op.Stage) {
	w.log.Info("stage", "name", stage.Name, "steps", len(stage.Steps), "parallel", stage.Parallel)
	w.spent.look()
	name := stage.Name
	if text := w.spent.text(); text != "" && name != "" {
		name += " (" + text + ")"
	}
	w.progress.Stage(name)
}

func (w watch) StepStarted(step op.Step) {
	w.spent.look()
	w.log.Debug("step started", "step", step.ID)
	w.progress.Start(step.ID, step.Title)
	w.event(step, event{State: "started"})
}

func (w watch) StepSaid(step op.Step, text string) {
	w.log.Debug(text, "step", step.ID)
	w.progress.Say(step.ID, text)
	w.event(step, event{State: "said", Text: text})
}

func (w watch) StepEnded(step op.Step, result op.StepResult) {
	w.spent.look()
	attrs := []any{"step", step.ID, "outcome", result.Outcome, "elapsed", result.Elapsed}
	mark, note := ui.MarkDone, ""
	switch result.Outcome {
	case op.OutcomeSkipped:
		mark = ui.MarkSkipped
	case op.OutcomeFailed:
		mark, note = ui.MarkFailed, result.Err.Error()
	case op.OutcomeStopped:
		mark = ui.MarkStopped
	case op.OutcomeRolledBack:
		mark = ui.MarkUndone
	case op.OutcomeKept:
		mark, note = ui.MarkSkipped, "stays, it has no undo"
	}
	if result.Err != nil {
		attrs = append(attrs, "error", result.Err)
	}
	w.log.Info("step ended", attrs...)
	w.progress.End(step.ID, mark, note, result.Elapsed)
	w.event(step, event{State: string(result.Outcome), Text: note, Took: result.Elapsed.Seconds()})
}

func (w watch) RunEnded(result op.Result, err error) {
	w.undraw()
	w.log.Info("run ended", "run", result.RunID, "verb", result.Verb, "outcome", result.Outcome, "elapsed", result.Elapsed, "error", err)
}
