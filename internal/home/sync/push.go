package sync

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
)

// pushLoop pushes what there is, and after a failure again, ever more slowly. It returns only when the context ends (nil) or
// the history is another's (ErrFenced).
func (e *Engine) pushLoop(ctx context.Context) error {
	wait := time.Duration(0)
	retry := time.NewTimer(0) // there may be something from before the start
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
			if wait > 0 {
				continue // a retry is due anyway; a busy home must not hammer a remote that is down
			}
		case <-retry.C:
		}
		err := e.push(ctx)
		switch {
		case err == nil:
			wait = 0
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrFenced):
			return err
		}
		if wait == 0 {
			e.o.Say("%v; nothing is lost, it is tried again", err)
		}
		wait = min(max(2*wait, e.o.Retry), e.o.RetryMax)
		retry.Reset(wait - wait/5 + rand.N(2*wait/5+1)) // #nosec G404 -- so that many controllers do not ask at once
	}
}

// push brings the remote up to date, once.
func (e *Engine) push(ctx context.Context) error {
	if err := e.claim(ctx); err != nil {
		return e.failed(err)
	}
	e.mu.Lock()
	head, pushed, owner, mine, theirs := e.head, e.pushed, e.claimed.Owner, e.numbers, e.numbersPushed
	e.later = time.Time{}
	e.mu.Unlock()
	var updates []git.Update
	if head != pushed {
		updates = append(updates, git.Update{Ref: e.o.Repo.Main(), Old: pushed, New: head})
	}
	if mine != theirs && !mine.IsZero() {
		updates = append(updates, git.Update{Ref: git.Numbers, Old: theirs, New: mine})
	}
	if len(updates) == 0 {
		return nil
	}
	// The owner ref stays as it is; naming it makes git look at it before anything is sent.
	updates = append(updates, git.Update{Ref: git.Owner, Old: owner, New: owner})
	if err := e.o.Repo.Push(ctx, updates...); err != nil {
		if err := e.resolve(ctx, head, pushed, owner, err); err != nil {
			return e.failed(err)
		}
		return nil
	}
	e.done(head)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.numbersPushed = mine
	return nil
}

// claim takes a history that could not be reached when the controller started.
func (e *Engine) claim(ctx context.Context) error {
	if e.o.Claim == nil {
		return nil
	}
	// No commit can be made during the claim, and a remote that does not answer is waited for long.
	if _, err := e.o.Repo.Remotes(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	claimed, err := e.o.Claim(ctx, e.head)
	if err != nil {
		return err
	}
	refs, err := e.o.Repo.Refs(ctx)
	if err != nil {
		return err
	}
	e.o.Claim, e.claimed, e.head, e.pushed, e.numbersPushed = nil, claimed, claimed.Head, claimed.Head, refs[git.Tracking(git.Numbers)]
	e.unpushed = time.Time{}
	e.reportLocked(func(s *Status) { s.PushError, s.LastPush = "", time.Now() })
	return nil
}

// done notes that the remote holds a commit.
func (e *Engine) done(head git.Hash) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pushed = head
	e.unpushed = time.Time{}
	if e.head != head {
		e.unpushed = e.later // made while the push was under way
		notify(e.wake)
	}
	e.reportLocked(func(s *Status) { s.PushError, s.LastPush = "", time.Now() })
}

func (e *Engine) failed(err error) error {
	err = fmt.Errorf("%w: %w", errNotPushed, err)
	e.report(func(s *Status) {
		s.PushError = err.Error()
		s.Fenced = s.Fenced || errors.Is(err, ErrFenced)
	})
	return err
}

// resolve finds out what a failed push means, from what the remote holds now.
func (e *Engine) resolve(ctx context.Context, head, pushed, owner git.Hash, failure error) error {
	refs, err := e.o.Repo.Remotes(ctx)
	if err != nil {
		return failure // out of reach: try again later
	}
	e.refresh(refs)
	at := refs[e.o.Repo.Main()]
	switch {
	case refs[git.Owner] != owner:
		return fmt.Errorf("%w: %w", ErrFenced, failure)
	case at == head: // it came through, only the answer did not
		if err := e.o.Repo.Set(ctx, git.Tracking(e.o.Repo.Main()), head); err != nil {
			return err
		}
		e.done(head)
		return nil
	case at == pushed:
		return failure // refused for a reason of the remote's own, as a hook or a full disk
	}
	return e.absorb(ctx, at)
}

// refresh remembers what the remote's numbers are.
func (e *Engine) refresh(refs map[string]git.Hash) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.numbersPushed = refs[git.Numbers]
}

// absorb deals with commits that somebody other than a controller pushed to the branch: the files stay those of the home, and
// the others' commits stay in the history, as a second parent.
func (e *Engine) absorb(ctx context.Context, at git.Hash) error {
	if _, err := e.o.Repo.Fetch(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	ours, err := e.o.Repo.Ancestor(ctx, at, e.head)
	if err != nil {
		return err
	}
	if !ours {
		message := "Keep the controller's files over commits made by others\n\n" + claim.Trailers(claim.Owner{Epoch: e.claimed.Epoch, Host: e.o.Host, Task: e.o.Task})
		out, err := e.o.Repo.Run(ctx, "commit-tree", "-m", message, "-p", e.head.String(), "-p", at.String(), e.head.String()+"^{tree}")
		if err != nil {
			return err
		}
		merged, err := git.ParseHash(strings.TrimSpace(out))
		if err != nil {
			return err
		}
		if err := e.o.Repo.Set(ctx, e.o.Repo.Main(), merged); err != nil {
			return err
		}
		e.head = merged
		e.o.Say("somebody pushed to the branch of the home's history (%s): their commits are kept, the files stay the home's", at)
	}
	e.pushed = at
	if e.unpushed.IsZero() {
		e.unpushed = time.Now()
	}
	notify(e.wake)
	return nil
}
