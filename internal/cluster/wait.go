package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

// WaitError is a deployment that did not come true in time, or cannot.
type WaitError struct {
	App string
	// Verdict is the reason in one sentence.
	Verdict string
	// Stderr is the end of the failed task's stderr, where it could be read.
	Stderr string
	Cause  error
}

func (e *WaitError) Error() string {
	text := fmt.Sprintf("wait for app %s: %s", e.App, e.Verdict)
	if e.Cause != nil {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	if e.Stderr != "" {
		text += "\nthe end of its stderr:\n" + e.Stderr
	}
	return text
}

// Unwrap returns the cause, as a rule the context's error.
func (e *WaitError) Unwrap() error { return e.Cause }

// Hint says what to do next.
func (e *WaitError) Hint() string {
	return "`jomctl status` shows the whole cluster; `jomctl resume` goes on from here"
}

const stderrTail = 2000

// WaitDeployed waits until the app is what version says: as many tasks as instances run it, all healthy where there
// are checks, none of an older configuration lives, and no deployment holds the app. It believes the task list and
// never deployment_success, which comes with the first TASK_RUNNING and, after a change of leader, with nothing
// running at all. Version "" means whatever the app's version is. Meanwhile it says in one sentence why it waits,
// each time that changes. When the context ends, the error carries the last such sentence.
func (m Marathon) WaitDeployed(ctx context.Context, appID, version string, say func(string)) (App, error) {
	w := &wait{m: m, id: appID, version: version, say: say}
	w.m.Patience = time.Millisecond // the loop below is the patience
	tick := m.Tick
	if tick == 0 {
		tick = time.Second
	}
	for {
		app, done, err := w.look(ctx)
		if err != nil {
			return app, &WaitError{App: appID, Verdict: err.Error(), Cause: err}
		}
		if done {
			return app, nil
		}
		if stop := pause.For(ctx, tick); stop != nil {
			return app, &WaitError{App: appID, Verdict: w.verdict, Stderr: w.stderr, Cause: stop}
		}
	}
}

type wait struct {
	m       Marathon
	id      string
	version string
	say     func(string)

	verdict string
	stderr  string
	// logged is the failed task whose stderr is in hand.
	logged string
	// seen are the tasks that were found good on the look before.
	seen string
}

// look is one round. Only what no waiting can cure is an error.
func (w *wait) look(ctx context.Context) (App, bool, error) {
	app, err := w.m.App(ctx, w.id)
	switch {
	case errors.Is(err, ErrNotFound):
		return app, false, err
	case ctx.Err() != nil:
		return app, false, nil // keep the last verdict
	case err != nil:
		w.tell("Marathon does not answer: " + lastCause(err).Error())
		return app, false, nil
	case w.version != "" && app.Version < w.version:
		w.seen = ""
		w.tell("Marathon still shows version " + app.Version + " of the app")
		return app, false, nil
	}
	if reason := unsettled(app); reason == "" {
		// A command that fails a second after its start has been RUNNING too: see it twice.
		ids := taskIDs(app)
		if w.seen == ids {
			return app, true, nil
		}
		w.seen = ids
		return app, false, nil
	}
	w.seen = ""
	if reason := w.why(ctx, app); ctx.Err() == nil {
		w.tell(reason)
	}
	return app, false, nil
}

func (w *wait) tell(text string) {
	if text != w.verdict && w.say != nil {
		w.say(text)
	}
	w.verdict = text
}

// unsettled is empty when the app is as it should be.
func unsettled(app App) string {
	current := app.Current()
	old := app.Outdated()
	switch {
	case len(old) > 0:
		return fmt.Sprintf("the old task on %s has not ended", old[0].Host)
	case len(current) < app.Instances:
		return fmt.Sprintf("%d of %d tasks run", len(current), app.Instances)
	case len(current) > app.Instances:
		return fmt.Sprintf("%d tasks run, want %d", len(current), app.Instances)
	}
	if app.HasChecks {
		for _, t := range current {
			if t.Alive == nil {
				return fmt.Sprintf("the task on %s runs, its health is not known yet", t.Host)
			}
			if !*t.Alive {
				return strings.TrimSuffix(fmt.Sprintf("the task on %s runs but is not healthy: %s", t.Host, t.HealthCause), ": ")
			}
		}
	}
	if len(app.Deployments) > 0 {
		return "all tasks run, deployment " + app.Deployments[0] + " is about to end"
	}
	return ""
}

func taskIDs(app App) string {
	var ids []string
	for _, t := range app.Current() {
		ids = append(ids, t.ID)
	}
	return "tasks:" + strings.Join(ids, ",")
}

// why says in one sentence what the app waits for.
func (w *wait) why(ctx context.Context, app App) string {
	if len(app.Outdated()) > 0 || len(app.Current()) >= app.Instances {
		return unsettled(app)
	}
	parts := w.failure(ctx, app)
	item, err := w.m.queued(ctx, w.id)
	switch {
	case err != nil:
		parts = append(parts, "the launch queue cannot be read: "+lastCause(err).Error())
	case item != nil && !item.Delay.Overdue:
		// Whole steps of 5 s: a countdown would be a new sentence each second.
		left := math.Ceil(item.Delay.TimeLeftSeconds/5) * 5
		parts = append(parts, fmt.Sprintf("backing off, next try within %.0f s", max(left, 5)))
	case item != nil:
		parts = append(parts, w.offers(ctx, item))
	default:
		parts = append(parts, starting(app))
	}
	return strings.Join(parts, "; ")
}

// failure is the last task's bad end, if it is one of this version.
func (w *wait) failure(ctx context.Context, app App) []string {
	f := app.LastFailure
	if f == nil || f.Version < app.ConfigVersion {
		return nil
	}
	if w.m.Mesos != nil && w.logged != f.TaskID {
		mesos := *w.m.Mesos
		mesos.Patience = time.Millisecond
		if text, err := mesos.TaskLog(ctx, f.TaskID, "stderr", stderrTail); err == nil {
			w.logged, w.stderr = f.TaskID, strings.TrimSpace(text)
		}
	}
	text := fmt.Sprintf("the last task ended on %s with %s", f.Host, f.State)
	if f.Message != "" {
		text += ": " + f.Message
	}
	if line := lastLine(w.stderr); w.logged == f.TaskID && line != "" {
		text += " (stderr: " + line + ")"
	}
	return []string{text}
}

func (w *wait) offers(ctx context.Context, item *queueItem) string {
	var agents []Agent
	known := false
	if w.m.Mesos != nil {
		mesos := *w.m.Mesos
		mesos.Patience = time.Millisecond
		if state, err := mesos.State(ctx); err == nil {
			agents, known = state.Agents, true
		}
	}
	if text := item.rejects(agents); text != "" {
		return text
	}
	active := 0
	for _, a := range agents {
		if a.Active && !a.Deactivated {
			active++
		}
	}
	if known && active == 0 {
		return fmt.Sprintf("no offers: none of %d Mesos agents is active", len(agents))
	}
	return fmt.Sprintf("waiting for an offer with %s cpus and %s memory", number(item.App.CPUs), mib(item.App.Mem))
}

func starting(app App) string {
	for _, t := range app.Tasks {
		if t.State == "TASK_STAGING" || t.State == "TASK_STARTING" {
			return fmt.Sprintf("the task on %s is in %s", t.Host, t.State)
		}
		if t.State == "TASK_UNREACHABLE" {
			return fmt.Sprintf("the task on %s is unreachable: its Mesos agent is lost", t.Host)
		}
	}
	return unsettled(app)
}

// executorLine is one of the lines that the Mesos executor adds to a task's stderr.
var executorLine = regexp.MustCompile(`^[IWEF]\d{4,8} \d\d:\d\d:\d\d`)

func lastLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !executorLine.MatchString(line) {
			last = line
		}
	}
	return shorten(last, 200)
}

// lastCause drops what a caller has already said itself.
func lastCause(err error) error {
	var e *Error
	for errors.As(err, &e) {
		err = e.Cause
	}
	return err
}
