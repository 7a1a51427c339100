package execute

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func p[T any](v T) *T { return &v }

// NewStatus makes a status with a fresh uuid and the present time; an empty message is left out.
func NewStatus(task mesos.TaskID, state mesos.TaskState, message string) mesos.TaskStatus {
	id := uuid.New()
	status := mesos.TaskStatus{
		TaskID: task, State: p(state), UUID: id[:], Source: p(mesos.SOURCE_EXECUTOR),
		Timestamp: p(float64(time.Now().UnixMicro()) / 1e6),
	}
	if message != "" {
		status.Message = &message
	}
	return status
}

// ended puts a wait status into the words of the real command executor.
func ended(status syscall.WaitStatus) string {
	switch {
	case status.Exited():
		return fmt.Sprintf("Command exited with status %d", status.ExitStatus())
	case status.Signaled():
		text := "Command terminated with signal " + signalName(status.Signal())
		if status.CoreDump() {
			text += " (core dumped)"
		}
		return text
	}
	return fmt.Sprintf("Command has unknown wait status %d", status)
}

// signalName gives glibc's names, which differ from Go's in the first letter alone.
func signalName(sig syscall.Signal) string {
	name := sig.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

func terminal(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR, mesos.TASK_LOST, mesos.TASK_DROPPED, mesos.TASK_GONE:
		return true
	}
	return false
}
