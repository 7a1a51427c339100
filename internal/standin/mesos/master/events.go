package master

import (
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/master"
)

// The operators' stream and the v1 operator calls show the same messages.

func (c *core) tellOperators(event *master.Event) {
	for sub := range c.operators {
		sub.event(event)
	}
}

// watch adds an operator's stream; it begins with the whole state.
func (c *core) watch(sub *subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub.event(&master.Event{Type: master.Event_SUBSCRIBED, Subscribed: &master.Event_Subscribed{
		GetState: c.v1State(), HeartbeatIntervalSeconds: ptr(heartbeatInterval.Seconds()),
	}})
	sub.event(heartbeatEvent())
	c.operators[sub] = true
}

func (c *core) unwatch(sub *subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.operators, sub)
}

func heartbeatEvent() *master.Event { return &master.Event{Type: master.Event_HEARTBEAT} }

func taskAdded(t *task) *master.Event {
	return &master.Event{Type: master.Event_TASK_ADDED, TaskAdded: &master.Event_TaskAdded{Task: t.Task}}
}

func taskUpdated(t *task, status mesos.TaskStatus) *master.Event {
	return &master.Event{Type: master.Event_TASK_UPDATED, TaskUpdated: &master.Event_TaskUpdated{
		FrameworkID: t.FrameworkID, Status: status, State: ptr(t.GetState()),
	}}
}

func agentAdded(a *agent) *master.Event {
	return &master.Event{Type: master.Event_AGENT_ADDED, AgentAdded: &master.Event_AgentAdded{Agent: a.v1()}}
}

func agentRemoved(id string) *master.Event {
	return &master.Event{Type: master.Event_AGENT_REMOVED, AgentRemoved: &master.Event_AgentRemoved{AgentID: mesos.AgentID{Value: id}}}
}

func frameworkAdded(fw *framework) *master.Event {
	return &master.Event{Type: master.Event_FRAMEWORK_ADDED, FrameworkAdded: &master.Event_FrameworkAdded{Framework: fw.v1()}}
}

func frameworkUpdated(fw *framework) *master.Event {
	return &master.Event{Type: master.Event_FRAMEWORK_UPDATED, FrameworkUpdated: &master.Event_FrameworkUpdated{Framework: fw.v1()}}
}

func frameworkRemoved(fw *framework) *master.Event {
	return &master.Event{Type: master.Event_FRAMEWORK_REMOVED, FrameworkRemoved: &master.Event_FrameworkRemoved{FrameworkInfo: fw.info}}
}

func (c *core) v1State() *master.Response_GetState {
	return &master.Response_GetState{
		GetTasks: c.v1Tasks(), GetExecutors: &master.Response_GetExecutors{Executors: []master.Response_GetExecutors_Executor{}},
		GetFrameworks: c.v1Frameworks(), GetAgents: c.v1Agents(),
	}
}

func (c *core) v1Tasks() *master.Response_GetTasks {
	out := &master.Response_GetTasks{Tasks: []mesos.Task{}, UnreachableTasks: []mesos.Task{}, CompletedTasks: []mesos.Task{}}
	for _, fw := range c.allFrameworks() {
		for _, t := range sortedTasks(fw.tasks) {
			out.Tasks = append(out.Tasks, t.Task)
		}
		for _, t := range fw.unreachable {
			out.UnreachableTasks = append(out.UnreachableTasks, t.Task)
		}
		for _, t := range fw.completed {
			out.CompletedTasks = append(out.CompletedTasks, t.Task)
		}
	}
	return out
}

func (c *core) v1Frameworks() *master.Response_GetFrameworks {
	out := &master.Response_GetFrameworks{Frameworks: []master.Response_GetFrameworks_Framework{}, CompletedFrameworks: []master.Response_GetFrameworks_Framework{}}
	for _, fw := range sortedFrameworks(c.frameworks) {
		one := fw.v1()
		one.UnregisteredTime = nil // only the events have it as 0
		out.Frameworks = append(out.Frameworks, one)
	}
	for _, fw := range c.completed {
		out.CompletedFrameworks = append(out.CompletedFrameworks, fw.v1())
	}
	return out
}

