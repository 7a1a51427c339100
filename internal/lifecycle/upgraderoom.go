package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/provision"
)

// checkResources asks whether the new controller finds what it needs where the old one was, beside everything else that runs.
func (u *Upgrade) checkResources(ctx context.Context, add func(subject, problem, fix string)) {
	mesos := u.Old.Mesos
	mesos.Patience = time.Second
	state, err := mesos.State(ctx)
	if err != nil {
		return // that Mesos does not answer is said already
	}
	marathon := u.Old.Marathon
	marathon.Patience = time.Second
	app, err := marathon.App(ctx, u.Old.AppID())
	if err != nil {
		return // as above
	}
	var old []cluster.Task
	for _, task := range app.Tasks {
		if known, ok := state.Task(task.ID); ok {
			old = append(old, known)
		}
	}
	host := ""
	if home, fixed := provision.HomeHost(u.New.Cluster); fixed {
		host = home.Address
	}
	want := u.New.Cluster.Jenkins.App
	need := cluster.Resources{CPUs: want.CPUs, Mem: float64(want.Mem.MiB())}
	if problem := noPlace(state.Agents, old, host, need); problem != "" {
		add("resources", problem, "end what runs there, give the Mesos agent more, or ask for less in jenkins.app of "+u.New.Cluster.File)
	}
}

// noPlace says why no Mesos agent has room for a controller, once the old one's tasks are gone; empty where one has. host is where its home
// lies, empty where it may be anywhere.
func noPlace(agents []cluster.Agent, old []cluster.Task, host string, need cluster.Resources) string {
	where := "no Mesos agent"
	if host != "" {
		where = "no Mesos agent on " + host + ", where the home lies,"
		agents = slices.DeleteFunc(slices.Clone(agents), func(a cluster.Agent) bool { return a.Hostname != host })
	}
	best, open := cluster.Resources{}, 0
	for _, agent := range agents {
		if !agent.Active || agent.Deactivated {
			continue
		}
		open++
		free := agent.Free()
		for _, task := range old {
			if task.AgentID == agent.ID {
				free.CPUs += task.Resources.CPUs
				free.Mem += task.Resources.Mem
			}
		}
		const rounding = 1e-6
		if free.CPUs+rounding >= need.CPUs && free.Mem+rounding >= need.Mem {
			return ""
		}
		if free.Mem > best.Mem {
			best = free
		}
	}
	if open == 0 {
		return where + " takes tasks: it is away, or drained"
	}
	return fmt.Sprintf("%s has room for the new controller once the old one is gone: it needs %g CPUs and %g MiB, and %g CPUs and %g MiB would be free", where, need.CPUs, need.Mem, best.CPUs, best.Mem)
}
