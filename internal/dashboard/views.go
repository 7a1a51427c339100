package dashboard

import (
	"html/template"
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

// Each section has a view of its own, which has what its template shows and nothing that changes without being seen.

type summaryView struct {
	// Unreachable is since when no part answers, zero while one does; Answered is when one did last, and set with it.
	Unreachable, Answered time.Time
	Ready, Up             bool
	ControllerWord        string
	Version, Host         string
	Busy, Idle, Waiting   int
	Quieting              bool
	// ControllerStale and AgentsStale say that what is shown of them is what was known last.
	ControllerStale, AgentsStale bool
	ActiveAgents, AllAgents      int
	Quorum                       bool
	ZooUp, ZooAll                int
	Probes                       []Probe
}

type findingsView struct {
	Findings         []status.Finding
	Errors, Warnings int
}

type controllerView struct {
	// Stale is when the controller was known last, nil where it is known now.
	Stale *moment
	Word  string
	// Version is what was known last.
	Version string
	// Now is the controller as it is, without what other sections show.
	Now           status.Controller
	URL           string
	MarathonError string
	App           *status.App
}

type queueView struct {
	Stale bool
	Queue []status.QueueItem
}

type agentsView struct {
	// Stale is when the Mesos agents were known last, nil where they are known now; Error says why they are not.
	Stale *moment
	Error string
	Cards []template.HTML
}

type hostsView struct{ Cards []template.HTML }

type historiesView struct{ Histories []historyView }

type partsView struct{ Components []status.Component }

// views are the views of all sections.
func (p *pages) views(s Snapshot) map[string]any {
	agents := p.agents(s)
	var hosts []hostView
	for _, host := range s.Report.Hosts {
		hosts = append(hosts, hostOf(s.Report, host))
	}
	shown := agentsView{Stale: s.agentsStale(), Cards: cards(p, "agent", agents, func(a agentView) string { return a.ID })}
	if shown.Stale != nil {
		shown.Error = s.Report.Mesos.Error
	}
	return map[string]any{
		"summary": s.summary(agents), "findings": findingsOf(s.Report.Findings), "controller": s.controller(),
		"queue":  queueView{s.controllerStale() != nil, s.Report.Controller.Queue},
		"agents": shown,
		"hosts":  hostsView{cards(p, "host", hosts, func(h hostView) string { return h.Name })},
		"histories": historiesView{[]historyView{
			historyOf("Runs", "No run of jomctl is recorded in the state folder.", s.Runs, s.Answered),
			historyOf("Releases", "None yet: no change of the release is recorded.", s.Releases, s.Answered),
			historyOf("Drills", "None yet: no drill is recorded.", s.Drills, s.Answered),
		}},
		"parts": partsView{s.Report.Components},
	}
}

// agentsStale is when the Mesos agents were known last, nil where they are known now, or never were.
func (s Snapshot) agentsStale() *moment {
	if s.Report.Mesos.Error == "" {
		return nil
	}
	return newMoment(s.MesosAt)
}

// controllerStale is that of the controller.
func (s Snapshot) controllerStale() *moment {
	if s.Report.Controller.State == "up" {
		return nil
	}
	return newMoment(s.ControllerAt)
}

func (s Snapshot) controllerWord() string {
	if s.Report.Controller.State == "other" {
		return "does not serve"
	}
	return s.Report.Controller.State
}

func (s Snapshot) summary(agents []agentView) summaryView {
	r := s.Report
	v := summaryView{Unreachable: s.Unreachable, Ready: r.Ready, Up: r.Controller.State == "up", ControllerWord: s.controllerWord(),
		Version: s.Controller.Version, Host: r.Controller.Host, Busy: s.Controller.Busy, Idle: max(0, s.Controller.Nodes-s.Controller.Busy),
		Waiting: len(r.Controller.Queue), Quieting: r.Controller.Quieting, ControllerStale: s.controllerStale() != nil, AgentsStale: s.agentsStale() != nil,
		AllAgents: len(agents), Quorum: r.ZooKeeper.Quorum, ZooAll: len(r.ZooKeeper.Servers), Probes: s.Probes}
	if !s.Unreachable.IsZero() {
		v.Answered = s.Answered
	}
	for _, agent := range agents {
		if !agent.Bad {
			v.ActiveAgents++
		}
	}
	for _, server := range r.ZooKeeper.Servers {
		if server.Mode != "" {
			v.ZooUp++
		}
	}
	return v
}

func findingsOf(findings []status.Finding) findingsView {
	v := findingsView{Findings: sorted(findings)}
	for _, f := range findings {
		switch f.Severity {
		case status.Error:
			v.Errors++
		case status.Warning:
			v.Warnings++
		}
	}
	return v
}

func (s Snapshot) controller() controllerView {
	now := s.Report.Controller
	now.Queue, now.BuildAgents, now.Nodes, now.Busy = nil, nil, 0, 0
	return controllerView{Stale: s.controllerStale(), Word: s.controllerWord(), Version: s.Controller.Version, Now: now, URL: s.Report.URL,
		MarathonError: s.Report.Marathon.Error, App: s.Report.Marathon.App}
}
