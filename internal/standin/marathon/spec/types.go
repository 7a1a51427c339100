// Package spec is Marathon's app definition: reading, defaults, validation, merging and the form in which it is echoed.
package spec

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Float is a number that Marathon's REST API writes with a decimal point (1.0).
type Float float64

// MarshalJSON writes at least one decimal.
func (f Float) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(f), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return []byte(s), nil
}

// App is one app definition with every default filled in. Field order is the order of Marathon's answers.
type App struct {
	ID                         string                `json:"id"`
	AcceptedResourceRoles      []string              `json:"acceptedResourceRoles,omitempty"`
	Args                       []string              `json:"args,omitempty"`
	BackoffFactor              Float                 `json:"backoffFactor"`
	BackoffSeconds             int                   `json:"backoffSeconds"`
	Cmd                        *string               `json:"cmd,omitempty"`
	Constraints                [][]string            `json:"constraints,omitempty"`
	Container                  *Container            `json:"container,omitempty"`
	Cpus                       Float                 `json:"cpus"`
	Dependencies               []string              `json:"dependencies,omitempty"`
	Disk                       Float                 `json:"disk"`
	Env                        map[string]string     `json:"env,omitempty"`
	Executor                   string                `json:"executor"`
	ExecutorResources          *ExecutorResources    `json:"executorResources,omitempty"`
	Fetch                      []Fetch               `json:"fetch,omitempty"`
	HealthChecks               []HealthCheck         `json:"healthChecks,omitempty"`
	Instances                  int                   `json:"instances"`
	Labels                     map[string]string     `json:"labels"`
	MaxLaunchDelaySeconds      int                   `json:"maxLaunchDelaySeconds"`
	Mem                        Float                 `json:"mem"`
	Gpus                       int                   `json:"gpus"`
	Networks                   []Network             `json:"networks"`
	PortDefinitions            *[]PortDefinition     `json:"portDefinitions,omitempty"`
	ReadinessChecks            []ReadinessCheck      `json:"readinessChecks,omitempty"`
	ResourceLimits             map[string]LimitValue `json:"resourceLimits,omitempty"`
	RequirePorts               bool                  `json:"requirePorts"`
	TaskKillGracePeriodSeconds *int                  `json:"taskKillGracePeriodSeconds,omitempty"`
	TTY                        *bool                 `json:"tty,omitempty"`
	UpgradeStrategy            UpgradeStrategy       `json:"upgradeStrategy"`
	User                       *string               `json:"user,omitempty"`
	Version                    string                `json:"version,omitempty"`
	VersionInfo                *VersionInfo          `json:"versionInfo,omitempty"`
	KillSelection              string                `json:"killSelection"`
	UnreachableStrategy        UnreachableStrategy   `json:"unreachableStrategy"`
	Role                       string                `json:"role"`
}

// VersionInfo says when the app was last scaled and last changed otherwise; the latter is what a restart replaces.
type VersionInfo struct {
	LastScalingAt      string `json:"lastScalingAt"`
	LastConfigChangeAt string `json:"lastConfigChangeAt"`
}

// UpgradeStrategy holds fractions from 0 to 1.
type UpgradeStrategy struct {
	MaximumOverCapacity   Float `json:"maximumOverCapacity"`
	MinimumHealthCapacity Float `json:"minimumHealthCapacity"`
}

// UnreachableStrategy says when an unreachable instance is replaced and forgotten; Disabled is the string "disabled".
type UnreachableStrategy struct {
	Disabled             bool
	InactiveAfterSeconds int
	ExpungeAfterSeconds  int
}

type unreachableSeconds struct {
	InactiveAfterSeconds int `json:"inactiveAfterSeconds"`
	ExpungeAfterSeconds  int `json:"expungeAfterSeconds"`
}

// MarshalJSON writes "disabled" or the two times.
func (u UnreachableStrategy) MarshalJSON() ([]byte, error) {
	if u.Disabled {
		return []byte(`"disabled"`), nil
	}
	return json.Marshal(unreachableSeconds{u.InactiveAfterSeconds, u.ExpungeAfterSeconds})
}

// UnmarshalJSON takes any string for "disabled", as Marathon does.
func (u *UnreachableStrategy) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*u = UnreachableStrategy{Disabled: true}
		return nil
	}
	var s unreachableSeconds
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*u = UnreachableStrategy{InactiveAfterSeconds: s.InactiveAfterSeconds, ExpungeAfterSeconds: s.ExpungeAfterSeconds}
	return nil
}

// LimitValue is a number or the word "unlimited".
type LimitValue struct {
	Number Float
	Word   string
}

// MarshalJSON writes the word or the number.
func (l LimitValue) MarshalJSON() ([]byte, error) {
	if l.Word != "" {
		return json.Marshal(l.Word)
	}
	return l.Number.MarshalJSON()
}

// UnmarshalJSON reads a word or a number.
func (l *LimitValue) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &l.Word)
	}
	return json.Unmarshal(data, &l.Number)
}

