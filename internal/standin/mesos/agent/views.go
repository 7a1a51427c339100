package agent

import (
	"fmt"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func (a *Agent) frameworkView(fw *framework) frameworkView {
	info := fw.info
	v := frameworkView{
		ID: info.ID.GetValue(), Name: info.Name, User: info.User, FailoverTimeout: double(info.GetFailoverTimeout()), Checkpoint: fw.checkpoint(),
		Hostname: info.GetHostname(), Principal: info.GetPrincipal(), Roles: info.Roles, Executors: []executorView{}, CompletedExecutors: []executorView{},
	}
	if !capable(info, mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		v.Role, v.Roles = info.GetRole(), nil
	}
	for _, t := range fw.tasks {
		v.Executors = append(v.Executors, a.executorView(t, true))
	}
	for _, t := range fw.completed {
		v.CompletedExecutors = append(v.CompletedExecutors, a.executorView(t, false))
	}
	return v
}

// executorResources are what the real agent adds for the command executor itself.
func executorResources() []mesos.Resource {
	return []mesos.Resource{scalar("cpus", 0.1, "*"), scalar("mem", 32, "*")}
}

func (a *Agent) executorView(t *task, live bool) executorView {
	v := executorView{
		ID: t.id(), Name: executorName(t), Source: t.id(), Container: t.container, Directory: t.sandbox, Role: allocationRole(t),
		Tasks: []taskView{}, QueuedTasks: []taskView{}, CompletedTasks: []taskView{},
	}
	all := executorResources()
	one := a.taskView(t)
	switch {
	case live && t.state == mesos.TASK_STAGING:
		v.QueuedTasks = append(v.QueuedTasks, one)
	case live && !terminal(t.state):
		v.Tasks = append(v.Tasks, one)
		all = append(all, t.info.Resources...)
	default:
		v.CompletedTasks = append(v.CompletedTasks, one)
	}
	v.Resources = resourceMap(all)
	return v
}

func executorName(t *task) string {
	command := t.info.Command
	if command == nil {
		return ""
	}
	text := command.GetValue()
	if command.Shell != nil && !*command.Shell {
		text = strings.Join(append([]string{text}, command.Arguments...), " ")
	} else {
		if len(text) > 15 {
			text = text[:12] + "..."
		}
		text = "sh -c '" + text + "'"
	}
	return fmt.Sprintf("Command Executor (Task: %s) (Command: %s)", t.id(), text)
}

func allocationRole(t *task) string {
	for _, one := range t.info.Resources {
		if one.AllocationInfo != nil && one.AllocationInfo.Role != nil {
			return *one.AllocationInfo.Role
		}
	}
	return "*"
}

func (a *Agent) taskView(t *task) taskView {
	v := taskView{
		ID: t.id(), Name: t.info.Name, FrameworkID: t.framework.info.ID.GetValue(), SlaveID: a.info.ID.GetValue(), State: t.state.String(),
		Resources: resourceMap(t.info.Resources), Role: allocationRole(t), Statuses: []statusView{}, HealthCheck: t.info.HealthCheck, Discovery: t.info.Discovery,
	}
	if t.info.Labels != nil {
		v.Labels = t.info.Labels.Labels
	}
	if t.info.Command != nil && t.info.Command.User != nil {
		v.User = *t.info.Command.User
	}
	if t.info.Container != nil {
		v.Container = t.info.Container
	}
	for _, status := range t.statuses {
		one := statusView{State: status.GetState().String(), Timestamp: double(status.GetTimestamp()), Healthy: status.Healthy}
		if c := status.ContainerStatus; c != nil {
			one.Container = map[string]any{"container_id": c.ContainerID, "network_infos": networkInfos(c)}
		}
		v.Statuses = append(v.Statuses, one)
	}
	return v
}

func networkInfos(c *mesos.ContainerStatus) []any {
	var list []any
	for _, info := range c.NetworkInfos {
		list = append(list, map[string]any{"ip_addresses": info.IPAddresses})
	}
	return list
}
