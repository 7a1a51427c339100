package backup

import (
	"encoding/json"
	"errors"
	"fmt"
)

// wire is a Reply, or why there is none.
type wire struct {
	Reply *Reply `json:"reply,omitempty"`
	// Error is the whole text. Kind, Place, Problem and Fix are those of an *Error.
	Error   string `json:"error,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Place   string `json:"place,omitempty"`
	Problem string `json:"problem,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// kinds are the kinds of an *Error; over the wire they are named by their texts.
func kinds() []error {
	return []error{ErrNotInstalled, ErrNoRepository, ErrWrongPassword, ErrLocked, ErrNoRoom, ErrUnreachable, ErrDamaged, ErrForbidden, ErrNoBackup, ErrOccupied}
}

// Encode writes what came of a request as JSON.
func Encode(reply Reply, err error) ([]byte, error) {
	w := wire{Reply: &reply}
	if err != nil {
		w.Error = err.Error()
		var known *Error
		if errors.As(err, &known) {
			w.Kind, w.Place, w.Problem, w.Fix = known.Kind.Error(), known.Place, known.Problem, known.Fix
		}
	}
	return json.Marshal(w)
}

// told is an *Error with what was said around it, as that a backup was made before it.
type told struct {
	text  string
	known *Error
}

func (t *told) Error() string { return t.text }

// Unwrap is the *Error.
func (t *told) Unwrap() error { return t.known }

// Hint is that of the *Error.
func (t *told) Hint() string { return t.known.Fix }

// Decode reads what Encode wrote.
func Decode(text string) (Reply, error) {
	var w wire
	if err := json.Unmarshal([]byte(text), &w); err != nil || w.Reply == nil {
		return Reply{}, fmt.Errorf("reading the answer %.200q: %w", text, errors.Join(err, errors.New("it is not jomhome's")))
	}
	for i := range w.Reply.Backups {
		w.Reply.Backups[i].Record.ID = w.Reply.Backups[i].Snapshot.ID
	}
	if w.Error == "" {
		return *w.Reply, nil
	}
	for _, kind := range kinds() {
		if kind.Error() == w.Kind {
			known := &Error{Kind: kind, Place: w.Place, Problem: w.Problem, Fix: w.Fix}
			if known.Error() == w.Error {
				return *w.Reply, known
			}
			return *w.Reply, &told{w.Error, known}
		}
	}
	return *w.Reply, errors.New(w.Error)
}
