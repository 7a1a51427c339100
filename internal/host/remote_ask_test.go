package host

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestAskTellsCodeAndOutput(t *testing.T) {
	r := newSSHD(t).remote()
	for range 2 {
		out, err := r.Ask(t.Context(), "/bin/sh", "-c", "echo yes; printf no >&2")
		require.NoError(t, err)
		assert.Equal(t, Output{Stdout: "yes\n", Stderr: "no"}, out)
	}
	out, err := r.Ask(t.Context(), "/bin/sh", "-c", "echo wrong flag >&2; exit 7")
	require.ErrorContains(t, err, "host h1: run /bin/sh: exit status 7: wrong flag")
	assert.Equal(t, 7, out.Code)
	for _, missing := range []string{"/missing/program", "no-such-program"} {
		out, err = r.Ask(t.Context(), missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, -1, out.Code)
	}
	out, err = r.Ask(t.Context(), "/bin/sh", "-c", "exit 127")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 127, out.Code)
	_, err = r.Ask(t.Context())
	require.ErrorContains(t, err, "no command")

	out, err = r.Ask(t.Context(), "cat")
	require.NoError(t, err, "a question has no input")
	assert.Empty(t, out.Stdout)
	out, err = r.Ask(t.Context(), "/bin/sh", "-c", "pwd; echo $LC_ALL $PATH; cd /etc; exit")
	require.NoError(t, err)
	assert.Equal(t, "/\nC "+remotePath+"\n", out.Stdout)
	out, err = r.Ask(t.Context(), "pwd")
	require.NoError(t, err)
	assert.Equal(t, "/\n", out.Stdout, "one question does not change the next")
}

func TestAskPassesWordsAsTheyAre(t *testing.T) {
	r := newSSHD(t).remote()
	words := []string{"", " ", "a b", "it's", `"`, `\`, "$HOME", "`id`", "a\nb", "*", "!x", "-n", "--", "ü€", "a;b&c|d", "%s", "'\\''", "\x1e"}
	out, err := r.Ask(t.Context(), append([]string{"printf", `%s\0`}, words...)...)
	require.NoError(t, err)
	assert.Equal(t, words, strings.Split(strings.TrimSuffix(out.Stdout, "\x00"), "\x00"))

	out, err = r.Ask(t.Context(), "seq", "200000")
	require.NoError(t, err)
	assert.Len(t, strings.Fields(out.Stdout), 200000)
}

func TestQuestionsShareOneSession(t *testing.T) {
	r := newSSHD(t, "MaxSessions 1").remote()
	var wait sync.WaitGroup
	answers := make([]string, 30)
	for i := range answers {
		wait.Go(func() {
			out, err := r.Ask(t.Context(), "/bin/sh", "-c", fmt.Sprintf("echo $PPID; echo %d", i))
			assert.NoError(t, err)
			shell, answer, _ := strings.Cut(strings.TrimSpace(out.Stdout), "\n")
			assert.Equal(t, fmt.Sprint(i), answer)
			answers[i] = shell
		})
	}
	wait.Wait()
	for _, shell := range answers {
		assert.Equal(t, answers[0], shell)
	}
}

func TestEndOfContextEndsTheQuestionAndNoOther(t *testing.T) {
	r := newSSHD(t).remote()
	file := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := r.Ask(ctx, "/bin/sh", "-c", `trap "" TERM; sleep 1000 & echo $! $$ > `+file+`.new; mv `+file+`.new `+file+`; while :; do sleep 1000; done`)
		ended <- err
	}()
	var pids []string
	testkit.Eventually(t, time.Minute, "the question hangs", func(context.Context) bool {
		text, _ := os.ReadFile(file)
		pids = strings.Fields(string(text))
		return len(pids) == 2
	})
	other := make(chan error, 1)
	go func() {
		_, err := r.Ask(t.Context(), "true")
		other <- err
	}()
	shell, err := r.connect(t.Context())
	require.NoError(t, err)
	testkit.Eventually(t, time.Minute, "another waits behind it", func(context.Context) bool {
		shell.shell.mu.Lock()
		defer shell.shell.mu.Unlock()
		return len(shell.shell.waiting[0]) == 2
	})
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, <-other, "it is asked again")
	for _, pid := range pids {
		number, err := strconv.Atoi(pid)
		require.NoError(t, err)
		testkit.Eventually(t, time.Minute, "what it started has ended", func(context.Context) bool { return syscall.Kill(number, 0) != nil })
	}
}

func TestAQuestionIsAskedAgainOnANewConnection(t *testing.T) {
	s := newSSHD(t)
	r := s.remote()
	_, err := r.Ask(t.Context(), "true")
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(sessionProcess(t, r), syscall.SIGKILL))
	out, err := r.Ask(t.Context(), "echo", "here")
	require.NoError(t, err)
	assert.Equal(t, "here\n", out.Stdout)

	shell, err := r.Ask(t.Context(), "/bin/sh", "-c", "echo $PPID")
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(shell.Stdout))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "the shell alone")
	_, err = r.Ask(t.Context(), "true")
	require.NoError(t, err)
}

func TestAskSaysThatSudoRefuses(t *testing.T) {
	dir := t.TempDir()
	sudo := filepath.Join(dir, "sudo")
	require.NoError(t, os.WriteFile(sudo, []byte("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"), 0o755))
	s := newSSHD(t, "SetEnv PATH="+dir+":/usr/bin:/bin")
	r := s.remote(func(o *Options) { o.Sudo = SudoAlways })
	_, err := r.Ask(t.Context(), "true")
	var refused *SudoError
	require.ErrorAs(t, err, &refused)
}

func TestLookingAsks(t *testing.T) {
	r := newSSHD(t).remote()
	var shells []string
	for range 2 {
		out, err := Looking(r).Run(t.Context(), "/bin/sh", "-c", "echo $PPID")
		require.NoError(t, err)
		shells = append(shells, out.Stdout)
	}
	assert.Equal(t, shells[0], shells[1])
	m, err := NewLocal("l1", "127.0.0.1", t.TempDir(), "/bin/true")
	require.NoError(t, err)
	out, err := Looking(m).Run(t.Context(), "echo", "here")
	require.NoError(t, err)
	assert.Equal(t, "here\n", out.Stdout)
}
