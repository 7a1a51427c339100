package doctor

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/status"
)

var errDown = errors.New("connection refused")

// world is a cluster that a test breaks.
type world struct {
	down       bool // Mesos, Marathon, ZooKeeper and Jenkins do not answer
	state      []cluster.State
	masters    []cluster.MasterHealth
	leader     string
	marathon   string
	app        cluster.App
	appErr     error
	deploys    []cluster.Deployment
	waiting    string
	logs       map[string]string // sandbox file by TASK/FILE
	nodes      []jenkins.Node
	port       int
	phase      jenkins.Phase
	silent     []string // addresses that do not answer
	report     status.Report
	machines   []host.Machine
	target     config.Target
	jenkinsErr error
}

func healthy() *world {
	return &world{
		masters: []cluster.MasterHealth{{Addr: "10.0.0.1:5050", Elected: true, Recovered: true}},
		leader:  "10.0.0.1:5050", marathon: "10.0.0.1:8090", port: 50000, phase: jenkins.PhaseUp, target: config.TargetHosts,
		state: []cluster.State{{
			Agents:     []cluster.Agent{{ID: "S0", Hostname: "10.0.0.2", Addr: "10.0.0.2:5051", Active: true}},
			Frameworks: []cluster.Framework{{ID: "jenkins-ci-e1", Name: "jenkins-ci", Active: true, Connected: true, Reregistered: 5}},
		}},
		app: cluster.App{ID: "/ci/jenkins", Instances: 1, Tasks: []cluster.AppTask{{ID: "t1", Host: "10.0.0.2", State: "TASK_RUNNING"}}},
	}
}

func (w *world) err() error {
	if w.down {
		return errDown
	}
	return nil
}

func (w *world) inputs(t *testing.T) Inputs {
	c := &config.Cluster{Name: "ci", Target: w.target, File: t.TempDir() + "/cluster.yaml",
		Hosts: []config.Host{{Name: "c1", Address: "10.0.0.1"}, {Name: "a1", Address: "10.0.0.2"}}}
	c.Jenkins.App.AgentPort = 50000
	return Inputs{Cluster: c, Machines: w.machines, ZooKeeper: w, Mesos: mesosOf{w}, Marathon: w.marathonOf(), Jenkins: jenkinsOf{w},
		JenkinsError: w.jenkinsErr, AppID: "/ci/jenkins", Framework: "jenkins-ci", Version: "test", Secrets: []string{"topsecretvalue"},
		Report: func(context.Context) status.Report { return w.report },
		Dial: func(_ context.Context, addr string) error {
			if w.down || slices.Contains(w.silent, addr) {
				return errDown
			}
			return nil
		}}
}

// check runs one check by its id.
func (w *world) check(t *testing.T, id string) Result {
	t.Helper()
	checks := slices.DeleteFunc(Checks(), func(c Check) bool { return c.ID != id })
	require.Len(t, checks, 1, id)
	return run(context.Background(), w.inputs(t), checks, 1)[0]
}

// one is the only finding of a check, in one text.
func (w *world) one(t *testing.T, id string) (Finding, string) {
	t.Helper()
	result := w.check(t, id)
	require.Len(t, result.Findings, 1, "%+v", result)
	f := result.Findings[0]
	return f, strings.Join(append([]string{f.Subject, f.Problem, f.Fix}, f.Evidence...), "\n")
}

func (w *world) MesosLeader(context.Context, string) (cluster.MesosLeader, error) {
	return cluster.MesosLeader{Addr: w.leader}, w.err()
}

func (w *world) MarathonLeader(context.Context, string) (string, error) { return w.marathon, w.err() }

type mesosOf struct{ w *world }

// State gives one state after the other, the last one for ever.
func (m mesosOf) State(context.Context) (cluster.State, error) {
	now := m.w.state[0]
	if len(m.w.state) > 1 {
		m.w.state = m.w.state[1:]
	}
	if m.w.down {
		return cluster.State{}, errDown
	}
	return now, nil
}

func (m mesosOf) Health(context.Context) []cluster.MasterHealth { return m.w.masters }

func (m mesosOf) TaskLog(_ context.Context, task, file string, _ int) (string, error) {
	text, ok := m.w.logs[task+"/"+file]
	if !ok {
		return "", cluster.ErrNotFound
	}
	return text, m.w.err()
}

type marathonFake struct{ w *world }

func (w *world) marathonOf() Marathon { return marathonFake{w} }

func (m marathonFake) App(context.Context, string) (cluster.App, error) {
	return m.w.app, errors.Join(m.w.appErr, m.w.err())
}

func (m marathonFake) Deployments(context.Context) ([]cluster.Deployment, error) {
	return m.w.deploys, m.w.err()
}

func (m marathonFake) Waiting(context.Context, string) (string, error) { return m.w.waiting, m.w.err() }

type jenkinsOf struct{ w *world }

func (j jenkinsOf) State(context.Context) jenkins.State {
	if j.w.down {
		return jenkins.State{Phase: jenkins.PhaseRefused}
	}
	return jenkins.State{Phase: j.w.phase}
}

func (j jenkinsOf) AgentListener(context.Context) (int, error) { return j.w.port, j.w.err() }

func (j jenkinsOf) Nodes(context.Context) ([]jenkins.Node, error) { return j.w.nodes, j.w.err() }

// machine is a host with units, logs and answers to commands.
type machine struct {
	name  string
	units []host.Status
	runs  map[string]string // stdout by command line
	err   error
}

func (m *machine) Name() string    { return m.name }
func (m *machine) Address() string { return "10.0.0.9" }
func (m *machine) Dir() string     { return "/srv/jomctl" }
func (m *machine) ReadFile(context.Context, string) ([]byte, error) {
	return nil, fs.ErrNotExist
}
func (m *machine) WriteFile(context.Context, string, []byte, fs.FileMode) (bool, error) {
	return false, errors.New("the doctor must not write")
}
func (m *machine) MkdirAll(context.Context, string, fs.FileMode) error {
	return errors.New("the doctor must not write")
}
func (m *machine) Remove(context.Context, string) error {
	return errors.New("the doctor must not write")
}
func (m *machine) Stat(context.Context, string) (host.Info, error) {
	return host.Info{}, fs.ErrNotExist
}
func (m *machine) Run(_ context.Context, argv ...string) (host.Output, error) {
	text, ok := m.runs[strings.Join(argv, " ")]
	if m.err != nil || !ok {
		return host.Output{}, errors.Join(m.err, errors.New("no such command: "+argv[0]))
	}
	return host.Output{Stdout: text}, nil
}
func (m *machine) Units() host.Units { return unitsOf{m: m} }

type unitsOf struct {
	host.Units // what is not faked panics
	m          *machine
}

func (u unitsOf) List(context.Context) ([]host.Status, error) { return u.m.units, u.m.err }
