package core

import (
	"fmt"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
)

// The cluster and the numbers are those of a recording of the real program.
func TestRejectFunnel(t *testing.T) {
	t.Parallel()
	r := newRig(t,
		fakemesos.Agent{Host: "agent-1", CPUs: 2, Mem: 2048, PortLow: 31000, PortHigh: 31003, Attributes: map[string]string{"rack": "rack-1"}},
		fakemesos.Agent{Host: "agent-2", CPUs: 1, Mem: 4096, PortLow: 31000, PortHigh: 31010, Attributes: map[string]string{"rack": "rack-2"}},
		fakemesos.Agent{Host: "agent-3", CPUs: 4, Mem: 1024, PortLow: 32000, PortHigh: 32000, Attributes: map[string]string{"rack": "rack-3"}})
	r.create(`{"id":"/q/mixed","cmd":"sleep 1000","cpus":2,"mem":3000,"constraints":[["rack","UNLIKE","rack-3"]]}`)
	r.eventually("all offers are looked at", func() bool {
		q := r.core.Queue(true)
		return len(q) == 1 && len(*q[0].LastUnusedOffers) == 3
	})
	q := r.core.Queue(true)[0]
	assert.Equal(t, []Row{{"UnfulfilledRole", 0, 3}, {"UnfulfilledConstraint", 1, 3}, {"NoCorrespondingReservationFound", 0, 2}, {"AgentMaintenance", 0, 2}, {"InsufficientCpus", 1, 2},
		{"InsufficientMemory", 1, 1}, {"InsufficientDisk", 0, 0}, {"InsufficientGpus", 0, 0}, {"InsufficientPorts", 0, 0}, {"DeclinedScarceResources", 0, 0}},
		q.ProcessedOffersSummary.RejectSummaryLastOffers)
	assert.Equal(t, 1, q.Count)
	assert.Equal(t, Delay{Overdue: true}, q.Delay)
	assert.Equal(t, q.ProcessedOffersSummary.ProcessedOffersCount, q.ProcessedOffersSummary.UnusedOffersCount)
}

func TestFixedPorts(t *testing.T) {
	t.Parallel()
	r := newRig(t, fakemesos.Agent{Host: "127.0.0.1", CPUs: 4, Mem: 4096, PortLow: 31000, PortHigh: 31003})
	r.create(`{"id":"/s","cmd":"sleep 1000","cpus":0.1,"mem":32,"requirePorts":true,"portDefinitions":[{"port":31002,"name":"http"},{"port":31001,"name":"agents"}]}`)
	r.idle("create")
	ports := r.app("/s").Tasks0().Ports
	assert.Equal(t, []int{31002, 31001}, ports)
	r.create(`{"id":"/t","cmd":"sleep 1000","cpus":0.1,"mem":32,"requirePorts":true,"portDefinitions":[{"port":31002}]}`)
	r.eventually("the second waits for the port", func() bool {
		q := r.core.Queue(false)
		return len(q) == 1 && q[0].ProcessedOffersSummary.RejectSummaryLaunchAttempt[8].Declined > 0
	})
	_, err := r.core.DeleteApp("/s", Request{Force: true})
	require.NoError(t, err)
	r.eventually("and gets it", func() bool { return len(r.tasks("/t", "TASK_RUNNING")) == 1 })
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	here := place{host: "a", region: "r", attributes: map[string]string{"rack": "one", "speed": "2"}}
	other := func(host, rack string) place {
		p := place{host: host, attributes: map[string]string{}}
		if rack != "" {
			p.attributes["rack"] = rack
		}
		return p
	}
	for _, c := range []struct {
		con    []string
		others []place
		want   bool
	}{
		{[]string{"hostname", "UNIQUE"}, nil, true},
		{[]string{"hostname", "UNIQUE"}, []place{other("a", "")}, false},
		{[]string{"hostname", "CLUSTER", "a"}, nil, true},
		{[]string{"hostname", "CLUSTER", "b"}, nil, false},
		{[]string{"rack", "CLUSTER"}, []place{other("b", "one")}, true},
		{[]string{"rack", "CLUSTER"}, []place{other("b", "two")}, false},
		{[]string{"rack", "LIKE", "o.e"}, nil, true},
		{[]string{"rack", "LIKE", "on"}, nil, false},
		{[]string{"rack", "UNLIKE", "on"}, nil, true},
		{[]string{"rack", "UNLIKE", "one"}, nil, false},
		{[]string{"missing", "UNLIKE", "x"}, nil, true},
		{[]string{"missing", "LIKE", ".*"}, nil, false},
		{[]string{"missing", "UNIQUE"}, nil, false},
		{[]string{"rack", "MAX_PER", "2"}, []place{other("b", "one")}, true},
		{[]string{"rack", "MAX_PER", "1"}, []place{other("b", "one")}, false},
		{[]string{"rack", "GROUP_BY", "2"}, []place{other("b", "one")}, false},
		{[]string{"rack", "GROUP_BY", "2"}, []place{other("b", "two")}, true},
		{[]string{"rack", "GROUP_BY", "2"}, []place{other("b", "two"), other("c", "one")}, true},
		{[]string{"speed", "IS", "2.0"}, nil, true},
		{[]string{"rack", "IS", "two"}, nil, false},
		{[]string{"@region", "IS", "r"}, nil, true},
	} {
		assert.Equal(t, c.want, met(c.con, here, c.others), fmt.Sprint(c.con, c.others))
	}
}

