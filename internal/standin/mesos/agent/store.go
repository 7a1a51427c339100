package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// store keeps what must survive the agent in work_dir, in the real agent's folders (meta/slaves/ID/frameworks/...) but
// as JSON. Folders of frameworks without checkpoint are not written.
type store struct {
	work string
	log  *logger
}

func newStore(work string, log *logger) *store { return &store{work: work, log: log} }

// tell warns of something that could not be kept: after a restart the agent will not know it.
func (s *store) tell(err error) {
	if err != nil {
		s.log.warn("Failed to checkpoint: %v", err)
	}
}

func (s *store) meta() string                { return filepath.Join(s.work, "meta") }
func (s *store) latest() string              { return filepath.Join(s.meta(), "slaves", "latest") }
func (s *store) agent(id string) string      { return filepath.Join(s.meta(), "slaves", id) }
func (s *store) infoFile(id string) string   { return filepath.Join(s.agent(id), "slave.info") }
func (s *store) frameworks(id string) string { return filepath.Join(s.agent(id), "frameworks") }

func (s *store) frameworkDir(agent string, fw *framework) string {
	return filepath.Join(s.frameworks(agent), fw.info.ID.GetValue())
}

func (s *store) runDir(agent string, t *task) string {
	return filepath.Join(s.frameworkDir(agent, t.framework), "executors", t.id(), "runs", t.container)
}

func (s *store) taskDir(agent string, t *task) string {
	return filepath.Join(s.runDir(agent, t), "tasks", t.id())
}

func (s *store) sandbox(agent, framework, executor, container string) string {
	return filepath.Join(s.work, "slaves", agent, "frameworks", framework, "executors", executor, "runs", container)
}

// makeSandbox creates the folder and points `latest` beside it to it.
func (s *store) makeSandbox(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return relink(dir, filepath.Join(filepath.Dir(dir), "latest"))
}

// relink replaces a symbolic link in one step.
func relink(target, link string) error {
	fresh := link + ".new"
	_ = os.Remove(fresh)
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}

// writeFile replaces a file in one step, so that a reader after a crash sees the old or the new.
func writeFile(path string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

func readFile(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// saveAgent keeps the agent's description under its id and makes it the latest one.
func (s *store) saveAgent(info mesos.AgentInfo) error {
	id := info.ID.GetValue()
	if err := writeFile(s.infoFile(id), info); err != nil {
		return err
	}
	return relink(s.agent(id), s.latest())
}

func (s *store) saveFramework(agent string, fw *framework) {
	if fw.checkpoint() {
		s.tell(writeFile(filepath.Join(s.frameworkDir(agent, fw), "framework.info"), fw.info))
	}
}

func (s *store) saveTask(agent string, t *task) error {
	if !t.framework.checkpoint() {
		return nil
	}
	s.saveFramework(agent, t.framework)
	return writeFile(filepath.Join(s.taskDir(agent, t), "task.info"), t.info)
}

// runRecord is what a run's folder says about its executor.
type runRecord struct {
	Sandbox     string `json:"sandbox"`
	Runtime     string `json:"runtime"`
	ExecutorPID int    `json:"executor_pid"`
}

func (s *store) saveRun(agent string, t *task) {
	if t.framework.checkpoint() {
		s.tell(writeFile(filepath.Join(s.runDir(agent, t), "executor.json"), runRecord{t.sandbox, t.runtime, t.executorPID}))
	}
}

// updateRecord is one line of task.updates.
type updateRecord struct {
	Update *mesos.TaskStatus `json:"update,omitempty"`
	Ack    []byte            `json:"ack,omitempty"`
}

func (s *store) appendUpdate(agent string, t *task, status *mesos.TaskStatus) {
	s.append(agent, t, updateRecord{Update: status})
}

func (s *store) appendAck(agent string, t *task, uuid []byte) {
	s.append(agent, t, updateRecord{Ack: uuid})
}

func (s *store) append(agent string, t *task, record updateRecord) {
	if !t.framework.checkpoint() {
		return
	}
	line, err := json.Marshal(record)
	if err == nil {
		err = appendLine(filepath.Join(s.taskDir(agent, t), "task.updates"), line)
	}
	s.tell(err)
}

func appendLine(name string, line []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// readUpdates replays a task's updates. A last line cut short by a crash is left out.
func readUpdates(path string) (all, unacked []mesos.TaskStatus) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all, unacked
		}
		var record updateRecord
		if json.Unmarshal(line, &record) != nil {
			continue
		}
		switch {
		case record.Update != nil:
			all, unacked = append(all, *record.Update), append(unacked, *record.Update)
		case len(unacked) > 0 && string(unacked[0].UUID) == string(record.Ack):
			unacked = unacked[1:]
		}
	}
}

// removeTask forgets a task in one step, so that a crash on the way leaves no half of it.
func (s *store) removeTask(agent string, t *task) {
	if !t.framework.checkpoint() {
		return
	}
	aside := filepath.Join(s.frameworkDir(agent, t.framework), "gone-"+t.container)
	_ = os.Rename(filepath.Dir(filepath.Dir(s.runDir(agent, t))), aside)
	_ = os.RemoveAll(aside)
}

func (s *store) removeFramework(agent string, fw *framework) {
	_ = os.RemoveAll(s.frameworkDir(agent, fw))
}

// bootChanged tells whether the machine has restarted since the last agent, and remembers this boot.
func (s *store) bootChanged() bool {
	now, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return false
	}
	path := filepath.Join(s.meta(), "boot_id")
	before, err := os.ReadFile(path)
	_ = os.WriteFile(path, now, 0o644)
	return err == nil && strings.TrimSpace(string(before)) != strings.TrimSpace(string(now))
}
