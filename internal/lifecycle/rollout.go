package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/op"
)

// Marathon counts the healthy tasks once, when a deployment begins: with an upgrade strategy of 0/0 a deployment that begins
// while the old task is still starting never ends it, and waits for ever.
const (
	startingBudget = time.Minute
	// absentBudget is for a task that has just been lost with its agent: its successor takes a moment to appear.
	absentBudget = 10 * time.Second
	// stuckAfter is longer than a task may take to end (taskKillGracePeriodSeconds is 30).
	stuckAfter = 45 * time.Second
)

// rollOut makes the app what the document says and waits until it is. What an earlier, interrupted run has begun is replaced.
func (e *Env) rollOut(ctx context.Context, doc []byte, say op.Say) error {
	if err := e.settle(ctx, say); err != nil {
		return err
	}
	deployed, err := e.Marathon.Deploy(ctx, doc)
	var locked *cluster.LockedError
	if errors.As(err, &locked) {
		say("%v, which an earlier run has left: it is replaced", locked)
		deployed, err = e.Marathon.DeployForced(ctx, doc)
	}
	if err != nil {
		return err
	}
	return e.awaitDeployed(ctx, deployed.Version, stuckAfter, say)
}

// settle waits, but not for ever, until no task of the app is on its way from nothing to its first health.
func (e *Env) settle(ctx context.Context, say op.Say) error {
	m := e.Marathon
	m.Patience = time.Millisecond
	limited, cancel := context.WithTimeout(ctx, startingBudget)
	defer cancel()
	began := time.Now()
	err := wait(limited, say, func(ctx context.Context) error {
		app, err := m.App(ctx, e.AppID())
		switch {
		case err != nil:
			return nil //nolint:nilerr // one that is not there, or cannot be asked for, is no reason to wait
		case slices.ContainsFunc(app.Tasks, func(t cluster.AppTask) bool { return begins(app, t) }):
			return errors.New("the controller's last task is still starting")
		case app.Running == 0 && app.Instances > 0 && time.Since(began) < absentBudget:
			return errors.New("the controller's last task is about to start")
		}
		return nil
	})
	if ctx.Err() != nil {
		return err
	}
	return nil
}

func begins(app cluster.App, t cluster.AppTask) bool {
	switch t.State {
	case "TASK_STAGING", "TASK_STARTING":
		return true
	case "TASK_RUNNING":
		return app.HasChecks && t.Alive == nil
	}
	return false
}

// awaitDeployed waits, and begins a deployment anew that does not end a healthy old task.
func (e *Env) awaitDeployed(ctx context.Context, version string, patience time.Duration, say op.Say) error {
	m := e.Marathon
	m.Tick = tick / 2 // nobody has a controller meanwhile
	for {
		limited, cancel := context.WithTimeout(ctx, patience)
		_, err := m.WaitDeployed(limited, e.AppID(), version, func(text string) { say("%s", text) })
		over := limited.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !over {
			return err
		}
		app, err := m.App(ctx, e.AppID())
		if err != nil || !stuck(app) {
			continue // WaitDeployed knows better what to say about it
		}
		say("Marathon does not end the old task: the deployment is begun anew")
		deployed, err := m.Restart(ctx, e.AppID(), true)
		if err != nil {
			return err
		}
		version = deployed.Version
	}
}

// stuck says that a deployment holds the app and waits beside an old task that is well.
func stuck(app cluster.App) bool {
	old := app.Outdated()
	return len(app.Deployments) > 0 && len(old) > 0 && len(app.Current()) == 0 &&
		!slices.ContainsFunc(old, func(t cluster.AppTask) bool { return t.Alive == nil || !*t.Alive })
}
