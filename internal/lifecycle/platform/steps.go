package platform

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// The ids of the steps, which journals know. Those of instances are ROLE-HOST.
const (
	stepNear    = "bring-near"
	stepWindow  = "window"
	stepStop    = "marathon-stop"
	stepBackup  = "marathon-backup"
	stepRecord  = "record"
	provenSteps = "-proven"
)

// step is a step whose being done is what the state says.
func (u *run) step(id, title string, changes []string, do func(context.Context, op.Say) error) op.Step {
	return u.times.Step(op.Step{ID: id, Title: title, Changes: func(context.Context) []string { return changes }}, do)
}

// gated is a step that begins only as long as the way back still fits into the window. One that has begun is not ended by the reserve: half
// an exchange is worse than a late one, and its own limit ends it.
func (u *run) gated(id, title string, limit time.Duration, changes []string, do func(context.Context, op.Say) error) op.Step {
	return u.step(id, title, changes, func(ctx context.Context, say op.Say) error {
		if bound := u.s.State.Bound; bound != nil && !u.o.now().Before(bound.Last()) {
			return &upgrade.ReserveError{Bound: *bound, Before: title}
		}
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no success within %s", limit))
		defer cancel()
		err := do(ctx, say)
		if err != nil && ctx.Err() != nil {
			if cause := context.Cause(ctx); !errors.Is(err, cause) {
				err = errors.Join(cause, err)
			}
		}
		return err
	})
}

// undo makes a step's undoing, which does nothing where this run has not begun the step, or where its part is proven and stays.
func (u *run) undo(step op.Step, part Part, do func(context.Context, op.Say) error) op.Step {
	step.Undo = func(ctx context.Context, say op.Say) error {
		if !u.s.State.HasBegun(step.ID) {
			return nil
		}
		if slices.Contains(u.s.State.Proven, part.Role) {
			say("%s %s is proven, and stays", title(part.Role), part.To)
			return nil
		}
		if part.Stays != "" {
			return &StaysError{Part: part}
		}
		return do(ctx, say)
	}
	return step
}

