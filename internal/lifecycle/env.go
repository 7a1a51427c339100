// Package lifecycle is what can be done to a cluster: install, prove and destroy. Each is one function that returns its
// plan as a literal list of stages.
package lifecycle

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/lifecycle/war"
	"github.com/jomctl/jomctl/internal/wholefile"
	"github.com/jomctl/jomctl/provision"
)

// Env is one cluster with everything that its operations work on.
type Env struct {
	Cluster   *config.Cluster
	Release   *bundles.Release
	Programs  provision.Programs
	Fleet     *provision.Fleet
	ZooKeeper cluster.ZooKeeper
	Mesos     cluster.Mesos
	Marathon  cluster.Marathon
	// Engine makes images; nil is the Docker Engine of this machine.
	Engine images.Engine

	findings []provision.Finding
	// versions are changes of versions of a cluster that runs, which only an upgrade of the platform may make.
	versions []provision.Finding
	// notes are what a look at the hosts has shown that a user should know.
	notes []string
	// own is set for hosts of their own: every target but local.
	own *ownHosts
	// recorded reads what is installed.
	recorded *record.Reader
	// folders are those in the folders of the hosts of this machine.
	folders *wholefile.Memo[[]string]
	// state is that of Mesos when it was looked at last.
	state *cluster.LastState
	// intended are hosts whose coming or going is what the running operation is about.
	intended []string
}

// Open looks at the machine, finds the programs of a cluster and makes its clients. What is missing is no error here:
// Preflight reports it together with everything else.
func Open(ctx context.Context, c *config.Cluster, access inventory.Access) (*Env, error) {
	if c.Target != config.TargetLocal {
		return openHosts(ctx, c, access)
	}
	programs, findings := provision.PreflightLocal(ctx, c, "")
	env, err := open(c, programs)
	if err != nil {
		return nil, err
	}
	env.findings = findings
	env.javaOfRelease(ctx)
	env.versions, err = env.otherVersions(ctx)
	return env, err
}

// javaOfRelease picks the Java for a war that is not here yet: it will be the release's, whose Java versions are known.
func (e *Env) javaOfRelease(ctx context.Context) {
	program := &e.Programs.Jenkins
	if program.Standin || program.Version != "" || !war.Of(e.Cluster, e.Release).Remote() {
		return
	}
	program.Version = e.Release.Core.Version
	if e.Cluster.Jenkins.Java != "" || slices.Contains(e.Release.Java, program.Java.Major) {
		return
	}
	java, found := provision.NewestJava(provision.FindJava(ctx), e.Release.Java)
	if !found {
		e.findings = append(e.findings, provision.Finding{Subject: "java",
			Problem: fmt.Sprintf("Jenkins %s runs on Java %s, and none of them was found", program.Version, strings.Trim(fmt.Sprint(e.Release.Java), "[]")),
			Fix:     "install one of them, or name its folder in jenkins.java"})
	}
	program.Java = java
}

// Look is Open for those who only look at a cluster that runs, and is quicker: no program is asked for its version.
func Look(c *config.Cluster) (*Env, error) {
	if c.Target != config.TargetLocal {
		return lookHosts(c, inventory.Access{})
	}
	return open(c, provision.Programs{})
}

func open(c *config.Cluster, programs provision.Programs) (*Env, error) {
	fleet, err := provision.NewLocalFleet(c, programs)
	if err != nil {
		return nil, err
	}
	return newEnv(c, programs, fleet)
}

func newEnv(c *config.Cluster, programs provision.Programs, fleet *provision.Fleet) (*Env, error) {
	name := c.Release
	if filepath.Base(name) != name {
		name = c.Resolve(name)
	}
	release, err := bundles.Load(name)
	if err != nil {
		return nil, &Refusal{Problem: err.Error(), Fix: "set `release` in " + c.File}
	}
	env := &Env{Cluster: c, Release: release, Programs: programs, Fleet: fleet, recorded: &record.Reader{}, state: &cluster.LastState{}, folders: &wholefile.Memo[[]string]{},
		ZooKeeper: cluster.ZooKeeper{Servers: provision.ZooKeeperServers(c)}}
	var masters, marathons []string
	for _, h := range c.HostsWith(config.RoleControl) {
		masters = append(masters, net.JoinHostPort(h.Address, strconv.Itoa(provision.MasterPort)))
		marathons = append(marathons, "http://"+net.JoinHostPort(h.Address, strconv.Itoa(provision.MarathonPort)))
	}
	env.Mesos = cluster.Mesos{Masters: masters}
	env.Marathon = cluster.Marathon{URLs: marathons, Mesos: &env.Mesos, Login: c.MarathonLogin}
	return env, nil
}

