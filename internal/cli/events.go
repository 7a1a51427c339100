package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// event is one line of a run with -o json.
type event struct {
	Time  time.Time `json:"time"`
	Stage string    `json:"stage,omitempty"`
	Step  string    `json:"step,omitempty"`
	Title string    `json:"title,omitempty"`
	// State is started, said, or how a step ended. The last line's is ended.
	State string `json:"state"`
	Text  string `json:"text,omitempty"`
	// Took is how long the step took that has ended.
	Took float64 `json:"tookSeconds,omitempty"`
	// Elapsed is since this command began, Left until the reserve of the window begins: negative in it, nil without a window.
	Elapsed float64  `json:"elapsedSeconds"`
	Left    *float64 `json:"windowLeftSeconds,omitempty"`
}

// lastLine is the line after all events.
type lastLine struct {
	Time     time.Time      `json:"time"`
	State    string         `json:"state"`
	ExitCode int            `json:"exitCode"`
	Error    *failure       `json:"error,omitempty"`
	Result   map[string]any `json:"result,omitempty"`
}

// eventLines writes the events of one command line. Until start, and as nil, it does nothing.
type eventLines struct {
	w       io.Writer
	result  map[string]any
	failure *failure
	err     error
}

// start begins the writing. From here on a reader that goes away does not end the run.
func (l *eventLines) start(w io.Writer) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	l.w = w
}

func (l *eventLines) on() bool { return l != nil && l.w != nil }

func (l *eventLines) write(line any) {
	encoder := json.NewEncoder(l.w)
	encoder.SetEscapeHTML(false)
	l.err = errors.Join(l.err, encoder.Encode(line))
}

// note keeps what the last line will have as the result; false means that no lines are written.
func (l *eventLines) note(result map[string]any) bool {
	if l.on() {
		l.result = result
	}
	return l.on()
}

// fail keeps the error of the last line; false means that no lines are written.
func (l *eventLines) fail(f failure) bool {
	if l.on() {
		l.failure = &f
	}
	return l.on()
}

// end writes the last line. The error is that of any of them.
func (l *eventLines) end(code int) error {
	if !l.on() {
		return nil
	}
	l.write(lastLine{Time: time.Now().UTC(), State: "ended", ExitCode: code, Error: l.failure, Result: l.result})
	if l.err != nil {
		return fmt.Errorf("writing the events: %w", l.err)
	}
	return nil
}

// event writes what a step does.
func (w watch) event(step op.Step, e event) {
	if !w.lines.on() {
		return
	}
	e.Time, e.Stage, e.Step, e.Title, e.Elapsed = time.Now().UTC(), w.stages[step.ID], step.ID, step.Title, time.Since(w.spent.began).Seconds()
	if until := w.spent.until.Load(); until != nil {
		seconds := time.Until(*until).Seconds()
		e.Left = &seconds
	}
	w.lines.write(e)
}

// stagesOf are the names of the stages by the ids of their steps.
func stagesOf(plan op.Plan) map[string]string {
	names := map[string]string{}
	for _, stage := range plan.Stages {
		for _, step := range stage.Steps {
			names[step.ID] = stage.Name
		}
	}
	return names
}

// spent is how long a run has taken and may still take. It is read while the run goes on.
type spent struct {
	began time.Time
	// ask is nil for a command that knows no windows.
	ask   func() *time.Time
	until atomic.Pointer[time.Time]
}

// look learns the deadline. It is called between the steps, as a step may set it.
func (s *spent) look() {
	if s.ask != nil {
		s.until.Store(s.ask())
	}
}

// text is empty for a command that knows no windows.
func (s *spent) text() string {
	if s.ask == nil {
		return ""
	}
	text := ui.Elapsed(time.Since(s.began)) + " so far"
	until := s.until.Load()
	if until == nil {
		return text
	}
	left := time.Until(*until)
	if left <= 0 {
		return text + ", in the reserve of the window"
	}
	return text + ", " + ui.Elapsed(left) + " until the reserve of the window"
}
