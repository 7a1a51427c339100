package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/jenkins"
)

// Sources are what a report is made from.
type Sources struct {
	Cluster   *config.Cluster
	Machines  []host.Machine
	ZooKeeper cluster.ZooKeeper
	Mesos     cluster.Mesos
	Marathon  cluster.Marathon
	// Jenkins is a client as the admin; where the password cannot be read it is an anonymous one, and JenkinsError says why.
	Jenkins      *jenkins.Client
	JenkinsError error
	URL          string
	AppID        string
	// Home asks for the history of the controller's home; nil where none is kept.
	Home func(ctx context.Context) *Home
	// Backup asks what became of the last backups; nil where none are to be made.
	Backup func(ctx context.Context) *Backup
}

// patience is how long a part that hangs may keep a report waiting. A real controller is asked nine times in a row, checks
// the password's hash each time, and shares its processor with what it has just started.
const patience = 10 * time.Second

// Collect asks all parts at the same time and judges what they say. A part that does not answer is a finding.
func Collect(ctx context.Context, s Sources) Report {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// A part that is down is to be reported, not waited for.
	s.Mesos.Patience, s.Marathon.Patience = time.Millisecond, time.Millisecond
	r := Report{Cluster: s.Cluster.Name, Target: string(s.Cluster.Target), URL: s.URL, Checked: time.Now().UTC()}
	var standins standins
	var home *Home
	var group sync.WaitGroup
	for _, part := range []func(){
		func() { r.Hosts = collectHosts(ctx, s) },
		func() { r.ZooKeeper = collectZooKeeper(ctx, s) },
		func() { r.Mesos, standins.mesos = collectMesos(ctx, s) },
		func() { r.Marathon, standins.marathon = collectMarathon(ctx, s) },
		func() { r.Controller, standins.jenkins = collectController(ctx, s) },
		func() {
			if s.Home != nil {
				home = s.Home(ctx)
			}
		},
		func() {
			if s.Backup != nil {
				r.Backup = s.Backup(ctx)
			}
		},
	} {
		group.Go(part)
	}
	group.Wait()
	place(&r, s.Cluster)
	if r.Controller.Home = home; home != nil && home.Owner == "" {
		home.Owner = r.Controller.Host
	}
	r.Components = components(&r, s.Cluster, standins)
	judge(&r)
	return r
}

// standins say of each program that answered whether it is a stand-in; nil when none answered.
type standins struct {
	mesos, marathon, jenkins *bool
}

func collectZooKeeper(ctx context.Context, s Sources) ZooKeeper {
	servers := s.ZooKeeper.Modes(ctx)
	out := ZooKeeper{Servers: []ZooServer{}}
	_, out.Quorum = cluster.Quorum(servers)
	for _, server := range servers {
		out.Servers = append(out.Servers, ZooServer{Address: server.Addr, Mode: server.Mode, Version: server.Version, Error: text(server.Err)})
	}
	return out
}

func collectMesos(ctx context.Context, s Sources) (Mesos, *bool) {
	out := Mesos{Masters: []Master{}, Agents: []Agent{}, Frameworks: []Framework{}}
	var state cluster.State
	var stateErr error
	var health []cluster.MasterHealth
	var group sync.WaitGroup
	group.Go(func() { health = s.Mesos.Health(ctx) })
	group.Go(func() { state, stateErr = s.Mesos.State(ctx) })
	group.Wait()
	var standin *bool
	for _, master := range health {
		out.Masters = append(out.Masters, Master{Address: master.Addr, Leads: master.Elected && master.Recovered, Version: master.Version, Error: text(master.Err)})
		if master.Err == nil {
			standin = &master.StandIn
		}
	}
	if stateErr != nil {
		out.Error = stateErr.Error()
		return out, standin
	}
	out.Leader, out.Version = state.Leader, state.Version
	for _, agent := range state.Agents {
		out.Agents = append(out.Agents, Agent{ID: agent.ID, Host: agent.Hostname, Address: agent.Addr, Active: agent.Active, Deactivated: agent.Deactivated,
			Total: amount(agent.Total), Used: amount(agent.Used)})
	}
	slices.SortFunc(out.Agents, func(a, b Agent) int { return strings.Compare(a.Host, b.Host) })
	for _, framework := range state.Frameworks {
		f := Framework{ID: framework.ID, Name: framework.Name, Active: framework.Active, Used: amount(framework.Used), Tasks: []Task{}, Reregistered: moment(framework.Reregistered)}
		for _, task := range framework.Tasks {
			f.Tasks = append(f.Tasks, Task{ID: task.ID, Name: task.Name, Host: task.Host, State: task.State, Size: amount(task.Resources), Since: moment(task.Since)})
		}
		out.Frameworks = append(out.Frameworks, f)
	}
	return out, standin
}

