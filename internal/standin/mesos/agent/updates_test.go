package agent

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/agent/execute"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

// stillAgent is an agent inside the test, registered with a session that nobody empties.
func stillAgent(t *testing.T, retry time.Duration) (*Agent, *task) {
	t.Helper()
	f := newFlags()
	require.NoError(t, f.load([]string{"--work_dir=" + t.TempDir(), "--runtime_dir=" + t.TempDir(), "--ip=127.0.0.1", "--hostname=h"}, nil))
	cfg, err := newConfig(f)
	require.NoError(t, err)
	cfg.firstRetry = retry
	a := newAgent(cfg, &logger{out: &bytes.Buffer{}})
	a.info.ID = &mesos.AgentID{Value: "S0"}
	a.session = &session{id: a.info.ID, wake: make(chan struct{}, 1)}
	fw := a.framework(mesos.FrameworkInfo{ID: &mesos.FrameworkID{Value: "F"}, Checkpoint: p(true)})
	one := &task{framework: fw, owner: fw.info, info: mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t"}}, container: "c", gone: true}
	fw.tasks["t"] = one
	require.NoError(t, a.store.saveTask("S0", one))
	return a, one
}

func (a *Agent) said() []wire.FromAgent {
	a.session.mu.Lock()
	defer a.session.mu.Unlock()
	return append([]wire.FromAgent(nil), a.session.queue...)
}

func (a *Agent) hear(t *task, state mesos.TaskState) mesos.TaskStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := execute.NewStatus(t.info.TaskID, state, "")
	a.update(t, status)
	return status
}

func (a *Agent) ack(uuid []byte) {
	a.acknowledge(wire.Ack{FrameworkID: mesos.FrameworkID{Value: "F"}, TaskID: mesos.TaskID{Value: "t"}, UUID: uuid})
}

func TestUpdateComesAgainUntilAcknowledged(t *testing.T) {
	a, one := stillAgent(t, time.Millisecond)
	first, second := a.hear(one, mesos.TASK_STARTING), a.hear(one, mesos.TASK_RUNNING)
	testkit.Eventually(t, time.Minute, "the first update comes four times", func(context.Context) bool { return len(a.said()) >= 4 })
	for _, message := range a.said() {
		assert.Equal(t, first.UUID, message.Update.Status.UUID, "later updates wait")
		assert.Equal(t, "S0", message.AgentID.Value)
	}
	a.mu.Lock()
	assert.GreaterOrEqual(t, one.wait, 8*time.Millisecond, "the pause doubles")
	a.mu.Unlock()
	a.ack(first.UUID)
	testkit.Eventually(t, time.Minute, "the second update", func(context.Context) bool {
		said := a.said()
		return bytes.Equal(said[len(said)-1].Update.Status.UUID, second.UUID)
	})
	a.ack(second.UUID)
}

func TestUpdateStream(t *testing.T) {
	a, one := stillAgent(t, time.Hour)
	first := a.hear(one, mesos.TASK_RUNNING)
	a.mu.Lock()
	assert.False(t, a.update(one, first), "the same update again is no new one")
	a.mu.Unlock()
	last := a.hear(one, mesos.TASK_FINISHED)
	a.hear(one, mesos.TASK_FAILED)
	assert.Len(t, one.statuses, 2, "nothing comes after the end")
	a.ack([]byte("another uuid"))
	assert.Len(t, one.unacked, 2)
	assert.Equal(t, mesos.TASK_RUNNING, a.said()[0].Update.Latest)
	a.ack(first.UUID)
	assert.Equal(t, mesos.TASK_FINISHED, a.said()[1].Update.Latest)
	dir := a.store.frameworkDir("S0", one.framework)
	assert.DirExists(t, dir)
	a.ack(last.UUID)
	assert.NoDirExists(t, dir)
	assert.Len(t, a.completed, 1)
	assert.Empty(t, a.frameworks)
}

func TestRepeatedHealthIsShownOnce(t *testing.T) {
	a, one := stillAgent(t, time.Hour)
	a.hear(one, mesos.TASK_RUNNING)
	for range 5 {
		status := execute.NewStatus(one.info.TaskID, mesos.TASK_RUNNING, "")
		status.Reason = p(mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED)
		a.mu.Lock()
		a.update(one, status)
		a.mu.Unlock()
	}
	assert.Len(t, one.statuses, 2)
	assert.Len(t, one.unacked, 6, "but told each time")
}

func TestKeptUpdates(t *testing.T) {
	a, one := stillAgent(t, time.Hour)
	first, second := a.hear(one, mesos.TASK_STARTING), a.hear(one, mesos.TASK_RUNNING)
	a.ack(first.UUID)
	name := filepath.Join(a.store.taskDir("S0", one), "task.updates")
	require.NoError(t, appendLine(name, []byte(`{"update":{"task_id"`)))
	all, unacked := readUpdates(name)
	require.Len(t, all, 2)
	require.Len(t, unacked, 1)
	assert.Equal(t, second.UUID, unacked[0].UUID)
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, content[:len(content)-1], 0o600), "a last line cut short")
	all, _ = readUpdates(name)
	assert.Len(t, all, 2)
}

func TestSandboxesAreCollected(t *testing.T) {
	a, one := stillAgent(t, time.Hour)
	one.sandbox = a.store.sandbox("S0", "F", "t", "aaaaaaaa-live")
	old := a.store.sandbox("S0", "F", "old", "bbbbbbbb-old")
	young := a.store.sandbox("S0", "F", "young", "cccccccc-young")
	past := time.Now().Add(-48 * time.Hour)
	for _, dir := range []string{one.sandbox, old, young} {
		require.NoError(t, a.store.makeSandbox(dir))
	}
	require.NoError(t, os.Chtimes(one.sandbox, past, past))
	require.NoError(t, os.Chtimes(old, past, past))
	a.sweep(24 * time.Hour)
	assert.DirExists(t, one.sandbox, "it lives")
	assert.DirExists(t, young)
	assert.NoDirExists(t, filepath.Dir(filepath.Dir(old)))
}
