package core

import (
	"time"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Conditions and goals of an instance, as events name them.
const (
	scheduled           = "Scheduled"
	provisioned         = "Provisioned"
	staging             = "Staging"
	starting            = "Starting"
	running             = "Running"
	killing             = "Killing"
	unreachable         = "Unreachable"
	unreachableInactive = "UnreachableInactive"

	goalRunning        = "Running"
	goalDecommissioned = "Decommissioned"
)

// Instance is one instance of an app: it keeps its id over relaunches, each of which is a task of its own.
type Instance struct {
	ID            string            `json:"id"`
	App           string            `json:"app"`
	Version       string            `json:"version"`
	ConfigVersion string            `json:"configVersion"`
	Goal          string            `json:"goal"`
	Condition     string            `json:"condition"`
	Created       time.Time         `json:"created"`
	Since         time.Time         `json:"since"`
	Incarnation   int               `json:"incarnation"`
	TaskID        string            `json:"taskId,omitempty"`
	TaskState     string            `json:"taskState,omitempty"`
	AgentID       string            `json:"agentId,omitempty"`
	Host          string            `json:"host,omitempty"`
	Region        string            `json:"region,omitempty"`
	Zone          string            `json:"zone,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	Ports         []int             `json:"ports,omitempty"`
	IPs           []string          `json:"ips,omitempty"`
	StagedAt      string            `json:"stagedAt,omitempty"`
	StartedAt     string            `json:"startedAt,omitempty"`
	LostAt        time.Time         `json:"lostAt"`
	// MesosHealth is what Mesos said last about this task. It is stored, so that a new leader knows it at once.
	MesosHealth *bool `json:"healthy,omitempty"`

	health       []*healthResult
	endedAt      time.Time
	killSent     time.Time
	stopChecks   func()
	ready        bool
	readyResults map[string]any
}

func newInstance(app *spec.App, now time.Time) *Instance {
	id, err := uuid.NewUUID()
	if err != nil {
		id = uuid.New()
	}
	return &Instance{ID: underscored(app.ID) + ".instance-" + id.String(), App: app.ID, Version: app.Version, ConfigVersion: app.VersionInfo.LastConfigChangeAt,
		Goal: goalRunning, Condition: scheduled, Created: now, Since: now}
}

// active says whether there is a task that Mesos knows, or should know.
func (i *Instance) active() bool {
	switch i.Condition {
	case provisioned, staging, starting, running, killing, unreachable:
		return true
	}
	return false
}

func (i *Instance) waiting() bool { return i.Condition == scheduled && i.Goal == goalRunning }

func underscored(id string) string {
	out := []byte(id[1:])
	for i, c := range out {
		if c == '/' {
			out[i] = '_'
		}
	}
	return string(out)
}
