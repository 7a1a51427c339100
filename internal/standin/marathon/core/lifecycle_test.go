package core

import (
	"fmt"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sleeper = `{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32}`

func TestCreateAndDeleteTellTheirStoryInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(sleeper)
	r.idle("create")
	assert.Equal(t, []string{"deployment_info", "deployment_step_success", "deployment_info", "group_change_success", "api_post_event",
		"instance_changed_event/Scheduled", "instance_changed_event/Provisioned", "status_update_event/TASK_STARTING", "instance_changed_event/Starting",
		"status_update_event/TASK_RUNNING", "instance_changed_event/Running", "deployment_step_success", "deployment_success"}, r.history(0))
	from := r.mark()
	_, err := r.core.DeleteApp("/s", Request{Force: true})
	require.NoError(t, err)
	r.idle("delete")
	r.eventually("the end is told", func() bool { return r.sawEvent(from, "deployment_success") })
	assert.Equal(t, []string{"deployment_info", "group_change_success", "instance_changed_event/Running", "status_update_event/TASK_KILLED",
		"instance_changed_event/Killed", "app_terminated_event", "deployment_step_success", "deployment_success"}, r.history(from))
	assert.Empty(t, r.mesos.Running())
	_, err = r.core.App("/s", Embed{})
	assert.EqualError(t, err, "App '/s' does not exist")
}

func TestAFailedTaskComesBackAsTheNextTaskOfItsInstance(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"backoffSeconds":0}`)
	r.idle("create")
	first := r.tasks("/s", "TASK_RUNNING")[0]
	require.True(t, r.mesos.EndTask(first, mesos.TASK_FAILED, "Command exited with status 3"))
	second := strings.TrimSuffix(first, "1") + "2"
	r.eventually("the second task runs", func() bool { return contains(r.tasks("/s", "TASK_RUNNING"), second) })
	failure := r.app("/s").LastTaskFailure
	require.NotNil(t, failure)
	assert.Equal(t, []string{first, "TASK_FAILED", "Command exited with status 3"}, []string{failure.TaskID, failure.State, failure.Message})
}

// The delays 2, 4, 8, 16, 20 were seen with a real Marathon.
func TestBackoffGrowsHoldsAndIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"backoffSeconds":2,"backoffFactor":2,"maxLaunchDelaySeconds":20}`)
	r.idle("create")
	for n, delay := range []int{2, 4, 8, 16, 20, 20} {
		suffix := fmt.Sprintf("_app.%d", n+1)
		r.eventually("task "+suffix+" runs", func() bool {
			running := r.tasks("/s", "TASK_RUNNING")
			return len(running) == 1 && strings.HasSuffix(running[0], suffix)
		})
		require.True(t, r.mesos.EndTask(r.tasks("/s", "")[0], mesos.TASK_FAILED, "x"))
		r.eventually("its end is noticed", func() bool { return len(r.core.Queue(false)) == 1 })
		q := r.core.Queue(false)[0]
		assert.Equal(t, Delay{TimeLeftSeconds: delay - 1}, q.Delay, "just below %d", delay)
		assert.Equal(t, "TASK_FAILED", r.app("/s").Tasks0().State, "an ended task stays listed until its relaunch")
		r.skip(seconds(delay))
	}
	r.eventually("it runs again", func() bool { return len(r.tasks("/s", "TASK_RUNNING")) == 1 })
	assert.EqualError(t, r.core.ResetDelay("/s"), "Application /s not found in tasks queue.")
	require.True(t, r.mesos.EndTask(r.tasks("/s", "")[0], mesos.TASK_FAILED, "x"))
	r.eventually("it waits", func() bool { return len(r.core.Queue(false)) == 1 })
	require.NoError(t, r.core.ResetDelay("/s"))
	r.eventually("it runs at once", func() bool { return len(r.tasks("/s", "TASK_RUNNING")) == 1 })
	r.skip(seconds(100))
	r.eventually("the delay is forgotten", func() bool {
		r.core.mu.Lock()
		defer r.core.mu.Unlock()
		return r.core.apps["/s"].backoff.delay == 0
	})
}

// Tasks0 is the first task of a view.
func (v AppView) Tasks0() Task {
	if v.Tasks == nil || len(*v.Tasks) == 0 {
		return Task{}
	}
	return (*v.Tasks)[0]
}

func TestScaleAndKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":4}`)
	r.idle("create")
	before := r.tasks("/s", "TASK_RUNNING")
	require.Len(t, before, 4)
	t.Run("kill keeps the instance", func(t *testing.T) {
		tasks, result, err := r.core.KillTasks(before[:1], false, false, Request{})
		require.NoError(t, err)
		assert.Nil(t, result)
		assert.Equal(t, before[0], tasks[0].ID)
		r.eventually("four run again", func() bool {
			return len(r.tasks("/s", "TASK_RUNNING")) == 4 && contains(r.tasks("/s", ""), strings.TrimSuffix(before[0], "1")+"2")
		})
	})
	t.Run("wipe makes another instance", func(t *testing.T) {
		_, _, err := r.core.KillAppTasks("/s", before[1], "", false, true, Request{})
		require.NoError(t, err)
		instance, _, _ := strings.Cut(before[1], "._app")
		r.eventually("four run without it", func() bool {
			running := r.tasks("/s", "TASK_RUNNING")
			return len(running) == 4 && !strings.Contains(strings.Join(running, " "), instance)
		})
	})
	t.Run("scale lowers the number and kills just that task", func(t *testing.T) {
		_, result, err := r.core.KillAppTasks("/s", before[2], "", true, false, Request{})
		require.NoError(t, err)
		require.NotNil(t, result)
		r.idle("scale")
		assert.Equal(t, 3, r.app("/s").Instances)
		assert.NotContains(t, r.tasks("/s", ""), before[2])
		assert.Contains(t, r.tasks("/s", ""), before[3])
	})
	t.Run("to nothing", func(t *testing.T) {
		r.update("/s", `{"instances":0}`)
		r.idle("suspend")
		assert.Empty(t, r.mesos.Running())
	})
}

func TestVersions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(sleeper)
	r.idle("create")
	first := r.app("/s").Version
	r.update("/s", `{"env":{"V":"2"}}`)
	r.idle("change")
	changed := r.app("/s")
	assert.Equal(t, changed.Version, changed.VersionInfo.LastConfigChangeAt)
	r.update("/s", `{"instances":2}`)
	r.idle("scale")
	scaled := r.app("/s")
	assert.Equal(t, changed.Version, scaled.VersionInfo.LastConfigChangeAt)
	assert.Equal(t, scaled.Version, scaled.VersionInfo.LastScalingAt)
	from := r.mark()
	r.update("/s", `{"instances":2}`)
	r.eventually("a change that changes nothing ends at once", func() bool { return r.sawEvent(from, "deployment_success") })
	assert.Equal(t, scaled.Version, r.app("/s").Version)
	r.update("/s", `{"version":"`+first+`"}`)
	r.idle("back")
	assert.Empty(t, r.app("/s").Env)
	assert.Equal(t, 1, r.app("/s").Instances)
	versions, err := r.core.Versions("/s")
	require.NoError(t, err)
	assert.Len(t, versions, 4)
	_, _, err = r.core.UpdateApp("/s", []byte(`{"version":"`+first+`","cpus":1}`), true, true, Request{})
	assert.ErrorContains(t, err, "The 'version' field may only be combined with the 'id' field.")
}

func TestWhatIsStoredIsEnoughForTheNextLeader(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/a/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":2,"healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}]}`)
	r.idle("create")
	before := r.app("/a/s")
	r.failover()
	after := r.app("/a/s")
	assert.Equal(t, before.App, after.App)
	assert.ElementsMatch(t, r.mesos.Running(), r.tasks("/a/s", "TASK_RUNNING"))
	assert.Equal(t, 2, after.TasksHealthy, "what Mesos said about health is stored")
	require.True(t, r.mesos.EndTask(r.tasks("/a/s", "")[0], mesos.TASK_KILLED, ""))
	r.eventually("the new leader starts what ends", func() bool { return len(r.tasks("/a/s", "TASK_RUNNING")) == 2 && len(r.mesos.Running()) == 2 })
	_, err := r.core.Group("/a", GroupEmbed{})
	assert.NoError(t, err)
}

func TestAChangeOfConfigurationEndsTheDelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"exit 1","cpus":0.1,"mem":32,"env":{"SIM_EXIT":"1"},"backoffSeconds":200,"upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":0}}`)
	r.eventually("it waits", func() bool { q := r.core.Queue(false); return len(q) == 1 && q[0].Delay.TimeLeftSeconds > 0 })
	r.eventually("its deployment is over", func() bool { return len(r.core.Deployments()) == 0 })
	r.update("/s", `{"env":{"V":"2"}}`)
	r.idle("the change")
	assert.Len(t, r.tasks("/s", "TASK_RUNNING"), 1)
}

func TestScalingKeepsTheDelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"exit 1","cpus":0.1,"mem":32,"env":{"SIM_EXIT":"1"},"backoffSeconds":200}`)
	r.eventually("it waits", func() bool { q := r.core.Queue(false); return len(q) == 1 && q[0].Delay.TimeLeftSeconds > 0 })
	r.eventually("its deployment is over", func() bool { return len(r.core.Deployments()) == 0 })
	r.update("/s", `{"instances":2}`)
	assert.False(t, r.core.Queue(false)[0].Delay.Overdue)
}
