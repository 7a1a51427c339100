package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/look"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision/hosts"
)

// Home is the controller's home with a history.
type Home struct {
	// Path is JENKINS_HOME, Config how its history is kept; on hosts of their own both are the host's.
	Path   string
	Config history.Config
	// Note is what a user should know about the last answer, such as that the home's host is away.
	Note string

	env *Env
}

// HomeHistory is the home of the controller, and how its history is kept. The error is a *Refusal where none is.
func (e *Env) HomeHistory() (*Home, error) {
	c := e.controller()
	if e.Cluster.Jenkins.SCM == nil {
		return nil, &Refusal{Problem: "the home has no history", Fix: "name a git repository in jenkins.scm, and run `jomctl install`"}
	}
	return &Home{Path: c.home, Config: *c.history(), env: e}, nil
}

// Ask asks where the home is. What the repository alone can say is asked of it where the home's host cannot be reached.
func (h *Home) Ask(ctx context.Context, q look.Question) (look.Answer, error) {
	if h.env.own == nil {
		return look.Ask(ctx, h.Path, h.Config, q)
	}
	m, err := h.env.homeMachine(ctx)
	if err == nil {
		return h.env.askHome(ctx, m, q)
	}
	remote := h.env.controller().historyRemote()
	if q.Verb != look.Log && q.Verb != look.Diff || filepath.IsAbs(remote.URL) {
		return look.Answer{}, err
	}
	repo, fetchErr := look.Fetch(ctx, filepath.Join(h.env.Cluster.StateDir(), "cache", "home.git"), remote)
	if fetchErr != nil {
		return look.Answer{}, fmt.Errorf("%w; and the repository cannot be asked from here: %w", err, fetchErr)
	}
	h.Note = fmt.Sprintf("%v: this is what %s has", err, remote.URL)
	return repo.Answer(ctx, q)
}

// connecting is how long one host is waited for where another may answer instead.
const connecting = 15 * time.Second

// homeMachine is the host that knows the home: that of the controller's task, or the first that can be reached.
func (e *Env) homeMachine(ctx context.Context) (*host.Remote, error) {
	c := e.controller()
	if len(c.on) == 0 {
		return nil, &Refusal{Problem: "no host has the home", Fix: "give a host the role mesos-agent"}
	}
	order := append([]host.Machine{}, c.on...)
	if len(order) > 1 {
		m := e.Marathon
		m.Patience = time.Second
		if app, err := m.App(ctx, e.AppID()); err == nil && len(app.Current()) > 0 {
			for i, one := range order {
				if one.Address() == app.Current()[0].Host {
					order[0], order[i] = order[i], order[0]
				}
			}
		}
	}
	var first error
	for _, one := range order {
		remote := e.own.remotes[one.Name()]
		limited, cancel := context.WithTimeout(ctx, connecting)
		err := remote.Connect(limited)
		cancel()
		if err == nil {
			return remote, nil
		}
		if first == nil {
			first = fmt.Errorf("%s, which has the home, cannot be reached: %w", one.Name(), err)
		}
	}
	return nil, first
}

// askHome asks jomhome on a host.
func (e *Env) askHome(ctx context.Context, m host.Machine, q look.Question) (look.Answer, error) {
	question, err := json.Marshal(q)
	if err != nil {
		return look.Answer{}, err
	}
	out, err := m.Run(ctx, hosts.BinPath("jomhome"), "home", e.controller().runFile(), string(question))
	if err != nil {
		return look.Answer{}, fmt.Errorf("asking %s about the home (`jomctl install` brings its jomhome up to date): %w", m.Name(), err)
	}
	return look.Read(out.Stdout)
}
