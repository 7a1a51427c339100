package master

import (
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// This file renders the endpoints that are older than the v1 API, with the field sets of a real master 1.11.

// object shows an amount as name: number, with the four scalars that are always there.
func (b bag) object() object {
	out := object{"cpus": double(0), "mem": double(0), "disk": double(0), "gpus": double(0)}
	byName := map[string]amount{}
	for key, a := range b {
		byName[key.name] = byName[key.name].plus(a)
	}
	for name, a := range byName {
		if len(a.ranges) > 0 || len(a.set) > 0 {
			out[name] = a.text()
			continue
		}
		out[name] = double(float64(a.milli) / 1000)
	}
	return out
}

func (b bag) ofRole(role string) bag {
	out := bag{}
	for key, a := range b {
		if key.role == role {
			out[key] = a
		}
	}
	return out
}

// reserved is what each role has reserved.
func (b bag) reserved() map[string]bag {
	out := map[string]bag{}
	for key, a := range b {
		if key.role != anyRole {
			addTo(out, key.role, bag{key: a})
		}
	}
	return out
}

func (a *agent) object() object {
	reserved := object{}
	for role, amount := range a.total.reserved() {
		reserved[role] = amount.object()
	}
	capabilities := []string{}
	for _, capability := range agentCapabilities() {
		capabilities = append(capabilities, capability.Type.String())
	}
	out := object{
		"id": a.id, "hostname": a.info.Hostname, "port": a.info.GetPort(), "attributes": attributes(a.info), "pid": a.pid(),
		"registered_time": double(seconds(a.registered)), "resources": a.total.object(), "used_resources": a.used.object(),
		"offered_resources": a.offered.object(), "reserved_resources": reserved, "unreserved_resources": a.total.ofRole(anyRole).object(),
		"active": a.active(), "deactivated": a.deactivated, "version": a.version, "capabilities": capabilities,
	}
	if !a.again.IsZero() {
		out["reregistered_time"] = double(seconds(a.again))
	}
	if a.drain != nil {
		out["drain_info"] = raw(a.drain.info())
		out["estimated_drain_start_time_seconds"] = double(seconds(a.drain.since))
	}
	return out
}

// full is the agent with the lists that only /slaves has.
func (a *agent) full() object {
	out := a.object()
	reserved := object{}
	for role, amount := range a.total.reserved() {
		reserved[role] = resourceList(amount.list(""))
	}
	out["reserved_resources_full"] = reserved
	out["unreserved_resources_full"] = resourceList(a.total.ofRole(anyRole).list(""))
	used, offered := []mesos.Resource{}, []mesos.Resource{}
	for role, amount := range a.usedByRole() {
		used = append(used, amount.list(role)...)
	}
	for role, amount := range a.offeredByRole() {
		offered = append(offered, amount.list(role)...)
	}
	out["used_resources_full"], out["offered_resources_full"] = resourceList(used), resourceList(offered)
	return out
}

func resourceList(list []mesos.Resource) ready { return raw(list) }

func attributes(info mesos.AgentInfo) object {
	out := object{}
	for _, one := range info.Attributes {
		switch one.GetType() {
		case mesos.SCALAR:
			out[one.Name] = double(one.GetScalar().GetValue())
		case mesos.RANGES:
			out[one.Name] = amountOf(mesos.Resource{Type: ptr(mesos.RANGES), Ranges: one.Ranges}).text()
		default:
			out[one.Name] = one.GetText().GetValue()
		}
	}
	return out
}

func (t *task) object() object {
	statuses := []object{}
	for _, status := range t.Statuses {
		statuses = append(statuses, statusObject(status))
	}
	out := object{
		"id": t.TaskID.Value, "name": t.Name, "framework_id": t.FrameworkID.Value, "executor_id": "", "slave_id": t.AgentID.Value,
		"state": t.GetState().String(), "resources": t.amount.object(), "role": t.role(), "statuses": statuses,
	}
	if t.Labels != nil {
		out["labels"] = raw(t.Labels.Labels)
	}
	if t.Discovery != nil {
		out["discovery"] = raw(t.Discovery)
	}
	if t.Container != nil {
		out["container"] = raw(t.Container)
	}
	if t.HealthCheck != nil {
		out["health_check"] = raw(t.HealthCheck)
	}
	if t.User != nil {
		out["user"] = *t.User
	}
	return out
}

func statusObject(status mesos.TaskStatus) object {
	out := object{"state": status.GetState().String(), "timestamp": double(status.GetTimestamp())}
	if status.ContainerStatus != nil {
		container := *status.ContainerStatus
		container.ExecutorPID = nil
		out["container_status"] = raw(container)
	}
	if status.Healthy != nil {
		out["healthy"] = *status.Healthy
	}
	if status.Labels != nil {
		out["labels"] = raw(status.Labels.Labels)
	}
	return out
}

// summary is what a framework shows in /state-summary and, with more, in /frameworks and /state.
func (fw *framework) summary() object {
	capabilities := []string{}
	for _, capability := range fw.info.Capabilities {
		capabilities = append(capabilities, capability.Type.String())
	}
	return object{
		"id": fw.id, "name": fw.info.Name, "used_resources": fw.used.object(), "offered_resources": fw.offered.object(),
		"capabilities": capabilities, "hostname": fw.info.GetHostname(), "webui_url": fw.info.GetWebUiURL(),
		"active": fw.active, "connected": fw.sub != nil, "recovered": fw.recovered,
	}
}

func (fw *framework) object() object {
	out := fw.summary()
	all := fw.used.clone()
	all.add(fw.offered)
	out["user"], out["failover_timeout"] = fw.info.User, double(fw.info.GetFailoverTimeout())
	out["checkpoint"], out["registered_time"] = fw.info.GetCheckpoint(), double(seconds(fw.registered))
	out["unregistered_time"], out["resources"] = double(seconds(fw.ended)), all.object()
	out["tasks"], out["unreachable_tasks"], out["completed_tasks"] = taskObjects(sortedTasks(fw.tasks)), taskObjects(fw.unreachable), taskObjects(fw.completed)
	out["executors"], out["offer_constraints"] = []object{}, object{}
	if fw.info.Principal != nil {
		out["principal"] = *fw.info.Principal
	}
	if !fw.again.IsZero() {
		out["reregistered_time"] = double(seconds(fw.again))
	}
	if fw.can(mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		out["roles"] = append([]string{}, fw.info.Roles...)
	} else {
		out["role"] = fw.info.GetRole()
	}
	if fw.info.Labels != nil {
		out["labels"] = raw(fw.info.Labels.Labels)
	}
	offers := []object{}
	for _, o := range fw.sortedOffers() {
		offers = append(offers, object{
			"id": o.id, "framework_id": fw.id, "allocation_info": object{"role": o.role}, "slave_id": o.agent.id, "resources": o.amount.object(),
		})
	}
	out["offers"] = offers
	return out
}

func taskObjects(tasks []*task) []object {
	out := make([]object, len(tasks))
	for i, t := range tasks {
		out[i] = t.object()
	}
	return out
}

func (c *core) agentObjects(render func(*agent) object) []object {
	out := []object{}
	for _, a := range sortedAgents(c.agents) {
		out = append(out, render(a))
	}
	return out
}

func (c *core) recoveredObjects() []object {
	out := []object{}
	for _, info := range sortedInfos(c.awaited) {
		out = append(out, object{"id": info.GetID().GetValue(), "hostname": info.Hostname, "port": info.GetPort(), "attributes": attributes(info)})
	}
	return out
}

func (c *core) frameworkObjects() (active, completed []object) {
	active, completed = []object{}, []object{}
	for _, fw := range sortedFrameworks(c.frameworks) {
		active = append(active, fw.object())
	}
	for _, fw := range c.completed {
		completed = append(completed, fw.object())
	}
	return active, completed
}

// queryNumber reads a number of a query; fallback when it is absent or none.
func queryNumber(text string, fallback int) int {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return n
	}
	return fallback
}

func startOf(t *task) float64 {
	if len(t.Statuses) > 0 {
		return t.Statuses[0].GetTimestamp()
	}
	return seconds(time.Now())
}
