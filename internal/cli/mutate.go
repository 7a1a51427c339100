package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// mutation is what a command wants to change.
type mutation struct {
	// Plan is the whole change. Its Verb is replaced by the command's.
	Plan op.Plan
	// Closes says that after it nothing is left to resume (destroy).
	Closes bool
	// Answer, where set, is asked after a run in which everything went well or nothing was to do: text is what stdout gets,
	// with -o json the keys of data are added to those of the run. An error of it, such as one with exit code 4, is the command's.
	Answer func(ctx context.Context, result op.Result) (text string, data map[string]any, err error)
	// Next, where set, prepares what comes after Plan and can be planned only when Plan is carried out. It goes on in the same
	// journal, and the answer is its.
	Next prepare
	// TakeBack, where set, says of a run that ended with an error whether it is to be taken back at once.
	TakeBack func(cause error) bool
	// Deadline, where set, is until when a run in a maintenance window may change something, nil without one. It is asked between the steps.
	Deadline func() *time.Time
	// Advice, where set, is what else can be done after a run that has failed half-way.
	Advice string
	// Discard, where set, is called in the end, whether or not Plan was carried out.
	Discard func() error
}

func (c mutation) discard() error {
	if c.Discard == nil {
		return nil
	}
	return c.Discard()
}

// session is what a mutating command is prepared with. The lock is held, except for --plan.
type session struct {
	Cluster *config.Cluster
	RunID   string
	Log     *slog.Logger
	// Streams are for questions that the plan depends on.
	Streams ui.Streams
	// Yes says that nothing is to be asked.
	Yes bool
	// AddLease takes a second lock that the run stands and falls with; a step may call it as soon as ZooKeeper serves. With
	// --plan it does nothing.
	AddLease func(ctx context.Context, lease op.Lease) error
	// Say writes one line to stderr and the log, outside of steps.
	Say func(format string, args ...any)
}

// prepare makes a mutation of the cluster file and the command's own options. It may look at the world, not change it.
type prepare func(ctx context.Context, s *session) (mutation, error)

// mutating makes a command that changes the cluster of a cobra.Command without RunE: it gets the flag --plan, and runs
// lock, prepare, preview, confirmation, run, answer. What is typed after jomctl is the verb of its journal.
func (a *app) mutating(cmd *cobra.Command, p prepare) *cobra.Command {
	return a.mutatingOf(cmd, manner{load: config.Load}, p)
}

// manner is how a mutating command differs from the others.
type manner struct {
	// load is the way from the path of the cluster file to the cluster.
	load func(string) (*config.Cluster, error)
	// makesRoom says that the command must work on a full disk.
	makesRoom bool
	// lines says that -o json writes the run event by event, as lines.
	lines bool
}

// mutatingOf is mutating in another manner.
func (a *app) mutatingOf(cmd *cobra.Command, how manner, p prepare) *cobra.Command {
	planOnly := false
	cmd.Flags().BoolVar(&planOnly, "plan", false, "show what would be done, and do nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cluster, err := how.load(a.global.File)
		if err != nil {
			return err
		}
		// A look does not fail for the lack of a log.
		if err := a.openLog(cmd.Name()); err != nil && !planOnly && !(how.makesRoom && op.NoRoom(err)) {
			return err
		}
		m := &mutator{app: a, cmd: cmd, args: args, prepare: p, makesRoom: how.makesRoom}
		m.session = &session{Cluster: cluster, RunID: uuid.NewString(), Log: a.logger(), Streams: a.streams, Yes: a.global.Yes, Say: a.say,
			AddLease: func(context.Context, op.Lease) error { return nil }}
		if planOnly {
			return m.plan(cmd.Context())
		}
		if how.lines && a.global.Output == formatJSON {
			a.lines.start(a.streams.Out)
		}
		return m.locked(cmd.Context())
	}
	return cmd
}

// mutator is one run of a mutating command.
type mutator struct {
	app     *app
	cmd     *cobra.Command
	args    []string
	prepare prepare
	session *session
	// makesRoom is that of manner.
	makesRoom bool
}

// verb is the command as it is typed after jomctl.
func (m *mutator) verb() string {
	return strings.TrimPrefix(m.cmd.CommandPath(), m.cmd.Root().Name()+" ")
}

func (m *mutator) plan(ctx context.Context) (err error) {
	change, preview, err := m.look(ctx, m.prepare)
	defer func() { err = errors.Join(err, change.discard()) }()
	if err == nil && change.Next != nil && preview.Empty() {
		m.nothing(change)
		_, preview, err = m.look(ctx, change.Next)
	} else if err == nil && change.Next != nil {
		m.app.say("This is the first part. The rest depends on it, and is shown when this is done.")
	}
	if err != nil {
		return err
	}
	if m.app.global.Output == formatJSON {
		return m.app.writeJSON(preview)
	}
	_, err = io.WriteString(m.app.streams.Out, previewText(preview))
	return err
}

// nothing says that a first part is done already.
func (m *mutator) nothing(change mutation) {
	m.app.say("%s: nothing to do", strings.ToLower(change.Plan.Stages[0].Name))
}

