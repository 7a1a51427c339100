package core

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
	"github.com/jomctl/jomctl/internal/testkit"
)

// moves is the order of kills and starts of an upgrade, as the recordings of the real program show it.
func (r *rig) moves(from int) string {
	var out []string
	for _, line := range r.history(from, "status_update_event") {
		switch line {
		case "status_update_event/TASK_KILLED":
			out = append(out, "kill")
		case "status_update_event/TASK_RUNNING":
			out = append(out, "run")
		}
	}
	return strings.Join(out, " ")
}

func TestUpgradeOfThreeMovesAsRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		health, over string
		want         string
	}{
		{"0", "0", "kill kill kill run run run"},
		{"0.5", "0", "kill run kill run kill run"},
		{"1", "0", "run kill run kill run kill"},
	} {
		t.Run(c.health+" "+c.over, func(t *testing.T) {
			r := newRig(t)
			r.create(fmt.Sprintf(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":3,"upgradeStrategy":{"minimumHealthCapacity":%s,"maximumOverCapacity":%s}}`, c.health, c.over))
			r.idle("create")
			from := r.mark()
			r.update("/s", `{"env":{"V":"2"}}`)
			r.idle("upgrade")
			r.eventually("the last event is there", func() bool { return r.sawEvent(from, "deployment_success") })
			assert.Equal(t, c.want, r.moves(from))
			assert.Len(t, r.mesos.Running(), 3)
			for _, id := range r.tasks("/s", "TASK_RUNNING") {
				assert.True(t, strings.HasSuffix(id, "._app.1"), "an upgrade makes new instances: %s", id)
			}
		})
	}
}

func TestUpgradeWithDoubleCapacityNeverHasLessThanWanted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":3}`)
	r.idle("create")
	from := r.mark()
	r.update("/s", `{"env":{"V":"2"}}`)
	r.idle("upgrade")
	r.eventually("the last event is there", func() bool { return r.sawEvent(from, "deployment_success") })
	alive := 3
	for _, move := range strings.Fields(r.moves(from)) {
		if move == "run" {
			alive++
		} else {
			alive--
		}
		assert.GreaterOrEqual(t, alive, 3)
	}
	assert.Equal(t, 3, alive)
}

const single = `{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},"upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":0}%s}`

func TestSingleInstanceStartsAfterTheEndOfTheOld(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{"no check": "", "COMMAND": `,"healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}]`,
		"MESOS_HTTP": `,"healthChecks":[{"protocol":"MESOS_HTTP","portIndex":0}]`} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.create(fmt.Sprintf(single, extra))
			r.idle("create")
			from := r.mark()
			_, err := r.core.RestartApp("/s", Request{})
			require.NoError(t, err)
			r.idle("restart")
			r.eventually("the end is told", func() bool { return r.sawEvent(from, "deployment_success") })
			assert.Equal(t, []string{"instance_changed_event/Running", "instance_changed_event/Killed", "instance_changed_event/Scheduled", "instance_changed_event/Provisioned",
				"instance_changed_event/Starting", "instance_changed_event/Running"}, r.history(from, "instance_changed_event"))
		})
	}
}

// listening is a rig whose one agent has just the given number of free ports on loopback, for tasks that listen.
func listening(t *testing.T) (*rig, int) {
	_, text, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return newRig(t, fakemesos.Agent{Host: "127.0.0.1", CPUs: 4, Mem: 4096, PortLow: port, PortHigh: port}), port
}

const checked = `,"env":{"SIM_LISTEN":"1"},"healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0,"gracePeriodSeconds":0,"intervalSeconds":1,"timeoutSeconds":1,"maxConsecutiveFailures":1}]`

