package ui

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jomctl/jomctl/internal/testkit"
)

// dumb is a terminal without control sequences on which the keys were typed.
func dumb(keys string) (Prompter, func() string) {
	streams, in, _, errs := Buffers()
	in.WriteString(keys)
	streams.InTTY, streams.ErrTTY, streams.Env = true, true, env("TERM", "dumb")
	return NewPrompter(streams), errs.String
}

func TestQuestionsOnADumbTerminal(t *testing.T) {
	p, shown := dumb("a b\nx\n9\n2\n\nhunter2\r\nperhaps\nYES\n<\nlast")
	name, err := p.Input(Question{Label: "Name", Help: "Any.", Validate: func(s string) error {
		if len(s) > 1 {
			return errors.New("too long")
		}
		return nil
	}})
	require.NoError(t, err)
	require.Equal(t, "x", name)
	for _, want := range []int{1, 0} {
		i, err := p.Select(Question{Label: "Target", Default: "local", Help: "Where."}, []string{"local", "hosts"})
		require.NoError(t, err)
		require.Equal(t, want, i)
	}
	secret, err := p.Secret(Question{Label: "Password"})
	require.NoError(t, err)
	require.Equal(t, "hunter2", secret)
	yes, err := p.Confirm(Question{Label: "Go on"})
	require.NoError(t, err)
	require.True(t, yes)
	_, err = p.Select(Question{Label: "Back", Back: true}, []string{"a"})
	require.ErrorIs(t, err, ErrBack)
	last, err := p.Input(Question{Label: "Last"})
	require.NoError(t, err, "a last line needs no end")
	require.Equal(t, "last", last)
	_, err = p.Input(Question{Label: "More"})
	require.ErrorIs(t, err, ErrInputEnded)
	require.Contains(t, shown(), "\nAny.\nName:   too long\nName: \nWhere.\n  1  local\n  2  hosts\nTarget (1 to 2) [1]:   please answer with a number from 1 to 2\n")
	require.NotContains(t, shown(), "\x1b")
	require.NotContains(t, shown(), "hunter2")
}

func TestADumbRealTerminal(t *testing.T) {
	s := startSession(t, "TERM=dumb")
	s.wait("Name [ci]: ")
	s.typed("blue\n")
	s.wait("GOT name=blue")
	s.wait("Target (1 to 3) [2]: ")
	s.typed("3\n")
	s.wait("GOT target=2")
	s.wait("Password: ")
	testkit.Eventually(t, 20*time.Second, "the terminal shows nothing that is typed", func(context.Context) bool {
		now, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
		return err == nil && now.Lflag&unix.ECHO == 0
	})
	s.typed("hunter2\n")
	s.wait("GOT secret=7 letters")
	s.wait("Go on")
	s.typed("\n")
	s.wait("GOT yes=false")
	require.Equal(t, 0, s.exitCode())
	require.NotContains(t, s.output(), "hunter2")
	require.NotContains(t, s.output(), "\x1b")
}
