package lifecycle

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
)

// The states of a Mesos agent as AgentInfo has them.
const (
	AgentActive   = "active"
	AgentDrained  = "drained"
	AgentDraining = "draining"
	AgentAway     = "away"
	AgentMissing  = "not registered"
)

// AgentInfo is one Mesos agent. Memory is MiB.
type AgentInfo struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// ID is Mesos' own, empty while the agent is not registered.
	ID    string `json:"id,omitempty"`
	State string `json:"state"`
	// InFile is false for one that Mesos knows and the cluster file does not.
	InFile      bool              `json:"inFile"`
	CPUs        float64           `json:"cpus"`
	CPUsUsed    float64           `json:"cpusUsed"`
	MemMiB      float64           `json:"memMiB"`
	MemUsedMiB  float64           `json:"memUsedMiB"`
	BuildAgents int               `json:"buildAgents"`
	Controller  bool              `json:"controller"`
	HasHome     bool              `json:"hasHome"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

// Agents are the Mesos agents of the file, in its order, and then those that only Mesos knows.
func (e *Env) Agents(ctx context.Context) ([]AgentInfo, error) {
	m := e.Mesos
	m.Patience = time.Millisecond // who looks is told at once that nobody answers
	state, err := m.State(ctx)
	if err != nil {
		return nil, err
	}
	windows, err := e.windows(ctx, state)
	if err != nil {
		return nil, err
	}
	home, _ := e.homeHost()
	var all []AgentInfo
	seen := map[string]bool{}
	for _, h := range e.Cluster.HostsWith(config.RoleMesosAgent) {
		info := AgentInfo{Name: h.Name, Address: h.Address, InFile: true, State: AgentMissing, HasHome: h.Name == home, Attributes: h.Attributes}
		for _, agent := range state.AgentsOn(h.Address) {
			seen[agent.ID] = true
			e.fill(&info, state, agent, windows)
		}
		all = append(all, info)
	}
	for _, agent := range state.Agents {
		if !seen[agent.ID] {
			info := AgentInfo{Name: agent.Hostname, Address: agent.Hostname, Attributes: agent.Attributes}
			e.fill(&info, state, agent, windows)
			all = append(all, info)
		}
	}
	return all, nil
}

func (e *Env) fill(info *AgentInfo, state cluster.State, agent cluster.Agent, windows []cluster.Window) {
	load := state.LoadOf(agent.ID, e.owners())
	info.ID, info.BuildAgents, info.Controller = agent.ID, len(load.BuildAgents), len(load.Controller) > 0
	info.CPUs, info.CPUsUsed, info.MemMiB, info.MemUsedMiB = agent.Total.CPUs, agent.Used.CPUs, agent.Total.Mem, agent.Used.Mem
	switch {
	case drained(state, agent, windows) && len(load.BuildAgents) > 0:
		info.State = AgentDraining
	case drained(state, agent, windows):
		info.State = AgentDrained
	case !agent.Active:
		info.State = AgentAway
	default:
		info.State = AgentActive
	}
}

func (e *Env) owners() cluster.Owners {
	return cluster.Owners{Builds: []string{e.frameworkID(), e.frameworkName()}, App: e.AppID()}
}

// windows is the maintenance schedule where that is the way in which this Mesos drains.
func (e *Env) windows(ctx context.Context, state cluster.State) ([]cluster.Window, error) {
	if cluster.MethodFor(state.Version) == cluster.DrainDeactivate {
		return nil, nil
	}
	return e.Mesos.Windows(ctx)
}

// drained says whether nothing new is placed on the agent.
func drained(state cluster.State, agent cluster.Agent, windows []cluster.Window) bool {
	if cluster.MethodFor(state.Version) == cluster.DrainDeactivate {
		return agent.Deactivated
	}
	machine := agent.Machine()
	return slices.ContainsFunc(windows, func(w cluster.Window) bool {
		return !w.Start.After(time.Now()) && slices.ContainsFunc(w.Machines, func(id cluster.MachineID) bool {
			return strings.EqualFold(id.Hostname, machine.Hostname) && id.IP == machine.IP
		})
	})
}