func TestMarathonsOwnCheckStopsASingleInstanceUpgradeForEver(t *testing.T) {
	t.Parallel()
	r, _ := listening(t)
	r.create(fmt.Sprintf(single, checked))
	r.idle("create")
	r.eventually("healthy", func() bool { return r.app("/s").TasksHealthy == 1 })
	old := r.tasks("/s", "TASK_RUNNING")
	r.update("/s", `{"cpus":0.2}`)
	// Several rounds of everything that could move it.
	from := r.mark()
	for range 20 {
		r.core.mu.Lock()
		r.core.tick()
		r.core.mu.Unlock()
	}
	assert.Empty(t, r.moves(from))
	assert.Equal(t, old, r.tasks("/s", "TASK_RUNNING"))
	assert.Len(t, r.core.Deployments(), 1)
	_, _, err := r.core.UpdateApp("/s", []byte(`{"cpus":0.3}`), true, true, Request{})
	var conflict *Conflict
	require.ErrorAs(t, err, &conflict)
	assert.Equal(t, []string{r.core.Deployments()[0].ID}, conflict.Locks)
}

func TestHealthCheckKillsAndTheNextTaskInheritsTheCount(t *testing.T) {
	t.Parallel()
	r, port := listening(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32` + checked + `}`)
	r.idle("create ends at the first success")
	first := r.tasks("/s", "TASK_RUNNING")[0]
	from := r.mark()
	r.mesos.Answer(port, 503)
	r.eventually("it is killed", func() bool { return r.sawEvent(from, "unhealthy_instance_kill_event") })
	assert.Equal(t, []string{"failed_health_check_event", "failed_health_check_event"}, r.history(from, "failed_health_check_event"), "killed on failure max+1")
	r.eventually("another runs", func() bool {
		running := r.tasks("/s", "TASK_RUNNING")
		return len(running) == 1 && running[0] != first
	})
	result := r.app("/s").Tasks0().HealthCheckResults[0]
	assert.Equal(t, false, result["alive"])
	assert.NotZero(t, result["consecutiveFailures"], "the count of the task before stays")
	assert.Equal(t, "503 Service Unavailable", result["lastFailureCause"])
}

func TestReadinessHoldsADeployment(t *testing.T) {
	t.Parallel()
	r, port := listening(t)
	r.mesos.Answer(port, 503)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"env":{"SIM_LISTEN":"1"},"portDefinitions":[{"port":0,"name":"http-api"}],
		"readinessChecks":[{"intervalSeconds":2,"timeoutSeconds":1,"preserveLastResponse":true}]}`)
	r.eventually("the result is shown", func() bool {
		all := r.core.Deployments()
		return len(all) == 1 && len(all[0].CurrentActions[0].ReadinessCheckResults) == 1
	})
	assert.Len(t, r.tasks("/s", "TASK_RUNNING"), 1)
}

func TestForceRollbackAndLocks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stuck := `{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"constraints":[["rack","IS","none"]]}`
	first := r.create(stuck)
	_, err := r.core.RestartApp("/s", Request{})
	var conflict *Conflict
	require.ErrorAs(t, err, &conflict)
	assert.Equal(t, []string{first}, conflict.Locks)
	assert.Equal(t, locked, conflict.Message)
	from := r.mark()
	_, _, err = r.core.UpdateApp("/s", []byte(`{"constraints":[]}`), true, true, Request{Force: true})
	require.NoError(t, err)
	r.idle("forced change")
	assert.True(t, r.sawEvent(from, "deployment_failed"))
	id := r.update("/s", `{"constraints":[["rack","IS","none"]]}`)
	back, err := r.core.CancelDeployment(id, false)
	require.NoError(t, err)
	assert.NotEmpty(t, back.DeploymentID)
	r.idle("rollback")
	assert.Empty(t, r.app("/s").Constraints)
	assert.Len(t, r.mesos.Running(), 1)
	id = r.update("/s", `{"constraints":[["rack","IS","none"]]}`)
	dropped, err := r.core.CancelDeployment(id, true)
	require.NoError(t, err)
	assert.Empty(t, dropped.DeploymentID)
	assert.NotEmpty(t, r.app("/s").Constraints, "nothing is undone")
	_, err = r.core.CancelDeployment(id, true)
	assert.EqualError(t, err, "DeploymentPlan "+id+" does not exist")
	_, err = r.core.DeleteApp("/s", Request{Force: true})
	require.NoError(t, err)
	r.idle("delete")
	id = r.create(stuck)
	_, err = r.core.CancelDeployment(id, false)
	require.NoError(t, err)
	r.idle("rollback of a creation")
	_, err = r.core.App("/s", Embed{})
	assert.Error(t, err)
}

