package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// confirmChanges shows a preview and asks whether to make its changes. With --yes nobody reads a preview beforehand, so that only what is
// lost by it is said, in full: it is looked for afterwards.
func (m *mutator) confirmChanges(ctx context.Context, preview op.PlanPreview) error {
	err := m.confirm(ctx, previewText(preview), fmt.Sprintf("%s: make these changes", m.verb()))
	if err == nil && m.app.global.Yes {
		for _, line := range losses(preview, strings.HasPrefix(m.verb(), "control ")) {
			m.app.say("%s", line)
		}
	}
	return err
}

// losses are the changes of a preview that end or take away something, by step; all of its changes where every one counts, as where control
// hosts come or go.
func losses(preview op.PlanPreview, all bool) []string {
	var lines []string
	for _, stage := range preview.Stages {
		for _, step := range stage.Steps {
			changes := slices.DeleteFunc(slices.Clone(step.Changes), func(line string) bool { return !all && !isLoss(line) })
			if len(changes) > 0 {
				lines = append(lines, "  "+step.Title)
			}
			for _, line := range changes {
				lines = append(lines, "          "+ui.Clean(line))
			}
		}
	}
	return lines
}

func isLoss(change string) bool {
	return slices.ContainsFunc([]string{"lost ", "destroy ", "replace ", "what runs on ", "the controller runs on "}, func(begin string) bool { return strings.HasPrefix(change, begin) })
}

// confirm shows what is going to happen and asks for it.
func (m *mutator) confirm(ctx context.Context, text, question string) error {
	if m.app.global.Yes {
		m.app.say("%s", firstLine(text))
		return nil
	}
	if _, err := io.WriteString(m.app.streams.Err, text); err != nil {
		return err
	}
	if !m.app.streams.CanPrompt() {
		return &usageError{errors.New("there is no terminal to ask on: say --yes to go ahead, or --plan to look only")}
	}
	yes, err := askYesNo(ctx, m.app.streams, question)
	if err != nil {
		return err
	}
	if !yes {
		return &declinedError{}
	}
	return nil
}

// declinedError is a question that was answered with no.
type declinedError struct{}

// Error says that nothing happened.
func (*declinedError) Error() string { return "not confirmed: nothing was changed" }

// ExitCode is that of an interrupt: it was ended by hand, before anything was begun.
func (*declinedError) ExitCode() int { return exitInterrupted }

var _ interface{ ExitCode() int } = (*declinedError)(nil)
