// Package ui knows terminals: the three streams, progress, tables and questions. It is the only package that does.
package ui

import (
	"bytes"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Streams are the three standard streams and what is known about them. Out is for the answer, Err for everything else.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// InTTY, OutTTY and ErrTTY say which of them are terminals.
	InTTY, OutTTY, ErrTTY bool
	// Width is the columns of the terminal; 0 means that there is none.
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
	for _, file := range []*os.File{os.Stdout, os.Stderr} {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && s.Width == 0 {
			s.Width = width
		}
	}
	return s
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
