package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// shown collects what a program writes to its terminal.
type shown struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shown) read(terminal *os.File) {
	data := make([]byte, 4096)
	for {
		n, err := terminal.Read(data)
		s.mu.Lock()
		s.text.Write(data[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *shown) await(t *testing.T, text string) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, "the terminal shows "+text, func(context.Context) bool {
		return strings.Contains(s.String(), text)
	})
}

func TestATerminalIsAskedDrawnOnAndInterrupts(t *testing.T) {
	b := newBench(t)
	cmd := exec.Command(os.Args[0], "-f", b.path("cluster.yaml"), "build")
	cmd.Env = append(os.Environ(), "BENCH="+b.dir, "TERM=xterm", "LANG=C", "LC_ALL=C", "NO_COLOR=")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	require.NoError(t, err)
	defer terminal.Close()
	defer func() { _ = cmd.Process.Kill() }()
	screen := &shown{}
	ended := make(chan struct{})
	go func() { screen.read(terminal); close(ended) }()

	screen.await(t, "build: make these changes? [y/N]")
	_, err = terminal.WriteString("y\n")
	require.NoError(t, err)
	screen.await(t, "make two (")
	screen.await(t, "waiting for a signal")
	screen.await(t, "\x1b[1A\r\x1b[J")
	_, err = terminal.WriteString("\x03")
	require.NoError(t, err)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("Ctrl-C did not end it: %s", screen)
	}
	err = cmd.Wait()
	require.Error(t, err)
	require.Equal(t, 6, cmd.ProcessState.ExitCode(), screen)
	require.Contains(t, screen.String(), "\x1b[32mdone   \x1b[0m make one (")
	require.Contains(t, screen.String(), "\x1b[31mError:\x1b[0m build stopped in two")
	require.Equal(t, []string{"one"}, b.made())
}
