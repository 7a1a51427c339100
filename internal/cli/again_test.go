package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
)

// rootFor is the root command of an app without commands of its own.
func (a *app) rootFor(t *testing.T) *cobra.Command {
	t.Helper()
	a.commands = func(*app) []*cobra.Command { return nil }
	return a.root()
}

func TestResumeRunsTheSameCommandAgain(t *testing.T) {
	b := newBench(t)
	b.fails("two")
	code, _, _ := b.run("build", "--with=a b", "--with", "c,d", "--yes", "thing")
	require.Equal(t, 1, code)
	code, _, err := b.run("resume", "--yes")
	require.Equal(t, 1, code)
	require.Contains(t, err, "resuming build, begun ")
	b.at = nil
	code, _, err = b.run("resume")
	require.Equal(t, 2, code, "the consent of the first time is not one for now")
	require.Contains(t, err, "--yes")
	out, _ := b.ok("resume", "--yes", "-o", "json")
	require.Equal(t, "done", decode(t, out)["outcome"])
	require.Len(t, b.made(), 3)
	require.Len(t, b.files("journal"), 1, "it goes on with its journal")
	require.Equal(t, []string{"[a b c,d]", "[a b c,d]", "[a b c,d]", "[a b c,d]"}, b.seen)
	log, readErr := op.ReadJournal(b.files("journal")[0])
	require.NoError(t, readErr)
	require.Equal(t, []string{"build", "--with=a b", "--with=c,d", "--", "thing"}, log.Meta().Args)
	require.Equal(t, "build", log.Meta().Verb)
	require.NotEmpty(t, log.Meta().ConfigSHA256)

	out, err = b.ok("resume", "--yes")
	require.Empty(t, out)
	require.Contains(t, err, "nothing to resume: no unfinished run in "+b.path(".jomctl", "journal"))
	require.NotContains(t, err, "Error:")
	out, _ = b.ok("resume", "-o", "json")
	answer := decode(t, out)
	require.Equal(t, []any{"resume", "done", []any{}}, []any{answer["verb"], answer["outcome"], answer["steps"]})
	require.Len(t, b.seen, 4, "no command is run")
}

func TestRunningTheCommandAgainGoesOnWithItsJournal(t *testing.T) {
	b := newBench(t)
	b.fails("three")
	code, _, _ := b.run("build", "--yes")
	require.Equal(t, 1, code)
	b.at = nil
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: other\ntarget: local\n")
	_, err := b.ok("build", "--yes")
	require.Contains(t, err, "has changed since the unfinished build")
	require.Len(t, b.files("journal"), 1)
}

func TestRollbackTakesBackTheUnfinishedRun(t *testing.T) {
	b := newBench(t)
	b.write("one", "")
	b.fails("three")
	code, _, _ := b.run("build", "--yes")
	require.Equal(t, 1, code)
	require.Equal(t, []string{"one", "two"}, b.made())
	code, _, err := b.run("rollback")
	require.Equal(t, 2, code)
	require.Contains(t, err, "rollback of build: 2 steps to take back\n  two\n  three\n")
	code, out, err := b.run("rollback", "--yes", "-o", "json")
	require.Equal(t, 7, code)
	require.Equal(t, "rolled-back", decode(t, out)["outcome"])
	require.Contains(t, err, "build rolled back: 2 steps taken back, 0 kept")
	require.NotContains(t, err, "Error:")
	require.Equal(t, []string{"one"}, b.made(), "what was there before stays")
	code, _, err = b.run("rollback", "--yes")
	require.Equal(t, 1, code)
	require.Contains(t, err, "nothing to roll back: no unfinished run in ")
	require.Contains(t, err, "is --file the one")
}

func TestAnotherVerbLeavesTheUnfinishedRunResumable(t *testing.T) {
	b := newBench(t)
	b.fails("three")
	code, _, _ := b.run("build", "--yes")
	require.Equal(t, 1, code)
	b.at = nil
	_, err := b.ok("wreck", "--yes")
	require.Contains(t, err, "an unfinished build of ")
	_, err = b.ok("resume", "--yes")
	require.Contains(t, err, "nothing to resume", "after a run that closes what was before")
}

func TestResumeOfAJournalWithoutCommand(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.MkdirAll(b.path(".jomctl", "journal"), 0o700))
	path := filepath.Join(b.path(".jomctl", "journal"), "x.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"kind":"begin","step":"a"}`+"\n"), 0o600))
	code, _, err := b.run("resume")
	require.Equal(t, 1, code)
	require.Contains(t, err, "does not say which command")
}

// TestResumeGivesTheAnswersOfAnInstallAgain keeps an install that was started with flags resumable.
func TestResumeGivesTheAnswersOfAnInstallAgain(t *testing.T) {
	args := []string{"--name=ci", "--base-address=127.0.69.0", "--host=m1=10.0.0.1:control", "--host=a1=10.0.0.2:mesos-agent", "--proof-builds=3"}
	first, again := newInstallCommand(&app{}), newInstallCommand(&app{})
	require.NoError(t, first.ParseFlags(args))
	line := commandLine(first, nil)
	require.ElementsMatch(t, args, line)
	require.NoError(t, again.ParseFlags(line))
	require.Equal(t, line, commandLine(again, nil))
}
