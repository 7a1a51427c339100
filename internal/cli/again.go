package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/op"
)

// again says that a command is carried out once more, with the journal of its first time.
type again struct {
	journal  string
	rollback bool
}

// noRunError says that there is nothing to take back. For resume that is no failure.
type noRunError struct{ dir string }

// Error names the folder that was looked at.
func (e *noRunError) Error() string {
	return "nothing to roll back: no unfinished run in " + e.dir
}

// Hint is the usual reason.
func (e *noRunError) Hint() string {
	return "the state is kept beside the cluster file: is --file the one that the run was started with?"
}

var _ interface{ Hint() string } = (*noRunError)(nil)

// carryOn runs the command of the newest unfinished journal again.
func (a *app) carryOn(ctx context.Context, verb string) error {
	log, err := op.LastRun(a.global.journalDir())
	if errors.Is(err, op.ErrNoRun) && verb != op.VerbRollback {
		return a.nothingToResume()
	}
	if errors.Is(err, op.ErrNoRun) {
		return &noRunError{dir: a.global.journalDir()}
	}
	if err != nil {
		return err
	}
	meta := log.Meta()
	if newest := log.Last().Args; len(newest) > 0 { // a command that was given again may have been given with other options
		meta.Args = newest
	}
	if len(meta.Args) == 0 {
		return fmt.Errorf("reading the journal %s: it does not say which command it is about", log.Path)
	}
	rollback := verb == op.VerbRollback || log.Last().Verb == op.VerbRollback
	what := "resuming"
	if rollback {
		what = "rolling back"
	}
	a.say("%s %s, begun %s by %s@%s", what, meta.Verb, log.Records[0].Time.Local().Format("2006-01-02 15:04"), meta.User, meta.Host)
	inner := &app{streams: a.streams, global: a.global, log: a.log, lines: a.lines, commands: a.commands, again: &again{journal: log.Path, rollback: rollback}}
	return inner.run(ctx, meta.Args)
}

// nothingToResume is the answer of a resume after which all is as it should be.
func (a *app) nothingToResume() error {
	a.say("nothing to resume: no unfinished run in %s", a.global.journalDir())
	if a.global.Output == formatJSON {
		return a.writeResult(op.Result{Verb: "resume", Outcome: op.OutcomeDone}, "", nil)
	}
	return nil
}

// commandLine is what has to be typed to get the same command with the same options of its own. The flags that all
// commands have are left out: whoever resumes gives them anew, --yes above all.
func commandLine(cmd *cobra.Command, args []string) []string {
	var line []string
	for c := cmd; c.HasParent(); c = c.Parent() {
		line = append([]string{c.Name()}, line...)
	}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if cmd.Root().PersistentFlags().Lookup(flag.Name) != nil {
			return
		}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			for _, value := range list.GetSlice() {
				line = append(line, "--"+flag.Name+"="+value)
			}
			return
		}
		line = append(line, "--"+flag.Name+"="+flag.Value.String())
	})
	if len(args) > 0 {
		line = append(append(line, "--"), args...)
	}
	return line
}
