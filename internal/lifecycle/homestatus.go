package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/home/look"
	"github.com/jomctl/jomctl/internal/status"
)

// homeFacts is what the controller says about the history of its home, nil where none is kept.
func (e *Env) homeFacts(ctx context.Context) *status.Home {
	kept, err := e.HomeHistory()
	if err != nil {
		return nil
	}
	answer, err := kept.Ask(ctx, look.Question{Verb: look.Status})
	switch {
	case errors.Is(err, look.ErrNone):
		return nil // it has not begun
	case err != nil:
		return &status.Home{Problem: err.Error()}
	}
	said := answer.Status
	home := &status.Home{Epoch: said.Epoch, Unpushed: said.Unpushed, LastPush: said.LastPush, Files: said.Files}
	problems := []string{said.Start, said.CommitError, said.PushError}
	if said.Fenced {
		problems = append(problems, "another controller owns the history")
	}
	if len(said.Refused) > 0 {
		problems = append(problems, fmt.Sprintf("%d files are not kept: `jomctl home status` names them", len(said.Refused)))
	}
	home.Problem = strings.Join(slices.DeleteFunc(problems, func(text string) bool { return text == "" }), "; ")
	return home
}
