package dashboard

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/status"
)

// world is a cluster that a test can change.
type world struct {
	mu       sync.Mutex
	report   status.Report
	releases []Entry
	polls    int
}

// seen is when the reports of tests are made.
func seen() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// newWorld is a cluster of a control host and two Mesos agents with a build that waits and one that runs.
func newWorld() *world {
	now := seen()
	began := now.Add(-3 * time.Hour)
	unit := func(name string) status.Unit { return status.Unit{Name: name, State: "running", PID: 7, Since: &began} }
	disk := &status.Disk{Mount: "/", Total: 40000, Used: 36500, Free: 3500}
	r := status.Report{Cluster: "ci", Target: "hosts", Ready: true, URL: "http://c1:8080", Checked: now, Findings: []status.Finding{},
		Components: []status.Component{{Name: "zookeeper", Kind: "real", Version: "3.8.0", Source: "apt"}, {Name: "mesos", Kind: "stand-in", Version: "1.11.0", Source: "stand-in"}},
		Hosts: []status.Host{
			{Name: "c1", Address: "10.0.0.1", Roles: []string{"control"}, Disk: disk, Units: []status.Unit{unit("edge"), unit("marathon"), unit("mesos-master"), unit("zookeeper")}},
			{Name: "a1", Address: "10.0.0.11", Roles: []string{"mesos-agent"}, Disk: disk, Units: []status.Unit{unit("mesos-agent")}},
			{Name: "a2", Address: "10.0.0.12", Roles: []string{"mesos-agent"}, Disk: disk, Units: []status.Unit{unit("mesos-agent")}},
		},
		ZooKeeper: status.ZooKeeper{Quorum: true, Servers: []status.ZooServer{{Address: "10.0.0.1:2181", Mode: "standalone"}}},
		Marathon:  status.Marathon{Leader: "10.0.0.1:8090", Version: "1.11.26", App: &status.App{ID: "/ci/jenkins", Running: 1, Instances: 1, Healthy: 1, Task: "ci_jenkins.1", Host: "10.0.0.11"}},
	}
	r.Mesos = status.Mesos{Leader: "10.0.0.1:5050", Version: "1.11.0", Masters: []status.Master{{Address: "10.0.0.1:5050", Leads: true}}}
	for _, host := range []string{"10.0.0.11", "10.0.0.12"} {
		r.Mesos.Agents = append(r.Mesos.Agents, status.Agent{ID: "S-" + host, Host: host, Address: host + ":5051", Active: true,
			Total: status.Resources{CPUs: 4, Mem: 8192, Disk: 20480}, Used: status.Resources{CPUs: 1.1, Mem: 7700, Disk: 1024}})
	}
	r.Mesos.Frameworks = []status.Framework{
		{ID: "marathon-1", Name: "marathon", Active: true, Tasks: []status.Task{{ID: "ci_jenkins.1", Name: "jenkins.ci", Host: "10.0.0.11", State: "TASK_RUNNING", Size: status.Resources{CPUs: 1, Mem: 2048}, Since: began}}},
		{ID: "jenkins-ci-1", Name: "jenkins-ci", Active: true, Reregistered: began, Tasks: []status.Task{{ID: "t-1", Name: "mesos-agent-1", Host: "10.0.0.12", State: "TASK_RUNNING", Size: status.Resources{CPUs: 0.1, Mem: 544}, Since: now.Add(-time.Minute)}}},
	}
	r.Controller = status.Controller{URL: r.URL, Version: "2.568.2", State: "up", Ready: true, Secured: true, Host: "a1", Task: "ci_jenkins.1", AgentPort: 50000, Nodes: 1, Busy: 1,
		BuildAgents: []status.BuildAgent{{Name: "mesos-agent-1", Busy: true}},
		Queue:       []status.QueueItem{{Job: "nightly", Why: "Waiting for next available executor on ‘mesos’", Since: now.Add(-90 * time.Second)}},
		Home:        &status.Home{Epoch: 4, Owner: "a1", Unpushed: now.Add(-40 * time.Second), LastPush: now.Add(-time.Hour), Files: 12}}
	return &world{report: r}
}

func (w *world) Report(context.Context) status.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polls++
	return w.report
}

func (w *world) change(do func(r *status.Report)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(&w.report)
}

// down is a cluster in which nothing answers.
func down(r *status.Report) {
	r.Checked = r.Checked.Add(time.Minute)
	r.Ready, r.ZooKeeper.Quorum = false, false
	r.ZooKeeper.Servers = []status.ZooServer{{Address: "10.0.0.1:2181", Error: "no route to host"}}
	r.Mesos = status.Mesos{Error: "no Mesos master leads", Masters: []status.Master{{Address: "10.0.0.1:5050", Error: "no route to host"}}}
	r.Marathon = status.Marathon{Error: "no route to host"}
	r.Controller = status.Controller{URL: r.URL, State: "refused"}
	r.Findings = []status.Finding{
		{Severity: status.Warning, Subject: "mesos-master 10.0.0.1:5050", Problem: "no route to host", Fix: "make the host reachable"},
		{Severity: status.Error, Subject: "zookeeper", Problem: "the ensemble has no quorum", Fix: "bring back enough ZooKeeper servers"},
	}
}

func (w *world) sources() Sources {
	runs := HistoryFunc(func(context.Context) ([]Entry, error) {
		at := seen().Add(-2 * time.Hour)
		return []Entry{{ID: "run-1", Title: "install", Begin: at, End: at.Add(90 * time.Second), Outcome: "done", Note: "by ann@desk", Spans: []Span{
			{Name: "zookeeper on c1", Begin: at, End: at.Add(20 * time.Second), Outcome: "done"},
			{Name: "controller", Begin: at.Add(20 * time.Second), End: at.Add(70 * time.Second), Outcome: "done"},
			{Name: "proof", Begin: at.Add(70 * time.Second), End: at.Add(90 * time.Second), Outcome: "failed"}}}}, nil
	})
	releases := HistoryFunc(func(context.Context) ([]Entry, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.releases, nil
	})
	return Sources{Report: w.Report, Runs: runs, Releases: releases, Framework: "jenkins-ci", Version: "test"}
}

func newTestHub(t testing.TB, w *world) *Hub {
	t.Helper()
	hub, err := NewHub(w.sources(), time.Hour)
	require.NoError(t, err)
	return hub
}
