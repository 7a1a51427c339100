package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/pause"
)

// drain waits until nothing runs that the stop would end, and notes what ran and what waits.
func (u *upgrade) drain() op.Step {
	step := u.gated(stepDrain, "Running builds ended", 0, func(ctx context.Context, say op.Say) error {
		end := u.s.State.Begun[stepDrain].Add(u.o.Drain)
		said := ""
		for {
			work, err := u.c.Work(ctx)
			if err != nil {
				return err
			}
			u.s.State.Work = work
			busy := lost(work.Running)
			if len(busy) == 0 {
				return nil
			}
			if left := end.Sub(u.o.now()); left <= 0 {
				if !u.o.StopBuilds {
					return fmt.Errorf("%d builds still run after %s: %s", len(busy), text(u.o.Drain), names(busy))
				}
				return u.end(ctx, busy, say)
			} else if now := fmt.Sprintf("%d builds run: %s", len(busy), names(busy)); now != said {
				say("%s; waiting for up to %s", now, text(left))
				said = now
			}
			if err := pause.For(ctx, u.o.Tick); err != nil {
				return err
			}
		}
	})
	return u.undo(step, func(ctx context.Context, say op.Say) error {
		return u.ask(ctx, u.s.State.Stopped, say)
	})
}

// end stops builds and waits until they have ended. They are noted first, so that a cut cannot forget them.
func (u *upgrade) end(ctx context.Context, busy []Build, say op.Say) error {
	for _, build := range busy {
		if !slices.ContainsFunc(u.s.State.Stopped, func(b Build) bool { return b.Job == build.Job && b.Number == build.Number }) {
			u.s.State.Stopped = append(u.s.State.Stopped, build)
		}
	}
	if err := u.s.Save(); err != nil {
		return err
	}
	say("ending %s: they are asked for again afterwards", names(busy))
	for _, build := range busy {
		if err := u.c.StopBuild(ctx, build); err != nil {
			return err
		}
	}
	for {
		work, err := u.c.Work(ctx)
		if err != nil {
			return err
		}
		if u.s.State.Work = work; len(lost(work.Running)) == 0 {
			return nil
		}
		if err := pause.For(ctx, u.o.Tick); err != nil {
			return err
		}
	}
}

// lost are the builds that a stop of the controller would lose.
func lost(running []Build) (all []Build) {
	for _, build := range running {
		if !build.Resumes {
			all = append(all, build)
		}
	}
	return all
}

func names(builds []Build) string {
	const most = 5
	var all []string
	for i, build := range builds {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(builds)-most))
			break
		}
		all = append(all, fmt.Sprintf("%s #%d", build.Job, build.Number))
	}
	return strings.Join(all, ", ")
}

// stopLimit is how long the old version may take to end.
const stopLimit = 5 * time.Minute

// pushLimit bounds the wait for a git server that is down, without a window too.
const pushLimit = 5 * time.Minute
