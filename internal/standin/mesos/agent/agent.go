package agent

import (
	"slices"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// Agent is one running agent. mu guards everything below it.
type Agent struct {
	cfg   config
	log   *logger
	store *store
	began time.Time
	done  chan int // the exit code

	mu         sync.Mutex
	info       mesos.AgentInfo
	frameworks map[string]*framework
	completed  []*framework // without tasks, oldest first
	session    *session     // nil while not registered
	leader     leader
	leaving    bool
	counts     counters
}

// counters are what /metrics/snapshot counts since the start.
type counters struct {
	ended                                   map[mesos.TaskState]int
	executorsTerminated, launchErrors       int
	updates, fetchesFailed, fetchesSucceded int
	recovery                                time.Duration
}

type framework struct {
	info      mesos.FrameworkInfo
	tasks     map[string]*task
	completed []*task
}

func (f *framework) checkpoint() bool { return checkpoints(f.info) }

func checkpoints(info mesos.FrameworkInfo) bool { return info.Checkpoint != nil && *info.Checkpoint }

// task is one command task with its executor, whose id is the task's.
type task struct {
	framework *framework
	owner     mesos.FrameworkInfo // as it was at the launch; like info never changed
	info      mesos.TaskInfo
	container string // uuid
	sandbox   string
	runtime   string // the executor's folder

	executorPID int
	taskPID     int
	conn        *execute.Conn // nil before the executor runs and after it has gone
	gone        bool          // the executor has gone, or never came
	silent      bool          // no more updates: framework or agent shut down
	killed      bool          // before the executor ran
	draining    bool

	state    mesos.TaskState
	statuses []mesos.TaskStatus
	unacked  []mesos.TaskStatus // oldest first; only the first is sent
	retry    *time.Timer
	wait     time.Duration
	ended    time.Time
}

func (t *task) id() string { return t.info.TaskID.Value }

func newAgent(cfg config, log *logger) *Agent {
	return &Agent{
		cfg: cfg, log: log, store: newStore(cfg.workDir, log), began: time.Now(), done: make(chan int, 8),
		info: cfg.info, frameworks: map[string]*framework{},
		counts: counters{ended: map[mesos.TaskState]int{}},
	}
}

// receive handles one message of the master.
func (a *Agent) receive(message wire.ToAgent) {
	switch {
	case message.Run != nil:
		a.run(*message.Run)
	case message.Kill != nil:
		a.kill(*message.Kill)
	case message.Ack != nil:
		a.acknowledge(*message.Ack)
	case message.FrameworkShutdown != nil:
		a.shutdownFramework(message.FrameworkShutdown.FrameworkID)
	case message.FrameworkUpdate != nil:
		a.updateFramework(message.FrameworkUpdate.Framework)
	case message.Drain != nil:
		a.drain(message.Drain.MaxGracePeriod)
	case message.Shutdown != nil:
		a.log.warn("Master asked to shut down: %s", message.Shutdown.Message)
		go a.leave(1)
	}
}

func (a *Agent) framework(info mesos.FrameworkInfo) *framework {
	id := info.ID.GetValue()
	fw := a.frameworks[id]
	if fw == nil {
		fw = &framework{tasks: map[string]*task{}}
		if i := slices.IndexFunc(a.completed, func(f *framework) bool { return f.info.ID.GetValue() == id }); i >= 0 {
			fw = a.completed[i]
			a.completed = slices.Delete(a.completed, i, i+1)
		}
		a.frameworks[id] = fw
	}
	fw.info = info
	return fw
}

func (a *Agent) find(framework mesos.FrameworkID, id mesos.TaskID) *task {
	if fw := a.frameworks[framework.Value]; fw != nil {
		return fw.tasks[id.Value]
	}
	return nil
}

func (a *Agent) updateFramework(info mesos.FrameworkInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if fw := a.frameworks[info.ID.GetValue()]; fw != nil {
		fw.info = info
		a.store.saveFramework(a.info.ID.GetValue(), fw)
	}
}

func (a *Agent) kill(order wire.Kill) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.find(order.FrameworkID, order.TaskID)
	if t == nil {
		a.log.warn("Ignoring kill task %s of framework %s: no such task", order.TaskID.Value, order.FrameworkID.Value)
		return
	}
	var grace *float64
	if policy := order.KillPolicy; policy != nil && policy.GracePeriod != nil {
		grace = p(float64(policy.GracePeriod.Nanoseconds) / 1e9)
	}
	a.log.info("Asked to kill task %s of framework %s", t.id(), order.FrameworkID.Value)
	a.end(t, execute.Kill{Grace: grace})
}

