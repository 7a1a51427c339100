// Package cluster holds the clients of the three systems under Jenkins: ZooKeeper, Mesos (operator API) and Marathon
// (go-marathon, with its faults fenced in). Whatever a leader alone may answer is asked through the leader, and every
// error says what was attempted on what.
package cluster

import (
	"errors"
	"fmt"
	"strings"
)

// Error is a failed call: what was attempted on what, the cause, and where one is known the next thing to do.
type Error struct {
	Op    string // "read the state of Mesos"
	On    string // address or object, may be empty
	Cause error
	Next  string // hint, may be empty
}

func (e *Error) Error() string {
	if e.On == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Cause)
	}
	return fmt.Sprintf("%s on %s: %v", e.Op, e.On, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint says what to do next; it is empty where nothing is known.
func (e *Error) Hint() string {
	if e.Next != "" {
		return e.Next
	}
	return hintOf(e.Cause)
}

// ErrNoLeader means that nobody leads at the moment.
var ErrNoLeader = errors.New("no leader")

// ErrNotFound means that the object does not exist.
var ErrNotFound = errors.New("not found")

func failed(op, on string, cause error) error {
	if cause == nil {
		return nil
	}
	return &Error{Op: op, On: on, Cause: cause}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// firstLine is the first line with text of a body that may be HTML, at most 200 bytes long.
func firstLine(body string) string {
	if title := between(body, "<title>", "</title>"); title != "" {
		return title
	}
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); line != "" {
			return shorten(line, 200)
		}
	}
	return ""
}

func between(text, from, to string) string {
	_, rest, found := strings.Cut(text, from)
	if !found {
		return ""
	}
	inner, _, found := strings.Cut(rest, to)
	if !found {
		return ""
	}
	return strings.TrimSpace(inner)
}

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