// moment reads Unix seconds; 0 is never.
func moment(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

func amount(r cluster.Resources) Resources { return Resources{CPUs: r.CPUs, Mem: r.Mem, Disk: r.Disk} }

func collectMarathon(ctx context.Context, s Sources) (Marathon, *bool) {
	out := Marathon{}
	info, err := s.Marathon.Info(ctx)
	if err != nil {
		out.Error = err.Error()
		return out, nil
	}
	out.Leader, out.Version = info.Leader, info.Version
	app, err := s.Marathon.App(ctx, s.AppID)
	switch {
	case errors.Is(err, cluster.ErrNotFound):
	case err != nil:
		out.Error = err.Error()
	default:
		out.App = appOf(app)
	}
	return out, &info.StandIn
}

func appOf(app cluster.App) *App {
	out := &App{ID: app.ID, Version: app.Version, Running: app.Running, Instances: app.Instances, Healthy: app.Healthy, Deployments: app.Deployments}
	if current := app.Current(); len(current) > 0 {
		out.Task, out.Host = current[0].ID, current[0].Host
	}
	if failure := app.LastFailure; failure != nil {
		out.LastFailure = fmt.Sprintf("%s at %s: %s", failure.State, failure.Timestamp, failure.Message)
	}
	return out
}

func collectController(ctx context.Context, s Sources) (Controller, *bool) {
	out := Controller{URL: s.URL, Queue: []QueueItem{}}
	state := s.Jenkins.State(ctx)
	out.State, out.Version = string(state.Phase), state.Version
	if state.Phase != jenkins.PhaseUp {
		out.Error = state.Detail
		return out, nil
	}
	var problems []error
	out.Secured = s.Jenkins.AnonymousRefused(ctx) == nil
	if port, err := s.Jenkins.AgentListener(ctx); err == nil {
		out.AgentPort = port
	}
	problems = append(problems, s.JenkinsError)
	if s.JenkinsError == nil {
		problems = append(problems, asAdmin(ctx, s.Jenkins, &out))
	}
	out.Error = text(errors.Join(problems...))
	out.Ready = out.Secured && out.AgentPort != 0
	return out, &state.StandIn
}

// asAdmin fills in what only a logged-in user sees.
func asAdmin(ctx context.Context, client *jenkins.Client, out *Controller) error {
	info, err := client.Info(ctx)
	if err != nil {
		return err
	}
	out.Quieting = info.QuietingDown
	queue, queueErr := client.Queue(ctx)
	for _, item := range queue {
		out.Queue = append(out.Queue, QueueItem{Job: item.Job, Why: item.Why, Since: begun(item.Wait), Stuck: item.Stuck})
	}
	nodes, nodesErr := client.Nodes(ctx)
	for _, node := range nodes {
		if !node.Inbound { // the built-in node
			continue
		}
		out.Nodes++
		out.BuildAgents = append(out.BuildAgents, BuildAgent{Name: node.Name, Offline: node.Offline, Busy: !node.Idle, Reason: node.Reason})
		if !node.Idle {
			out.Busy++
		}
	}
	return errors.Join(queueErr, nodesErr)
}

// begun is when something began that has lasted so long, to the second, so that it is the same in two reports.
func begun(lasted time.Duration) time.Time {
	if lasted <= 0 {
		return time.Time{}
	}
	return time.Now().Add(-lasted).UTC().Round(time.Second)
}

// place says on which host the controller is.
func place(r *Report, c *config.Cluster) {
	if r.Marathon.App == nil {
		if r.Marathon.Error == "" && r.Controller.State != string(jenkins.PhaseUp) {
			r.Controller.State = "absent"
		}
		return
	}
	r.Controller.Task = r.Marathon.App.Task
	for _, h := range c.Hosts {
		if h.Address == r.Marathon.App.Host {
			r.Controller.Host = h.Name
		}
	}
}

func components(r *Report, c *config.Cluster, s standins) []Component {
	zooVersion := ""
	for _, server := range r.ZooKeeper.Servers {
		if server.Version != "" {
			zooVersion = server.Version
		}
	}
	war := c.Jenkins.War
	if war == "" {
		war = "release " + c.Release
	}
	return []Component{
		{"zookeeper", "real", zooVersion, c.Components.ZooKeeper.Source.Title()},
		{"mesos", kind(s.mesos, c.Components.Mesos.Source.Standin), r.Mesos.Version, c.Components.Mesos.Source.Title()},
		{"marathon", kind(s.marathon, c.Components.Marathon.Source.Standin), r.Marathon.Version, c.Components.Marathon.Source.Title()},
		{"jenkins", kind(s.jenkins, war == "standin"), r.Controller.Version, war},
		{"edge", "real", "", "haproxy"},
	}
}

// kind is what the running program says about itself, or what the file asks for while none answers.
func kind(running *bool, configured bool) string {
	standin := configured
	if running != nil {
		standin = *running
	}
	if standin {
		return "stand-in"
	}
	return "real"
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