func TestAWaitingPlanSucceedsAfterAChangeOfLeaderAsInTheRealProgram(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"constraints":[["rack","IS","none"]]}`)
	r.failover()
	r.idle("the plan")
	assert.Empty(t, r.mesos.Running())
	assert.Len(t, r.core.Queue(false), 1)
}

func TestLostAgents(t *testing.T) {
	t.Parallel()
	pin := `{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32%s}`
	hostOf := func(r *rig) string { return r.app("/s").Tasks0().Host }
	t.Run("0/0 replaces at once and kills the old one when it returns", func(t *testing.T) {
		r := newRig(t)
		r.create(fmt.Sprintf(pin, ""))
		r.idle("create")
		host, old := hostOf(r), r.tasks("/s", "")[0]
		from := r.mark()
		r.mesos.LoseAgent(host)
		r.eventually("a replacement runs elsewhere", func() bool { return len(r.tasks("/s", "TASK_RUNNING")) == 1 && hostOf(r) != host })
		assert.Equal(t, []string{"status_update_event/TASK_UNREACHABLE", "instance_changed_event/UnreachableInactive", "instance_changed_event/Scheduled"},
			r.history(from, "status_update_event", "instance_changed_event")[:3])
		assert.Len(t, r.mesos.Running(), 2, "both may run")
		from = r.mark()
		r.mesos.ReturnAgent(host)
		r.eventually("the old one is killed", func() bool { return len(r.mesos.Running()) == 1 && !contains(r.mesos.Running(), old) })
		r.eventually("and told as unknown", func() bool {
			return strings.Contains(strings.Join(r.history(from), " "), "unknown_instance_terminated_event/Killed")
		})
	})
	t.Run("disabled waits", func(t *testing.T) {
		r := newRig(t)
		r.create(fmt.Sprintf(pin, `,"unreachableStrategy":"disabled"`))
		r.idle("create")
		host, old := hostOf(r), r.tasks("/s", "")
		r.mesos.LoseAgent(host)
		r.eventually("unreachable", func() bool { return len(r.tasks("/s", "TASK_UNREACHABLE")) == 1 })
		r.mesos.ReturnAgent(host)
		r.eventually("running again", func() bool { return assert.ObjectsAreEqual(old, r.tasks("/s", "TASK_RUNNING")) })
		assert.Len(t, r.mesos.Running(), 1)
	})
	t.Run("inactive and expunge after their times", func(t *testing.T) {
		r := newRig(t)
		r.create(fmt.Sprintf(pin, `,"unreachableStrategy":{"inactiveAfterSeconds":60,"expungeAfterSeconds":120}`))
		r.idle("create")
		host := hostOf(r)
		r.mesos.LoseAgent(host)
		r.eventually("unreachable", func() bool { return len(r.tasks("/s", "TASK_UNREACHABLE")) == 1 })
		r.skip(seconds(61))
		r.eventually("the next reconciliation brings a replacement", func() bool { return len(r.tasks("/s", "TASK_RUNNING")) == 1 })
		r.skip(seconds(61))
		r.eventually("the old instance is forgotten", func() bool {
			r.core.mu.Lock()
			defer r.core.mu.Unlock()
			return len(r.core.insts) == 1
		})
	})
}

func TestOverdueTasksAreKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"env":{"SIM_STAY_STAGING":"1"}}`)
	r.eventually("it starts", func() bool { return len(r.tasks("/s", "TASK_STARTING")) == 1 })
	first := r.tasks("/s", "")[0]
	r.skip(r.cfg.LaunchTimeout + seconds(1))
	r.eventually("another is tried", func() bool { return len(r.tasks("/s", "TASK_STARTING")) == 1 && r.tasks("/s", "")[0] != first })
	assert.False(t, r.mesos.EndTask(first, mesos.TASK_FAILED, ""))
}
