package upgrade

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/op"
)

// The ids of the steps, which journals know.
const (
	stepNear        = "bring-near"
	stepFirstBackup = "backup-before"
	stepRehearse    = "rehearse"
	stepWindow      = "window"
	stepAnnounce    = "announce"
	stepQuiet       = "quiet"
	stepDrain       = "drain"
	stepPush        = "push"
	stepBackup      = "backup"
	stepStop        = "stop"
	stepKeep        = "keep"
	stepDeploy      = "deploy"
	stepReady       = "ready"
	stepCanary      = "canary"
	stepOpen        = "open"
	stepRequeue     = "requeue"
	stepWithdraw    = "withdraw"
	stepRecord      = "record"
	// opened is no step: it is the moment from which builds may start on the new version.
	opened = "opened"
	// listed is no step either: the queue was read right before the stop.
	listed = "listed"
)

// step is a step whose being done is what the state says: what it does cannot be seen in the world afterwards.
func (u *upgrade) step(id, title string, do func(context.Context, op.Say) error) op.Step {
	return u.times.Step(op.Step{ID: id, Title: title, Changes: func(context.Context) []string { return u.o.Changes[id] }}, do)
}

// gated is a step between the announcement and the open queue: it begins only as long as the way back still fits into the window, and
// ends when it does not any more.
func (u *upgrade) gated(id, title string, limit time.Duration, do func(context.Context, op.Say) error) op.Step {
	return u.step(id, title, func(ctx context.Context, say op.Say) error {
		bound := u.s.State.Bound
		if bound != nil {
			left := bound.Last().Sub(u.o.now())
			over := &ReserveError{Bound: *bound, Before: title}
			if left <= 0 {
				return over
			}
			say("%s left until the reserve for the way back begins", text(left))
			if limit == 0 || left < limit {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, left, over)
				defer cancel()
				return because(ctx, do(ctx, say))
			}
		}
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("no success within %s", text(limit)))
			defer cancel()
		}
		return because(ctx, do(ctx, say))
	})
}

// because adds why the time was up.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return errors.Join(cause, err)
	}
	return err
}

// undo makes a step's undoing, which does nothing where this run has not begun the step.
func (u *upgrade) undo(step op.Step, do func(context.Context, op.Say) error) op.Step {
	step.Undo = func(ctx context.Context, say op.Say) error {
		if !u.s.State.HasBegun(step.ID) {
			return nil
		}
		if err := do(ctx, say); err != nil {
			return err
		}
		return u.s.Save()
	}
	return step
}

func (u *upgrade) near() op.Step {
	return u.step(stepNear, "New version brought near", u.c.BringNear)
}

func (u *upgrade) firstBackup() op.Step {
	return u.step(stepFirstBackup, "Home backed up, and the backup restored and read", func(ctx context.Context, say op.Say) error {
		id, err := u.c.BackUp(ctx, true, say)
		if err == nil {
			u.s.State.FirstBackup = id
		}
		return err
	})
}

func (u *upgrade) rehearse() op.Step {
	return u.step(stepRehearse, "New version rehearsed on a copy of the home", func(ctx context.Context, say op.Say) error {
		id := u.s.State.FirstBackup
		if then := u.s.State.HomeOf; then != nil {
			id = then.Backup
		}
		found, err := u.c.Rehearse(ctx, id, say)
		if err != nil {
			return err
		}
		u.s.State.Rehearsal = found
		say("it was up after %.1f s", found.Seconds)
		return nil
	})
}

// window is the gate to everything that users notice. Undone last, it closes a run that was taken back.
func (u *upgrade) window() op.Step {
	step := u.step(stepWindow, "Window open long enough, and nothing stands against it", func(ctx context.Context, say op.Say) error {
		earlier, err := History(u.s.Dir)
		if err != nil {
			return err
		}
		bound, err := u.o.Window.Await(ctx, Expected(earlier, u.s.State.Rehearsal), u.o.Wait, u.o.now, say)
		if err != nil {
			return err
		}
		u.s.State.Bound = bound
		if reasons := u.c.Check(ctx); len(reasons) > 0 {
			return &RefusedError{Reasons: reasons}
		}
		return nil
	})
	return u.undo(step, func(ctx context.Context, _ op.Say) error {
		if !u.s.State.HasBegun(stepAnnounce) {
			return nil
		}
		if u.s.State.HasBegun(stepBackup) {
			if err := u.c.LetGo(ctx); err != nil {
				return err
			}
		}
		return u.s.close(RolledBack)
	})
}

func (u *upgrade) message() string {
	text := fmt.Sprintf("Jenkins is being upgraded from %s to %s.", u.s.State.From.Core, u.s.State.To.Core)
	if u.s.State.Bound != nil {
		text += " The maintenance ends by " + u.s.State.Bound.End.Format("15:04 MST") + "."
	}
	return text + " Builds that wait are kept."
}

// announce notes the message that is there before it replaces it.
func (u *upgrade) announce() op.Step {
	step := u.gated(stepAnnounce, "Users told", 0, func(ctx context.Context, _ op.Say) error {
		if u.s.State.Message == nil {
			before, err := u.c.Message(ctx)
			if err != nil {
				return err
			}
			u.s.State.Message = &before
			if err := u.s.Save(); err != nil {
				return err
			}
		}
		return u.c.Announce(ctx, u.message())
	})
	return u.undo(step, func(ctx context.Context, _ op.Say) error { return u.unannounce(ctx) })
}

func (u *upgrade) unannounce(ctx context.Context) error {
	if u.s.State.Message == nil {
		return nil
	}
	return u.c.Announce(ctx, *u.s.State.Message)
}

func (u *upgrade) quiet() op.Step {
	step := u.gated(stepQuiet, "Nothing new starts", 0, func(ctx context.Context, _ op.Say) error { return u.c.Quiet(ctx, u.message()) })
	return u.undo(step, func(ctx context.Context, _ op.Say) error { return u.c.Loud(ctx) })
}

func (u *upgrade) push() op.Step {
	limit := u.o.Push
	if limit == 0 {
		limit = pushLimit
	}
	return u.gated(stepPush, "Everything of the home pushed", limit, u.c.Push)
}

func (u *upgrade) lastBackup() op.Step {
	return u.gated(stepBackup, "Home backed up", 0, func(ctx context.Context, say op.Say) error {
		if err := u.c.Listing(ctx); err != nil {
			return err
		}
		id, err := u.c.BackUp(ctx, false, say)
		if err == nil {
			u.s.State.Backup = id
		}
		return err
	})
}
