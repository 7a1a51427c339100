package agent

import (
	"slices"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	pb "github.com/mesos/mesos-go/api/v1/lib/agent"
)

// answerState fills in the calls about tasks, executors and frameworks; false says that the type is none of them.
func (a *Agent) answerState(response *pb.Response, kind pb.Call_Type) bool {
	if kind == pb.Call_GET_CONTAINERS {
		response.GetContainers = a.v1Containers()
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch kind {
	case pb.Call_GET_AGENT:
		info := a.info
		info.Resources = slices.Clone(info.Resources)
		for i := range info.Resources {
			if role(info.Resources[i]) == "*" {
				info.Resources[i].Role = nil // the real answer shows reserved roles only
			}
		}
		response.GetAgent = &pb.Response_GetAgent{AgentInfo: &info}
	case pb.Call_GET_TASKS:
		response.GetTasks = a.v1Tasks()
	case pb.Call_GET_EXECUTORS:
		response.GetExecutors = a.v1Executors()
	case pb.Call_GET_FRAMEWORKS:
		response.GetFrameworks = a.v1Frameworks()
	case pb.Call_GET_STATE:
		response.GetState = &pb.Response_GetState{GetTasks: a.v1Tasks(), GetExecutors: a.v1Executors(), GetFrameworks: a.v1Frameworks()}
	default:
		return false
	}
	return true
}

func (a *Agent) v1Task(t *task) mesos.Task {
	one := mesos.Task{
		Name: t.info.Name, TaskID: t.info.TaskID, FrameworkID: *t.framework.info.ID, State: p(t.state), Resources: t.info.Resources,
		Statuses: t.statuses, Labels: t.info.Labels, Discovery: t.info.Discovery, Container: t.info.Container, HealthCheck: t.info.HealthCheck,
		KillPolicy: t.info.KillPolicy,
	}
	if a.info.ID != nil {
		one.AgentID = *a.info.ID
	}
	if t.info.Command != nil {
		one.User = t.info.Command.User
	}
	if n := len(t.statuses); n > 0 {
		one.StatusUpdateState, one.StatusUpdateUUID = t.statuses[n-1].State, t.statuses[n-1].UUID
		if len(t.unacked) > 0 {
			one.StatusUpdateState, one.StatusUpdateUUID = t.unacked[0].State, t.unacked[0].UUID
		}
	}
	return one
}

func (a *Agent) v1Tasks() *pb.Response_GetTasks {
	all := &pb.Response_GetTasks{
		PendingTasks: []mesos.Task{}, QueuedTasks: []mesos.Task{}, LaunchedTasks: []mesos.Task{}, TerminatedTasks: []mesos.Task{}, CompletedTasks: []mesos.Task{},
	}
	for _, fw := range append(a.liveFrameworks(), a.completed...) {
		for _, t := range fw.completed {
			all.CompletedTasks = append(all.CompletedTasks, a.v1Task(t))
		}
		for _, t := range fw.tasks {
			switch {
			case t.state == mesos.TASK_STAGING:
				all.QueuedTasks = append(all.QueuedTasks, a.v1Task(t))
			case terminal(t.state):
				all.TerminatedTasks = append(all.TerminatedTasks, a.v1Task(t))
			default:
				all.LaunchedTasks = append(all.LaunchedTasks, a.v1Task(t))
			}
		}
	}
	return all
}

func (a *Agent) v1Executor(t *task) pb.Response_GetExecutors_Executor {
	program := a.cfg.flags.get("launcher_dir") + "/mesos-executor"
	info := mesos.ExecutorInfo{
		ExecutorID: mesos.ExecutorID{Value: t.id()}, FrameworkID: t.framework.info.ID, Name: p(executorName(t)), Source: p(t.id()),
		Command: &mesos.CommandInfo{Shell: p(false), Value: &program, Arguments: []string{"mesos-executor", "--launcher_dir=" + a.cfg.flags.get("launcher_dir")}},
	}
	if command := t.info.Command; command != nil {
		info.Command.URIs, info.Command.User = command.URIs, command.User
	}
	for _, one := range executorResources() {
		one.Role, one.AllocationInfo = nil, &mesos.Resource_AllocationInfo{Role: p(allocationRole(t))}
		info.Resources = append(info.Resources, one)
	}
	return pb.Response_GetExecutors_Executor{ExecutorInfo: info}
}

func (a *Agent) v1Executors() *pb.Response_GetExecutors {
	all := &pb.Response_GetExecutors{Executors: []pb.Response_GetExecutors_Executor{}, CompletedExecutors: []pb.Response_GetExecutors_Executor{}}
	for _, fw := range append(a.liveFrameworks(), a.completed...) {
		for _, t := range fw.tasks {
			all.Executors = append(all.Executors, a.v1Executor(t))
		}
		for _, t := range fw.completed {
			all.CompletedExecutors = append(all.CompletedExecutors, a.v1Executor(t))
		}
	}
	return all
}

func (a *Agent) v1Frameworks() *pb.Response_GetFrameworks {
	all := &pb.Response_GetFrameworks{Frameworks: []pb.Response_GetFrameworks_Framework{}, CompletedFrameworks: []pb.Response_GetFrameworks_Framework{}}
	for _, fw := range a.frameworks {
		all.Frameworks = append(all.Frameworks, pb.Response_GetFrameworks_Framework{FrameworkInfo: fw.info})
	}
	for _, fw := range a.completed {
		all.CompletedFrameworks = append(all.CompletedFrameworks, pb.Response_GetFrameworks_Framework{FrameworkInfo: fw.info})
	}
	return all
}

// v1Containers is nil without containers: the real answer has nothing but its type then.
func (a *Agent) v1Containers() *pb.Response_GetContainers {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := &pb.Response_GetContainers{}
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			if t.conn == nil {
				continue
			}
			u := usage(t)
			limit := uint64(u.memoryMiB * (1 << 20))
			all.Containers = append(all.Containers, pb.Response_GetContainers_Container{
				FrameworkID: fw.info.ID, ExecutorID: &mesos.ExecutorID{Value: t.id()}, ExecutorName: p(executorName(t)),
				ContainerID:     mesos.ContainerID{Value: t.container},
				ContainerStatus: &mesos.ContainerStatus{ContainerID: &mesos.ContainerID{Value: t.container}, ExecutorPID: p(uint32(t.executorPID))},
				ResourceStatistics: &mesos.ResourceStatistics{
					Timestamp: float64(u.timestamp), CPUsUserTimeSecs: &u.user, CPUsSystemTimeSecs: &u.system, CPUsSoftLimit: &u.cpus,
					MemLimitBytes: &limit, MemSoftLimitBytes: &limit, MemRSSBytes: &u.resident,
				},
			})
		}
	}
	if len(all.Containers) == 0 {
		return nil
	}
	return all
}