func TestGroupByWithoutNumberEndsTheLaunchQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/bad","cmd":"sleep 1000","cpus":0.1,"mem":32,"constraints":[["rack","GROUP_BY"]]}`)
	r.eventually("the fault strikes", func() bool {
		r.core.mu.Lock()
		defer r.core.mu.Unlock()
		return r.core.queueDead
	})
	r.create(sleeper)
	r.eventually("offers are declined", func() bool { return r.mesos.Calls(sched.Call_DECLINE) > 0 })
	assert.Empty(t, r.mesos.Running())
	_, err := r.core.DeleteApp("/bad", Request{Force: true})
	require.NoError(t, err)
	r.failover()
	r.eventually("a restart without that app heals", func() bool { return len(r.mesos.Running()) == 1 })
}

func TestOffersAreSuppressedAndRevivedNoOftenerThanAllowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.eventually("nothing to do: suppressed", func() bool { return r.mesos.Calls(sched.Call_SUPPRESS) == 1 })
	assert.Zero(t, r.mesos.Calls(sched.Call_REVIVE))
	r.create(sleeper)
	r.idle("create")
	r.eventually("suppressed again", func() bool { return r.mesos.Calls(sched.Call_SUPPRESS) == 2 })
	assert.Equal(t, 1, r.mesos.Calls(sched.Call_REVIVE))
}

func TestTaskInfo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/grp/web","cmd":"run me","cpus":0.5,"mem":64,"user":"nobody","env":{"A":"b"},"labels":{"my.label":"x"},"taskKillGracePeriodSeconds":30,
		"fetch":[{"uri":"http://x/a.tgz","executable":false}],"portDefinitions":[{"port":0,"name":"http-api"}],"resourceLimits":{"mem":128},
		"healthChecks":[{"protocol":"MESOS_HTTP","path":"/login","portIndex":0,"maxConsecutiveFailures":7}]}`)
	r.idle("create")
	id := r.tasks("/grp/web", "")[0]
	info, ok := r.mesos.Task(id)
	require.True(t, ok)
	port := r.app("/grp/web").Tasks0().Ports[0]
	env := map[string]string{}
	for _, v := range info.Command.Environment.Variables {
		env[v.Name] = *v.Value
	}
	app := r.app("/grp/web")
	assert.Equal(t, map[string]string{"A": "b", "HOST": app.Tasks0().Host, "MARATHON_APP_ENFORCE_GROUP_ROLE": "FALSE", "MARATHON_APP_ID": "/grp/web", "MARATHON_APP_LABELS": "MY_LABEL",
		"MARATHON_APP_LABEL_MY_LABEL": "x", "MARATHON_APP_RESOURCE_CPUS": "0.5", "MARATHON_APP_RESOURCE_DISK": "0.0", "MARATHON_APP_RESOURCE_GPUS": "0",
		"MARATHON_APP_RESOURCE_MEM": "64.0", "MARATHON_APP_VERSION": app.Version, "MESOS_TASK_ID": id, "PORT": fmt.Sprint(port), "PORT0": fmt.Sprint(port), "PORTS": fmt.Sprint(port),
		"PORT_10000": fmt.Sprint(port), "PORT_HTTP_API": fmt.Sprint(port)}, env)
	assert.Equal(t, "web.grp", info.Name)
	assert.Equal(t, "run me", *info.Command.Value)
	assert.True(t, *info.Command.Shell)
	assert.Equal(t, "nobody", *info.Command.User)
	assert.Equal(t, int64(30e9), info.KillPolicy.GracePeriod.Nanoseconds)
	assert.Equal(t, "/login", *info.HealthCheck.HTTP.Path)
	assert.Equal(t, uint32(port), info.HealthCheck.HTTP.Port)
	assert.Equal(t, uint32(7), *info.HealthCheck.ConsecutiveFailures)
	assert.Equal(t, 128.0, info.Limits["mem"].Value)
	assert.True(t, *info.Command.URIs[0].Extract)
	assert.Nil(t, info.Container)
}

func TestDockerContainer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create(`{"id":"/web","cpus":0.1,"mem":64,"container":{"type":"DOCKER","docker":{"image":"nginx:1.25","parameters":[{"key":"hostname","value":"x"}]},
		"volumes":[{"containerPath":"/home","hostPath":"/srv/home","mode":"RW"}],"portMappings":[{"containerPort":80,"name":"http"}]},"networks":[{"mode":"container/bridge"}]}`)
	r.idle("create")
	task := r.app("/web").Tasks0()
	info, ok := r.mesos.Task(task.ID)
	require.True(t, ok)
	require.NotNil(t, info.Container)
	assert.Equal(t, mesos.ContainerInfo_DOCKER, *info.Container.Type)
	assert.Equal(t, mesos.ContainerInfo_DockerInfo_BRIDGE, *info.Container.Docker.Network)
	assert.Equal(t, []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: uint32(task.Ports[0]), ContainerPort: 80, Protocol: ptr("tcp")}}, info.Container.Docker.PortMappings)
	assert.Equal(t, "/srv/home", *info.Container.Volumes[0].HostPath)
	assert.False(t, *info.Command.Shell)
	assert.Nil(t, info.Command.Value)
}
