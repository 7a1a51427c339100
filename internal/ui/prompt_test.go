package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be the program on the other side of a terminal.
func TestMain(m *testing.M) {
	if os.Getenv("JOMCTL_TEST_PROMPTS") == "" {
		os.Exit(m.Run())
	}
	if err := askAll(NewPrompter(System())); err != nil {
		fmt.Printf("END %v\n", err)
		var coder interface{ ExitCode() int }
		if errors.As(err, &coder) {
			os.Exit(coder.ExitCode())
		}
		os.Exit(1)
	}
	fmt.Println("END")
}

// askAll asks every kind of question and prints the answers to stdout.
func askAll(p Prompter) error {
	name, err := p.Input(Question{Label: "Name", Help: "How it is called.", Default: "ci", Validate: func(s string) error {
		if strings.Contains(s, " ") {
			return errors.New("no spaces please")
		}
		return nil
	}})
	if err != nil {
		return err
	}
	fmt.Printf("GOT name=%s\n", name)
	i, err := p.Select(Question{Label: "Target", Default: "hosts", Back: true}, []string{"local", "hosts", "aws"})
	fmt.Printf("GOT target=%d back=%v\n", i, errors.Is(err, ErrBack))
	if err != nil && !errors.Is(err, ErrBack) {
		return err
	}
	secret, err := p.Secret(Question{Label: "Password", Back: true})
	fmt.Printf("GOT secret=%d letters back=%v\n", len(secret), errors.Is(err, ErrBack))
	if err != nil && !errors.Is(err, ErrBack) {
		return err
	}
	yes, err := p.Confirm(Question{Label: "Go on", Default: "no"})
	if err != nil {
		return err
	}
	fmt.Printf("GOT yes=%v\n", yes)
	return nil
}

// terminalSession is a program on a pseudo-terminal.
type terminalSession struct {
	t    *testing.T
	tty  *os.File
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
	// seen is how much of the text was waited for already.
	seen int
}

func startSession(t *testing.T, env ...string) *terminalSession {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "JOMCTL_TEST_PROMPTS=1", "TERM=xterm", "LANG=C.UTF-8"), env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	require.NoError(t, err)
	s := &terminalSession{t: t, tty: tty, cmd: cmd, more: make(chan struct{}, 1)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = tty.Close()
	})
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := tty.Read(buffer)
			s.mu.Lock()
			s.text.Write(buffer[:n])
			s.mu.Unlock()
			if err != nil {
				close(s.more)
				return
			}
			select {
			case s.more <- struct{}{}:
			default:
			}
		}
	}()
	return s
}

func (s *terminalSession) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wait waits until the text appears behind what was waited for before.
func (s *terminalSession) wait(text string) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if at := strings.Index(s.output()[s.seen:], text); at >= 0 {
			s.seen += at + len(text)
			return
		}
		select {
		case _, open := <-s.more:
			if !open && !strings.Contains(s.output()[s.seen:], text) {
				s.t.Fatalf("the program ended without writing %q:\n%s", text, s.output())
			}
		case <-deadline:
			s.t.Fatalf("%q did not come:\n%q", text, s.output())
		}
	}
}

func (s *terminalSession) typed(keys string) {
	s.t.Helper()
	_, err := io.WriteString(s.tty, keys)
	require.NoError(s.t, err)
}

