package agent

import (
	"bytes"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// Times between two sends of an update that nobody acknowledges; the first comes with the configuration.
const (
	firstRetry = 10 * time.Second
	lastRetry  = 10 * time.Minute
)

// update takes a new status into a task's stream: kept on disk, then sent when its turn comes. It says whether the
// status was new.
func (a *Agent) update(t *task, status mesos.TaskStatus) bool {
	for i := range t.statuses {
		if bytes.Equal(t.statuses[i].UUID, status.UUID) {
			return false
		}
	}
	if terminal(t.state) || t.silent {
		return true
	}
	status.AgentID, status.ExecutorID = a.info.ID, &mesos.ExecutorID{Value: t.id()}
	if *status.Source == mesos.SOURCE_EXECUTOR {
		status.ContainerStatus = a.containerStatus(t)
	}
	if t.draining && *status.State == mesos.TASK_KILLED {
		status.Reason = p(mesos.REASON_AGENT_DRAINING)
	}
	t.state = *status.State
	if n := len(t.statuses); n > 0 && t.statuses[n-1].GetState() == t.state && t.statuses[n-1].GetReason() == status.GetReason() {
		t.statuses[n-1] = status // health that comes and goes for weeks must not fill the memory
	} else {
		t.statuses = append(t.statuses, status)
	}
	t.unacked = append(t.unacked, status)
	a.store.appendUpdate(a.info.ID.GetValue(), t, &status)
	a.counts.updates++
	if terminal(t.state) {
		a.counts.ended[t.state]++
	}
	a.log.info("Handling status update %s for task %s of framework %s", t.state, t.id(), t.framework.info.ID.GetValue())
	if len(t.unacked) == 1 {
		t.wait = a.cfg.firstRetry
		a.send(t)
	}
	return true
}

func (a *Agent) containerStatus(t *task) *mesos.ContainerStatus {
	return &mesos.ContainerStatus{
		ContainerID: &mesos.ContainerID{Value: t.container},
		NetworkInfos: []mesos.NetworkInfo{{IPAddresses: []mesos.NetworkInfo_IPAddress{
			{Protocol: p(mesos.IPv4), IPAddress: p(a.cfg.advertised)},
		}}},
		ExecutorPID: p(uint32(t.executorPID)),
	}
}

// terminate makes the last status of a task itself, for what the executor cannot say.
func (a *Agent) terminate(t *task, state mesos.TaskState, reason mesos.TaskStatus_Reason, message string) {
	status := execute.NewStatus(t.info.TaskID, state, message)
	status.Source, status.Reason = p(mesos.SOURCE_AGENT), &reason
	a.update(t, status)
}

// send sends the oldest unacknowledged update, if registered, and comes back when no answer arrives.
func (a *Agent) send(t *task) {
	if len(t.unacked) == 0 || t.silent {
		return
	}
	if t.retry != nil {
		t.retry.Stop()
	}
	if a.session == nil {
		return
	}
	a.session.say(wire.FromAgent{Update: &wire.Update{
		FrameworkID: *t.framework.info.ID, Status: t.unacked[0], Latest: t.state,
	}})
	uuid := t.unacked[0].UUID
	wait := t.wait
	t.wait = min(2*t.wait, lastRetry)
	t.retry = time.AfterFunc(wait, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(t.unacked) > 0 && bytes.Equal(t.unacked[0].UUID, uuid) {
			a.log.warn("Resending status update %s for task %s", t.unacked[0].GetState(), t.id())
			a.send(t)
		}
	})
}

func (a *Agent) acknowledge(ack wire.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.find(ack.FrameworkID, ack.TaskID)
	if t == nil || len(t.unacked) == 0 || !bytes.Equal(t.unacked[0].UUID, ack.UUID) {
		a.log.warn("Ignoring unexpected acknowledgement for task %s", ack.TaskID.Value)
		return
	}
	if t.retry != nil {
		t.retry.Stop()
	}
	t.unacked = t.unacked[1:]
	a.store.appendAck(a.info.ID.GetValue(), t, ack.UUID)
	t.wait = a.cfg.firstRetry
	a.send(t)
	a.settle(t)
}

// resend sends every waiting update again after a registration.
func (a *Agent) resend() {
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			t.wait = a.cfg.firstRetry
			a.send(t)
		}
	}
}

func terminal(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR, mesos.TASK_LOST, mesos.TASK_DROPPED, mesos.TASK_GONE:
		return true
	}
	return false
}
