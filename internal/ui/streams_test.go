package ui

import (
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

func env(pairs ...string) func(string) string {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

func TestWhatATerminalMayShow(t *testing.T) {
	for name, test := range map[string]struct {
		tty                    bool
		env                    func(string) string
		color, redraw, unicode bool
	}{
		"terminal":        {true, env("TERM", "xterm", "LANG", "en_US.UTF-8"), true, true, true},
		"no terminal":     {false, env("LANG", "C.utf8"), false, false, true},
		"NO_COLOR":        {true, env("NO_COLOR", "1"), false, true, false},
		"dumb":            {true, env("TERM", "dumb"), false, false, false},
		"LC_ALL is first": {true, env("LC_ALL", "C", "LANG", "en_US.UTF-8"), true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := Streams{InTTY: test.tty, OutTTY: test.tty, ErrTTY: test.tty, Env: test.env}
			require.Equal(t, test.color, s.OutColor())
			require.Equal(t, test.color, s.ErrColor())
			require.Equal(t, test.redraw, s.Redraws())
			require.Equal(t, test.unicode, s.Unicode())
			require.Equal(t, test.tty, s.CanPrompt())
		})
	}
}

func TestQuestionsNeedATerminalAtBothEnds(t *testing.T) {
	require.False(t, Streams{InTTY: true, OutTTY: true}.CanPrompt())
	require.False(t, Streams{OutTTY: true, ErrTTY: true}.CanPrompt())
	require.True(t, Streams{InTTY: true, ErrTTY: true}.CanPrompt(), "the answer on stdout may well be piped")
}

func TestSystemAndBuffers(t *testing.T) {
	s := System()
	require.NotNil(t, s.In)
	require.NotNil(t, s.Env)
	s, in, out, err := Buffers()
	require.False(t, s.CanPrompt())
	require.Empty(t, s.Env("PATH"))
	in.WriteString("typed")
	data := make([]byte, 5)
	_, readErr := s.In.Read(data)
	require.NoError(t, readErr)
	require.Equal(t, "typed", string(data))
	_, _ = s.Out.Write([]byte("o"))
	_, _ = s.Err.Write([]byte("e"))
	require.Equal(t, "oe", out.String()+err.String())
}

func TestTextsOfOthersAreCleaned(t *testing.T) {
	require.Equal(t, "a b [31mc", Clean(" a\n\tb \x1b[31mc\x07\r\n"))
	require.Equal(t, "héllo", Cut("héllo", 5))
	require.Equal(t, "hé...", Cut("héllos", 5))
	require.Equal(t, "hé", Cut("héllos", 2))
	require.Equal(t, "all of it", Cut("all of it", 0))
}

func TestTheSizeIsThatOfTheTerminalNow(t *testing.T) {
	control, tty, err := pty.Open()
	require.NoError(t, err)
	defer control.Close()
	defer tty.Close()
	plain, _, _, _ := Buffers()
	plain.Width = 70
	onErr := plain
	onErr.Err = tty
	for _, size := range []pty.Winsize{{Rows: 15, Cols: 60}, {Rows: 50, Cols: 200}} {
		require.NoError(t, pty.Setsize(control, &size))
		for _, s := range []Streams{{Out: tty, Err: plain.Err}, onErr} {
			width, height := s.Size()
			require.Equal(t, []int{int(size.Cols), int(size.Rows)}, []int{width, height})
		}
	}
	width, height := plain.Size()
	require.Equal(t, []int{70, 0}, []int{width, height})
}

func TestCutHeight(t *testing.T) {
	const text = "head\none\ntwo\nthree is long\nfour\n"
	for _, test := range []struct {
		width, height int
		want          string
	}{
		{80, 0, text}, {80, 6, text}, {0, 6, text},
		{80, 5, "head\none\ntwo\n… 2 more lines\n"},
		{80, 3, "head\n… 4 more lines\n"},
		{80, 1, "head\n… 4 more lines\n"}, // the head is shown all the same
		{10, 7, text},
		{10, 6, "head\none\ntwo\n… 2 more lines\n"}, // three is long takes two
	} {
		require.Equal(t, test.want, CutHeight(text, test.width, test.height, "…"), test)
	}
	require.Equal(t, "a\n... 1 more line\n", CutHeight("a\nwide", 3, 3, "..."))
}
