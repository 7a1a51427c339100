package cli

import (
	"context"
	"errors"
	"io"
)

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