func (fw *framework) v1() master.Response_GetFrameworks_Framework {
	again := fw.again
	if again.IsZero() {
		again = fw.registered
	}
	out := master.Response_GetFrameworks_Framework{
		FrameworkInfo: fw.info, Active: fw.active, Connected: fw.sub != nil, Recovered: fw.recovered,
		RegisteredTime: v1Time(fw.registered), ReregisteredTime: v1Time(again), UnregisteredTime: v1Time(fw.ended),
	}
	for _, o := range fw.sortedOffers() {
		m := o.message()
		withoutAnyRole(m.Resources)
		out.Offers = append(out.Offers, m)
	}
	out.AllocatedResources = nilIfEmpty(fw.used.list(fw.mainRole()))
	out.OfferedResources = nilIfEmpty(fw.offered.list(fw.mainRole()))
	return out
}

// mainRole is the role shown for the sum over all tasks or offers of the framework.
func (fw *framework) mainRole() string {
	if roles := fw.roles(); len(roles) > 0 {
		return roles[0]
	}
	return anyRole
}

func (c *core) v1Agents() *master.Response_GetAgents {
	out := &master.Response_GetAgents{Agents: []master.Response_GetAgents_Agent{}, RecoveredAgents: []mesos.AgentInfo{}}
	for _, a := range sortedAgents(c.agents) {
		out.Agents = append(out.Agents, a.v1())
	}
	for _, info := range sortedInfos(c.awaited) {
		out.RecoveredAgents = append(out.RecoveredAgents, v1Info(info))
	}
	return out
}

// v1Info is an agent's description as the v1 API shows it, without the role of resources that nobody has reserved.
func v1Info(info mesos.AgentInfo) mesos.AgentInfo {
	info.Resources = slices.Clone(info.Resources)
	withoutAnyRole(info.Resources)
	return info
}

func withoutAnyRole(resources []mesos.Resource) {
	for i, r := range resources {
		if r.GetRole() == anyRole {
			resources[i].Role = nil
		}
	}
}

func (a *agent) v1() master.Response_GetAgents_Agent {
	out := master.Response_GetAgents_Agent{
		AgentInfo: v1Info(a.info), Active: a.active(), Deactivated: ptr(a.deactivated), Version: a.version, PID: ptr(a.pid()),
		RegisteredTime: v1Time(a.registered), TotalResources: a.total.list(""), Capabilities: agentCapabilities(),
	}
	if !a.again.IsZero() {
		out.ReregisteredTime = v1Time(a.again)
	}
	for role, amount := range a.usedByRole() {
		out.AllocatedResources = append(out.AllocatedResources, amount.list(role)...)
	}
	for role, amount := range a.offeredByRole() {
		out.OfferedResources = append(out.OfferedResources, amount.list(role)...)
	}
	if a.drain != nil {
		out.DrainInfo, out.EstimatedDrainStartTime = a.drain.info(), ptr(stamp(a.drain.since))
	}
	return out
}

func (a *agent) usedByRole() map[string]bag {
	out := map[string]bag{}
	for t := range a.tasks {
		if t.counted {
			addTo(out, t.role(), t.amount)
		}
	}
	return out
}

func (a *agent) offeredByRole() map[string]bag {
	out := map[string]bag{}
	if a.offered.empty() {
		return out
	}
	for _, o := range a.offers {
		addTo(out, o.role, o.amount)
	}
	return out
}

func addTo(sums map[string]bag, role string, amount bag) {
	if sums[role] == nil {
		sums[role] = bag{}
	}
	sums[role].add(amount)
}

// agentCapabilities are those of an agent 1.11.
func agentCapabilities() []mesos.AgentInfo_Capability {
	var out []mesos.AgentInfo_Capability
	for kind := mesos.AgentInfo_Capability_MULTI_ROLE; kind <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; kind++ {
		out = append(out, mesos.AgentInfo_Capability{Type: kind})
	}
	return out
}

// v1Time is a time as the v1 API shows it; the zero time is 0.
func v1Time(t time.Time) *mesos.TimeInfo {
	if t.IsZero() {
		return &mesos.TimeInfo{}
	}
	return ptr(stamp(t))
}

func nilIfEmpty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

func lower(name string) string { return strings.ToLower(name) }

// metricOfState is the master's counter of tasks that have ended so: tasks_finished for TASK_FINISHED.
func metricOfState(state mesos.TaskState) string {
	return "tasks_" + strings.TrimPrefix(lower(state.String()), "task_")
}
