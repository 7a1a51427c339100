package cluster

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
)

// State is what the leading master knows. Memory and disk are MiB.
type State struct {
	Version string
	// Cluster is the name that the masters were given, often empty.
	Cluster string
	// Leader is host:port of the leading master, LeaderID the id of its present life.
	Leader   string
	LeaderID string
	Agents   []Agent
	// Recovered are agents that an earlier leader knew and that have not come back yet.
	Recovered           []Agent
	Frameworks          []Framework
	CompletedFrameworks []Framework
}

// Resources is an amount of CPUs, MiB of memory and disk, and port ranges such as "[31000-31099]".
type Resources struct {
	CPUs  float64 `json:"cpus"`
	Mem   float64 `json:"mem"`
	Disk  float64 `json:"disk"`
	Ports string  `json:"ports,omitempty"`
}

// Agent is one Mesos agent.
type Agent struct {
	ID       string
	Hostname string
	// Addr is host:port of its HTTP API.
	Addr    string
	Version string
	// Active is false while the agent is away or shut out; Deactivated while it is drained.
	Active      bool
	Deactivated bool
	Total       Resources
	Used        Resources
	Offered     Resources
	Attributes  map[string]string
}

// Free is what neither tasks nor offers hold.
func (a Agent) Free() Resources {
	return Resources{
		CPUs: a.Total.CPUs - a.Used.CPUs,
		Mem:  a.Total.Mem - a.Used.Mem,
		Disk: a.Total.Disk - a.Used.Disk,
	}
}

// Framework is one framework with its tasks.
type Framework struct {
	ID   string
	Name string
	User string
	// Active: it gets offers. Connected: its scheduler is there. Recovered: known from agents only, after a failover.
	Active    bool
	Connected bool
	Recovered bool
	Roles     []string
	// Registered and Reregistered are Unix seconds. A Reregistered that keeps changing means two schedulers with one id.
	Registered   float64
	Reregistered float64
	Used         Resources
	// Tasks are the live ones; Unreachable those on lost agents; Completed the last ones that ended.
	Tasks       []Task
	Unreachable []Task
	Completed   []Task
}

// Task is one Mesos task.
type Task struct {
	ID          string
	Name        string
	FrameworkID string
	ExecutorID  string
	AgentID     string
	// Host is the agent's host name, empty where the agent is not known any more.
	Host      string
	State     string
	Resources Resources
	// Since is when it got into State (Unix seconds).
	Since float64
	// Healthy is nil without a health check or before its first result.
	Healthy *bool
}

// Framework finds a live framework by id, or else by name; among several of one name the active one.
func (s State) Framework(idOrName string) (Framework, bool) {
	var found Framework
	var ok bool
	for _, f := range s.Frameworks {
		if f.ID == idOrName {
			return f, true
		}
		if f.Name == idOrName && (!ok || f.Active && !found.Active) {
			found, ok = f, true
		}
	}
	return found, ok
}

// Agent finds an agent by id.
func (s State) Agent(id string) (Agent, bool) {
	for _, a := range s.Agents {
		if a.ID == id {
			return a, true
		}
	}
	return Agent{}, false
}

// Task finds a task by id, live ones first, then unreachable and ended ones.
func (s State) Task(id string) (Task, bool) {
	lists := []func(Framework) []Task{
		func(f Framework) []Task { return f.Tasks },
		func(f Framework) []Task { return f.Unreachable },
		func(f Framework) []Task { return f.Completed },
	}
	for _, list := range lists {
		for _, frameworks := range [][]Framework{s.Frameworks, s.CompletedFrameworks} {
			for _, f := range frameworks {
				for _, t := range list(f) {
					if t.ID == id {
						return t, true
					}
				}
			}
		}
	}
	return Task{}, false
}

type rawState struct {
	Version    string `json:"version"`
	Cluster    string `json:"cluster"`
	ID         string `json:"id"`
	LeaderInfo struct {
		Hostname string `json:"hostname"`
		Port     int    `json:"port"`
	} `json:"leader_info"`
	Leader              string         `json:"leader"`
	Slaves              []rawAgent     `json:"slaves"`
	RecoveredSlaves     []rawAgent     `json:"recovered_slaves"`
	Frameworks          []rawFramework `json:"frameworks"`
	CompletedFrameworks []rawFramework `json:"completed_frameworks"`
}

