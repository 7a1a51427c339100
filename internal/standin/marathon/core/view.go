package core

import (
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Task is a task as the API shows it.
type Task struct {
	AppID              string           `json:"appId"`
	HealthCheckResults []map[string]any `json:"healthCheckResults"`
	Host               string           `json:"host"`
	ID                 string           `json:"id"`
	IPAddresses        []IPAddress      `json:"ipAddresses"`
	Ports              []int            `json:"ports"`
	ServicePorts       []int            `json:"servicePorts"`
	SlaveID            string           `json:"slaveId"`
	State              string           `json:"state"`
	StagedAt           string           `json:"stagedAt,omitempty"`
	StartedAt          string           `json:"startedAt,omitempty"`
	Version            string           `json:"version,omitempty"`
	LocalVolumes       []struct{}       `json:"localVolumes"`
	Region             string           `json:"region,omitempty"`
	Zone               string           `json:"zone,omitempty"`
	Role               string           `json:"role"`
}

// Counts are the numbers that every app answer carries.
type Counts struct {
	TasksStaged    int `json:"tasksStaged"`
	TasksRunning   int `json:"tasksRunning"`
	TasksHealthy   int `json:"tasksHealthy"`
	TasksUnhealthy int `json:"tasksUnhealthy"`
}

// IDRef names a deployment.
type IDRef struct {
	ID string `json:"id"`
}

// AppView is an app with what belongs to it; the pointers are the embeddable parts.
type AppView struct {
	*spec.App
	Counts
	Deployments           []IDRef         `json:"deployments"`
	ReadinessCheckResults *[]any          `json:"readinessCheckResults,omitempty"`
	LastTaskFailure       *TaskFailure    `json:"lastTaskFailure,omitempty"`
	Tasks                 *[]Task         `json:"tasks,omitempty"`
	TaskStats             *map[string]any `json:"tasksStats,omitempty"`
}

// Embed chooses the optional parts of an AppView.
type Embed struct{ Tasks, Failure, Stats, Readiness bool }

func (c *Core) taskView(i *Instance, servicePorts bool) Task {
	app := c.specOf(i)
	t := Task{AppID: i.App, HealthCheckResults: c.healthResults(i), Host: i.Host, ID: i.TaskID, IPAddresses: ipAddresses(i), Ports: nonNil(i.Ports),
		ServicePorts: []int{}, SlaveID: i.AgentID, State: i.TaskState, StagedAt: i.StagedAt, StartedAt: i.StartedAt, LocalVolumes: []struct{}{}, Region: i.Region, Zone: i.Zone}
	if app != nil {
		t.Role = app.Role
		if servicePorts {
			t.ServicePorts = nonNil(app.ServicePorts())
		}
	}
	if i.Condition != scheduled {
		t.Version = i.Version
	} else {
		t.Region, t.Zone = "", ""
	}
	return t
}

func (c *Core) tasksOf(app string, servicePorts bool) []Task {
	out := []Task{}
	for _, i := range c.instancesOf(app) {
		if i.TaskID != "" && i.Condition != unreachableInactive {
			out = append(out, c.taskView(i, servicePorts))
		}
	}
	return out
}

// Tasks lists all tasks (service ports filled), or those of one app (not filled).
func (c *Core) Tasks(app string) ([]Task, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if app != "" {
		if c.apps[app] == nil {
			return nil, appMissing(app, true)
		}
		return c.tasksOf(app, false), nil
	}
	out := []Task{}
	for _, id := range sortedKeys(c.apps) {
		out = append(out, c.tasksOf(id, true)...)
	}
	return out, nil
}

func (c *Core) counts(app string) Counts {
	var n Counts
	for _, i := range c.insts {
		if i.App != app {
			continue
		}
		switch i.Condition {
		case provisioned, staging:
			n.TasksStaged++
		case running:
			n.TasksRunning++
			known, alive := false, len(i.health) > 0
			for _, h := range i.health {
				known = known || h.known()
				alive = alive && h.alive()
			}
			if known && alive {
				n.TasksHealthy++
			} else if known {
				n.TasksUnhealthy++
			}
		}
	}
	return n
}

func (c *Core) deploymentsOf(app string) []IDRef {
	out := []IDRef{}
	for _, d := range c.plans {
		for _, id := range d.affected() {
			if id == app {
				out = append(out, IDRef{d.ID})
			}
		}
	}
	return out
}

func (c *Core) view(id string, embed Embed) AppView {
	state := c.apps[id]
	v := AppView{App: state.app, Counts: c.counts(id), Deployments: c.deploymentsOf(id)}
	if embed.Tasks {
		tasks := c.tasksOf(id, false)
		v.Tasks = &tasks
	}
	if embed.Failure {
		v.LastTaskFailure = state.failure
	}
	if embed.Readiness {
		results := c.readiness(id)
		v.ReadinessCheckResults = &results
	}
	if embed.Stats {
		stats := c.stats(id)
		v.TaskStats = &stats
	}
	return v
}

func (c *Core) readiness(app string) []any {
	out := []any{}
	if !c.deploying(app) {
		return out
	}
	for _, i := range c.instancesOf(app) {
		if i.readyResults != nil && i.Condition == running && i.readyResults["taskId"] == i.TaskID {
			out = append(out, i.readyResults)
		}
	}
	return out
}

// App is one app.
func (c *Core) App(id string, embed Embed) (AppView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apps[id] == nil {
		return AppView{}, appMissing(id, true)
	}
	return c.view(id, embed), nil
}

// Apps lists the apps that the filter lets through, in the order of their ids.
func (c *Core) Apps(embed Embed, filter func(*spec.App) bool) []AppView {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []AppView{}
	for _, id := range sortedKeys(c.apps) {
		if filter(c.apps[id].app) {
			out = append(out, c.view(id, embed))
		}
	}
	return out
}

// Versions lists the stored versions of an app.
func (c *Core) Versions(id string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apps[id] == nil {
		return nil, appMissing(id, true)
	}
	return sortedKeys(c.apps[id].versions), nil
}

// Version is an app as it was in one version.
func (c *Core) Version(id, version string) (*spec.App, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version(id, version)
}

func (c *Core) version(id, version string) (*spec.App, error) {
	at, err := time.Parse(time.RFC3339, version)
	if err != nil {
		return nil, &Refused{Status: 422, Message: `Invalid format: "` + version + `"`}
	}
	if state := c.apps[id]; state != nil {
		for v, app := range state.versions {
			if t, err := time.Parse(time.RFC3339, v); err == nil && t.Equal(at) {
				return app, nil
			}
		}
	}
	return nil, &NotFound{Message: "App '" + id + "' does not exist in version " + spec.Timestamp(at), Details: true}
}

func addresses(i *Instance, status *mesos.TaskStatus) {
	if status.ContainerStatus == nil {
		return
	}
	var ips []string
	for _, network := range status.ContainerStatus.NetworkInfos {
		for _, ip := range network.IPAddresses {
			if ip.IPAddress != nil {
				ips = append(ips, *ip.IPAddress)
			}
		}
	}
	if len(ips) > 0 {
		i.IPs = ips
	}
}

func ipAddresses(i *Instance) []IPAddress {
	out := []IPAddress{}
	for _, ip := range i.IPs {
		protocol := "IPv4"
		if strings.Contains(ip, ":") {
			protocol = "IPv6"
		}
		out = append(out, IPAddress{IPAddress: ip, Protocol: protocol})
	}
	return out
}

func nonNil(ports []int) []int {
	if ports == nil {
		return []int{}
	}
	return ports
}
