package master

import (
	"fmt"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// accept uses offers. Problems become status updates, as the call itself is always accepted.
func (c *core) accept(fw *framework, call *scheduler.Call_Accept) {
	c.counters["master/messages_launch_tasks"]++
	offers, invalid := c.offersOf(fw, call.OfferIDs)
	pool := bag{}
	for _, o := range offers {
		pool.add(o.amount)
		c.takeBack(o)
	}
	fw.counters["offers/accepted"] += float64(len(offers))
	if invalid != "" {
		c.dropTasks(fw, call, invalid)
		return
	}
	a, role := offers[0].agent, offers[0].role
	for _, operation := range call.Operations {
		switch operation.Type {
		case mesos.Offer_Operation_LAUNCH:
			for _, info := range operation.GetLaunch().GetTaskInfos() {
				c.launch(fw, a, role, pool, info)
			}
		case mesos.Offer_Operation_LAUNCH_GROUP:
			for _, info := range operation.GetLaunchGroup().TaskGroup.Tasks {
				c.refuseTask(fw, info, mesos.TASK_ERROR, mesos.REASON_TASK_GROUP_INVALID, "the stand-in runs no task groups")
			}
		default:
			c.dropOperation(fw, operation)
		}
	}
	if len(call.Operations) > 0 {
		fw.refuse(a, role, pool, call.Filters)
	}
}

// offersOf returns the valid ones of the offers, and why they cannot be used together, empty when they can.
func (c *core) offersOf(fw *framework, ids []mesos.OfferID) (offers []*offer, invalid string) {
	if len(ids) == 0 {
		return nil, "No offers specified"
	}
	seen := map[string]bool{}
	for _, id := range ids {
		o := fw.offers[id.Value]
		switch {
		case o == nil:
			invalid = fmt.Sprintf("Offer %s is no longer valid", id.Value)
		case seen[id.Value]:
			invalid = fmt.Sprintf("Duplicate offer %s in offer list", id.Value)
		case len(offers) > 0 && o.agent != offers[0].agent:
			invalid = fmt.Sprintf("Aggregated offers must belong to one single agent. Offer %s uses agent %s and agent %s", id.Value, o.agent.id, offers[0].agent.id)
			offers = append(offers, o)
		case len(offers) > 0 && o.role != offers[0].role:
			invalid = fmt.Sprintf("Aggregated offers must be allocated to the same role. Offer %s uses role '%s' but another is using role '%s'", id.Value, o.role, offers[0].role)
			offers = append(offers, o)
		default:
			offers = append(offers, o)
		}
		seen[id.Value] = true
	}
	return offers, invalid
}

func (c *core) dropTasks(fw *framework, call *scheduler.Call_Accept, why string) {
	state := fw.lost(mesos.TASK_DROPPED)
	for _, operation := range call.Operations {
		tasks := operation.GetLaunch().GetTaskInfos()
		if group := operation.GetLaunchGroup(); group != nil {
			tasks = append(tasks, group.TaskGroup.Tasks...)
		}
		for _, info := range tasks {
			c.refuseTask(fw, info, state, mesos.REASON_INVALID_OFFERS, "Task launched with invalid offers: "+why)
		}
	}
}

func (c *core) refuseTask(fw *framework, info mesos.TaskInfo, state mesos.TaskState, reason mesos.TaskStatus_Reason, text string) {
	t := &task{fw: fw, Task: mesos.Task{TaskID: info.TaskID, AgentID: info.AgentID}}
	c.counters["master/"+metricOfState(state)]++
	c.counters["master/"+lower(state.String())+"/source_master/"+lower(reason.String())]++
	c.sendUpdate(fw, statusOf(t, state, mesos.SOURCE_MASTER, reason, text))
}

// dropOperation refuses reservations, volumes and the like; a framework that has named the operation hears of it.
func (c *core) dropOperation(fw *framework, operation mesos.Offer_Operation) {
	c.log("Dropping operation %s of framework %s: the stand-in does not do it", operation.Type, fw.id)
	if operation.ID == nil {
		return
	}
	fw.event(&scheduler.Event{Type: scheduler.Event_UPDATE_OPERATION_STATUS, UpdateOperationStatus: &scheduler.Event_UpdateOperationStatus{
		Status: mesos.OperationStatus{OperationID: operation.ID, State: mesos.OPERATION_DROPPED, Message: ptr("the stand-in does no " + operation.Type.String())},
	}})
}

func (c *core) launch(fw *framework, a *agent, role string, pool bag, info mesos.TaskInfo) {
	if shown := fw.shownRole(role); shown != "" {
		for i := range info.Resources {
			if info.Resources[i].AllocationInfo == nil {
				info.Resources[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: &shown}
			}
		}
	}
	if why := c.invalidTask(fw, a, role, pool, info); why != "" {
		c.refuseTask(fw, info, mesos.TASK_ERROR, mesos.REASON_TASK_INVALID, why)
		return
	}
	t := newTask(fw, a, info)
	pool.subtract(t.amount)
	c.addTask(a, t)
	fw.counters["operations/launch"]++
	fw.counters["operations"]++
	c.log("Launching task %s of framework %s on agent %s", info.TaskID.Value, fw.id, a.id)
	a.tell(wire.ToAgent{Run: &wire.Run{Framework: fw.info, Task: info}})
}

// invalidTask is the real master's complaint about a task, empty when it has none.
func (c *core) invalidTask(fw *framework, a *agent, role string, pool bag, info mesos.TaskInfo) string {
	id := info.TaskID.Value
	need := newBag(info.Resources)
	switch {
	case id == "" || len(id) > 255 || id == "." || id == ".." || strings.ContainsAny(id, "/\\") || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' }):
		return fmt.Sprintf("Task ID '%s' contains invalid characters", id)
	case fw.tasks[id] != nil:
		return "Task has duplicate ID: " + id
	case info.AgentID.Value != a.id:
		return fmt.Sprintf("Task uses invalid agent %s while agent %s is expected", info.AgentID.Value, a.id)
	case info.Executor != nil && info.Command != nil:
		return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
	case info.Executor != nil:
		return "the stand-in runs no executors but its own for commands"
	case info.Command == nil:
		return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
	case need.empty():
		return "Task uses no resources"
	}
	for _, r := range info.Resources {
		if given := r.GetAllocationInfo().GetRole(); given != "" && given != role {
			return fmt.Sprintf("Invalid task resources: resources are allocated to role '%s' but the offer is for role '%s'", given, role)
		}
	}
	if !pool.contains(need) {
		shown := fw.shownRole(role)
		return fmt.Sprintf("Total resources %s required by task and its executor is more than available %s", need.text(shown), pool.text(shown))
	}
	return ""
}