type rawAgent struct {
	ID          string                     `json:"id"`
	Hostname    string                     `json:"hostname"`
	Port        int                        `json:"port"`
	PID         string                     `json:"pid"`
	Version     string                     `json:"version"`
	Active      bool                       `json:"active"`
	Deactivated bool                       `json:"deactivated"`
	Resources   Resources                  `json:"resources"`
	Used        Resources                  `json:"used_resources"`
	Offered     Resources                  `json:"offered_resources"`
	Attributes  map[string]json.RawMessage `json:"attributes"`
}

type rawFramework struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	User         string    `json:"user"`
	Active       bool      `json:"active"`
	Connected    bool      `json:"connected"`
	Recovered    bool      `json:"recovered"`
	Roles        []string  `json:"roles"`
	Role         string    `json:"role"`
	Registered   float64   `json:"registered_time"`
	Reregistered float64   `json:"reregistered_time"`
	Used         Resources `json:"used_resources"`
	Tasks        []rawTask `json:"tasks"`
	Unreachable  []rawTask `json:"unreachable_tasks"`
	Completed    []rawTask `json:"completed_tasks"`
}

type rawTask struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	FrameworkID string    `json:"framework_id"`
	ExecutorID  string    `json:"executor_id"`
	SlaveID     string    `json:"slave_id"`
	State       string    `json:"state"`
	Resources   Resources `json:"resources"`
	Statuses    []struct {
		Timestamp float64 `json:"timestamp"`
		Healthy   *bool   `json:"healthy"`
	} `json:"statuses"`
}

func (r rawState) state() State {
	s := State{Version: r.Version, Cluster: r.Cluster, LeaderID: r.ID, Leader: afterAt(r.Leader)}
	if r.LeaderInfo.Port != 0 && s.Leader == "" {
		s.Leader = net.JoinHostPort(r.LeaderInfo.Hostname, strconv.Itoa(r.LeaderInfo.Port))
	}
	hosts := map[string]string{}
	for _, a := range r.Slaves {
		s.Agents = append(s.Agents, a.agent())
		hosts[a.ID] = a.Hostname
	}
	for _, a := range r.RecoveredSlaves {
		s.Recovered = append(s.Recovered, a.agent())
		hosts[a.ID] = a.Hostname
	}
	for _, f := range r.Frameworks {
		s.Frameworks = append(s.Frameworks, f.framework(hosts))
	}
	for _, f := range r.CompletedFrameworks {
		s.CompletedFrameworks = append(s.CompletedFrameworks, f.framework(hosts))
	}
	return s
}

func (r rawAgent) agent() Agent {
	a := Agent{
		ID: r.ID, Hostname: r.Hostname, Addr: afterAt(r.PID), Version: r.Version, Active: r.Active,
		Deactivated: r.Deactivated, Total: r.Resources, Used: r.Used, Offered: r.Offered,
	}
	if len(r.Attributes) > 0 {
		a.Attributes = map[string]string{}
	}
	for name, value := range r.Attributes {
		// Text is a JSON string, a scalar a number.
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		a.Attributes[name] = text
	}
	return a
}

func (r rawFramework) framework(hosts map[string]string) Framework {
	f := Framework{
		ID: r.ID, Name: r.Name, User: r.User, Active: r.Active, Connected: r.Connected, Recovered: r.Recovered,
		Roles: r.Roles, Registered: r.Registered, Reregistered: r.Reregistered, Used: r.Used,
	}
	if len(f.Roles) == 0 && r.Role != "" {
		f.Roles = []string{r.Role}
	}
	f.Tasks = tasks(r.Tasks, hosts)
	f.Unreachable = tasks(r.Unreachable, hosts)
	f.Completed = tasks(r.Completed, hosts)
	return f
}

func tasks(raw []rawTask, hosts map[string]string) []Task {
	var all []Task
	for _, r := range raw {
		t := Task{
			ID: r.ID, Name: r.Name, FrameworkID: r.FrameworkID, ExecutorID: r.ExecutorID, AgentID: r.SlaveID,
			Host: hosts[r.SlaveID], State: r.State, Resources: r.Resources,
		}
		if n := len(r.Statuses); n > 0 {
			t.Since, t.Healthy = r.Statuses[n-1].Timestamp, r.Statuses[n-1].Healthy
		}
		all = append(all, t)
	}
	return all
}

// afterAt cuts the actor's name off a libprocess id such as slave(1)@127.0.0.1:5051.
func afterAt(pid string) string {
	_, addr, _ := strings.Cut(pid, "@")
	return addr
}
