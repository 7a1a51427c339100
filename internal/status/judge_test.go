package status

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func healthy() *Report {
	return &Report{
		Hosts: []Host{
			{Name: "c1", Address: "127.0.10.10", Roles: []string{"control"}, Units: []Unit{{Name: "zookeeper", State: "running"}}},
			{Name: "a1", Address: "127.0.10.21", Roles: []string{"mesos-agent"}, Units: []Unit{{Name: "mesos-agent", State: "running", Restarts: 2}}},
		},
		ZooKeeper:  ZooKeeper{Quorum: true, Servers: []ZooServer{{Address: "127.0.10.10:2181", Mode: "standalone"}}},
		Mesos:      Mesos{Agents: []Agent{{Host: "127.0.10.21", Active: true}}, Frameworks: []Framework{{ID: "1", Name: "marathon"}}},
		Marathon:   Marathon{App: &App{Running: 1, Instances: 1}},
		Controller: Controller{State: "up", Ready: true, Secured: true, AgentPort: 50000},
	}
}

func TestAHealthyClusterIsReadyWithoutFindings(t *testing.T) {
	report := healthy()
	judge(report)
	require.True(t, report.Ready)
	require.Empty(t, report.Findings)
	require.NotNil(t, report.Findings, "JSON readers want a list")
}

func TestEachFaultIsNamedWithAFix(t *testing.T) {
	cases := map[string]struct {
		breakIt  func(*Report)
		severity Severity
		subject  string
		problem  string
		ready    bool
	}{
		"nothing installed": {func(r *Report) { *r = Report{Cluster: "ci", Hosts: []Host{{Name: "c1"}}} }, Error, "cluster ci", "is not installed", false},
		"unit waits":        {func(r *Report) { r.Hosts[0].Units[0] = Unit{Name: "marathon", State: "waiting", LastExit: "exit 103"} }, Error, "marathon on c1", "waits for its next start (exit 103)", false},
		"unit stopped":      {func(r *Report) { r.Hosts[0].Units[0].State = "stopped" }, Error, "zookeeper on c1", "is not running", false},
		"unit restarts": {func(r *Report) {
			r.Hosts[1].Units[0] = Unit{Name: "mesos-agent", State: "running", Restarts: 9, LastExit: "exit 1"}
		}, Warning, "mesos-agent on a1", "started again 9 times, last end: exit 1", true},
		"host unreachable": {func(r *Report) { r.Hosts[1].Error = "connection refused" }, Error, "host a1", "connection refused", false},
		"host silent":      {func(r *Report) { r.Hosts[1].Error, r.Hosts[1].Silent = "no answer", true }, Error, "host a1", "no answer", false},
		"host only busy":   {func(r *Report) { r.Hosts[0].Error, r.Hosts[0].Silent = "no answer", true }, Warning, "host c1", "no answer", true},
		"no quorum":        {func(r *Report) { r.ZooKeeper.Quorum = false }, Error, "zookeeper", "no quorum", false},
		"one of three gone": {func(r *Report) {
			r.ZooKeeper.Servers = append(r.ZooKeeper.Servers, ZooServer{Address: "127.0.10.11:2181", Error: "refused"})
		}, Warning, "zookeeper 127.0.10.11:2181", "refused", true},
		"no leader":       {func(r *Report) { r.Mesos.Error = "no leader" }, Error, "mesos", "no leader", false},
		"agent away":      {func(r *Report) { r.Mesos.Agents[0].Active = false }, Error, "mesos-agent a1", "not registered", false},
		"agent unknown":   {func(r *Report) { r.Mesos.Agents = nil }, Error, "mesos-agent a1", "not registered", false},
		"agent drained":   {func(r *Report) { r.Mesos.Agents[0] = Agent{Host: "127.0.10.21", Deactivated: true} }, Warning, "mesos-agent a1", "is drained", true},
		"framework twice": {func(r *Report) { r.Mesos.Frameworks = append(r.Mesos.Frameworks, Framework{ID: "2", Name: "marathon"}) }, Warning, "framework marathon", "2 times (1, 2)", true},
		"marathon down":   {func(r *Report) { r.Marathon.Error = "has been down" }, Error, "marathon", "has been down", false},
		"no app":          {func(r *Report) { r.Marathon.App = nil; r.Controller = Controller{State: "absent"} }, Error, "controller", "not deployed", false},
		"no task":         {func(r *Report) { r.Marathon.App = &App{Instances: 1, LastFailure: "exited with status 1"} }, Error, "controller", "exited with status 1", false},
		"two controllers": {func(r *Report) { r.Marathon.App.Running = 2 }, Error, "controller", "2 controllers run, where there must be 1", false},
		"starting":        {func(r *Report) { r.Controller = Controller{State: "starting"} }, Error, "controller", "does not serve (starting)", false},
		"open":            {func(r *Report) { r.Controller.Secured = false }, Error, "controller", "lets anonymous visitors in", false},
		"no agent port":   {func(r *Report) { r.Controller.AgentPort = 0 }, Error, "controller", "no open agent port", false},
		"quieting":        {func(r *Report) { r.Controller.Quieting = true }, Warning, "controller", "quieting down", true},
		"wrong password":  {func(r *Report) { r.Controller.Error = "401" }, Warning, "controller", "401", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			report := healthy()
			c.breakIt(report)
			judge(report)
			require.Equal(t, c.ready, report.Ready)
			require.Len(t, report.Findings, 1)
			finding := report.Findings[0]
			require.Equal(t, c.severity, finding.Severity)
			require.Equal(t, c.subject, finding.Subject)
			require.Contains(t, finding.Problem, c.problem)
			require.NotEmpty(t, finding.Fix)
		})
	}
}

func TestAProgramThatHangsIsNotToldToBeStarted(t *testing.T) {
	report := healthy()
	report.Hosts[0].Units = append(report.Hosts[0].Units, Unit{Name: "mesos-master", State: "running", PID: 77, Log: "/l"})
	report.Mesos.Masters = []Master{{Address: "127.0.10.10:5050", Error: "timeout"}, {Address: "127.0.10.11:5050", Error: "refused"}}
	judge(report)
	require.Len(t, report.Findings, 2)
	require.Contains(t, report.Findings[0].Fix, "its process 77 on c1 runs")
	require.Contains(t, report.Findings[0].Fix, "its log is /l")
	require.Contains(t, report.Findings[1].Fix, "jomctl install")
}

func TestAPasswordThatIsNotInForceIsNotBlamedOnMarathon(t *testing.T) {
	for _, text := range []string{"call http://h:8080/v2/info: HTTP 401: Error 401 Unauthorized", "the password of Marathon: read secret: open /x: no such file or directory"} {
		report := healthy()
		report.Marathon = Marathon{Error: text}
		judge(report)
		require.Len(t, report.Findings, 1)
		require.Contains(t, report.Findings[0].Fix, "components.marathon.basicAuth")
	}
}

func TestAControllerThatIsDownIsFoundWhileMarathonIsDownToo(t *testing.T) {
	report := healthy()
	report.Marathon = Marathon{Error: "down"}
	report.Controller = Controller{State: "other", Error: "HTTP 503"}
	judge(report)
	require.Len(t, report.Findings, 2)
	require.Equal(t, "does not serve: HTTP 503", report.Findings[1].Problem)
}
