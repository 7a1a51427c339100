package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// writeJSON writes one value to stdout.
func (a *app) writeJSON(value any) error {
	encoder := json.NewEncoder(a.streams.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// say writes one line to stderr and to the log.
func (a *app) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.logger().Info(text)
	fmt.Fprintln(a.streams.Err, text)
}

// previewText is the preview for people: what is to do, with counts of what is done.
func previewText(preview op.PlanPreview) string {
	var text strings.Builder
	total := 0
	for _, stage := range preview.Stages {
		total += len(stage.Steps)
	}
	open := len(preview.Open())
	if open == 0 {
		return fmt.Sprintf("%s: nothing to do, all %d steps are done\n", preview.Verb, total)
	}
	fmt.Fprintf(&text, "%s: %d of %d steps to do\n", preview.Verb, open, total)
	for _, stage := range preview.Stages {
		writeStage(&text, stage)
	}
	return text.String()
}

// changesShown is how many changes of one kind the preview lists for a step: nobody reads on when each folder has a line.
const changesShown = 3

// writeChanges leaves out changes only where many begin with the same word. What is lost is listed in full.
func writeChanges(w io.Writer, changes []string) {
	kind := func(line string) string {
		word, _, _ := strings.Cut(line, " ")
		return word
	}
	total, shown, more := map[string]int{}, map[string]int{}, 0
	for _, line := range changes {
		total[kind(line)]++
	}
	for _, line := range changes {
		k := kind(line)
		if shown[k]++; k != "lost" && shown[k] > changesShown && total[k] > changesShown+1 {
			more++
			continue
		}
		fmt.Fprintf(w, "          %s\n", ui.Clean(line))
	}
	if more > 0 {
		fmt.Fprintf(w, "          and %d more (all of them with --plan -o json)\n", more)
	}
}

func writeStage(w io.Writer, stage op.StagePreview) {
	done := 0
	for _, step := range stage.Steps {
		if step.Err == nil && step.State == op.Done {
			done++
		}
	}
	if done == len(stage.Steps) {
		fmt.Fprintf(w, "%s: done\n", stage.Name)
		return
	}
	fmt.Fprintf(w, "%s\n", stage.Name)
	for _, step := range stage.Steps {
		switch {
		case step.Err != nil:
			fmt.Fprintf(w, "  error   %s: %s\n", step.Title, ui.Clean(step.Err.Error()))
		case step.State != op.Done:
			fmt.Fprintf(w, "  %-7s %s\n", step.State, step.Title)
		}
		writeChanges(w, step.Changes)
	}
	if done > 0 {
		fmt.Fprintf(w, "  (%d done)\n", done)
	}
}

// stepResultJSON is one step of a run as -o json shows it.
type stepResultJSON struct {
	ID      string     `json:"id"`
	Outcome op.Outcome `json:"outcome"`
	Elapsed float64    `json:"elapsedSeconds"`
}

// writeResult writes a run as one object, or as the last of its lines.
func (a *app) writeResult(result op.Result, journal string, answer map[string]any) error {
	out := a.resultData(result, journal, answer)
	if a.lines.note(out) {
		return nil
	}
	return a.writeJSON(out)
}

// resultData is a run as -o json shows it: what the command has to say itself, and what is the same for all commands.
func (a *app) resultData(result op.Result, journal string, answer map[string]any) map[string]any {
	steps := []stepResultJSON{}
	for _, step := range result.Steps {
		steps = append(steps, stepResultJSON{step.ID, step.Outcome, step.Elapsed.Seconds()})
	}
	out := map[string]any{"run": result.RunID, "verb": result.Verb, "outcome": result.Outcome, "elapsedSeconds": result.Elapsed.Seconds(),
		"steps": steps, "log": a.log.path}
	if journal != "" {
		out["journal"] = journal
	}
	maps.Copy(out, answer)
	return out
}
