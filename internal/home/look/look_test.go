package look

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/restore"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}

// kept is a home with two commits, the second of which changed jobs/a.
func kept(t *testing.T) (home string, c history.Config) {
	t.Helper()
	dir := t.TempDir()
	home, remote := filepath.Join(dir, "home"), filepath.Join(dir, "remote.git")
	out, err := exec.Command("git", "init", "--quiet", "--bare", remote).CombinedOutput()
	require.NoError(t, err, "%s", out)
	c = history.Config{State: filepath.Join(dir, "history"), Repository: remote, Branch: "main"}
	write(t, filepath.Join(home, "config.xml"), "<hudson/>")
	for _, text := range []string{"<project>1</project>", "<project>2</project>"} {
		write(t, filepath.Join(home, "jobs/a/config.xml"), text)
		run := &history.Run{Config: c, Home: home, Host: "one"}
		require.NoError(t, run.Open(t.Context()))
		run.Start()
		require.NoError(t, run.Close(t.Context()))
	}
	return home, c
}

// over asks as jomctl does, with the question and the answer as text.
func over(t *testing.T, home string, c history.Config, q Question) (Answer, error) {
	t.Helper()
	text, err := json.Marshal(q)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, Serve(t.Context(), home, c, string(text), &out))
	return Read(out.String())
}

func TestQuestionsAboutAHomeAreAnsweredOverAWire(t *testing.T) {
	home, c := kept(t)
	answer, err := over(t, home, c, Question{Verb: Log, Count: 10, Paths: []string{"jobs/a"}})
	require.NoError(t, err)
	require.Len(t, answer.Log, 2)
	require.Equal(t, int64(2), answer.Log[0].Epoch)
	first := answer.Log[1].Commit

	answer, err = over(t, home, c, Question{Verb: Diff, Commits: []string{first}, Paths: []string{"jobs/a/"}})
	require.NoError(t, err)
	require.Contains(t, answer.Diff, "-<project>1</project>")
	require.Contains(t, answer.Diff, "+<project>2</project>")
	require.Equal(t, first, answer.Commits[0])

	answer, err = over(t, home, c, Question{Verb: Compare, Commits: []string{first}})
	require.NoError(t, err)
	require.Equal(t, []restore.Difference{{Name: "jobs/a/config.xml", Path: "jobs/a/config.xml", What: restore.Changed}}, answer.Differences)
	answer, err = over(t, home, c, Question{Verb: Compare, Commits: []string{first}, Paths: []string{"jobs/b"}})
	require.NoError(t, err)
	require.Empty(t, answer.Differences)

	answer, err = over(t, home, c, Question{Verb: Verify})
	require.NoError(t, err)
	require.True(t, answer.Verdict.Same && answer.Verdict.Pushed && answer.Verdict.OneWriter, "%+v", answer.Verdict)
	write(t, filepath.Join(home, "jobs/b/config.xml"), "<project/>")
	answer, err = over(t, home, c, Question{Verb: Verify})
	require.NoError(t, err)
	require.False(t, answer.Verdict.Same)
	answer, err = over(t, home, c, Question{Verb: Status})
	require.NoError(t, err)
	require.Equal(t, int64(2), answer.Status.Epoch)

	_, err = over(t, home, c, Question{Verb: Order, Commits: []string{first}, Paths: []string{"jobs/a"}})
	require.NoError(t, err)
	answer, err = over(t, home, c, Question{Verb: Ordered})
	require.NoError(t, err)
	require.True(t, answer.Waits)
	run := &history.Run{Config: c, Home: home, Host: "one"}
	require.NoError(t, run.Open(t.Context()))
	require.NoError(t, run.Close(t.Context()))
	data, err := os.ReadFile(filepath.Join(home, "jobs/a/config.xml"))
	require.NoError(t, err)
	require.Equal(t, "<project>1</project>", string(data))
	answer, err = over(t, home, c, Question{Verb: Ordered})
	require.NoError(t, err)
	require.False(t, answer.Waits)
}