// wait asks until there is no error, and says what is missing whenever that changes.
func (u *run) wait(ctx context.Context, say op.Say, ready func(context.Context) error) error {
	ticker := time.NewTicker(u.o.Tick)
	defer ticker.Stop()
	said := ""
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if text := err.Error(); text != said {
			said = text
			say("%s", text)
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

func (u *run) near() op.Step {
	return u.step(stepNear, "New programs verified, locked and fetched, and the old ones kept at hand", nil, u.c.BringNear)
}

// window is the gate to everything that can be noticed. Undone last, it closes a run that was taken back.
func (u *run) window() op.Step {
	step := u.step(stepWindow, "Window open long enough, and nothing stands against it", nil, func(ctx context.Context, say op.Say) error {
		bound, err := u.o.Window.Await(ctx, Expected(u.s.State.Parts), u.o.Wait, u.o.now, say)
		if err != nil {
			return err
		}
		u.s.State.Bound = bound
		if reasons := u.c.Check(ctx); len(reasons) > 0 {
			return &upgrade.RefusedError{Reasons: reasons}
		}
		return nil
	})
	step.Undo = func(ctx context.Context, _ op.Say) error {
		if !u.s.State.Disturbed() {
			return nil
		}
		if err := u.c.Record(ctx, u.s.State.Changed()); err != nil {
			return err
		}
		u.s.State.Outcome = upgrade.RolledBack
		return u.s.Save()
	}
	return step
}

// partSteps change the instances of one role.
func (u *run) partSteps(part Part) []op.Step {
	var steps []op.Step
	switch {
	case part.migrates():
		steps = u.migration(part)
	default:
		for _, host := range part.Hosts {
			steps = append(steps, u.instance(part, host))
		}
	}
	return append(steps, u.step(part.Role+provenSteps, title(part.Role)+" "+part.To+" proven", nil, func(ctx context.Context, say op.Say) error {
		ctx, cancel := context.WithTimeout(ctx, u.o.Instance)
		defer cancel()
		for _, host := range part.Hosts {
			if err := u.wait(ctx, say, func(ctx context.Context) error { return u.c.Runs(ctx, part.Role, host, New) }); err != nil {
				return err
			}
		}
		if err := u.wait(ctx, say, func(ctx context.Context) error { return u.c.Healthy(ctx, part.Role, "") }); err != nil {
			return err
		}
		if !slices.Contains(u.s.State.Proven, part.Role) {
			u.s.State.Proven = append(u.s.State.Proven, part.Role)
		}
		return u.s.Save()
	}))
}

// instance changes one instance, and goes on only when all serve.
func (u *run) instance(part Part, host string) op.Step {
	limit := 3 * u.o.Instance
	changes := []string{fmt.Sprintf("%s of %s: %s becomes %s", part.Role, host, part.From, part.To)}
	if part.Role == provision.RoleMesosAgent {
		limit += u.o.Drain
		changes = append(changes, fmt.Sprintf("before that wait up to %s for its builds to end; a controller there goes on", u.o.Drain))
	}
	step := u.gated(stepOf(part.Role, host), part.Role+" on "+host, limit, changes, func(ctx context.Context, say op.Say) error {
		return u.change(ctx, part, host, New, say)
	})
	return u.undo(step, part, func(ctx context.Context, say op.Say) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if u.c.Runs(ctx, part.Role, host, Old) == nil { // it was not touched yet, or is back already
			return u.release(ctx, part, host)
		}
		return u.change(ctx, part, host, Old, say)
	})
}

// change brings one instance to a side. No other one may be missing meanwhile.
func (u *run) change(ctx context.Context, part Part, host string, side Side, say op.Say) error {
	if err := u.wait(ctx, say, func(ctx context.Context) error { return u.c.Healthy(ctx, part.Role, host) }); err != nil {
		return fmt.Errorf("the others do not serve, so that %s on %s is left alone: %w", part.Role, host, err)
	}
	if part.Role == provision.RoleMesosAgent {
		if err := u.c.Drain(ctx, host, u.o.Drain, say); err != nil {
			return err
		}
	}
	if err := u.c.Exchange(ctx, part.Role, host, side, say); err != nil {
		return err
	}
	if err := u.wait(ctx, say, func(ctx context.Context) error { return u.c.Runs(ctx, part.Role, host, side) }); err != nil {
		return err
	}
	if err := u.wait(ctx, say, func(ctx context.Context) error { return u.c.Healthy(ctx, part.Role, "") }); err != nil {
		return err
	}
	return u.release(ctx, part, host)
}

// release gives a drained Mesos agent its offers back, but for one that somebody else has drained.
func (u *run) release(ctx context.Context, part Part, host string) error {
	if part.Role != provision.RoleMesosAgent || slices.Contains(u.s.State.Drained, host) {
		return nil
	}
	return u.c.Undrain(ctx, host)
}

// migration changes Marathon where its storage changes with it: all instances are down, the state is backed up, one instance
// migrates it, and only then the others come.
func (u *run) migration(part Part) []op.Step {
	limit := 3 * u.o.Instance
	first := part.Hosts[0]
	stop := u.gated(stepStop, "All Marathons stopped", limit, []string{"stop Marathon on all hosts; tasks run on, nothing can be deployed meanwhile"},
		func(ctx context.Context, _ op.Say) error { return u.stopAll(ctx, part) })
	stop = u.undo(stop, part, func(ctx context.Context, say op.Say) error { return u.oldMarathons(ctx, part, say) })
	backup := u.gated(stepBackup, "Marathon's state backed up", limit, []string{"copy its state in ZooKeeper to a file, and read that again"},
		func(ctx context.Context, _ op.Say) error {
			file := filepath.Join(u.s.Folder(), "marathon.json.gz")
			if err := u.c.BackUp(ctx, file); err != nil {
				return err
			}
			u.s.State.Backup = file
			return nil
		})
	migrate := u.gated(stepOf(part.Role, first), "marathon on "+first+", which alone migrates the state", limit,
		[]string{fmt.Sprintf("marathon of %s: %s becomes %s, and migrates the state; from then on only the backup leads back", first, part.From, part.To)},
		func(ctx context.Context, say op.Say) error {
			if err := u.c.Exchange(ctx, part.Role, first, New, say); err != nil {
				return err
			}
			return u.wait(ctx, say, func(ctx context.Context) error { return u.c.Migrated(ctx, first) })
		})
	migrate = u.undo(migrate, part, func(ctx context.Context, say op.Say) error {
		if err := u.stopAll(ctx, part); err != nil {
			return err
		}
		say("restoring Marathon's state of before from %s", u.s.State.Backup)
		return u.c.Restore(ctx, u.s.State.Backup)
	})
	steps := []op.Step{stop, backup, migrate}
	for _, host := range part.Hosts[1:] {
		changes := []string{fmt.Sprintf("marathon of %s: %s becomes %s", host, part.From, part.To)}
		steps = append(steps, u.gated(stepOf(part.Role, host), "marathon on "+host, limit, changes, func(ctx context.Context, say op.Say) error {
			if err := u.c.Exchange(ctx, part.Role, host, New, say); err != nil {
				return err
			}
			return u.wait(ctx, say, func(ctx context.Context) error { return u.c.Runs(ctx, part.Role, host, New) })
		}))
	}
	return steps
}

// stopAll ends all Marathons, the one that leads last.
func (u *run) stopAll(ctx context.Context, part Part) error {
	for _, host := range part.Hosts {
		if err := u.c.Stop(ctx, part.Role, host); err != nil {
			return err
		}
	}
	return nil
}

// oldMarathons starts the old version everywhere.
func (u *run) oldMarathons(ctx context.Context, part Part, say op.Say) error {
	ctx, cancel := context.WithTimeout(ctx, 3*u.o.Instance)
	defer cancel()
	for _, host := range part.Hosts {
		if err := u.c.Exchange(ctx, part.Role, host, Old, say); err != nil {
			return err
		}
	}
	return u.wait(ctx, say, func(ctx context.Context) error { return u.c.Healthy(ctx, part.Role, "") })
}

func (u *run) record() op.Step {
	return u.step(stepRecord, "Records say the new versions", nil, func(ctx context.Context, _ op.Say) error {
		if err := u.c.Record(ctx, u.s.State.Changed()); err != nil {
			return err
		}
		u.s.State.Outcome = upgrade.Proven
		return nil
	})
}
