package execute

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

const (
	defaultGrace = 3 * time.Second
	// shutdownPatience is how much longer than its task's grace an executor that shuts down may live.
	shutdownPatience = 5 * time.Second
)

// executor is the state of the process; only run's loop touches it.
type executor struct {
	dir    string
	launch Launch
	events chan any

	conn     *Conn
	listener net.Listener
	away     *time.Timer // ends the executor when no agent comes back

	cmd      *exec.Cmd
	pid      int
	ended    bool
	unacked  []mesos.TaskStatus
	sick     bool // killed for its health
	killing  bool
	killedBy *mesos.TaskStatus_Reason
	overtime bool
	killTime time.Time
	killer   *time.Timer
	closing  bool
}

// Events of the loop.
type (
	received struct {
		from    *Conn
		message ToExecutor
	}
	lost     struct{ conn *Conn }
	arrived  struct{ conn *Conn }
	exited   struct{ status syscall.WaitStatus }
	killNow  struct{}
	giveUp   struct{}
	timeUp   struct{}
	checked  struct{ healthy, kill bool }
	quitting struct{}
)

// Main is the process: it finds its agent's socket as file 3 and returns its exit code.
func Main(args []string) int {
	dir := ""
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--runtime="); ok {
			dir = value
		}
	}
	const refusal = "mesos-executor (stand-in): is started by the stand-in mesos-agent only"
	if dir == "" {
		fmt.Fprintln(os.Stderr, refusal)
		return 1
	}
	file := os.NewFile(3, "agent")
	socket, err := net.FileConn(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, refusal)
		return 1
	}
	_ = file.Close()
	_ = os.WriteFile("/proc/self/comm", []byte("mesos-executor"), 0o600) // ps shows `exe` else
	e := &executor{dir: dir, events: make(chan any)}
	e.say("This is the stand-in for mesos-executor")
	e.connect(NewConn(socket))
	for e.step(<-e.events) {
	}
	return 0
}

func (e *executor) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "I%s %5d executor] %s\n", time.Now().Format("20060102 15:04:05.000000"), os.Getpid(), fmt.Sprintf(format, args...))
}

// connect takes a connection into use: who we are, then everything the agent has not kept yet.
func (e *executor) connect(conn *Conn) {
	if e.conn != nil {
		_ = e.conn.Close()
	}
	if e.away != nil {
		e.away.Stop()
		e.away = nil
	}
	e.conn = conn
	go func() {
		for {
			var message ToExecutor
			if conn.Receive(&message) != nil {
				e.events <- lost{conn}
				return
			}
			e.events <- received{conn, message}
		}
	}()
	_ = conn.Send(FromExecutor{Hello: &Hello{PID: os.Getpid(), TaskPID: e.pid}})
	for i := range e.unacked {
		_ = conn.Send(FromExecutor{Status: &e.unacked[i]})
	}
}

// step handles one event and says whether to go on.
func (e *executor) step(event any) bool {
	switch ev := event.(type) {
	case received:
		e.receive(ev.message)
	case lost:
		if ev.conn == e.conn {
			e.conn = nil
			e.agentGone()
		}
	case arrived:
		e.say("Agent is back")
		e.connect(ev.conn)
	case exited:
		e.taskEnded(ev.status)
	case killNow:
		if !e.ended {
			e.destroy()
		}
	case checked:
		e.healthResult(ev)
	case timeUp:
		e.overtime = true
		e.kill(Kill{})
	case giveUp:
		e.say("No agent within the recovery timeout, shutting down")
		e.shutdown()
	case quitting:
		return false
	}
	return !e.finished()
}

// finished is true when nothing is left to do: the task is gone and the agent knows, or nobody waits for it.
func (e *executor) finished() bool {
	return e.ended && (len(e.unacked) == 0 || (e.closing && e.conn == nil))
}

func (e *executor) receive(message ToExecutor) {
	switch {
	case message.Launch != nil && e.cmd == nil:
		e.launch = *message.Launch
		e.start()
	case message.Kill != nil:
		e.kill(*message.Kill)
	case message.Ack != nil:
		for i := range e.unacked {
			if bytes.Equal(e.unacked[i].UUID, message.Ack) {
				e.unacked = append(e.unacked[:i:i], e.unacked[i+1:]...)
				return
			}
		}
	case message.Shutdown:
		e.say("Shutting down")
		e.shutdown()
	}
}

// agentGone: tasks of frameworks without checkpoint end with the agent, the others wait for it.
func (e *executor) agentGone() {
	if e.cmd == nil || !e.launch.Checkpoint {
		e.say("Agent is gone, shutting down")
		e.shutdown()
		return
	}
	timeout := time.Duration(e.launch.RecoveryTimeout * float64(time.Second))
	e.say("Agent is gone, waiting %s for it to come back", timeout)
	e.away = time.AfterFunc(timeout, func() { e.events <- giveUp{} })
}

// shutdown kills the task without waiting for anyone to take its last status.
func (e *executor) shutdown() {
	e.closing = true
	if e.cmd == nil {
		e.ended = true
		return
	}
	e.kill(Kill{})
	time.AfterFunc(e.grace(nil)+shutdownPatience, func() { e.events <- quitting{} })
}

func (e *executor) report(status mesos.TaskStatus) {
	e.unacked = append(e.unacked, status)
	if e.conn != nil {
		_ = e.conn.Send(FromExecutor{Status: &status})
	}
}

func (e *executor) accept() error {
	listener, err := listen(e.dir)
	if err != nil {
		return fmt.Errorf("listen in %s: %w", e.dir, err)
	}
	e.listener = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			e.events <- arrived{NewConn(conn)}
		}
	}()
	return nil
}

// writePID leaves the task's process and its start for an agent that finds this executor dead.
func (e *executor) writePID() {
	_ = os.WriteFile(filepath.Join(e.dir, PIDName), []byte(fmt.Sprint(e.pid, " ", Started(e.pid))), 0o600)
}
