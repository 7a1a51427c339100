package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jomctl/jomctl/internal/op"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitFindings    = 4
	exitRolledBack  = 7
	exitInterrupted = 130
)

// usageError is a command line that was not understood, or that lacks an answer nobody can be asked for.
type usageError struct{ error }

// Unwrap returns what is wrong.
func (e *usageError) Unwrap() error { return e.error }

// ExitCode is 2.
func (e *usageError) ExitCode() int { return exitUsage }

// Hint is where to read on.
func (e *usageError) Hint() string { return "see `jomctl --help`" }

// reported is an exit code whose message was written already, as the answer.
type reported struct{ code int }

// Error is for the log.
func (e *reported) Error() string { return fmt.Sprintf("ended with exit code %d", e.code) }

// ExitCode is the code.
func (e *reported) ExitCode() int { return e.code }

var (
	_ interface{ ExitCode() int } = (*usageError)(nil)
	_ interface{ Hint() string }  = (*usageError)(nil)
	_ interface{ ExitCode() int } = (*reported)(nil)
)

// failure is an error as users see it.
type failure struct {
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exitCode"`
	Log      string `json:"log,omitempty"`
}

// report is the one place that turns an error into a message and an exit code.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	f := failure{Message: err.Error(), Hint: hintOf(err), ExitCode: exitCode(err), Log: a.log.path}
	if a.global.File != defaultFile && strings.Contains(f.Hint, "`jomctl ") {
		f.Hint += "\n(with --file " + a.global.File + ")"
	}
	a.logger().Error(f.Message, "exitCode", f.ExitCode)
	var panicked *op.PanicError
	if errors.As(err, &panicked) {
		a.logger().Debug("stack of the panic", "stack", string(panicked.Stack))
	}
	var silent *reported
	if errors.As(err, &silent) {
		return f.ExitCode
	}
	if a.lines.fail(f) {
	} else if a.global.Output == formatJSON {
		if err := a.writeJSON(map[string]failure{"error": f}); err != nil {
			fmt.Fprintln(a.streams.Err, "Error:", err)
		}
	}
	fmt.Fprintln(a.streams.Err, a.red("Error:"), indent(f.Message))
	if f.Hint != "" {
		fmt.Fprintln(a.streams.Err, "Hint: ", indent(f.Hint))
	}
	if f.Log != "" {
		fmt.Fprintln(a.streams.Err, "Log:  ", f.Log)
	}
	return f.ExitCode
}

func exitCode(err error) int {
	var coder interface{ ExitCode() int }
	switch {
	case errors.As(err, &coder):
		return coder.ExitCode()
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}

func hintOf(err error) string {
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) {
		return hinter.Hint()
	}
	return ""
}

// indent puts the further lines of a message below its first.
func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n       ") }

func (a *app) red(text string) string {
	if !a.streams.ErrColor() {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
}
