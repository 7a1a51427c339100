package ui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// plainLine reads a line on a terminal that knows no control sequences, such as the shell of an editor.
func (t *terminalPrompter) plainLine(label string, secret bool) (string, error) {
	fmt.Fprintf(t.streams.Err, "%s: ", label)
	if file, ok := t.streams.In.(*os.File); ok && secret {
		answer, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(t.streams.Err)
		if err != nil {
			return "", t.ended(err)
		}
		return string(answer), nil
	}
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := t.in.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, one[0])
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case err != nil:
			fmt.Fprintln(t.streams.Err)
			return "", t.ended(err)
		}
	}
}

// plainSelect shows the options with numbers and asks for one.
func (t *terminalPrompter) plainSelect(q Question, options []string) (int, error) {
	at := 0
	for i, o := range options {
		if o == q.Default {
			at = i
		}
		t.Say("%3d  %s", i+1, Clean(o))
	}
	q.Help, q.Default = "", strconv.Itoa(at+1)
	q.Label += fmt.Sprintf(" (1 to %d)", len(options))
	q.Validate = func(answer string) error {
		if n, err := strconv.Atoi(answer); err != nil || n < 1 || n > len(options) {
			return fmt.Errorf("please answer with a number from 1 to %d", len(options))
		}
		return nil
	}
	answer, err := t.text(q, 0)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(answer)
	return n - 1, err
}
