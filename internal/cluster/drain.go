package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DrainMethod is the way in which new tasks are kept away from an agent that is to be emptied.
type DrainMethod string

const (
	// DrainDeactivate is DEACTIVATE_AGENT, of Mesos 1.9 and later: the master offers nothing of the agent any more, and
	// what runs there goes on. DRAIN_AGENT is not used for this, as it kills running builds after its grace period.
	DrainDeactivate DrainMethod = "deactivate"
	// DrainSchedule is a maintenance window that has begun, for Mesos before 1.9. The agent is still offered, marked as
	// unavailable, and each framework decides what it makes of that: it is a request, not a lock.
	DrainSchedule DrainMethod = "schedule"
)

// MethodFor is the way of draining that a Mesos of the version ("1.11.0") knows.
func MethodFor(version string) DrainMethod {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errMajor := strconv.Atoi(major)
	b, errMinor := strconv.Atoi(minor)
	if errMajor == nil && errMinor == nil && (a > 1 || a == 1 && b >= 9) {
		return DrainDeactivate
	}
	return DrainSchedule
}

// DeactivateAgent stops offers of an agent; its tasks go on. An agent that the master does not know is ErrNotFound.
func (m Mesos) DeactivateAgent(ctx context.Context, id string) error {
	return failed("stop offers of Mesos agent "+id, m.names(), m.agentCall(ctx, "DEACTIVATE_AGENT", id, nil))
}

// ReactivateAgent offers an agent again, also one that was drained. One that is active already is no error.
func (m Mesos) ReactivateAgent(ctx context.Context, id string) error {
	err := m.agentCall(ctx, "REACTIVATE_AGENT", id, nil)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusBadRequest {
		// The real master answers 400 both for an unknown agent and for one that is not deactivated.
		if agent, known, stateErr := m.agent(ctx, id); stateErr == nil && known && !agent.Deactivated {
			return nil
		}
	}
	return failed("offer Mesos agent "+id+" again", m.names(), err)
}

// KillOnAgent stops offers of an agent and kills each of its tasks; a task that ignores SIGTERM for grace is killed with
// SIGKILL. With gone the agent can never come back once it is empty. It returns before the tasks have ended.
func (m Mesos) KillOnAgent(ctx context.Context, id string, grace time.Duration, gone bool) error {
	// The JSON of this Duration has seconds and nanos: text such as "5s" is refused, and an unknown field counts as 0.
	more := map[string]any{"max_grace_period": map[string]int64{"seconds": int64(grace / time.Second), "nanos": int64(grace % time.Second)}, "mark_gone": gone}
	return failed("kill the tasks of Mesos agent "+id, m.names(), m.agentCall(ctx, "DRAIN_AGENT", id, more))
}

// MarkAgentGone removes an agent for good: its tasks are lost and its id is never admitted again. It is for hosts that
// are dead; the agent process, where it lives, ends.
func (m Mesos) MarkAgentGone(ctx context.Context, id string) error {
	return failed("remove Mesos agent "+id+" for good", m.names(), m.agentCall(ctx, "MARK_AGENT_GONE", id, nil))
}

func (m Mesos) agentCall(ctx context.Context, kind, id string, more map[string]any) error {
	part := map[string]any{"agent_id": map[string]string{"value": id}}
	for key, value := range more {
		part[key] = value
	}
	body, err := json.Marshal(map[string]any{"type": kind, strings.ToLower(kind): part})
	if err != nil {
		return err
	}
	err = m.call(ctx, request{method: http.MethodPost, url: "/api/v1", contentType: jsonType, body: body}, nil)
	var status *StatusError
	if errors.As(err, &status) && status.Code < http.StatusInternalServerError {
		if _, known, stateErr := m.agent(ctx, id); stateErr == nil && !known {
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		}
	}
	return err
}

func (m Mesos) agent(ctx context.Context, id string) (agent Agent, known bool, err error) {
	state, err := m.State(ctx)
	if err != nil {
		return Agent{}, false, err
	}
	agent, known = state.Agent(id)
	return agent, known, nil
}

// Owners say which tasks are whose.
type Owners struct {
	// Builds are ids or names of the frameworks that run build agents.
	Builds []string
	// App is the Marathon app of the controller: "/ci/jenkins".
	App string
}

// Load is what runs on one agent.
type Load struct {
	Agent       Agent
	BuildAgents []Task
	// Controller are the controller's tasks, Others those of everybody else.
	Controller []Task
	Others     []Task
}

// LoadOf sorts the live tasks of an agent by whose they are.
func (s State) LoadOf(agentID string, owners Owners) Load {
	var load Load
	load.Agent, _ = s.Agent(agentID)
	for _, f := range s.Frameworks {
		builds := slices.Contains(owners.Builds, f.ID) || slices.Contains(owners.Builds, f.Name)
		for _, t := range f.Tasks {
			switch {
			case t.AgentID != agentID || ended(t.State):
			case builds:
				load.BuildAgents = append(load.BuildAgents, t)
			case ofApp(t.ID, owners.App):
				load.Controller = append(load.Controller, t)
			default:
				load.Others = append(load.Others, t)
			}
		}
	}
	return load
}

// ended says that a task is only listed until its framework has acknowledged its end.
func ended(state string) bool {
	switch state {
	case "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR":
		return true
	}
	return false
}

// ofApp knows a task of a Marathon app by its id, which is the app's with _ for /, a dot, and the instance.
func ofApp(taskID, app string) bool {
	prefix := strings.ReplaceAll(strings.Trim(app, "/"), "/", "_")
	return prefix != "" && strings.HasPrefix(taskID, prefix+".")
}

// AgentsOn are the agents on a host, by host name, by the address of their API or by id; there may be several on one host.
func (s State) AgentsOn(name string) []Agent {
	var all []Agent
	for _, a := range s.Agents {
		if a.ID == name || a.Hostname == name || a.Addr == name || a.Machine().IP == name {
			all = append(all, a)
		}
	}
	return all
}