func TestWhyAQuestionHasNoAnswerComesOverTheWire(t *testing.T) {
	home, c := kept(t)
	for _, text := range []string{"nonesuch", "--all"} {
		_, err := over(t, home, c, Question{Verb: Compare, Commits: []string{text}})
		var commit *CommitError
		require.ErrorAs(t, err, &commit)
		require.Equal(t, text, commit.Text)
	}
	_, err := over(t, home, c, Question{Verb: "sing", Commits: []string{"main"}})
	require.ErrorContains(t, err, `no answer to "sing"`)
	c.State = t.TempDir()
	for _, verb := range []string{Status, Log} {
		_, err = over(t, home, c, Question{Verb: verb})
		require.ErrorIs(t, err, ErrNone)
		require.ErrorContains(t, err, c.State)
	}
	_, err = Read("nothing")
	require.Error(t, err)
	_, err = Read("{}")
	require.Error(t, err)
	require.Error(t, Serve(t.Context(), home, c, "nothing", &bytes.Buffer{}))
}

func TestARepositoryIsWrittenToAndLeftAsItWas(t *testing.T) {
	home, c := kept(t)
	refs := func() string {
		out, err := exec.Command("git", "--git-dir", c.Repository, "for-each-ref").Output()
		require.NoError(t, err)
		return string(out)
	}
	before := refs()
	_, err := over(t, home, c, Question{Verb: Check})
	require.NoError(t, err)
	require.Equal(t, before, refs())
	write(t, filepath.Join(c.Repository, "hooks", "pre-receive"), "#!/bin/sh\necho closed to writers >&2\nexit 1\n")
	require.NoError(t, os.Chmod(filepath.Join(c.Repository, "hooks", "pre-receive"), 0o755))
	_, err = over(t, home, c, Question{Verb: Check})
	require.ErrorContains(t, err, "not written to")
	require.ErrorContains(t, err, "closed to writers")
	c.Repository = filepath.Join(t.TempDir(), "none.git")
	_, err = over(t, home, c, Question{Verb: Check})
	require.ErrorContains(t, err, "cannot be read")
}

func TestTheRepositoryAloneKnowsWhatWasPushed(t *testing.T) {
	_, c := kept(t)
	repo, err := Fetch(context.Background(), filepath.Join(t.TempDir(), "copy.git"), c.Remote())
	require.NoError(t, err)
	answer, err := repo.Answer(t.Context(), Question{Verb: Log, Count: 1})
	require.NoError(t, err)
	require.Len(t, answer.Log, 1)
	answer, err = repo.Answer(t.Context(), Question{Verb: Diff, Commits: []string{"HEAD"}})
	require.ErrorContains(t, err, "no commit", "the copy has no branch of its own: %+v", answer)
	_, err = repo.Answer(t.Context(), Question{Verb: Verify})
	require.ErrorContains(t, err, "the repository alone")
}

// A person pushed while the repository was out of the controller's reach: both have gone on, nobody's commits are lost, and that is still one writer.
func TestAHistoryInWhichAPersonPushedHasOneWriter(t *testing.T) {
	home, c := kept(t)
	run := &history.Run{Config: c, Home: home, Host: "one"}
	require.NoError(t, run.Open(t.Context()))
	run.Start()
	require.NoError(t, os.Rename(c.Repository, c.Repository+".away"))
	write(t, filepath.Join(home, "jobs/c/config.xml"), "<project>never pushed</project>")
	require.Error(t, run.Close(t.Context()))
	require.NoError(t, os.Rename(c.Repository+".away", c.Repository))
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"--git-dir", c.Repository, "-c", "user.name=p", "-c", "user.email=p@q"}, args...)...)
		out, err := cmd.Output()
		require.NoError(t, err, "%v", args)
		return string(bytes.TrimSpace(out))
	}
	theirs := git("commit-tree", "-m", "A person's", "-p", "main", "main^{tree}")
	git("update-ref", "refs/heads/main", theirs)

	run = &history.Run{Config: c, Home: home, Host: "one"}
	require.NoError(t, run.Open(t.Context()))
	require.NoError(t, run.Close(t.Context()))
	git("merge-base", "--is-ancestor", theirs, "main")
	require.Equal(t, "<project>never pushed</project>", git("show", "main:jobs/c/config.xml"))
	answer, err := over(t, home, c, Question{Verb: Verify})
	require.NoError(t, err)
	require.Empty(t, answer.Verdict.Problems)
	require.True(t, answer.Verdict.Same && answer.Verdict.Pushed && answer.Verdict.OneWriter, "%+v", answer.Verdict)
}
