package host

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestRemoteRunTellsCodeAndOutput(t *testing.T) {
	r := newSSHD(t).remote()
	out, err := r.Run(t.Context(), "/bin/sh", "-c", "echo yes; echo no >&2")
	require.NoError(t, err)
	assert.Equal(t, Output{Stdout: "yes\n", Stderr: "no\n"}, out)

	out, err = r.Run(t.Context(), "/bin/sh", "-c", "echo wrong flag >&2; exit 7")
	require.ErrorContains(t, err, "host h1: run /bin/sh: exit status 7: wrong flag")
	assert.Equal(t, 7, out.Code)
	var exit *ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 7, exit.Code)

	out, err = r.Run(t.Context(), "/bin/sh", "-c", "kill -KILL $$")
	require.ErrorContains(t, err, "signal KILL")
	assert.Equal(t, -1, out.Code)

	for _, missing := range []string{"/missing/program", "no-such-program"} {
		out, err = r.Run(t.Context(), missing)
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, -1, out.Code)
	}
	out, err = r.Run(t.Context(), "/bin/sh", "-c", "exit 127")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, 127, out.Code)
	_, err = r.Run(t.Context())
	require.ErrorContains(t, err, "no command")
}

func TestRemoteRunPassesWordsAsTheyAre(t *testing.T) {
	r := newSSHD(t).remote()
	words := []string{"", " ", "a b", "it's", `"`, `\`, "$HOME", "`id`", "a\nb", "*", "!x", "-n", "--", "ü€", "a;b&c|d", "%s", "'\\''"}
	out, err := r.Run(t.Context(), append([]string{"printf", `%s\0`}, words...)...)
	require.NoError(t, err)
	assert.Equal(t, words, strings.Split(strings.TrimSuffix(out.Stdout, "\x00"), "\x00"))

	big := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	out, err = r.RunInput(t.Context(), bytes.NewReader(big), "cat")
	require.NoError(t, err)
	assert.Equal(t, len(big), len(out.Stdout))
	assert.True(t, out.Stdout == string(big), "input comes back as it was")

	_, err = r.RunInput(t.Context(), bytes.NewReader(big), "true")
	require.NoError(t, err, "a command need not read its input")
}

func TestRemoteRunDoesNotWaitForWhatACommandLeavesBehind(t *testing.T) {
	r := newSSHD(t).remote()
	out, err := r.Run(t.Context(), "/bin/sh", "-c", "sleep 600 & echo $!")
	require.NoError(t, err)
	_, err = r.Run(t.Context(), "kill", strings.TrimSpace(out.Stdout))
	require.NoError(t, err)
}

func TestEndOfContextEndsTheRemoteCommand(t *testing.T) {
	r := newSSHD(t).remote()
	file := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	script := `trap "" TERM; sleep 1000 & echo $! $$ > ` + file + `.new; mv ` + file + `.new ` + file + `; while :; do sleep 1000; done`
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(file); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := r.Run(ctx, "/bin/sh", "-c", script)
	require.ErrorIs(t, err, context.Canceled)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var child, shell int
	_, err = fmt.Sscan(string(text), &child, &shell)
	require.NoError(t, err)
	testkit.Eventually(t, 30*time.Second, "the command, which ignores SIGTERM, and what it started are ended", func(context.Context) bool {
		return commandOf(child) == "" && commandOf(shell) == ""
	})

	out, err := r.Run(t.Context(), "echo", "on")
	require.NoError(t, err, "the connection goes on")
	assert.Equal(t, "on\n", out.Stdout)
}

func TestRemoteFiles(t *testing.T) {
	r := newSSHD(t).remote()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "folder", `odd 'name" $x *ü`+"\n")
	steps := []struct {
		text    string
		mode    fs.FileMode
		changed bool
	}{{"one", 0o644, true}, {"one", 0o644, false}, {"one", 0o600, true}, {"two", 0o600, true}, {"two", 0o600, false}, {"", 0o755, true}, {"", 0o755, false}}
	for i, step := range steps {
		changed, err := r.WriteFile(t.Context(), path, []byte(step.text), step.mode)
		require.NoError(t, err)
		assert.Equal(t, step.changed, changed, "step %d", i)
		text, err := r.ReadFile(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, step.text, string(text))
		info, err := r.Stat(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, Info{Mode: step.mode, Size: int64(len(step.text))}, info)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file stays")
	info, err := r.Stat(t.Context(), filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|0o755, info.Mode)

	private := filepath.Join(dir, "private", "deep")
	require.NoError(t, r.MkdirAll(t.Context(), private, 0o700))
	require.NoError(t, r.MkdirAll(t.Context(), private, 0o755))
	info, err = r.Stat(t.Context(), private)
	require.NoError(t, err)
	assert.True(t, info.IsDir())
	assert.Equal(t, fs.FileMode(0o700), info.Mode.Perm(), "a folder that is there stays as it is")
	require.Error(t, r.MkdirAll(t.Context(), filepath.Join(path, "x"), 0o755))
	_, err = r.WriteFile(t.Context(), private, nil, 0o644)
	require.ErrorContains(t, err, "it is a folder")

	require.NoError(t, r.Remove(t.Context(), filepath.Join(dir, "new")))
	require.NoError(t, r.Remove(t.Context(), filepath.Join(dir, "new")))
	_, err = r.Stat(t.Context(), path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = r.ReadFile(t.Context(), path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, wrong := range []string{"/", "", "relative", "/x/.."} {
		require.ErrorContains(t, r.Remove(t.Context(), wrong), "no path that can be removed")
	}
	text, err := r.ReadFile(t.Context(), "/proc/self/comm")
	require.NoError(t, err, "a file whose size is said to be 0")
	assert.Equal(t, "sftp-server\n", string(text))
}

func TestOneConnectionForEverythingAtOnce(t *testing.T) {
	r := newSSHD(t).remote()
	dir := t.TempDir()
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			name := filepath.Join(dir, fmt.Sprint(i))
			_, err := r.WriteFile(t.Context(), name, []byte(name), 0o600)
			assert.NoError(t, err)
			out, err := r.Run(t.Context(), "cat", name)
			assert.NoError(t, err)
			assert.Equal(t, name, out.Stdout)
		})
	}
	wait.Wait()
	conn, err := r.connect(t.Context())
	require.NoError(t, err)
	assert.Same(t, conn, r.conn)
	assert.Empty(t, conn.slots, "every session was given back")
}

func TestALostConnectionIsMadeAgainBetweenOperations(t *testing.T) {
	s := newSSHD(t)
	r := s.remote()
	file := filepath.Join(t.TempDir(), "x")
	for _, operation := range []func() error{
		func() error { _, err := r.Run(t.Context(), "true"); return err },
		func() error { _, err := r.WriteFile(t.Context(), file, []byte("x"), 0o644); return err },
		func() error { _, err := r.ReadFile(t.Context(), file); return err },
		func() error {
			conn, err := r.DialContext(t.Context(), "tcp", s.address)
			if err == nil {
				err = conn.Close()
			}
			return err
		},
	} {
		require.NoError(t, operation())
		require.NoError(t, syscall.Kill(sessionProcess(t, r), syscall.SIGKILL))
		require.NoError(t, operation())
	}
	stat, err := r.ReadFile(t.Context(), "/proc/self/stat")
	require.NoError(t, err)
	var server int
	_, err = fmt.Sscan(string(stat), &server)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(server, syscall.SIGKILL))
	_, err = r.ReadFile(t.Context(), file)
	require.NoError(t, err, "the SFTP server alone has ended")
}

