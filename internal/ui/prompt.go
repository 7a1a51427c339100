package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/chzyer/readline"
	"github.com/manifoldco/promptui"
)

// Question is one question to the user.
type Question struct {
	// Label is the question itself, short and without a final colon.
	Label string
	// Help, where set, is written above the question, one line or more.
	Help string
	// Default is what Enter alone answers. For Select and Confirm it is the text of the option, or yes or no.
	Default string
	// Validate, where set, says what is wrong with an answer to Input or Secret; the question is then asked again.
	Validate func(answer string) error
	// Back lets the user go back one question, with BackWord or with an option more: the answer is then ErrBack. Whoever asks
	// a series of questions says so once.
	Back bool
}

// BackWord is what a user types to go back.
const BackWord = "<"

// Prompter asks questions. Every method gives ErrInterrupted after Ctrl-C, ErrInputEnded when the input ends, ErrNoTerminal
// where nobody can be asked, and ErrBack where the question allows it.
type Prompter interface {
	// Input asks for a text; without a default it may be empty, if Validate lets it.
	Input(q Question) (string, error)
	// Secret is Input that does not show what is typed.
	Secret(q Question) (string, error)
	// Select asks for one of the options and gives its index.
	Select(q Question, options []string) (int, error)
	// Confirm asks for yes or no.
	Confirm(q Question) (bool, error)
	// Say writes lines between the questions.
	Say(format string, args ...any)
}

// promptError ends a series of questions.
type promptError struct {
	text string
	code int
}

func (e *promptError) Error() string { return e.text }

// ExitCode is the exit code of a program that ends with this error.
func (e *promptError) ExitCode() int { return e.code }

// Is lets errors.Is find context.Canceled in an interruption.
func (e *promptError) Is(target error) bool { return e.code == 130 && target == context.Canceled }

// The ways in which a question goes unanswered.
var (
	// ErrInterrupted is Ctrl-C. Its exit code is 130.
	ErrInterrupted error = &promptError{"interrupted", 130}
	// ErrInputEnded is Ctrl-D or a terminal that is gone. Its exit code is 130.
	ErrInputEnded error = &promptError{"the input ended before the question was answered", 130}
	// ErrNoTerminal means that nobody can be asked. Its exit code is 2.
	ErrNoTerminal error = &promptError{"there is no terminal to ask on", 2}
	// ErrBack means that the user wants the previous question again.
	ErrBack = errors.New("back to the previous question")
)

// terminalPrompter asks on a terminal: what it writes goes to Err.
type terminalPrompter struct {
	streams Streams
	in      io.ReadCloser
	out     io.WriteCloser
}

// NewPrompter asks on the terminal of the streams. Where In or Err is none, every question is ErrNoTerminal.
func NewPrompter(streams Streams) Prompter {
	return &terminalPrompter{streams: streams, in: byteReader{streams.In}, out: quietWriter{streams.Err}}
}

// byteReader reads one byte at a time, as readline buffers what it gets and loses what was typed ahead for the next question.
type byteReader struct{ r io.Reader }

// Read reads one byte.
func (b byteReader) Read(p []byte) (int, error) { return b.r.Read(p[:min(len(p), 1)]) }

// Close does nothing: the stream is needed for the next question.
func (byteReader) Close() error { return nil }

// endKeys makes Ctrl-C and Ctrl-D the end of the input of a list, and remembers which it was. promptui draws the list again
// after either key from a goroutine of its own, over what the program says next; after the end of its input it does not.
type endKeys struct {
	io.ReadCloser
	err error
}

// Read reads a key.
func (e *endKeys) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:min(len(p), 1)])
	if n == 1 && p[0] == readline.CharInterrupt {
		e.err = ErrInterrupted
	} else if n == 1 && p[0] == readline.CharDelete {
		e.err = ErrInputEnded
	}
	if e.err != nil {
		return 0, io.EOF
	}
	return n, err
}

// quietWriter drops the bells with which readline answers every key of a list.
type quietWriter struct{ w io.Writer }