func (s *terminalSession) exitCode() int {
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func TestQuestionsOnARealTerminal(t *testing.T) {
	s := startSession(t)
	s.wait("How it is called.")
	s.wait("Name")
	s.typed("a b\r")
	s.wait("no spaces please")
	s.typed("blue\r")
	s.wait("GOT name=blue")
	s.wait("aws")
	s.typed("\x1b[B\r") // one down from the default
	s.wait("GOT target=2 back=false")
	s.wait("Password")
	s.typed("hunter2\r")
	s.wait("GOT secret=7 letters")
	s.wait("Go on")
	s.typed("perhaps\r")
	s.wait("please answer yes or no")
	s.typed("y\r")
	s.wait("GOT yes=true")
	s.wait("END")
	require.Equal(t, 0, s.exitCode())
	require.NotContains(t, s.output(), "\a", "no bells")
	require.NotContains(t, s.output(), "hunter2")
	require.Contains(t, s.output(), "\x1b[?25h", "the cursor is shown again")
}

func TestDefaultsAndBackOnARealTerminal(t *testing.T) {
	s := startSession(t, "NO_COLOR=1")
	s.wait("Name")
	s.typed("\r")
	s.wait("GOT name=ci")
	s.wait("aws")
	s.typed("\x1b[B\x1b[B\r") // the entry behind the last option
	s.wait("back=true")
	s.wait("Password")
	s.typed(BackWord + "\r")
	s.wait("back=true")
	s.wait("Go on")
	s.typed("\r")
	s.wait("GOT yes=false")
	require.Equal(t, 0, s.exitCode())
	require.NotContains(t, s.output(), "\x1b[1m", "NO_COLOR")
}

func TestTypingAheadLosesNothing(t *testing.T) {
	s := startSession(t)
	s.wait("Name")
	s.typed("early\r\rsecret\ry\r")
	s.wait("GOT name=early")
	s.wait("GOT target=1")
	s.wait("GOT secret=6 letters")
	s.wait("GOT yes=true")
	require.Equal(t, 0, s.exitCode())
}

func TestInterruptAndEndOfInput(t *testing.T) {
	for name, test := range map[string]struct{ key, want string }{
		"ctrl-c": {"\x03", "END interrupted"},
		"ctrl-d": {"\x04", "END the input ended"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSession(t)
			s.wait("Name")
			s.typed(test.key)
			s.wait(test.want)
			require.Equal(t, 130, s.exitCode())
			s = startSession(t)
			s.wait("Name")
			s.typed("\r")
			s.wait("aws")
			s.typed(test.key)
			s.wait(test.want)
			require.Equal(t, 130, s.exitCode())
		})
	}
}

// screenOf is what a terminal shows after the text, as far as promptui and readline write control sequences.
func screenOf(text string) []string {
	screen, row, col := [][]rune{nil}, 0, 0
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; r {
		case '\r':
			col = 0
		case '\b':
			col = max(col-1, 0)
		case '\n':
			if row++; row == len(screen) {
				screen = append(screen, nil)
			}
		case '\x1b':
			end := i + 2
			for !unicode.IsLetter(runes[end]) {
				end++
			}
			switch runes[end] {
			case 'A':
				row = max(row-1, 0)
			case 'B':
				row = min(row+1, len(screen)-1)
			case 'K':
				screen[row] = nil
			case 'J':
				screen[row], screen = screen[row][:min(col, len(screen[row]))], screen[:row+1]
			}
			i = end
		default:
			for len(screen[row]) <= col {
				screen[row] = append(screen[row], ' ')
			}
			screen[row][col] = r
			col++
		}
	}
	var lines []string
	for _, line := range screen {
		lines = append(lines, string(line))
	}
	return lines
}

func TestWhatIsSaidAfterAListStaysVisible(t *testing.T) {
	for key, want := range map[string]string{"\x03": "END interrupted", "\x04": "END the input ended before the question was answered"} {
		for range 10 { // who draws first is left to chance
			s := startSession(t, "NO_COLOR=1")
			s.wait("Name")
			s.typed("\r")
			s.wait("back")
			s.typed(key)
			s.wait("END")
			require.Equal(t, 130, s.exitCode())
			for range s.more { // until the terminal is closed
			}
			screen := screenOf(s.output())
			require.Contains(t, screen, "GOT target=0 back=false")
			require.Contains(t, screen, want)
			require.NotContains(t, strings.Join(screen, "\n"), "local", "the list is gone, and not drawn again over what follows it")
		}
	}
}

func TestNobodyIsAskedWithoutATerminal(t *testing.T) {
	streams, in, out, errs := Buffers()
	in.WriteString("yes\nyes\n")
	p := NewPrompter(streams)
	_, err := p.Input(Question{Label: "Name", Help: "help"})
	require.ErrorIs(t, err, ErrNoTerminal)
	_, err = p.Secret(Question{})
	require.ErrorIs(t, err, ErrNoTerminal)
	_, err = p.Select(Question{}, []string{"a"})
	require.ErrorIs(t, err, ErrNoTerminal)
	_, err = p.Confirm(Question{})
	require.ErrorIs(t, err, ErrNoTerminal)
	require.Empty(t, out.String()+errs.String())
	require.Equal(t, "yes\nyes\n", in.String(), "nothing is read")
	p.Say("%d", 1)
	require.Equal(t, "1\n", errs.String())
}

func TestPromptErrors(t *testing.T) {
	for err, code := range map[error]int{ErrInterrupted: 130, ErrInputEnded: 130, ErrNoTerminal: 2} {
		require.Equal(t, code, err.(interface{ ExitCode() int }).ExitCode())
	}
	require.ErrorIs(t, ErrInterrupted, context.Canceled)
	require.NotErrorIs(t, ErrNoTerminal, context.Canceled)
}