func TestAConnectionLostInsideACommandIsSaid(t *testing.T) {
	r := newSSHD(t).remote()
	session := sessionProcess(t, r)
	file := filepath.Join(t.TempDir(), "began")
	go func() {
		for {
			if _, err := os.Stat(file); err == nil {
				_ = syscall.Kill(session, syscall.SIGKILL)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := r.Run(t.Context(), "/bin/sh", "-c", "touch "+file+"; exec sleep 20")
	require.ErrorContains(t, err, "the connection was lost")
	require.ErrorContains(t, err, "the command may still run")
}

func TestADeadPeerIsNoticed(t *testing.T) {
	s := newSSHD(t)
	r := s.remote(func(o *Options) { o.KeepAlive = 200 * time.Millisecond })
	session := sessionProcess(t, r)
	t.Cleanup(func() { _ = syscall.Kill(session, syscall.SIGCONT); _ = syscall.Kill(session, syscall.SIGKILL) })
	file := filepath.Join(t.TempDir(), "began")
	go func() {
		for {
			if _, err := os.Stat(file); err == nil {
				_ = syscall.Kill(session, syscall.SIGSTOP)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := r.Run(t.Context(), "/bin/sh", "-c", "touch "+file+"; exec sleep 20")
	require.ErrorContains(t, err, "the host has not answered for 300ms")
}

func TestDialEndsWithItsTimeAndWithTheContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer listener.Close()
	s := &sshd{t: t, dir: t.TempDir(), address: listener.Addr().String()}
	s.key = filepath.Join(s.dir, "id")
	s.newKey("id")
	o := s.options()
	o.DialTimeout = 50 * time.Millisecond
	r, err := NewRemote(o)
	require.NoError(t, err)
	require.ErrorContains(t, r.Connect(t.Context()), "connect to host h1 (root@"+s.address+"): no answer within 50ms")

	o.DialTimeout = time.Hour
	r, err = NewRemote(o)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Connect(ctx), context.DeadlineExceeded)
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Connect(t.Context()), errClosed)
}

func TestDialThroughTheHost(t *testing.T) {
	r := newSSHD(t).remote()
	target := newSSHD(t)
	conn, err := r.DialContext(t.Context(), "tcp", target.address)
	require.NoError(t, err)
	defer conn.Close()
	banner := make([]byte, 7)
	_, err = conn.Read(banner)
	require.NoError(t, err)
	assert.Equal(t, "SSH-2.0", string(banner))
	_, err = r.DialContext(t.Context(), "tcp", testkit.FreeAddr(t, "127.0.0.1"))
	require.ErrorContains(t, err, "through host h1")
}