// end kills one task, wherever it is on its way.
func (a *Agent) end(t *task, order execute.Kill) {
	switch {
	case t.conn != nil:
		_ = t.conn.Send(execute.ToExecutor{Kill: &order})
	case !t.gone && !t.killed:
		t.killed = true
		a.terminate(t, mesos.TASK_KILLED, mesos.REASON_TASK_KILLED_DURING_LAUNCH, "Killed before delivery to the executor")
	}
}

// drain kills every task with at most the given grace in seconds.
func (a *Agent) drain(maxGrace float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log.info("Draining")
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			grace := 3.0
			if policy := t.info.KillPolicy; policy != nil && policy.GracePeriod != nil {
				grace = float64(policy.GracePeriod.Nanoseconds) / 1e9
			}
			t.draining = true
			a.end(t, execute.Kill{Grace: p(min(grace, maxGrace)), Reason: p(mesos.REASON_AGENT_DRAINING)})
		}
	}
}

func (a *Agent) shutdownFramework(id mesos.FrameworkID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fw := a.frameworks[id.Value]
	if fw == nil {
		return
	}
	a.log.info("Shutting down framework %s", id.Value)
	for _, t := range fw.tasks {
		a.silence(t)
	}
}

// silence ends a task and its executor without another update.
func (a *Agent) silence(t *task) {
	t.silent, t.unacked, t.killed = true, nil, true
	if t.retry != nil {
		t.retry.Stop()
	}
	if t.conn != nil {
		_ = t.conn.Send(execute.ToExecutor{Shutdown: true})
	}
	a.settle(t)
}

// settle moves a task to the completed ones when its executor has gone and every update is acknowledged.
func (a *Agent) settle(t *task) {
	fw := t.framework
	if !t.gone || len(t.unacked) > 0 || fw.tasks[t.id()] != t {
		return
	}
	delete(fw.tasks, t.id())
	t.ended = time.Now()
	a.store.removeTask(a.info.ID.GetValue(), t)
	fw.completed = append(fw.completed, t)
	if extra := len(fw.completed) - a.cfg.maxCompleted; extra > 0 {
		fw.completed = slices.Delete(fw.completed, 0, extra)
	}
	if len(fw.tasks) == 0 {
		delete(a.frameworks, fw.info.ID.GetValue())
		a.completed = append(a.completed, fw)
		if extra := len(a.completed) - maxCompletedFrameworks; extra > 0 {
			a.completed = slices.Delete(a.completed, 0, extra)
		}
		a.store.removeFramework(a.info.ID.GetValue(), fw)
	}
}

const maxCompletedFrameworks = 50

// leave kills every executor, waits for them and ends the process with the code.
func (a *Agent) leave(code int) {
	a.mu.Lock()
	a.leaving = true
	longest := a.cfg.shutdownGrace
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			a.silence(t)
		}
	}
	a.mu.Unlock()
	for limit := time.Now().Add(longest); time.Now().Before(limit) && a.liveTasks() > 0; {
		time.Sleep(20 * time.Millisecond)
	}
	a.done <- code
}

func (a *Agent) liveTasks() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	live := 0
	for _, fw := range a.frameworks {
		live += len(fw.tasks)
	}
	return live
}
