package core

import (
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

type mesosState struct {
	subscribed    bool
	region        string
	nextReconcile time.Time
	nextExpunge   time.Time
	revive        int // how many revives are still to be sent
	lastRevive    time.Time
	suppressed    bool
	inFlight      map[string]bool // instances launched but not yet running hold a launch token
}

// TaskFailure is the last bad end of an app's task.
type TaskFailure struct {
	AppID     string `json:"appId"`
	Host      string `json:"host"`
	Message   string `json:"message"`
	State     string `json:"state"`
	TaskID    string `json:"taskId"`
	Timestamp string `json:"timestamp"`
	Version   string `json:"version"`
	SlaveID   string `json:"slaveId"`
}

type statusUpdate struct {
	SlaveID     string      `json:"slaveId"`
	TaskID      string      `json:"taskId"`
	TaskStatus  string      `json:"taskStatus"`
	Message     string      `json:"message"`
	AppID       string      `json:"appId"`
	Host        string      `json:"host"`
	IPAddresses []IPAddress `json:"ipAddresses"`
	Ports       []int       `json:"ports"`
	Version     string      `json:"version"`
}

// IPAddress is one address of a task.
type IPAddress struct {
	IPAddress string `json:"ipAddress"`
	Protocol  string `json:"protocol"`
}

// Subscribed tells the core that Mesos has accepted the framework; again says that it had before in this process.
func (c *Core) Subscribed(event *sched.Event_Subscribed, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mesos.subscribed, c.mesos.suppressed, c.mesos.revive = true, false, 0
	c.mesos.inFlight = map[string]bool{}
	if m := event.MasterInfo; m != nil && m.Domain != nil && m.Domain.FaultDomain != nil {
		c.mesos.region = m.Domain.FaultDomain.Region.Name
	}
	c.mesos.nextReconcile = c.now().Add(c.cfg.ReconcileDelay)
	if again {
		// Calls may have been lost with the connection.
		c.mesos.nextReconcile = c.now()
	}
	c.mesos.nextExpunge = c.started.Add(c.cfg.ExpungeDelay)
}

func (c *Core) reconcileTick(now time.Time) {
	if !c.mesos.subscribed || now.Before(c.mesos.nextReconcile) {
		return
	}
	c.mesos.nextReconcile = now.Add(c.cfg.ReconcileInterval)
	explicit := &sched.Call_Reconcile{}
	for _, i := range c.insts {
		if i.active() && i.TaskID != "" {
			explicit.Tasks = append(explicit.Tasks, sched.Call_Reconcile_Task{TaskID: mesos.TaskID{Value: i.TaskID}, AgentID: &mesos.AgentID{Value: i.AgentID}})
		}
	}
	if len(explicit.Tasks) > 0 {
		c.send(&sched.Call{Type: sched.Call_RECONCILE, Reconcile: explicit})
	}
	c.send(&sched.Call{Type: sched.Call_RECONCILE, Reconcile: &sched.Call_Reconcile{}})
}

// Update takes a task status and acknowledges it.
func (c *Core) Update(status *mesos.TaskStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	if i := c.byTask(status.TaskID.Value); i != nil {
		c.statusOf(i, status)
		c.progress()
		c.reviveTick(c.now())
	} else {
		c.unknownTask(status)
	}
	if len(status.UUID) > 0 && status.AgentID != nil {
		c.send(&sched.Call{Type: sched.Call_ACKNOWLEDGE, Acknowledge: &sched.Call_Acknowledge{AgentID: *status.AgentID, TaskID: status.TaskID, UUID: status.UUID}})
	}
}

// byTask finds the instance whose current task has the id.
func (c *Core) byTask(task string) *Instance {
	instance, _, ok := strings.Cut(task, "._app")
	if !ok {
		return nil
	}
	if i := c.insts[instance]; i != nil && i.TaskID == task {
		return i
	}
	return nil
}

func (c *Core) unknownTask(status *mesos.TaskStatus) {
	task := status.TaskID.Value
	instance, _, ok := strings.Cut(task, "._app")
	if !ok {
		return
	}
	if condition, ended := terminalCondition(status); ended || isUnreachable(status) {
		if isUnreachable(status) {
			condition = unreachable
		}
		app, _, _ := strings.Cut(instance, ".instance-")
		c.bus.Publish("unknown_instance_terminated_event", map[string]any{"instanceId": instance, "runSpecId": "/" + strings.ReplaceAll(app, "_", "/"), "condition": condition})
		return
	}
	if i := c.insts[instance]; i != nil && !i.active() {
		// The end of an earlier task of this instance was told before; a task that still runs is none of ours any more.
		c.logf("killing task %s, which its instance has left behind", task)
	}
	c.sendKill(task, status.AgentID, nil)
}

func isUnreachable(status *mesos.TaskStatus) bool {
	switch status.GetState() {
	case mesos.TASK_UNREACHABLE:
		return true
	case mesos.TASK_LOST:
		switch status.GetReason() {
		case mesos.REASON_RECONCILIATION, mesos.REASON_AGENT_DISCONNECTED, mesos.REASON_AGENT_REMOVED:
			return true
		}
	}
	return false
}

// terminalCondition maps the end of a task; ended is false for states that are no end.
func terminalCondition(status *mesos.TaskStatus) (condition string, ended bool) {
	switch status.GetState() {
	case mesos.TASK_FINISHED:
		return "Finished", true
	case mesos.TASK_FAILED:
		return "Failed", true
	case mesos.TASK_KILLED:
		return "Killed", true
	case mesos.TASK_ERROR:
		return "Error", true
	case mesos.TASK_DROPPED:
		return "Dropped", true
	case mesos.TASK_GONE, mesos.TASK_GONE_BY_OPERATOR:
		return "Gone", true
	case mesos.TASK_UNKNOWN:
		return "Unknown", true
	case mesos.TASK_LOST:
		return "Gone", !isUnreachable(status)
	}
	return "", false
}

func (c *Core) statusOf(i *Instance, status *mesos.TaskStatus) {
	state := status.GetState()
	name := state.String()
	addresses(i, status)
	condition, ended := terminalCondition(status)
	var next string
	switch {
	case ended, isUnreachable(status):
	case state == mesos.TASK_STAGING:
		next = staging
	case state == mesos.TASK_STARTING:
		next = starting
	case state == mesos.TASK_RUNNING:
		next = running
	case state == mesos.TASK_KILLING:
		next = killing
	}
	before := i.Condition
	repeated := next != "" && next == before
	if !repeated || i.TaskState != name {
		c.publishStatus(i, status, name)
	}
	i.TaskState = name
	switch {
	case ended:
		c.taskEnded(i, status, condition)
	case isUnreachable(status):
		c.taskUnreachable(i)
	case next == before:
		c.mesosHealth(i, status)
	default:
		c.taskGoesOn(i, next)
		c.mesosHealth(i, status)
	}
}

func (c *Core) publishStatus(i *Instance, status *mesos.TaskStatus, name string) {
	c.bus.Publish("status_update_event", statusUpdate{SlaveID: i.AgentID, TaskID: i.TaskID, TaskStatus: name, Message: capped(status.GetMessage()), AppID: i.App,
		Host: i.Host, IPAddresses: ipAddresses(i), Ports: nonNil(i.Ports), Version: i.Version})
}

func capped(message string) string {
	if len(message) > 10000 {
		return message[:10000]
	}
	return message
}

func (c *Core) taskGoesOn(i *Instance, next string) {
	now := c.now()
	i.Condition, i.Since, i.LostAt = next, now, time.Time{}
	switch next {
	case running:
		delete(c.mesos.inFlight, i.ID)
		if i.StartedAt == "" {
			i.StartedAt = spec.Timestamp(now)
		}
		c.dropStaleHealth(i, now)
		c.startChecks(i)
		c.advanceBackoff(i, now)
	case staging, starting:
		c.advanceBackoff(i, now)
	}
	c.changed(i, next)
	if i.Goal == goalDecommissioned {
		c.kill(i)
	}
}

func (c *Core) taskEnded(i *Instance, status *mesos.TaskStatus, condition string) {
	now := c.now()
	delete(c.mesos.inFlight, i.ID)
	c.stopChecks(i)
	i.endedAt, i.MesosHealth, i.ready = now, nil, false
	if condition != "Killed" {
		c.recordFailure(i, status)
	}
	switch condition {
	case "Failed", "Finished", "Error", "Dropped", "Gone":
		c.failBackoff(i, now)
	}
	if i.Goal != goalRunning || c.apps[i.App] == nil {
		i.Condition = condition
		c.changed(i, condition)
		c.removeInstance(i)
		return
	}
	c.changed(i, condition)
	i.Condition, i.Since = scheduled, now
	i.Ports, i.StagedAt, i.StartedAt, i.LostAt, i.killSent = nil, "", "", time.Time{}, time.Time{}
	c.saveInstance(i)
	c.wantOffers()
}

func (c *Core) recordFailure(i *Instance, status *mesos.TaskStatus) {
	state := c.apps[i.App]
	if state == nil {
		return
	}
	state.failure = &TaskFailure{AppID: i.App, Host: i.Host, Message: capped(status.GetMessage()), State: status.GetState().String(), TaskID: i.TaskID,
		Timestamp: spec.Timestamp(c.now()), Version: i.Version, SlaveID: i.AgentID}
	c.putJSON("taskFailures", underscored(i.App), state.failure)
}

func (c *Core) taskUnreachable(i *Instance) {
	now := c.now()
	if i.LostAt.IsZero() {
		i.LostAt = now
	}
	c.stopChecks(i)
	delete(c.mesos.inFlight, i.ID)
	app := c.specOf(i)
	if i.Goal == goalDecommissioned || app == nil {
		c.changed(i, unreachableInactive)
		c.removeInstance(i)
		return
	}
	strategy := app.UnreachableStrategy
	elapsed := now.Sub(i.LostAt)
	switch {
	case strategy.Disabled, elapsed < time.Duration(strategy.InactiveAfterSeconds)*time.Second:
		i.Condition = unreachable
		c.changed(i, unreachable)
	default:
		i.Condition = unreachableInactive
		c.changed(i, unreachableInactive)
		if strategy.ExpungeAfterSeconds == 0 {
			c.removeInstance(i)
		}
	}
	c.wantOffers()
}

func (c *Core) expungeTick(now time.Time) {
	if !c.mesos.subscribed || now.Before(c.mesos.nextExpunge) {
		return
	}
	c.mesos.nextExpunge = now.Add(c.cfg.ExpungeInterval)
	for _, i := range c.insts {
		app := c.specOf(i)
		if i.LostAt.IsZero() || app == nil || app.UnreachableStrategy.Disabled {
			continue
		}
		if now.Sub(i.LostAt) >= time.Duration(app.UnreachableStrategy.ExpungeAfterSeconds)*time.Second {
			c.logf("forgetting unreachable instance %s", i.ID)
			c.removeInstance(i)
		}
	}
}
