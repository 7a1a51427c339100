package master

import (
	"bytes"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

func newTask(fw *framework, a *agent, info mesos.TaskInfo) *task {
	t := &task{fw: fw, amount: newBag(info.Resources), Task: mesos.Task{
		Name: info.Name, TaskID: info.TaskID, FrameworkID: mesos.FrameworkID{Value: fw.id}, AgentID: mesos.AgentID{Value: a.id},
		State: ptr(mesos.TASK_STAGING), Resources: info.Resources, Labels: info.Labels, Discovery: info.Discovery,
		Container: info.Container, HealthCheck: info.HealthCheck, KillPolicy: info.KillPolicy,
	}}
	if info.Command != nil {
		t.User = info.Command.User
	}
	return t
}

// role is the role the task's resources were given to.
func (t *task) role() string {
	for _, r := range t.Resources {
		if role := r.GetAllocationInfo().GetRole(); role != "" {
			return role
		}
	}
	if roles := t.fw.roles(); len(roles) > 0 {
		return roles[0]
	}
	return anyRole
}

func (c *core) addTask(a *agent, t *task) {
	t.fw.tasks[t.TaskID.Value] = t
	a.tasks[t] = true
	a.used.add(t.amount)
	t.fw.used.add(t.amount)
	t.counted = true
	c.tellOperators(taskAdded(t))
}

// uncount gives the task's resources back to the agent, once.
func (c *core) uncount(t *task, a *agent) {
	if !t.counted {
		return
	}
	t.counted = false
	a.used.subtract(t.amount)
	t.fw.used.subtract(t.amount)
}

func statusOf(t *task, state mesos.TaskState, source mesos.TaskStatus_Source, reason mesos.TaskStatus_Reason, text string) mesos.TaskStatus {
	return mesos.TaskStatus{
		TaskID: t.TaskID, State: &state, Source: &source, Reason: &reason, Message: &text,
		AgentID: ptr(t.AgentID), Timestamp: ptr(seconds(time.Now())),
	}
}

// endTask ends a task without the agent: the framework hears it once, without uuid.
func (c *core) endTask(t *task, status mesos.TaskStatus) {
	t.State = status.State
	c.note(t, status)
	c.sendUpdate(t.fw, status)
	c.finishTask(t)
}

// finishTask moves a task to the completed ones.
func (c *core) finishTask(t *task) {
	if a := c.agents[t.AgentID.Value]; a != nil {
		c.uncount(t, a)
		delete(a.tasks, t)
		delete(a.killed, t)
		c.checkDrain(a)
	}
	delete(t.fw.tasks, t.TaskID.Value)
	t.unacked = nil
	t.fw.completed = keepLast(append(t.fw.completed, t), c.set.completedTasks)
}

// note keeps a status for the endpoints and tells the operators' streams and the metrics.
func (c *core) note(t *task, status mesos.TaskStatus) {
	kept := status
	kept.Data = nil
	if n := len(t.Statuses); n > 0 && t.Statuses[n-1].GetState() == kept.GetState() {
		t.Statuses[n-1] = kept
	} else {
		t.Statuses = append(t.Statuses, kept)
		if terminal(kept.GetState()) {
			c.counters["master/"+metricOfState(kept.GetState())]++
			t.fw.counters["tasks/terminal/"+lower(kept.GetState().String())]++
		}
	}
	c.tellOperators(taskUpdated(t, kept))
}

func (c *core) sendUpdate(fw *framework, status mesos.TaskStatus) {
	fw.event(&scheduler.Event{Type: scheduler.Event_UPDATE, Update: &scheduler.Event_Update{Status: status}})
}

// update takes a status from an agent and passes it on. The agent repeats it until the framework has acknowledged.
func (c *core) update(a *agent, u *wire.Update) {
	c.counters["master/messages_status_update"]++
	fw := c.frameworks[u.FrameworkID.Value]
	if fw == nil {
		c.counters["master/invalid_status_updates"]++
		return
	}
	c.counters["master/valid_status_updates"]++
	status := u.Status
	if status.AgentID == nil {
		status.AgentID = &mesos.AgentID{Value: a.id}
	}
	t := fw.tasks[status.TaskID.Value]
	if t != nil && !a.tasks[t] {
		// The id runs on another agent now, and the framework must not take this for it.
		a.tell(wire.ToAgent{Ack: &wire.Ack{FrameworkID: u.FrameworkID, TaskID: status.TaskID, UUID: status.UUID}})
		return
	}
	if t == nil {
		c.sendUpdate(fw, status)
		return
	}
	if !terminal(t.GetState()) {
		latest := u.Latest
		if latest == mesos.TASK_STARTING { // 0, so also what an absent field reads as
			latest = status.GetState()
		}
		t.State = &latest
	}
	if terminal(t.GetState()) {
		c.uncount(t, a)
	}
	repeated := len(t.StatusUpdateUUID) > 0 && bytes.Equal(t.StatusUpdateUUID, status.UUID)
	t.StatusUpdateState, t.StatusUpdateUUID = status.State, status.UUID
	if !repeated {
		c.note(t, status)
	}
	if len(status.UUID) > 0 {
		t.unacked = &status
	}
	c.sendUpdate(fw, status)
	if len(status.UUID) == 0 && terminal(status.GetState()) {
		c.finishTask(t)
	}
}

func (c *core) acknowledge(fw *framework, ack *scheduler.Call_Acknowledge) {
	c.counters["master/messages_status_update_acknowledgement"]++
	a := c.agents[ack.AgentID.Value]
	if a == nil || !a.connected() || len(ack.UUID) == 0 {
		c.counters["master/invalid_status_update_acknowledgements"]++
		return
	}
	c.counters["master/valid_status_update_acknowledgements"]++
	a.tell(wire.ToAgent{Ack: &wire.Ack{FrameworkID: mesos.FrameworkID{Value: fw.id}, TaskID: ack.TaskID, UUID: ack.UUID}})
	t := fw.tasks[ack.TaskID.Value]
	if t == nil || !a.tasks[t] {
		return
	}
	if t.unacked != nil && bytes.Equal(t.unacked.UUID, ack.UUID) {
		t.unacked = nil
	}
	if bytes.Equal(t.StatusUpdateUUID, ack.UUID) && t.StatusUpdateState != nil && terminal(*t.StatusUpdateState) {
		c.finishTask(t)
	}
}

func killMessage(t *task, policy *mesos.KillPolicy) wire.ToAgent {
	return wire.ToAgent{Kill: &wire.Kill{FrameworkID: t.FrameworkID, TaskID: t.TaskID, KillPolicy: policy}}
}

func (c *core) kill(fw *framework, call *scheduler.Call_Kill) {
	c.counters["master/messages_kill_task"]++
	t := fw.tasks[call.TaskID.Value]
	if t == nil {
		c.reconcileOne(fw, scheduler.Call_Reconcile_Task{TaskID: call.TaskID, AgentID: call.AgentID})
		return
	}
	a := c.agents[t.AgentID.Value]
	if a == nil {
		return
	}
	a.killed[t] = call.KillPolicy
	a.tell(killMessage(t, call.KillPolicy))
}

func (c *core) reconcile(fw *framework, call *scheduler.Call_Reconcile) {
	c.counters["master/messages_reconcile_tasks"]++
	if len(call.Tasks) > 0 {
		for _, one := range call.Tasks {
			c.reconcileOne(fw, one)
		}
		return
	}
	for _, t := range fw.tasks {
		c.sendUpdate(fw, latest(t))
	}
	for _, t := range fw.unreachable {
		c.sendUpdate(fw, c.unreachableStatus(fw, t.TaskID, &t.AgentID))
	}
}

// reconcileOne answers for one task. Nothing is known of agents that have not come back since this master leads, so there
// is no answer for their tasks.
func (c *core) reconcileOne(fw *framework, one scheduler.Call_Reconcile_Task) {
	id := one.GetAgentID().GetValue()
	_, awaited := c.awaited[id]
	t := fw.tasks[one.TaskID.Value]
	_, isUnreachable := c.unreachable[id]
	for _, old := range fw.unreachable {
		if old.TaskID == one.TaskID {
			one.AgentID, isUnreachable = ptr(old.AgentID), true
		}
	}
	switch {
	case t != nil:
		c.sendUpdate(fw, latest(t))
	case awaited || (id == "" && len(c.awaited) > 0):
	case isUnreachable:
		c.sendUpdate(fw, c.unreachableStatus(fw, one.TaskID, one.AgentID))
	case c.agents[id] != nil:
		c.sendUpdate(fw, reconciled(one, fw.lost(mesos.TASK_GONE), "Reconciliation: Task is unknown to the agent"))
	case c.gone[id]:
		c.sendUpdate(fw, reconciled(one, fw.lost(mesos.TASK_GONE_BY_OPERATOR), "Reconciliation: Task is gone"))
	default:
		c.sendUpdate(fw, reconciled(one, fw.lost(mesos.TASK_UNKNOWN), "Reconciliation: Task is unknown"))
	}
}

func (c *core) unreachableStatus(fw *framework, id mesos.TaskID, agentID *mesos.AgentID) mesos.TaskStatus {
	status := reconciled(scheduler.Call_Reconcile_Task{TaskID: id, AgentID: agentID}, fw.lost(mesos.TASK_UNREACHABLE), "Reconciliation: Task is unreachable")
	if since, ok := c.unreachable[agentID.GetValue()]; ok {
		status.UnreachableTime = &since
	}
	return status
}

func latest(t *task) mesos.TaskStatus {
	state := t.GetState()
	if t.StatusUpdateState != nil {
		state = *t.StatusUpdateState
	}
	status := reconciled(scheduler.Call_Reconcile_Task{TaskID: t.TaskID, AgentID: ptr(t.AgentID)}, state, "Reconciliation: Latest task state")
	if n := len(t.Statuses); n > 0 {
		last := t.Statuses[n-1]
		status.ContainerStatus, status.Healthy, status.CheckStatus, status.Labels = last.ContainerStatus, last.Healthy, last.CheckStatus, last.Labels
	}
	return status
}

func reconciled(one scheduler.Call_Reconcile_Task, state mesos.TaskState, text string) mesos.TaskStatus {
	return mesos.TaskStatus{
		TaskID: one.TaskID, AgentID: one.AgentID, State: &state, Source: ptr(mesos.SOURCE_MASTER), Reason: ptr(mesos.REASON_RECONCILIATION),
		Message: &text, Timestamp: ptr(seconds(time.Now())),
	}
}