// look prepares a mutation and asks its probes.
func (m *mutator) look(ctx context.Context, p prepare) (mutation, op.PlanPreview, error) {
	change, err := p(ctx, m.session)
	if err != nil {
		return change, op.PlanPreview{}, err
	}
	change.Plan.Verb = m.verb()
	preview, err := op.Preview(ctx, change.Plan)
	if err != nil {
		return change, op.PlanPreview{}, err
	}
	return change, preview, preview.Err()
}

func (m *mutator) locked(ctx context.Context) error {
	lock, held, err := op.AcquireLock(ctx, m.app.global.stateDir(), op.CurrentOwner(m.session.RunID, m.verb()),
		op.LockOptions{Note: func(text string) { m.app.say("Note: %s", text) }, Unwritten: m.makesRoom})
	if err != nil {
		return err
	}
	m.session.AddLease = lock.AddLease
	if _, err = m.app.undoDrills(held, m.session.Cluster); err != nil && m.makesRoom {
		m.app.say("Warning: %v", err) // what takes the cluster away takes the faults away with it
		err = nil
	}
	if err == nil {
		err = m.change(held)
	}
	return errors.Join(err, lock.Release())
}

// change previews, asks and runs, or rolls back.
func (m *mutator) change(ctx context.Context) error {
	if err := m.halfWay(); err != nil {
		return err
	}
	before, err := m.unfinished()
	if err != nil {
		return err
	}
	if m.app.again != nil && m.app.again.rollback {
		return m.rollBack(ctx, before)
	}
	return m.carryOut(ctx, m.prepare, before)
}

// carryOut previews, asks and runs one mutation and what comes after it. before is the journal to go on with.
func (m *mutator) carryOut(ctx context.Context, p prepare, before string) (err error) {
	change, preview, err := m.look(ctx, p)
	defer func() { err = errors.Join(err, change.discard()) }()
	if err != nil {
		return err
	}
	if preview.Empty() && change.Next != nil {
		m.nothing(change)
		return m.carryOut(ctx, change.Next, before)
	}
	if preview.Empty() && before == "" {
		m.app.say("%s", firstLine(previewText(preview)))
		return m.answer(ctx, change, op.Result{RunID: m.session.RunID, Verb: m.verb(), Outcome: op.OutcomeDone}, "")
	}
	if !preview.Empty() {
		if err := m.confirmChanges(ctx, preview); err != nil {
			return err
		}
	}
	result, path, err := m.run(ctx, change, before)
	if err != nil && change.TakeBack != nil && change.TakeBack(err) {
		return m.takeBack(ctx, change, path, err)
	}
	if err != nil {
		return change.advise(err)
	}
	if change.Next != nil {
		return m.carryOut(ctx, change.Next, path)
	}
	return m.answer(ctx, change, result, path)
}

// run carries out a plan and returns its journal, too.
func (m *mutator) run(ctx context.Context, change mutation, before string) (op.Result, string, error) {
	journal, err := m.journal(before)
	if err != nil {
		return op.Result{}, "", err
	}
	defer journal.Close()
	opts, undraw := m.options(ctx, journal, change)
	defer undraw()
	result, err := op.Run(ctx, change.Plan, opts)
	m.app.lines.note(m.app.resultData(result, journal.Path(), nil))
	return result, journal.Path(), err
}

func (m *mutator) answer(ctx context.Context, change mutation, result op.Result, journal string) error {
	text, data, err := "", map[string]any(nil), error(nil)
	if change.Answer != nil {
		if text, data, err = change.Answer(ctx, result); err != nil && data == nil {
			return err
		}
	}
	if m.app.global.Output != formatJSON {
		_, writeErr := io.WriteString(m.app.streams.Out, text)
		return errors.Join(err, writeErr)
	}
	if writeErr := m.app.writeResult(result, journal, data); writeErr != nil || err == nil {
		return writeErr
	}
	m.app.say("%v", err)
	return &reported{exitCode(err)}
}

// options starts drawing, too; what it returns second ends that.
func (m *mutator) options(ctx context.Context, journal *op.Journal, change mutation) (opts op.Options, undraw func()) {
	owner := op.CurrentOwner(m.session.RunID, m.verb())
	progress := ui.NewProgress(m.app.streams, m.app.global.Verbose)
	spent := &spent{began: time.Now(), ask: change.Deadline}
	progress.Status(spent.text)
	stopping := context.AfterFunc(ctx, func() {
		progress.Line("stopping as soon as the running steps have let go; a second Ctrl-C ends them at once")
	})
	undraw = func() {
		stopping()
		progress.Close()
	}
	return op.Options{
		Journal:  journal,
		Observer: watch{progress: progress, log: m.app.logger(), undraw: undraw, spent: spent, lines: m.app.lines, stages: stagesOf(change.Plan)},
		Meta: op.Meta{
			RunID: owner.RunID, User: owner.User, Host: owner.Host, PID: owner.PID, Closes: change.Closes,
			Args: commandLine(m.cmd, m.args), Version: currentBuild().Version, ConfigSHA256: fileSum(m.app.global.File),
		},
	}, undraw
}
