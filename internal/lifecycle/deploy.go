package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/op"
)

// controllerBudget is how long a step of the controller may take.
func (e *Env) controllerBudget(given time.Duration) time.Duration {
	if given > 0 {
		return given
	}
	return e.Cluster.Jenkins.App.Grace.Duration() + leaderBudget
}

func (e *Env) appStep(timeout time.Duration) op.Step {
	c := e.controller()
	document := func() ([]byte, error) {
		if !e.own.known() {
			return nil, errNotKnown
		}
		files, err := c.files()
		if err != nil {
			return nil, err
		}
		return c.document(files)
	}
	look := func(ctx context.Context) (op.State, []string, error) {
		doc, err := document()
		if err != nil {
			return op.Later, nil, nil // what it is made of is not there yet
		}
		m := e.Marathon
		m.Patience = time.Millisecond
		app, err := m.App(ctx, e.AppID())
		if errors.Is(err, cluster.ErrNotFound) {
			return op.Needed, []string{"deploy " + e.AppID()}, nil
		}
		if err != nil {
			return op.Later, nil, nil // Marathon is not there yet
		}
		changes, err := cluster.Diff(doc, app.Raw)
		if err != nil || len(changes) > 0 {
			return op.Needed, changes, err
		}
		if len(app.Current()) != 1 || len(app.Tasks) != 1 {
			return op.Needed, []string{fmt.Sprintf("wait until one task runs (now: %d of %d)", len(app.Current()), len(app.Tasks))}, nil
		}
		return op.Done, nil, nil
	}
	return op.Step{ID: "controller-app", Title: "Controller " + e.AppID() + " deployed through Marathon",
		Budget: e.controllerBudget(timeout),
		Probe: func(ctx context.Context) (op.State, error) {
			state, _, err := look(ctx)
			return state, err
		},
		Changes: func(ctx context.Context) []string {
			_, changes, _ := look(ctx)
			return changes
		},
		Do: func(ctx context.Context, say op.Say) error {
			doc, err := document()
			if err != nil {
				return err
			}
			if err := e.makeHome(ctx); err != nil {
				return err
			}
			return e.rollOut(ctx, doc, say)
		},
	}
}

var errNotKnown = errors.New("the programs of the hosts are not known yet")

// makeHome makes the folder of the home, so that an unwritable place is an error here and not a task that fails for ever.
func (e *Env) makeHome(ctx context.Context) error {
	c := e.controller()
	if c.selfContained() {
		return nil // it is there, and its user's
	}
	for _, m := range c.on {
		if err := m.MkdirAll(ctx, c.home, 0o755); err != nil {
			return &Refusal{Problem: fmt.Sprintf("making the home: %v", err), Fix: "set jenkins.home.path to a folder that can be written to"}
		}
	}
	return nil
}

func (e *Env) readyStep(timeout time.Duration) op.Step {
	c := e.controller()
	return op.Step{ID: "controller-ready", Title: "Controller ready, secured, agent port open",
		Budget: e.controllerBudget(timeout),
		Probe: func(ctx context.Context) (op.State, error) {
			client, err := e.Jenkins()
			if err != nil {
				return op.Later, nil
			}
			defer client.Close()
			if _, err = client.Ready(ctx, c.want()); err == nil {
				err = c.cloudKept(ctx)
			}
			return op.NeededUnless(err == nil), nil
		},
		Do: func(ctx context.Context, say op.Say) error {
			client, err := e.Jenkins()
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			explained := make(chan struct{})
			go func() {
				defer close(explained)
				e.explainFailures(ctx, say)
			}()
			_, err = client.WaitReady(ctx, c.want(), tick, func(text string) { say("%s", text) })
			cancel()
			<-explained
			if err != nil {
				return err
			}
			return c.cloudKept(ctx)
		},
	}
}

func (c controller) want() jenkins.Want {
	want := jenkins.Want{Version: c.version(), AgentPort: c.env.Cluster.Jenkins.App.AgentPort, Secured: true}
	if c.war.Real() && !c.env.libmesos() { // which comes up without what it cannot load, and does not say so
		want.FrameworkID = c.env.frameworkID()
	}
	return want
}

// explainFailures says why the controller's task ended, as the API of Jenkins cannot tell while there is no Jenkins.
func (e *Env) explainFailures(ctx context.Context, say op.Say) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	said := ""
	if app, err := e.Marathon.App(ctx, e.AppID()); err == nil && app.LastFailure != nil {
		said = app.LastFailure.TaskID // that one is history
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		app, err := e.Marathon.App(ctx, e.AppID())
		if err != nil || app.LastFailure == nil || app.LastFailure.TaskID == said {
			continue
		}
		said = app.LastFailure.TaskID
		text := fmt.Sprintf("the controller's task failed on %s: %s", e.hostName(app.LastFailure.Host), app.LastFailure.Message)
		if stderr, err := e.Mesos.TaskLog(ctx, said, "stderr", 2000); err == nil {
			text += "; its last words: " + lastLine(stderr)
		}
		say("%s", text)
	}
}
