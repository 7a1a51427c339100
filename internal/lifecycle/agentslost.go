package lifecycle

import (
	"cmp"
	"context"
	"slices"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
)

// lost are the lines of a preview that say what runs on a Mesos agent and ends with its new settings; none where nothing does.
func (e *Env) lost(ctx context.Context, h config.Host, s provision.Service) []string {
	if !e.own.known() {
		return nil
	}
	builds, all, err := s.Ends(ctx)
	if err != nil || !builds {
		return nil
	}
	return e.running(ctx, h, all)
}

// running are the lines about the build agents on a host, and about the controller where all tasks end.
func (e *Env) running(ctx context.Context, h config.Host, all bool) []string {
	idle := "an idle build agent"
	work, err := e.work(ctx)
	if err != nil { // the build agents are named all the same
		work, idle = nil, "a build agent"
	}
	var lines []string
	controller, back := false, false
	err = e.each(ctx, h, func(state cluster.State, agent cluster.Agent, out bool) error {
		load := state.LoadOf(agent.ID, e.owners())
		for _, task := range load.BuildAgents {
			lines = append(lines, "lost on "+h.Name+": "+cmp.Or(work[task.ID], idle)+" ("+task.ID+")")
		}
		controller = controller || all && len(load.Controller) > 0
		back = back || all && out // Mesos drains an identity, not a host
		return nil
	})
	if err != nil {
		return []string{"what runs on " + h.Name + " cannot be told: " + err.Error()}
	}
	slices.Sort(lines)
	if len(lines) > 0 {
		lines = append(lines, "`jomctl agents drain "+h.Name+"` before lets builds end by themselves")
	}
	if controller {
		lines = append(lines, "the controller runs on "+h.Name+": it is restarted on the same home, and builds that are no Pipelines end")
	}
	if back {
		lines = append(lines, h.Name+" is drained, and comes back into service")
	}
	return lines
}
