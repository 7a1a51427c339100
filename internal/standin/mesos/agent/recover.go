package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
)

// recover takes up what the last agent on this work_dir left: its id, and the tasks whose executors still run.
func (a *Agent) recover() error {
	began := time.Now()
	defer func() { a.counts.recovery = time.Since(began) }()
	a.log.info("Recovering state from '%s'", a.store.meta())
	rebooted := a.store.bootChanged()
	if rebooted {
		a.log.info("Agent host rebooted")
	}
	target, err := os.Readlink(a.store.latest())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", a.store.latest(), err)
	}
	id := filepath.Base(target)
	var old mesos.AgentInfo
	if err := readFile(a.store.infoFile(id), &old); err != nil {
		return words("Failed to recover agent state: %w", err)
	}
	fresh := a.info
	fresh.ID = &mesos.AgentID{Value: id}
	if err := compatible(old, fresh, a.cfg.flags.get("reconfiguration_policy")); err != nil {
		if !rebooted {
			return err
		}
		// The real agent gives up the old id here, without asking the policy: nothing of the old one can still run.
		a.log.warn("Falling back to recover as a new agent due to error: %v", err)
		return nil
	}
	a.info = fresh
	a.log.info("Recovered agent %s", id)
	if rebooted {
		return os.RemoveAll(a.store.frameworks(id))
	}
	a.recoverTasks(id)
	return nil
}

// ownerName is the file in a container's runtime folder that names the work_dir of its agent.
const ownerName = "work_dir"

// destroyOrphans ends what still runs of agents that this one is not: after `latest` was removed, or after a reboot.
func (a *Agent) destroyOrphans() {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := map[string]bool{}
	for _, fw := range a.frameworks {
		for _, t := range fw.tasks {
			known[t.container] = true
		}
	}
	folders, _ := filepath.Glob(filepath.Join(a.cfg.runtimeDir, "containers", "*"))
	for _, dir := range folders {
		// Another agent on this host may have been given the same runtime_dir.
		owner, err := os.ReadFile(filepath.Join(dir, ownerName))
		if known[filepath.Base(dir)] || err != nil || string(owner) != a.cfg.workDir {
			continue
		}
		a.log.info("Cleaning up orphan container %s", filepath.Base(dir))
		if conn, err := execute.Dial(dir); err == nil {
			_ = conn.Send(execute.ToExecutor{Shutdown: true})
			_ = conn.Close()
		}
		killLeftovers(&task{container: filepath.Base(dir), runtime: dir})
		_ = os.RemoveAll(dir)
	}
}

// compatible compares with the agent that has the id. `additive` allows more attributes and resources.
func compatible(old, fresh mesos.AgentInfo, policy string) error {
	was, is := canonical(old), canonical(fresh)
	reason := ""
	switch {
	case reflect.DeepEqual(was, is):
		return nil
	case policy == "additive":
		if reason = additive(old, fresh); reason == "" {
			return nil
		}
	default:
		reason = "Agent info changed and --reconfiguration_policy=equal"
	}
	const line = "------------------------------------------------------------"
	oldText, _ := json.Marshal(was)
	newText, _ := json.Marshal(is)
	return words("Incompatible agent info detected. \n%s\nReason: %s\n%s\nOld agent info:\n%s\n%s\nNew agent info:\n%s\n%s",
		line, reason, line, oldText, line, newText, line)
}

// canonical makes two descriptions comparable: through JSON, as the kept one has been.
func canonical(info mesos.AgentInfo) any {
	content, _ := json.Marshal(info)
	var value any
	_ = json.Unmarshal(content, &value)
	return value
}

func additive(old, fresh mesos.AgentInfo) string {
	if old.Hostname != fresh.Hostname || old.GetPort() != fresh.GetPort() {
		return fmt.Sprintf("Configuration change not permitted under 'additive' policy: Hostname or port changed from %s:%d to %s:%d",
			old.Hostname, old.GetPort(), fresh.Hostname, fresh.GetPort())
	}
	for _, was := range old.Attributes {
		found := false
		for _, is := range fresh.Attributes {
			if is.Name != was.Name {
				continue
			}
			found = true
			if was.Type == mesos.TEXT && is.Type == mesos.TEXT && was.Text.Value != is.Text.Value {
				return fmt.Sprintf("Configuration change not permitted under 'additive' policy: Value of text attribute '%s' changed from %s to %s",
					was.Name, was.Text.Value, is.Text.Value)
			}
		}
		if !found {
			return fmt.Sprintf("Configuration change not permitted under 'additive' policy: Couldn't find attribute %s in new agent info", was.Name)
		}
	}
	for _, was := range old.Resources {
		enough := false
		for _, is := range fresh.Resources {
			if is.Name == was.Name && (was.Scalar == nil || is.Scalar != nil && is.Scalar.Value >= was.Scalar.Value) {
				enough = true
			}
		}
		if !enough {
			return fmt.Sprintf("Configuration change not permitted under 'additive' policy: Resource %s shrank", was.Name)
		}
	}
	return ""
}

func (a *Agent) recoverTasks(agent string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// All are read before the first is looked for: the end of a framework's only known task removes its folder.
	var found []*task
	folders, _ := filepath.Glob(filepath.Join(a.store.frameworks(agent), "*", "executors", "*", "runs", "*"))
	for _, run := range folders {
		dir := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(run))))
		var info mesos.FrameworkInfo
		if err := readFile(filepath.Join(dir, "framework.info"), &info); err != nil {
			a.log.warn("Leaving out %s: %v", run, err)
			continue
		}
		t := &task{framework: a.framework(info), owner: info, container: filepath.Base(run), state: mesos.TASK_STAGING, wait: a.cfg.firstRetry}
		id := filepath.Base(filepath.Dir(filepath.Dir(run)))
		if err := readFile(filepath.Join(run, "tasks", id, "task.info"), &t.info); err != nil {
			a.log.warn("Leaving out %s: %v", run, err)
			continue
		}
		var record runRecord
		_ = readFile(filepath.Join(run, "executor.json"), &record)
		t.sandbox, t.runtime, t.executorPID = record.Sandbox, record.Runtime, record.ExecutorPID
		if t.sandbox == "" {
			t.sandbox = a.store.sandbox(agent, info.ID.GetValue(), id, t.container)
			t.runtime = filepath.Join(a.cfg.runtimeDir, "containers", t.container)
		}
		t.statuses, t.unacked = readUpdates(filepath.Join(run, "tasks", id, "task.updates"))
		if n := len(t.statuses); n > 0 {
			t.state = *t.statuses[n-1].State
		}
		t.framework.tasks[t.id()] = t
		found = append(found, t)
	}
	for _, t := range found {
		a.reconnect(t)
	}
}

// reconnect finds a recovered task's executor by its socket; where there is none the task has failed.
func (a *Agent) reconnect(t *task) {
	conn, err := execute.Dial(t.runtime)
	if err != nil {
		a.log.info("Executor of task %s is gone: %v", t.id(), err)
		a.executorDied(t)
		return
	}
	a.log.info("Reconnected with executor of task %s of framework %s", t.id(), t.framework.info.ID.GetValue())
	t.conn = conn
	go a.listen(t, conn)
}
