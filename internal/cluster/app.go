package cluster

import (
	"encoding/json"
	"fmt"
	"time"

	marathon "github.com/gambol99/go-marathon"
)

// App is a Marathon app as it is now.
type App struct {
	ID        string
	Version   string
	Instances int
	Staged    int
	Running   int
	Healthy   int
	Unhealthy int
	HasChecks bool
	// Deployments that hold the app.
	Deployments []string
	Tasks       []AppTask
	// LastFailure is nil when no task has failed since the app's last restart.
	LastFailure *TaskFailure
	Labels      map[string]string
	// Raw is the app's JSON with everything the library does not know.
	Raw []byte
	// ConfigVersion is when what the tasks run last changed: scaling gives an app a new version, but no new tasks.
	ConfigVersion string
}

// AppTask is one task of an app. One that has ended and waits for its next life has no StartedAt and no Ports.
type AppTask struct {
	ID        string
	Host      string
	AgentID   string
	State     string
	Ports     []int
	Version   string
	StagedAt  string
	StartedAt string
	// Alive is nil while no health check has had a result about this task.
	Alive *bool
	// HealthCause is the text of the last failed check.
	HealthCause string
}

// TaskFailure is how the last task of an app ended badly.
type TaskFailure struct {
	TaskID    string
	Host      string
	State     string
	Message   string
	Version   string
	Timestamp string
}

// Current are the running tasks of the app's present configuration.
func (a App) Current() []AppTask {
	var current []AppTask
	for _, t := range a.Tasks {
		if t.State == "TASK_RUNNING" && t.Version >= a.ConfigVersion {
			current = append(current, t)
		}
	}
	return current
}

// Outdated are tasks of an earlier configuration that have not ended.
func (a App) Outdated() []AppTask {
	var old []AppTask
	for _, t := range a.Tasks {
		if t.StagedAt != "" && t.Version != "" && t.Version < a.ConfigVersion {
			old = append(old, t)
		}
	}
	return old
}

func appOf(answer *marathon.Application, body []byte) (App, error) {
	if answer == nil {
		return App{}, fmt.Errorf("the answer has no app")
	}
	var wrapper struct {
		App json.RawMessage `json:"app"`
	}
	if err := json.Unmarshal(body, &wrapper); err != nil {
		return App{}, err
	}
	a := App{
		Raw: wrapper.App, ID: answer.ID, Version: answer.Version, ConfigVersion: answer.Version, Staged: answer.TasksStaged,
		Running: answer.TasksRunning, Healthy: answer.TasksHealthy, Unhealthy: answer.TasksUnhealthy,
		HasChecks: answer.HealthChecks != nil && len(*answer.HealthChecks) > 0,
	}
	if v := answer.VersionInfo; v != nil && v.LastConfigChangeAt != "" {
		a.ConfigVersion = v.LastConfigChangeAt
	}
	if answer.Instances != nil {
		a.Instances = *answer.Instances
	}
	if answer.Labels != nil {
		a.Labels = *answer.Labels
	}
	for _, d := range answer.Deployments {
		a.Deployments = append(a.Deployments, d["id"])
	}
	if f := answer.LastTaskFailure; f != nil {
		a.LastFailure = &TaskFailure{TaskID: f.TaskID, Host: f.Host, State: f.State, Message: f.Message, Version: f.Version, Timestamp: f.Timestamp}
	}
	for _, t := range answer.Tasks {
		a.Tasks = append(a.Tasks, appTask(t))
	}
	return a, nil
}

func appTask(t *marathon.Task) AppTask {
	task := AppTask{
		ID: t.ID, Host: t.Host, AgentID: t.SlaveID, State: t.State, Ports: t.Ports,
		Version: t.Version, StagedAt: t.StagedAt, StartedAt: t.StartedAt,
	}
	for _, result := range t.HealthCheckResults {
		if result == nil || carriedOver(result, t.StartedAt) {
			continue
		}
		alive := result.Alive && (task.Alive == nil || *task.Alive)
		task.Alive = &alive
		if result.LastFailureCause != "" {
			task.HealthCause = result.LastFailureCause
		}
	}
	return task
}

// carriedOver says that a result is older than its task: Marathon keeps results by instance, and a relaunched task
// is shown with those of the one before. Two seconds are allowed for clocks that differ.
func carriedOver(result *marathon.HealthCheckResult, startedAt string) bool {
	started, err := time.Parse(time.RFC3339, startedAt)
	if err != nil {
		return false
	}
	for _, stamp := range []string{result.LastSuccess, result.LastFailure} {
		if at, err := time.Parse(time.RFC3339, stamp); err == nil && at.After(started.Add(-2*time.Second)) {
			return false
		}
	}
	return result.LastSuccess != "" || result.LastFailure != ""
}
