// Package execute is the stand-in for mesos-executor: one process that runs one command task, checks its health and
// outlives the agent. Agent and executor exchange JSON lines: first over the socket that the executor inherits as file
// 3, after an agent's restart over the unix socket in the container's runtime folder.
package execute

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Launch is everything an executor needs to know. Durations are in seconds.
type Launch struct {
	Task    mesos.TaskInfo `json:"task"`
	Env     []string       `json:"env"`
	Sandbox string         `json:"sandbox"`
	// UID and GID are the task's, -1 to keep the agent's. Groups are the supplementary ones.
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups,omitempty"`
	// Checkpoint keeps the task alive for RecoveryTimeout without an agent; without it the task ends with the agent.
	Checkpoint      bool    `json:"checkpoint"`
	RecoveryTimeout float64 `json:"recovery_timeout"`
	// ReportKilling sends TASK_KILLING, for frameworks with TASK_KILLING_STATE.
	ReportKilling bool `json:"report_killing"`
	// Docker is set for a task in a Docker container.
	Docker *Docker `json:"docker,omitempty"`
}

// Docker says how the container is run.
type Docker struct {
	Program string   `json:"program"`
	Socket  string   `json:"socket"`
	Name    string   `json:"name"`
	Args    []string `json:"args"` // of `docker run`
}

// ToExecutor is one message of the agent; one field is set.
type ToExecutor struct {
	Launch   *Launch `json:"launch,omitempty"`
	Kill     *Kill   `json:"kill,omitempty"`
	Ack      []byte  `json:"ack,omitempty"` // the uuid of a status that the agent has kept
	Shutdown bool    `json:"shutdown,omitempty"`
}

// Kill ends the task: SIGTERM, and after the grace SIGKILL. A nil grace means the task's own or 3 seconds.
type Kill struct {
	Grace  *float64                 `json:"grace_seconds,omitempty"`
	Reason *mesos.TaskStatus_Reason `json:"reason,omitempty"`
}

// FromExecutor is one message of the executor; one field is set. Hello comes first on each connection.
type FromExecutor struct {
	Hello  *Hello            `json:"hello,omitempty"`
	Forked int               `json:"forked,omitempty"` // the task's process id and session
	Status *mesos.TaskStatus `json:"status,omitempty"`
}

// Hello tells a (new) agent who is there. TaskPID is 0 before the task runs.
type Hello struct {
	PID     int `json:"pid"`
	TaskPID int `json:"task_pid,omitempty"`
}

// Conn sends and receives JSON lines. Send may be called from several goroutines.
type Conn struct {
	net.Conn
	mu  sync.Mutex
	dec *json.Decoder
}

// NewConn wraps a stream socket.
func NewConn(c net.Conn) *Conn { return &Conn{Conn: c, dec: json.NewDecoder(c)} }

// Send writes one message.
func (c *Conn) Send(message any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return json.NewEncoder(c.Conn).Encode(message)
}

// Receive reads the next message.
func (c *Conn) Receive(into any) error { return c.dec.Decode(into) }

// Files inside a container's runtime folder: the executor's socket, and the task's process id and start in clock ticks.
const (
	SocketName = "executor.sock"
	PIDName    = "task.pid"
)

// Dial connects to the executor of a container's runtime folder.
func Dial(dir string) (*Conn, error) {
	var conn net.Conn
	err := short(dir, func(path string) (err error) {
		conn, err = net.Dial("unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return NewConn(conn), nil
}

func listen(dir string) (net.Listener, error) {
	_ = os.Remove(filepath.Join(dir, SocketName))
	var listener net.Listener
	err := short(dir, func(path string) (err error) {
		listener, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	return listener, nil
}

// short gives use a path to the socket that fits into the 108 bytes of a socket address however deep the folder is: it
// goes through a descriptor of the folder.
func short(dir string, use func(path string) error) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return use("/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/" + SocketName)
}
