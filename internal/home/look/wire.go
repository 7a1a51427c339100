package look

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/jomctl/jomctl/internal/home/history"
)

// The kinds of an error that comes over the wire.
const (
	kindNone   = "none"
	kindCommit = "commit"
)

// reply is an Answer or why there is none.
type reply struct {
	Answer *Answer `json:"answer,omitempty"`
	Kind   string  `json:"kind,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// Serve reads a question and writes its answer. That a question has no answer is no error of Serve: it is written.
func Serve(ctx context.Context, home string, c history.Config, question string, out io.Writer) error {
	var q Question
	if err := json.Unmarshal([]byte(question), &q); err != nil {
		return fmt.Errorf("reading the question: %w", err)
	}
	answer, err := Ask(ctx, home, c, q)
	r := reply{Answer: &answer}
	if err != nil {
		r = reply{Error: err.Error()}
		var commit *CommitError
		switch {
		case errors.Is(err, ErrNone):
			r.Kind = kindNone
		case errors.As(err, &commit):
			r.Kind, r.Error = kindCommit, commit.Text
		}
	}
	return json.NewEncoder(out).Encode(r)
}

// Read reads what Serve wrote.
func Read(text string) (Answer, error) {
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Answer{}, fmt.Errorf("reading the answer %.200q: %w", text, err)
	}
	switch {
	case r.Kind == kindNone:
		return Answer{}, &noneError{r.Error}
	case r.Kind == kindCommit:
		return Answer{}, &CommitError{r.Error}
	case r.Error != "":
		return Answer{}, errors.New(r.Error)
	case r.Answer == nil:
		return Answer{}, fmt.Errorf("the answer says nothing: %.200q", text)
	}
	return *r.Answer, nil
}

// noneError is ErrNone with the words of the other side.
type noneError struct{ text string }

func (e *noneError) Error() string { return e.text }

func (e *noneError) Unwrap() error { return ErrNone }
