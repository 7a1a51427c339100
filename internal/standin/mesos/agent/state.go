package agent

import (
	"fmt"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/edition"
)

// stateView is /state, in the real agent's order.
type stateView struct {
	Version             string            `json:"version"`
	GitSHA              string            `json:"git_sha"`
	BuildDate           string            `json:"build_date"`
	BuildTime           double            `json:"build_time"`
	BuildUser           string            `json:"build_user"`
	StartTime           double            `json:"start_time"`
	ID                  string            `json:"id"`
	PID                 string            `json:"pid"`
	Hostname            string            `json:"hostname"`
	Capabilities        []string          `json:"capabilities"`
	Resources           map[string]any    `json:"resources"`
	Reserved            map[string]any    `json:"reserved_resources"`
	Unreserved          map[string]any    `json:"unreserved_resources"`
	ReservedFull        map[string]any    `json:"reserved_resources_full"`
	UnreservedFull      []any             `json:"unreserved_resources_full"`
	ReservedAllocated   map[string]any    `json:"reserved_resources_allocated"`
	UnreservedAllocated map[string]any    `json:"unreserved_resources_allocated"`
	ResourceProviders   []any             `json:"resource_providers"`
	Attributes          map[string]any    `json:"attributes"`
	MasterHostname      string            `json:"master_hostname,omitempty"`
	LogDir              string            `json:"log_dir,omitempty"`
	Flags               map[string]string `json:"flags"`
	Frameworks          []frameworkView   `json:"frameworks"`
	CompletedFrameworks []frameworkView   `json:"completed_frameworks"`
}

type frameworkView struct {
	ID                 string         `json:"id"`
	Name               string         `json:"name"`
	User               string         `json:"user"`
	FailoverTimeout    double         `json:"failover_timeout"`
	Checkpoint         bool           `json:"checkpoint"`
	Hostname           string         `json:"hostname"`
	Principal          string         `json:"principal,omitempty"`
	Role               string         `json:"role,omitempty"`
	Roles              []string       `json:"roles,omitempty"`
	Executors          []executorView `json:"executors"`
	CompletedExecutors []executorView `json:"completed_executors"`
}

type executorView struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	Source         string         `json:"source"`
	Container      string         `json:"container"`
	Directory      string         `json:"directory"`
	Resources      map[string]any `json:"resources"`
	Role           string         `json:"role,omitempty"`
	Tasks          []taskView     `json:"tasks"`
	QueuedTasks    []taskView     `json:"queued_tasks"`
	CompletedTasks []taskView     `json:"completed_tasks"`
}

type taskView struct {
	ID          string               `json:"id"`
	Name        string               `json:"name"`
	FrameworkID string               `json:"framework_id"`
	ExecutorID  string               `json:"executor_id"`
	SlaveID     string               `json:"slave_id"`
	State       string               `json:"state"`
	Resources   map[string]any       `json:"resources"`
	Role        string               `json:"role,omitempty"`
	Statuses    []statusView         `json:"statuses"`
	Labels      []mesos.Label        `json:"labels,omitempty"`
	User        string               `json:"user,omitempty"`
	Container   any                  `json:"container,omitempty"`
	HealthCheck *mesos.HealthCheck   `json:"health_check,omitempty"`
	Discovery   *mesos.DiscoveryInfo `json:"discovery,omitempty"`
}

type statusView struct {
	State     string        `json:"state"`
	Timestamp double        `json:"timestamp"`
	Labels    []mesos.Label `json:"labels,omitempty"`
	Container any           `json:"container_status,omitempty"`
	Healthy   *bool         `json:"healthy,omitempty"`
}

// capabilities are the real agent's, as far as a master may rely on them here.
var capabilities = []string{
	"MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT", "RESOURCE_PROVIDER", "RESIZE_VOLUME",
	"AGENT_OPERATION_FEEDBACK", "AGENT_DRAINING", "TASK_RESOURCE_LIMITS",
}

