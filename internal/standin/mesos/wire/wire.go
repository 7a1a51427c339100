// Package wire is the protocol that the stand-in Mesos agents speak with the stand-in masters. The real programs use
// libprocess messages here, which nobody else ever sees, so this protocol is private to the two stand-ins.
//
// An agent POSTs a Register to PathRegister of the leading master. The answer is a RecordIO stream (decimal length,
// newline, that many bytes of JSON) of ToAgent that stays open as long as the agent is connected; the first record
// is Registered. Everything the agent has to say goes as one FromAgent per POST to PathCall. A master that does not
// lead answers 307 with the leader's address, as the public endpoints do. An agent with a credential shows it by basic
// authentication; a wrong one is answered with 403, and none with 401 where the master wants one.
package wire

import (
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Paths of the private endpoints on a master.
const (
	PathRegister = "/standin/v1/agent/register"
	PathCall     = "/standin/v1/agent/call"
)

// DriverHeader says on the scheduler API that the caller stands in for a framework that uses libmesos, as the real Marathon does.
// Real masters do not know it.
const DriverHeader = "Jomctl-Standin-Driver"

// Register announces an agent and everything it still runs. AgentInfo.ID is set when the agent has been registered before.
type Register struct {
	Agent   mesos.AgentInfo `json:"agent"`
	Version string          `json:"version"`
	// Tasks are the live tasks, and the ended ones whose last update is not acknowledged.
	Tasks []Task `json:"tasks,omitempty"`
}

// Task is one task as its agent knows it.
type Task struct {
	Framework mesos.FrameworkInfo `json:"framework"`
	Info      mesos.TaskInfo      `json:"info"`
	// Status is the latest status the agent has made.
	Status mesos.TaskStatus `json:"status"`
	// Statuses are all statuses so far, oldest first, as /state shows them.
	Statuses []mesos.TaskStatus `json:"statuses,omitempty"`
}

// ToAgent is one message of a master; exactly one field is set.
type ToAgent struct {
	Registered        *Registered        `json:"registered,omitempty"`
	Ping              *Ping              `json:"ping,omitempty"`
	Run               *Run               `json:"run,omitempty"`
	Kill              *Kill              `json:"kill,omitempty"`
	Ack               *Ack               `json:"ack,omitempty"`
	FrameworkShutdown *FrameworkShutdown `json:"framework_shutdown,omitempty"`
	FrameworkUpdate   *FrameworkUpdate   `json:"framework_update,omitempty"`
	Shutdown          *Shutdown          `json:"shutdown,omitempty"`
	Drain             *Drain             `json:"drain,omitempty"`
}

// Registered accepts the agent under an id. An agent that hears no Ping for PingTimeout seconds registers anew.
type Registered struct {
	AgentID     mesos.AgentID `json:"agent_id"`
	PingTimeout float64       `json:"ping_timeout_seconds"`
}

// Ping asks for a Pong with the same sequence number.
type Ping struct {
	Seq uint64 `json:"seq"`
}

// Run starts a task.
type Run struct {
	Framework mesos.FrameworkInfo `json:"framework"`
	Task      mesos.TaskInfo      `json:"task"`
}

// Kill stops a task. Reason, when set, replaces the reason of the terminal status (a drain does that).
type Kill struct {
	FrameworkID mesos.FrameworkID `json:"framework_id"`
	TaskID      mesos.TaskID      `json:"task_id"`
	KillPolicy  *mesos.KillPolicy `json:"kill_policy,omitempty"`
}

// Ack says that the framework has acknowledged the update with this uuid.
type Ack struct {
	FrameworkID mesos.FrameworkID `json:"framework_id"`
	TaskID      mesos.TaskID      `json:"task_id"`
	UUID        []byte            `json:"uuid"`
}

// FrameworkShutdown kills every task of the framework without updates, as after a teardown or a failover timeout.
type FrameworkShutdown struct {
	FrameworkID mesos.FrameworkID `json:"framework_id"`
}

// FrameworkUpdate tells the agent a framework's new description (after it has re-subscribed or updated itself).
type FrameworkUpdate struct {
	Framework mesos.FrameworkInfo `json:"framework"`
}

// Shutdown makes the agent kill everything and end with status 1, as for an agent that was removed.
type Shutdown struct {
	Message string `json:"message"`
}

// Drain kills every task with at most the given grace and reports TASK_KILLED, REASON_AGENT_DRAINING.
type Drain struct {
	MaxGracePeriod float64 `json:"max_grace_period_seconds"`
}

// FromAgent is one message of an agent; exactly one of Pong, Update, Unregister is set.
type FromAgent struct {
	AgentID    mesos.AgentID `json:"agent_id"`
	Pong       *Ping         `json:"pong,omitempty"`
	Update     *Update       `json:"update,omitempty"`
	Unregister *Unregister   `json:"unregister,omitempty"`
}

// Update carries a status. The agent sends it again (10 s, then doubling) until an Ack with its uuid comes; later
// updates of the same task wait meanwhile. Latest is the newest state the agent knows, which may be ahead of Status.
type Update struct {
	FrameworkID mesos.FrameworkID `json:"framework_id"`
	Status      mesos.TaskStatus  `json:"status"`
	Latest      mesos.TaskState   `json:"latest_state"`
}

// Unregister says that the agent goes away for good (SIGUSR1) and has killed its executors.
type Unregister struct {
	Message string `json:"message"`
}
