package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// TaskLog returns the last n bytes of a file in a task's sandbox, "stdout" or "stderr" as a rule. Tasks that have
// ended are found as long as their agent remembers them. An unknown task is ErrNotFound.
func (m Mesos) TaskLog(ctx context.Context, taskID, file string, n int) (string, error) {
	text, err := m.taskLog(ctx, taskID, file, n)
	return text, failed(fmt.Sprintf("read %s of task %s", file, taskID), "", err)
}

func (m Mesos) taskLog(ctx context.Context, taskID, file string, n int) (string, error) {
	state, err := m.State(ctx)
	if err != nil {
		return "", err
	}
	task, ok := state.Task(taskID)
	if !ok {
		return "", fmt.Errorf("%w: no framework has this task", ErrNotFound)
	}
	agent, ok := state.Agent(task.AgentID)
	if !ok {
		return "", fmt.Errorf("%w: its agent %s is not registered", ErrNotFound, task.AgentID)
	}
	client := newHTTP(m.Dial)
	defer client.CloseIdleConnections()
	get := func(path string, out any) error {
		answer, err := send(ctx, client, request{method: http.MethodGet, url: withScheme(agent.Addr) + path})
		if err != nil {
			return err
		}
		return decode(http.MethodGet, answer, out)
	}
	var raw rawSandboxes
	if err := get("/state", &raw); err != nil {
		return "", err
	}
	dir := raw.directory(task)
	if dir == "" {
		return "", fmt.Errorf("%w: agent %s has no sandbox of it any more", ErrNotFound, agent.Addr)
	}
	return tail(get, dir+"/"+file, n)
}

// tail asks for the size first: a read without a range answers it as the offset of no data.
func tail(get func(path string, out any) error, path string, n int) (string, error) {
	type chunk struct {
		Data   string `json:"data"`
		Offset int    `json:"offset"`
	}
	query := url.Values{"path": {path}, "offset": {"-1"}}
	var size chunk
	if err := get("/files/read?"+query.Encode(), &size); err != nil {
		var status *StatusError
		if errors.As(err, &status) && status.Code == http.StatusNotFound {
			return "", fmt.Errorf("%w: %s", ErrNotFound, path)
		}
		return "", err
	}
	start := max(0, size.Offset-n)
	query.Set("offset", strconv.Itoa(start))
	query.Set("length", strconv.Itoa(size.Offset-start))
	var end chunk
	err := get("/files/read?"+query.Encode(), &end)
	return end.Data, err
}

type rawSandboxes struct {
	Frameworks          []rawSandboxFramework `json:"frameworks"`
	CompletedFrameworks []rawSandboxFramework `json:"completed_frameworks"`
}

type rawSandboxFramework struct {
	ID                 string       `json:"id"`
	Executors          []rawSandbox `json:"executors"`
	CompletedExecutors []rawSandbox `json:"completed_executors"`
}

type rawSandbox struct {
	ID        string `json:"id"`
	Directory string `json:"directory"`
}

// directory finds the sandbox. The executor of a command task has the task's own id on the agent, while the master
// shows an empty one.
func (r rawSandboxes) directory(task Task) string {
	executor := task.ExecutorID
	if executor == "" {
		executor = task.ID
	}
	for _, frameworks := range [][]rawSandboxFramework{r.Frameworks, r.CompletedFrameworks} {
		for _, f := range frameworks {
			if f.ID != task.FrameworkID {
				continue
			}
			for _, e := range append(f.Executors, f.CompletedExecutors...) {
				if e.ID == executor {
					return e.Directory
				}
			}
		}
	}
	return ""
}
