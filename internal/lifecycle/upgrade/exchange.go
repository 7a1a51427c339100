package upgrade

import (
	"context"
	"fmt"
	"slices"

	"github.com/jomctl/jomctl/internal/op"
)

// stop ends the old version. Undone after everything that came later, it starts it again on the home that is in place then.
func (u *upgrade) stop() op.Step {
	step := u.gated(stepStop, "Old version stopped, and gone", stopLimit, func(ctx context.Context, say op.Say) error {
		// Builds are still asked for while nothing starts. Where a run was cut off the controller may be gone, and the list is there.
		work, err := u.c.Work(ctx)
		if err != nil && !u.s.State.HasEnded(listed) {
			return err
		}
		if err == nil {
			u.s.State.Work.Queued = work.Queued
			if err := u.times.End(listed); err != nil {
				return err
			}
		}
		return u.c.Stop(ctx, say)
	})
	return u.undo(step, func(ctx context.Context, say op.Say) error {
		if err := u.c.Deploy(ctx, Old, say); err != nil {
			return fmt.Errorf("starting the old version again: %w", err)
		}
		return u.c.Ready(ctx, Old, say)
	})
}

func (u *upgrade) keep() op.Step {
	return u.gated(stepKeep, "Home kept as the old version left it", 0, u.c.Keep)
}

// deploy starts the new version. Undone, the new one is gone and the home is the one that the old version left.
func (u *upgrade) deploy() op.Step {
	step := u.gated(stepDeploy, "New version started, its queue shut", u.o.Start, func(ctx context.Context, say op.Say) error { return u.c.Deploy(ctx, New, say) })
	return u.undo(step, func(ctx context.Context, say op.Say) error {
		if u.s.State.Opened() {
			return &OpenedError{}
		}
		u.ahead(ctx, say)
		if err := u.c.Stop(ctx, say); err != nil {
			return fmt.Errorf("stopping the new version: %w", err)
		}
		if u.s.State.Restored {
			return nil
		}
		touched, err := u.c.Touched(ctx)
		if err != nil {
			return err
		}
		if !touched {
			say("the new version has written nothing: the home stays")
			return u.c.Untouched(ctx)
		}
		kept, err := u.c.Restore(ctx, u.s.State.Backup, say)
		if err == nil {
			u.s.State.Restored, u.s.State.FailedHome = true, kept
		}
		return err
	})
}

// ahead does what takes long of a restore while the new version still answers. Where it cannot, all of it is done when that is gone.
func (u *upgrade) ahead(ctx context.Context, say op.Say) {
	if u.s.State.Restored {
		return
	}
	if touched, err := u.c.Touched(ctx); err != nil || !touched {
		return
	}
	if err := u.c.Ahead(ctx, u.s.State.Backup, say); err != nil && ctx.Err() == nil {
		say("the home is restored when the new version is gone, and not before: %v", err)
	}
}

func (u *upgrade) ready() op.Step {
	return u.gated(stepReady, "New version ready: version, plugins, security, configuration", u.o.Start, func(ctx context.Context, say op.Say) error { return u.c.Ready(ctx, New, say) })
}

func (u *upgrade) canary() op.Step {
	return u.gated(stepCanary, "A build on an agent of each template", u.o.Canary, u.c.Canary)
}

// open is the point of no return. As soon as builds may start, the run only goes forward, however often it is cut off.
func (u *upgrade) open() op.Step {
	load := u.gated(stepOpen, "Queue open", u.o.Start, func(ctx context.Context, say op.Say) error {
		if err := u.c.Open(ctx, say); err != nil {
			return err
		}
		if err := u.times.Begin(opened); err != nil {
			return err
		}
		return u.c.Loud(ctx)
	})
	step := load
	step.Do = func(ctx context.Context, say op.Say) error {
		if u.s.State.Opened() {
			if err := u.c.Loud(ctx); err != nil {
				return err
			}
			return u.times.End(stepOpen)
		}
		return load.Do(ctx, say)
	}
	return u.undo(step, func(context.Context, op.Say) error {
		if u.s.State.Opened() {
			return &OpenedError{}
		}
		return nil
	})
}

func (u *upgrade) requeue() op.Step {
	return u.step(stepRequeue, "What waited is asked for again", func(ctx context.Context, say op.Say) error {
		return u.ask(ctx, append(slices.Clone(u.s.State.Work.Queued), u.s.State.Stopped...), say)
	})
}

// ask asks for builds again, one after the other, the oldest first. Each is noted, so that a cut does not bring a second one of many.
func (u *upgrade) ask(ctx context.Context, builds []Build, say op.Say) error {
	for i := len(builds) - 1 - u.s.State.Asked; i >= 0; i-- {
		left, err := u.c.Requeue(ctx, builds[i:i+1], say)
		if err != nil {
			return err
		}
		u.s.State.Left = append(u.s.State.Left, left...)
		u.s.State.Asked++
		if err := u.s.Save(); err != nil {
			return err
		}
	}
	return nil
}

func (u *upgrade) withdraw() op.Step {
	return u.step(stepWithdraw, "Users told that it is over", func(ctx context.Context, _ op.Say) error { return u.unannounce(ctx) })
}

func (u *upgrade) record() op.Step {
	return u.step(stepRecord, "Cluster file and records say the new version", func(ctx context.Context, say op.Say) error {
		if err := u.c.Record(ctx, say); err != nil {
			return err
		}
		return u.s.close(Proven)
	})
}

// TakeBack says whether a run that ended with an error has to be taken back: the old version was disturbed, and the new one has not taken up
// work. The cause is kept for the report.
func TakeBack(s *Store, cause error) bool {
	if !s.State.Windowed() || s.State.Opened() {
		return false
	}
	if s.State.Cause == "" && cause != nil {
		s.State.Cause = cause.Error()
		_ = s.Save() // the way back may fail before it writes anything, and another process go on with it
	}
	return true
}