// Dial is the way to addresses of the cluster; nil is the direct one.
func (e *Env) Dial() cluster.Dial {
	if e.own == nil {
		return nil
	}
	return e.own.dial
}

// Tunnel is the command that a browser on this machine needs to reach the controller by http://127.0.0.1:8080; empty where its URL leads there.
func (e *Env) Tunnel() string {
	if e.own == nil {
		return ""
	}
	remote := e.own.remotes[e.Cluster.HostsWith(config.RoleControl)[0].Name]
	if remote == nil || !remote.Hidden() {
		return ""
	}
	return remote.Tunnel(provision.EdgeControllerPort)
}

// Visitor is a client of the controller that logs in as nobody.
func (e *Env) Visitor() *jenkins.Client { return jenkins.New(e.URL(), "", "").Through(e.Dial()) }

// URL is where people and build agents reach the controller: the edge of the first control host.
func (e *Env) URL() string { return e.edge(provision.EdgeControllerPort) }

func (e *Env) edge(port int) string {
	return "http://" + net.JoinHostPort(e.Cluster.HostsWith(config.RoleControl)[0].Address, strconv.Itoa(port))
}

// AppID is the controller's app.
func (e *Env) AppID() string { return "/" + e.Cluster.Name + "/jenkins" }

// Jenkins is a client of the controller as its admin.
func (e *Env) Jenkins() (*jenkins.Client, error) {
	password, err := e.Cluster.Jenkins.Admin.Password.Resolve(e.Cluster)
	if err != nil {
		return nil, fmt.Errorf("reading the admin's password: %w", err)
	}
	return jenkins.New(e.URL(), e.Cluster.Jenkins.Admin.User, password).Through(e.Dial()), nil
}

// cloud is the Mesos cloud of the controller. It reaches the masters through the edge, as the plugin looks for the leader
// only once.
func (e *Env) cloud() (jenkins.Cloud, error) {
	templates, err := e.templates()
	if err != nil {
		return jenkins.Cloud{}, err
	}
	runs := "root"
	if e.own == nil {
		who, err := user.Current()
		if err != nil {
			return jenkins.Cloud{}, fmt.Errorf("finding the user that runs the build agents: %w", err)
		}
		runs = who.Username
	}
	cloud := jenkins.Cloud{Line: e.Cluster.Jenkins.Cloud.Line,
		Master: e.edge(provision.EdgeMasterPort), FrameworkName: e.frameworkName(), FrameworkID: e.frameworkID(), User: runs,
		URL: e.URL(), AgentPort: e.Cluster.Jenkins.App.AgentPort, Templates: templates,
	}
	if e.libmesos() { // which finds the leader by itself
		c := e.controller()
		cloud.Master, cloud.Library = provision.ZooKeeperURL(e.Cluster, provision.MastersPath), c.mesos().Library
		cloud.Plugin = c.mesosPlugin()
	}
	return cloud, nil
}

func (e *Env) frameworkName() string { return "jenkins-" + e.Cluster.Name }

// frameworkEpoch is raised after a teardown, as Mesos never takes a framework back. Nothing tears it down in a cluster
// that lives, so it is the first.
const frameworkEpoch = 1

func (e *Env) frameworkID() string { return jenkins.FrameworkID(e.Cluster.Name, frameworkEpoch) }

// Framework tells the proof what the controller's framework holds in Mesos now.
func (e *Env) Framework(ctx context.Context) (jenkins.FrameworkUse, error) {
	// The framework of line libmesos gets another id at each start of the controller.
	id := e.frameworkID()
	if e.libmesos() {
		id = e.frameworkName()
	}
	use := jenkins.FrameworkUse{ID: id}
	state, err := e.Mesos.State(ctx)
	if err != nil {
		return use, err
	}
	framework, known := state.Framework(id)
	if !known {
		return use, nil
	}
	use.Known, use.Active, use.CPUs, use.MemMiB = true, framework.Active, framework.Used.CPUs, framework.Used.Mem
	for _, task := range framework.Tasks {
		use.Tasks = append(use.Tasks, jenkins.FrameworkTask{ID: task.ID, Host: task.Host, State: task.State})
	}
	return use, nil
}

// hostName is the name of the host with the address, or the address itself.
func (e *Env) hostName(address string) string {
	for _, h := range e.Cluster.Hosts {
		if h.Address == address {
			return h.Name
		}
	}
	return address
}
