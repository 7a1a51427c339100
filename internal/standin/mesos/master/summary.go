package master

import (
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// This file renders the endpoints that count and list over all frameworks: /state-summary, /tasks, /roles.

// countedStates are the states that /state-summary counts.
func countedStates() []mesos.TaskState {
	return []mesos.TaskState{
		mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_FINISHED,
		mesos.TASK_KILLED, mesos.TASK_FAILED, mesos.TASK_LOST, mesos.TASK_ERROR, mesos.TASK_UNREACHABLE,
	}
}

func (c *core) summaryObject() object {
	agents, frameworks := []object{}, []object{}
	agentStates, frameworkIDs := map[string]map[mesos.TaskState]int{}, map[string]map[string]bool{}
	for _, fw := range sortedFrameworks(c.frameworks) {
		states, agentIDs := map[mesos.TaskState]int{}, map[string]bool{}
		fw.eachTask(func(t *task) {
			id := t.AgentID.Value
			states[t.GetState()]++
			agentIDs[id] = true
			if agentStates[id] == nil {
				agentStates[id], frameworkIDs[id] = map[mesos.TaskState]int{}, map[string]bool{}
			}
			agentStates[id][t.GetState()]++
			frameworkIDs[id][fw.id] = true
		})
		one := fw.summary()
		count(one, states)
		one["slave_ids"] = keysOf(agentIDs)
		frameworks = append(frameworks, one)
	}
	for _, a := range sortedAgents(c.agents) {
		one := a.object()
		count(one, agentStates[a.id])
		one["framework_ids"] = keysOf(frameworkIDs[a.id])
		agents = append(agents, one)
	}
	return object{"hostname": c.info.GetHostname(), "slaves": agents, "frameworks": frameworks}
}

func (fw *framework) eachTask(do func(*task)) {
	for _, t := range fw.tasks {
		do(t)
	}
	for _, t := range fw.unreachable {
		do(t)
	}
	for _, t := range fw.completed {
		do(t)
	}
}

func count(out object, states map[mesos.TaskState]int) {
	for _, state := range countedStates() {
		out[state.String()] = states[state]
	}
}

// tasksObject is /tasks: newest first unless order is asc.
func (c *core) tasksObject(limit, offset int, ascending bool) object {
	var all []*task
	for _, fw := range c.allFrameworks() {
		fw.eachTask(func(t *task) { all = append(all, t) })
	}
	sortByStart(all, ascending)
	all = all[min(max(offset, 0), len(all)):]
	return object{"tasks": taskObjects(all[:min(max(limit, 0), len(all))])}
}

func (c *core) rolesObject() object {
	type sums struct {
		used, offered bag
		frameworks    map[string]bool
	}
	roles := map[string]*sums{}
	at := func(role string) *sums {
		if roles[role] == nil {
			roles[role] = &sums{bag{}, bag{}, map[string]bool{}}
		}
		return roles[role]
	}
	for _, fw := range c.frameworks {
		for _, role := range fw.roles() {
			at(role).frameworks[fw.id] = true
		}
		for _, t := range fw.tasks {
			if t.counted {
				at(t.role()).used.add(t.amount)
			}
		}
		for _, o := range fw.offers {
			at(o.role).offered.add(o.amount)
		}
	}
	out := []object{}
	for _, role := range keysOfMap(roles) {
		s := roles[role]
		all := s.used.clone()
		all.add(s.offered)
		out = append(out, object{
			"name": role, "weight": double(1), "resources": all.quantities(), "allocated": s.used.quantities(), "offered": s.offered.quantities(),
			"reserved": object{}, "frameworks": keysOf(s.frameworks),
			"quota": object{"role": role, "guarantee": object{}, "limit": object{}, "consumed": s.used.quantities()},
		})
	}
	return object{"roles": out}
}

// quantities are amounts as numbers only; ranges count their members.
func (b bag) quantities() object {
	out := object{}
	for _, key := range b.keys() {
		n := float64(b[key].milli) / 1000
		for _, s := range b[key].ranges {
			n += float64(s.end - s.begin + 1)
		}
		if n += float64(len(b[key].set)); n > 0 {
			before, _ := out[key.name].(double)
			out[key.name] = before + double(n)
		}
	}
	return out
}
