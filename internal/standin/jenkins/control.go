package jenkins

import (
	"errors"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/casc"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/plugins"
	"github.com/jomctl/jomctl/internal/standin/jenkins/rest"
)

var errNotUp = errors.New("the controller is not up")

// control is what the pages ask of the process.
func (p *process) control() rest.Control {
	return rest.Control{
		Restart: p.restart, Unrestart: p.unrestart, Exit: p.exit, AgentHost: p.o.agentHost,
		AgentPort: func() int {
			if a := p.current(); a != nil {
				return a.agentPort()
			}
			return 0
		},
		CascCheck: func(document []byte) []rest.Problem {
			_, problems := casc.Parse(document)
			out := make([]rest.Problem, 0, len(problems))
			for _, text := range problems {
				out = append(out, rest.Problem{Line: -1, Message: text})
			}
			return out
		},
		CascReload: func() error {
			if a := p.current(); a != nil {
				return a.reloadCasc()
			}
			return errNotUp
		},
		CascApply: func(document []byte) error {
			a := p.current()
			if a == nil {
				return errNotUp
			}
			doc, _ := casc.Parse(document)
			return a.apply(doc)
		},
		CascExport: p.export,
		Plugins: func() []plugins.Plugin {
			if a := p.current(); a != nil {
				return a.plugins
			}
			return nil
		},
	}
}

func (p *process) export() []byte {
	a := p.current()
	if a == nil {
		return nil
	}
	var cfg home.Config
	root := ""
	a.c.Locked(func() { cfg, root = *a.c.Config(), a.c.RootURL() })
	data, err := casc.Export(&cfg, a.c.Users.List(), root)
	if err != nil {
		return []byte("# " + err.Error() + "\n")
	}
	return data
}

// restart aborts at once, or waits for running builds; then "Restarting Jenkins" is shown for a moment.
func (p *process) restart(safe bool) {
	p.mu.Lock()
	p.restartGen++
	generation := p.restartGen
	p.mu.Unlock()
	e := ending{code: exitRestart, aborted: true, reexec: !p.o.exitOnly}
	go func() {
		if safe && !p.waitIdle(generation) {
			return
		}
		p.rest.SetPhase(rest.Restarting, "")
		time.Sleep(restartPause)
		p.end(e)
	}()
}

// unrestart cancels a safe restart that still waits.
func (p *process) unrestart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restartGen++
}

// waitIdle waits until nothing runs; false = cancelled or stopping.
func (p *process) waitIdle(generation int) bool {
	for {
		p.mu.Lock()
		gone := p.restartGen != generation || p.stopping
		a := p.app
		p.mu.Unlock()
		if gone || a == nil {
			return false
		}
		if a.c.Busy() == 0 {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *process) exit(safe bool) {
	p.mu.Lock()
	p.restartGen++
	generation := p.restartGen
	p.mu.Unlock()
	go func() {
		if safe && !p.waitIdle(generation) {
			return
		}
		time.Sleep(100 * time.Millisecond) // the answer goes out first
		p.end(ending{})
	}()
}