// Write writes p without bells.
func (q quietWriter) Write(p []byte) (int, error) {
	if _, err := q.w.Write(bytes.ReplaceAll(p, []byte{'\a'}, nil)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close does nothing: the stream is needed for the next question.
func (quietWriter) Close() error { return nil }

// Say writes a line.
func (t *terminalPrompter) Say(format string, args ...any) {
	fmt.Fprintf(t.streams.Err, format+"\n", args...)
}

// Input asks for a text.
func (t *terminalPrompter) Input(q Question) (string, error) { return t.text(q, 0) }

// Secret asks for a text and shows a star for every letter.
func (t *terminalPrompter) Secret(q Question) (string, error) { return t.text(q, '*') }

// text asks until the answer is valid. It uses the line editor of promptui without promptui's text prompt: that one draws
// from two goroutines at once when Enter is pressed, and its messages must fit one line of the terminal.
func (t *terminalPrompter) text(q Question, mask rune) (string, error) {
	if err := t.begin(q); err != nil {
		return "", err
	}
	for {
		answer, err := t.line(q, mask)
		if err != nil {
			return "", err
		}
		if mask == 0 {
			answer = strings.TrimSpace(Clean(answer))
		}
		if answer == "" {
			answer = q.Default
		}
		if q.Back && answer == BackWord {
			return "", ErrBack
		}
		if q.Validate == nil {
			return answer, nil
		}
		problem := q.Validate(answer)
		if problem == nil {
			return answer, nil
		}
		t.Say("  %s", t.red(Clean(problem.Error())))
	}
}

// line reads one line with the keys for editing.
func (t *terminalPrompter) line(q Question, mask rune) (string, error) {
	label := Clean(q.Label)
	if q.Default != "" {
		label += " [" + Clean(q.Default) + "]"
	}
	if !t.streams.Redraws() {
		return t.plainLine(label, mask != 0)
	}
	editor, err := readline.NewEx(&readline.Config{
		Prompt: t.bold(label) + ": ", Stdin: t.in, Stdout: t.out, Stderr: t.out,
		HistoryLimit: -1, EnableMask: mask != 0, MaskRune: mask, InterruptPrompt: "\n", EOFPrompt: "\n",
	})
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	defer editor.Close()
	answer, err := editor.Readline()
	if err != nil {
		return "", t.ended(err)
	}
	return answer, nil
}

// Select asks for one of the options.
func (t *terminalPrompter) Select(q Question, options []string) (int, error) {
	if err := t.begin(q); err != nil {
		return 0, err
	}
	if !t.streams.Redraws() {
		return t.plainSelect(q, options)
	}
	type item struct{ Question, Text string }
	var items []item
	at := 0
	for i, o := range options {
		if o == q.Default {
			at = i
		}
		items = append(items, item{q.Label, t.fit(o)})
	}
	if q.Back {
		items = append(items, item{q.Label, BackWord + " back"})
	}
	pointer, initial := "▸", "{{ . }}"
	if !t.streams.Unicode() {
		pointer = ">"
	}
	keys := &endKeys{ReadCloser: t.in}
	list := promptui.Select{
		Label: q.Label, Items: items, Size: min(len(items), 12), CursorPos: at, HideHelp: true, Stdin: keys, Stdout: t.out,
		Templates: &promptui.SelectTemplates{
			Label: t.bold(initial) + " (arrow keys, Enter)", Active: pointer + " " + t.bold("{{ .Text }}"), Inactive: "  {{ .Text }}",
			Selected: "{{ .Question }}: {{ .Text }}",
		},
	}
	i, _, err := list.Run()
	switch {
	case err != nil && keys.err != nil:
		return 0, keys.err
	case err != nil:
		return 0, t.ended(err)
	case i == len(options):
		return 0, ErrBack
	}
	return i, nil
}

// Confirm asks for yes or no.
func (t *terminalPrompter) Confirm(q Question) (bool, error) {
	q.Validate = func(answer string) error {
		if _, err := YesNo(answer); err != nil {
			return err
		}
		return nil
	}
	q.Label += " (yes or no)"
	answer, err := t.text(q, 0)
	if err != nil {
		return false, err
	}
	return YesNo(answer)
}

// YesNo reads y, yes, n and no in any letter case.
func YesNo(answer string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	case "n", "no":
		return false, nil
	}
	return false, errors.New("please answer yes or no")
}

// begin writes the help, if anybody can read it.
func (t *terminalPrompter) begin(q Question) error {
	if !t.streams.CanPrompt() {
		return ErrNoTerminal
	}
	if q.Help != "" {
		t.Say("\n%s", q.Help)
	}
	return nil
}

func (t *terminalPrompter) ended(err error) error {
	switch {
	case errors.Is(err, promptui.ErrInterrupt), errors.Is(err, readline.ErrInterrupt):
		return ErrInterrupted
	case errors.Is(err, promptui.ErrEOF), errors.Is(err, io.EOF):
		return ErrInputEnded
	}
	return fmt.Errorf("ask on the terminal: %w", err)
}

// fit cuts an option to one line: promptui counts every option as one when it draws over them.
func (t *terminalPrompter) fit(text string) string {
	text = Clean(text)
	if t.streams.Width > 20 {
		text = Cut(text, t.streams.Width-6)
	}
	return text
}

func (t *terminalPrompter) bold(template string) string { return t.style("1", template) }
func (t *terminalPrompter) red(text string) string      { return t.style("31", text) }

func (t *terminalPrompter) style(code, text string) string {
	if !t.streams.ErrColor() {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