func (a *Agent) state() stateView {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := stateView{
		Version: edition.Version(Version), GitSHA: "standin", BuildDate: buildDate, BuildTime: buildTime, BuildUser: "standin",
		StartTime: double(float64(a.began.UnixMicro()) / 1e6), ID: a.info.ID.GetValue(), PID: "slave(1)@" + a.cfg.endpoint(),
		Hostname: a.info.Hostname, Capabilities: capabilities, Resources: resourceMap(a.info.Resources), ReservedFull: map[string]any{},
		Reserved: map[string]any{}, ReservedAllocated: map[string]any{}, ResourceProviders: []any{}, UnreservedFull: []any{},
		Attributes: map[string]any{}, MasterHostname: a.leader.hostname, LogDir: a.cfg.flags.get("log_dir"), Flags: a.cfg.flags.shown(),
		Frameworks: []frameworkView{}, CompletedFrameworks: []frameworkView{},
	}
	byRole := map[string][]mesos.Resource{}
	for _, one := range a.info.Resources {
		byRole[role(one)] = append(byRole[role(one)], one)
	}
	for name, list := range byRole {
		if name == "*" {
			for _, one := range list {
				v.UnreservedFull = append(v.UnreservedFull, fullResource(one))
			}
			continue
		}
		v.Reserved[name] = resourceMap(list)
		var full []any
		for _, one := range list {
			full = append(full, fullResource(one))
		}
		v.ReservedFull[name] = full
	}
	v.Unreserved = resourceMap(byRole["*"])
	v.UnreservedAllocated = resourceMap(a.allocated())
	for _, one := range a.info.Attributes {
		v.Attributes[one.Name] = attributeValue(one)
	}
	for _, fw := range a.frameworks {
		v.Frameworks = append(v.Frameworks, a.frameworkView(fw))
	}
	for _, fw := range a.completed {
		v.CompletedFrameworks = append(v.CompletedFrameworks, a.frameworkView(fw))
	}
	return v
}

func role(one mesos.Resource) string {
	if one.Role == nil {
		return "*"
	}
	return *one.Role
}

// allocated are the resources of all tasks that have not ended.
func (a *Agent) allocated() []mesos.Resource {
	var all []mesos.Resource
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			if !terminal(t.state) {
				all = append(all, t.info.Resources...)
			}
		}
	}
	return all
}

// resourceMap sums resources by name; the four scalars are always there.
func resourceMap(list []mesos.Resource) map[string]any {
	numbers := map[string]float64{"cpus": 0, "gpus": 0, "mem": 0, "disk": 0}
	ranges, sets := map[string][]string{}, map[string][]string{}
	for _, one := range list {
		switch {
		case one.Scalar != nil:
			numbers[one.Name] += one.Scalar.Value
		case one.Ranges != nil:
			for _, r := range one.Ranges.Range {
				ranges[one.Name] = append(ranges[one.Name], fmt.Sprintf("%d-%d", r.Begin, r.End))
			}
		case one.Set != nil:
			sets[one.Name] = append(sets[one.Name], one.Set.Item...)
		}
	}
	result := map[string]any{}
	for name, number := range numbers {
		result[name] = double(float64(int64(number*1000+0.5)) / 1000)
	}
	for name, list := range ranges {
		result[name] = "[" + strings.Join(list, ", ") + "]"
	}
	for name, list := range sets {
		result[name] = "{" + strings.Join(list, ", ") + "}"
	}
	return result
}

func fullResource(one mesos.Resource) map[string]any {
	result := map[string]any{"name": one.Name, "type": one.GetType().String(), "role": role(one)}
	switch {
	case one.Scalar != nil:
		result["scalar"] = map[string]any{"value": double(one.Scalar.Value)}
	case one.Ranges != nil:
		result["ranges"] = one.Ranges
	case one.Set != nil:
		result["set"] = one.Set
	}
	return result
}

func attributeValue(one mesos.Attribute) any {
	switch {
	case one.Scalar != nil:
		return double(one.Scalar.Value)
	case one.Ranges != nil:
		return resourceMap([]mesos.Resource{{Name: one.Name, Ranges: one.Ranges}})[one.Name]
	case one.Text != nil:
		return one.Text.Value
	}
	return ""
}
