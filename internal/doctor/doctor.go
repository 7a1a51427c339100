// Package doctor looks for the troubles that installations of Jenkins on Mesos are known for, says what each one is, shows
// the evidence and names the fix. Every check works on what is there and says what it could not look at, so that it is
// useful when half the cluster is down. Bundle collects the same things in one archive for somebody else to read.
package doctor

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/status"
)

// Finding is a finding of status with what shows it.
type Finding struct {
	status.Finding
	// Evidence are lines of logs and answers, without secrets.
	Evidence []string `json:"evidence,omitempty"`
}

// Result is what came of one check.
type Result struct {
	Check    string    `json:"check"`
	Title    string    `json:"title"`
	Findings []Finding `json:"findings"`
	// CouldNot says what the check could not look at and why; empty when it saw everything.
	CouldNot []string `json:"couldNot,omitempty"`
}

// Check is one trouble, or one family of them.
type Check struct {
	// ID is made of a-z and -, Title says what is looked at.
	ID, Title string
	look      func(ctx context.Context, f *facts) ([]Finding, error)
}

// ZooKeeper, Mesos, Marathon and Jenkins are what the checks ask; the clients of the packages cluster and jenkins are such.
type (
	ZooKeeper interface {
		MesosLeader(ctx context.Context, path string) (cluster.MesosLeader, error)
		MarathonLeader(ctx context.Context, path string) (string, error)
	}
	Mesos interface {
		State(ctx context.Context) (cluster.State, error)
		Health(ctx context.Context) []cluster.MasterHealth
		TaskLog(ctx context.Context, taskID, file string, n int) (string, error)
	}
	Marathon interface {
		App(ctx context.Context, id string) (cluster.App, error)
		Deployments(ctx context.Context) ([]cluster.Deployment, error)
		Waiting(ctx context.Context, appID string) (string, error)
	}
	Jenkins interface {
		State(ctx context.Context) jenkins.State
		AgentListener(ctx context.Context) (int, error)
		Nodes(ctx context.Context) ([]jenkins.Node, error)
	}
)

// Inputs are what is looked at.
type Inputs struct {
	Cluster   *config.Cluster
	Machines  []host.Machine
	ZooKeeper ZooKeeper
	Mesos     Mesos
	Marathon  Marathon
	Jenkins   Jenkins
	// JenkinsError says why Jenkins can only be asked as a visitor, nil when it is asked as the admin.
	JenkinsError error
	// AppID is the controller's app, Framework the name of the framework of its build agents.
	AppID, Framework string
	// Report is what `status` says; its findings are the first check, and no other check repeats them.
	Report func(ctx context.Context) status.Report
	// Dial tries a connection to host:port; nil means TCP with 3 s.
	Dial func(ctx context.Context, addr string) error
	// Secrets are values that must appear nowhere.
	Secrets []string
	// Version is that of this program.
	Version string
	// Raw are base URLs ("http://10.0.0.1:5050") and addresses that the bundle reads as they are.
	Raw Raw
}

// Raw is where the bundle finds what it keeps as it was answered.
type Raw struct {
	Masters, Marathons []string // base URLs
	ZooKeepers         []string // host:port
	// JenkinsUser and JenkinsPassword are for Jenkins at JenkinsURL; empty means as a visitor.
	JenkinsURL, JenkinsUser, JenkinsPassword string
	// MarathonUser and MarathonPassword are for every Marathon; empty where it asks for none.
	MarathonUser, MarathonPassword string
	// Dial leads to all of them; nil is the direct way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	dialTimeout = 3 * time.Second
	// checkTimeout is what one check may take; whatever is down answers by timing out.
	checkTimeout = 20 * time.Second
)

// Checks are all checks, in the order in which their results are read best.
func Checks() []Check {
	return []Check{
		{"status", "every part runs and is reachable", checkStatus},
		{"masters", "a majority of the Mesos masters is there", checkMasters},
		{"addresses", "every part advertises an address at which it can be reached", checkAddresses},
		{"doors", "what the file wants closed is closed to strangers", checkDoors},
		{"recovery", "no program refuses to start", checkRefusals},
		{"log-lines", "the logs show no known trouble", checkLogs},
		{"disk", "the disks have room", checkDisk},
		{"deployment", "no deployment is stuck", checkDeployment},
		{"controller-task", "the controller's task does not fail", checkControllerTask},
		{"agent-port", "somebody listens at the controller's agent port", checkAgentPort},
		{"launch-storm", "build agents that are launched also come up", checkStorm},
		{"frameworks", "every framework has a scheduler that stays", checkFrameworks},
		{"drained", "no Mesos agent was left out of service", checkDrained},
		{"backups", "the hosts back the home up by themselves", checkBackups},
		{"offline-nodes", "no dead build agent is left behind in Jenkins", checkOfflineNodes},
	}
}

// Run does all checks, so many at the same time, and returns their results in the order of Checks. A check that panics
// is a result, too.
func Run(ctx context.Context, in Inputs, parallel int) []Result {
	return run(ctx, in, Checks(), parallel)
}

func run(ctx context.Context, in Inputs, checks []Check, parallel int) []Result {
	f := newFacts(ctx, in)
	results := make([]Result, len(checks))
	slots := make(chan struct{}, max(parallel, 1))
	var group sync.WaitGroup
	for i, check := range checks {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = f.do(ctx, check)
		})
	}
	group.Wait()
	return results
}

func (f *facts) do(ctx context.Context, check Check) (result Result) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	result = Result{Check: check.ID, Title: check.Title, Findings: []Finding{}}
	defer func() {
		if fault := recover(); fault != nil {
			result.CouldNot = append(result.CouldNot, fmt.Sprintf("the check itself failed: %v at %.400s", fault, debug.Stack()))
		}
	}()
	found, err := check.look(ctx, f)
	for _, one := range found {
		one.Problem, one.Fix = f.redact.Text(one.Problem), f.redact.Text(one.Fix)
		for i := range one.Evidence {
			one.Evidence[i] = f.redact.Text(one.Evidence[i])
		}
		result.Findings = append(result.Findings, one)
	}
	for _, one := range split(err) {
		result.CouldNot = append(result.CouldNot, f.redact.Text(one.Error()))
	}
	return result
}

// split is the errors that were joined; a sentence around them stays whole.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // a wrapped one belongs to its sentence
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, split(one)...)
	}
	return all
}

// try makes a connection to host:port and ends it.
func (r Raw) try(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := r.dial()(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// could wraps an error for CouldNot: "the frameworks, because ...".
func could(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, because: %w", what, err)
}

func finding(severity status.Severity, subject, problem, fix string, evidence ...string) Finding {
	return Finding{status.Finding{Severity: severity, Subject: subject, Problem: problem, Fix: fix}, evidence}
}
