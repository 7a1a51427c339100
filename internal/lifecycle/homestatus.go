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

// backupFacts is what became of the last backups of the home, nil where none are to be made.
func (e *Env) backupFacts(ctx context.Context) *status.Backup {
	b, err := e.Backups()
	if err != nil {
		return nil // the file says nothing of them, or what is wrong is said before they are used
	}
	_, period, _ := e.Cluster.Backup.Calendar()
	out := &status.Backup{Repository: b.Repository.Location, Period: period.Seconds()}
	state, err := b.State(ctx)
	if err != nil {
		out.Error = err.Error()
	}
	if good := state.Good; good != nil {
		out.Good, out.GoodID = good.Began, good.ID
	}
	if last := state.Last; last != nil {
		out.Last, out.Host, out.Failed, out.Failures = last.Ended, last.Host, last.Error, state.Failures
	}
	return out
}
