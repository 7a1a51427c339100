// Package ui knows terminals: the three streams, progress, tables and questions. It is the only package that does.
package ui

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Streams are the three standard streams and what is known about them. Out is for the answer, Err for everything else.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// InTTY, OutTTY and ErrTTY say which of them are terminals.
	InTTY, OutTTY, ErrTTY bool
	// Width is the columns of the terminal at the start of the program; 0 means that there is none.
	Width int
	// Env looks up an environment variable.
	Env func(name string) string
}

// System is the process's own streams.
func System() Streams {
	s := Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv}
	s.InTTY = term.IsTerminal(int(os.Stdin.Fd()))
	s.OutTTY = term.IsTerminal(int(os.Stdout.Fd()))
	s.ErrTTY = term.IsTerminal(int(os.Stderr.Fd()))
	s.Width, _ = s.Size()
	return s
}

// Size is the width and height of the terminal as it is now, in characters: that of Out, or that of Err. The height is 0 where
// there is no terminal, and the width is then that of Width.
func (s Streams) Size() (width, height int) {
	for _, w := range []io.Writer{s.Out, s.Err} {
		if file, ok := w.(*os.File); ok {
			if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				return width, height
			}
		}
	}
	return s.Width, 0
}

// Buffers are streams without a terminal for tests: what is in the first buffer is typed, the others are written to.
func Buffers() (s Streams, in, out, err *bytes.Buffer) {
	in, out, err = &bytes.Buffer{}, &bytes.Buffer{}, &bytes.Buffer{}
	return Streams{In: in, Out: out, Err: err, Env: func(string) string { return "" }}, in, out, err
}

// CanPrompt says that questions can be asked and answered: they are written to Err and read from In. Anything else than a
// terminal at the other end is nobody's consent.
func (s Streams) CanPrompt() bool { return s.InTTY && s.ErrTTY }

// OutColor says whether colour may be written to Out.
func (s Streams) OutColor() bool { return s.OutTTY && s.color() }

// ErrColor says whether colour may be written to Err.
func (s Streams) ErrColor() bool { return s.ErrTTY && s.color() }

func (s Streams) color() bool { return s.Env("NO_COLOR") == "" && !s.dumb() }

// Redraws says that lines on Err can be drawn over.
func (s Streams) Redraws() bool { return s.ErrTTY && !s.dumb() }

func (s Streams) dumb() bool { return s.Env("TERM") == "dumb" }

// Unicode says that the locale can show more than ASCII.
func (s Streams) Unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(s.Env(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// Clean makes one printable line of a text that may come from elsewhere: escape sequences of others stay off the terminal.
func Clean(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}

// Cut shortens a text to a width in characters; 0 means no limit.
func Cut(text string, width int) string {
	runes := []rune(text)
	if width <= 0 || len(runes) <= width {
		return text
	}
	if width <= 3 {
		return string(runes[:width])
	}
	return string(runes[:width-3]) + "..."
}

// CutHeight shortens a text to what a terminal of that size shows at once, its last line left empty for the cursor, and says in
// the last line that is shown, after the dots, how many more there are. 0 is no limit. Lines that are longer than the width count as what they take.
func CutHeight(text string, width, height int, dots string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	rows := make([]int, len(lines))
	all := 0
	for i, line := range lines {
		rows[i] = 1
		if n := utf8.RuneCountInString(line); width > 0 && n > width {
			rows[i] = (n + width - 1) / width
		}
		all += rows[i]
	}
	if height <= 0 || all < height {
		return text
	}
	shown := 0
	for room := height - 2; shown < len(lines) && rows[shown] <= room; shown++ {
		room -= rows[shown]
	}
	shown = max(shown, 1) // the first line is what matters most
	if shown == len(lines) {
		return text
	}
	more := "lines"
	if len(lines)-shown == 1 {
		more = "line"
	}
	return strings.Join(lines[:shown], "\n") + fmt.Sprintf("\n%s %d more %s\n", dots, len(lines)-shown, more)
}