// ExecutorResources are accounted for the executor beside the task.
type ExecutorResources struct {
	Cpus Float `json:"cpus"`
	Mem  Float `json:"mem"`
	Disk Float `json:"disk"`
}

// Fetch is one URI that the Mesos agent brings into the sandbox.
type Fetch struct {
	URI        string  `json:"uri"`
	Extract    bool    `json:"extract"`
	Executable bool    `json:"executable"`
	Cache      bool    `json:"cache"`
	DestPath   *string `json:"destPath,omitempty"`
}

// Network is one entry of networks.
type Network struct {
	Name   string            `json:"name,omitempty"`
	Mode   string            `json:"mode"`
	Labels map[string]string `json:"labels,omitempty"`
}

// PortDefinition is a port in host mode; Port is the service port, and the host port too with requirePorts.
type PortDefinition struct {
	Port     int               `json:"port"`
	Labels   map[string]string `json:"labels,omitempty"`
	Name     string            `json:"name,omitempty"`
	Protocol string            `json:"protocol"`
}

// Container is the container of an app.
type Container struct {
	Type         string         `json:"type"`
	Docker       *Docker        `json:"docker,omitempty"`
	Volumes      []Volume       `json:"volumes"`
	PortMappings *[]PortMapping `json:"portMappings,omitempty"`
}

// Docker is the image part of a container.
type Docker struct {
	ForcePullImage bool        `json:"forcePullImage"`
	Image          string      `json:"image"`
	Parameters     []Parameter `json:"parameters"`
	Privileged     bool        `json:"privileged"`
}

// Parameter is an argument of docker run.
type Parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Volume is a host volume (the other kinds are refused).
type Volume struct {
	ContainerPath string `json:"containerPath"`
	HostPath      string `json:"hostPath"`
	Mode          string `json:"mode"`
}

// PortMapping is a port outside of host mode.
type PortMapping struct {
	ContainerPort int               `json:"containerPort"`
	HostPort      *int              `json:"hostPort,omitempty"`
	Labels        map[string]string `json:"labels"`
	Name          string            `json:"name,omitempty"`
	Protocol      string            `json:"protocol"`
	ServicePort   int               `json:"servicePort"`
	NetworkNames  []string          `json:"networkNames,omitempty"`
}

// Command is the command of a COMMAND check.
type Command struct {
	Value string `json:"value"`
}

// HealthCheck is one health check.
type HealthCheck struct {
	Command                *Command `json:"command,omitempty"`
	GracePeriodSeconds     int      `json:"gracePeriodSeconds"`
	IgnoreHTTP1xx          *bool    `json:"ignoreHttp1xx,omitempty"`
	IntervalSeconds        int      `json:"intervalSeconds"`
	MaxConsecutiveFailures int      `json:"maxConsecutiveFailures"`
	Path                   *string  `json:"path,omitempty"`
	Port                   *int     `json:"port,omitempty"`
	PortIndex              *int     `json:"portIndex,omitempty"`
	Protocol               string   `json:"protocol"`
	IPProtocol             string   `json:"ipProtocol"`
	TimeoutSeconds         int      `json:"timeoutSeconds"`
	DelaySeconds           int      `json:"delaySeconds"`
}

// Mesos says whether the Mesos agent makes the check, not Marathon.
func (h HealthCheck) Mesos() bool {
	return h.Protocol == "COMMAND" || strings.HasPrefix(h.Protocol, "MESOS_")
}

// ReadinessCheck is made by Marathon while a deployment runs.
type ReadinessCheck struct {
	Name                    string `json:"name"`
	Protocol                string `json:"protocol"`
	Path                    string `json:"path"`
	PortName                string `json:"portName"`
	IntervalSeconds         int    `json:"intervalSeconds"`
	TimeoutSeconds          int    `json:"timeoutSeconds"`
	HTTPStatusCodesForReady []int  `json:"httpStatusCodesForReady"`
	PreserveLastResponse    bool   `json:"preserveLastResponse"`
}

// HostMode says whether the app shares the agent's network.
func (a *App) HostMode() bool { return len(a.Networks) == 0 || a.Networks[0].Mode == "host" }

// SingleInstance says whether the label forbids a second instance.
func (a *App) SingleInstance() bool {
	return a.Labels["MARATHON_SINGLE_INSTANCE_APP"] == "true"
}

// MesosHealthCheck is the check that goes into the TaskInfo, or nil.
func (a *App) MesosHealthCheck() *HealthCheck {
	for i := range a.HealthChecks {
		if a.HealthChecks[i].Mesos() {
			return &a.HealthChecks[i]
		}
	}
	return nil
}

// Clone is a deep copy.
func (a *App) Clone() *App {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("app definition cannot be written: " + err.Error())
	}
	var out App
	if err := json.Unmarshal(raw, &out); err != nil {
		panic("app definition cannot be read back: " + err.Error())
	}
	return &out
}

// Timestamp is Marathon's form of a time: UTC with milliseconds.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// JSON encodes as Marathon does: on one line, with <, > and & as they are.
func JSON(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
