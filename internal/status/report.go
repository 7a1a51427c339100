// Package status looks at a whole cluster at once and judges it: one Report serves the text, the JSON and everything else
// that shows or checks a cluster. Whatever is down makes the report partial, never absent.
package status

import (
	"slices"
	"time"
)

// Severity says how bad a finding is.
type Severity string

// The severities. Only an error makes a cluster not ready.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one thing that is not as it should be, and what to do about it.
type Finding struct {
	Severity Severity `json:"severity"`
	// Subject names the part: "zookeeper c1", "mesos-agent a2", "controller".
	Subject string `json:"subject"`
	Problem string `json:"problem"`
	Fix     string `json:"fix"`
}

// Report is a cluster as it was at one moment. Memory and disk are MiB.
type Report struct {
	Cluster string `json:"cluster"`
	Target  string `json:"target"`
	// Ready: builds can run now.
	Ready bool `json:"ready"`
	// URL is where people reach Jenkins.
	URL        string      `json:"url"`
	Checked    time.Time   `json:"checked"`
	Components []Component `json:"components"`
	Hosts      []Host      `json:"hosts"`
	ZooKeeper  ZooKeeper   `json:"zookeeper"`
	Mesos      Mesos       `json:"mesos"`
	Marathon   Marathon    `json:"marathon"`
	Controller Controller  `json:"controller"`
	// Backup is what became of the last backups of the home, nil where none are to be made.
	Backup   *Backup   `json:"backup,omitempty"`
	Findings []Finding `json:"findings"`
}

// Answers says that at least one part of the cluster has answered: ZooKeeper, a Mesos master, Marathon or the controller.
func (r Report) Answers() bool {
	return slices.ContainsFunc(r.ZooKeeper.Servers, func(s ZooServer) bool { return s.Mode != "" }) ||
		slices.ContainsFunc(r.Mesos.Masters, func(m Master) bool { return m.Error == "" }) ||
		r.Mesos.Error == "" && r.Mesos.Leader != "" || r.Marathon.Error == "" && r.Marathon.Leader != "" ||
		r.Controller.State == "up" || r.Controller.State == "starting"
}

// Component is one program and whether it is the real one.
type Component struct {
	Name string `json:"name"`
	// Kind is "real" or "stand-in".
	Kind string `json:"kind"`
	// Version is empty while nothing that runs could be asked.
	Version string `json:"version,omitempty"`
	// Source says where it comes from.
	Source string `json:"source,omitempty"`
}

// Host is one host and its units.
type Host struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	Roles   []string `json:"roles"`
	Units   []Unit   `json:"units"`
	Error   string   `json:"error,omitempty"`
	// Silent says that there was no answer in time, and no refusal either: the host is away, or has much to do.
	Silent bool `json:"silent,omitempty"`
	// Disk is the disk that jomctl's files on the host are on, nil where it could not be asked.
	Disk *Disk `json:"disk,omitempty"`
}

// Disk is a file system, in MiB. Used and Free are what df says, so that they are less than Total by what is kept for root.
type Disk struct {
	Mount string `json:"mount"`
	Total int64  `json:"total"`
	Used  int64  `json:"used"`
	Free  int64  `json:"free"`
}

// Percent is how much of what users may use is used, 0 to 100.
func (d Disk) Percent() float64 {
	if d.Used+d.Free <= 0 {
		return 0
	}
	return 100 * float64(d.Used) / float64(d.Used+d.Free)
}

// Unit is one program that a host keeps running. State is running, waiting (for its next start) or stopped.
type Unit struct {
	Name     string     `json:"name"`
	State    string     `json:"state"`
	PID      int        `json:"pid,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
	Restarts int        `json:"restarts"`
	LastExit string     `json:"lastExit,omitempty"`
	Log      string     `json:"log,omitempty"`
	Problem  string     `json:"problem,omitempty"`
}

// ZooKeeper is the ensemble.
type ZooKeeper struct {
	Quorum  bool        `json:"quorum"`
	Servers []ZooServer `json:"servers"`
}

// ZooServer is one server; Mode is leader, follower, standalone or empty.
type ZooServer struct {
	Address string `json:"address"`
	Mode    string `json:"mode"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Mesos is the masters, the Mesos agents and the frameworks.
type Mesos struct {
	Leader  string   `json:"leader"`
	Version string   `json:"version,omitempty"`
	Masters []Master `json:"masters"`
	Agents  []Agent  `json:"agents"`
	// Frameworks are the live ones.
	Frameworks []Framework `json:"frameworks"`
	Error      string      `json:"error,omitempty"`
}

// Master is one Mesos master.
type Master struct {
	Address string `json:"address"`
	Leads   bool   `json:"leads"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Resources is an amount of CPUs and MiB.
type Resources struct {
	CPUs float64 `json:"cpus"`
	Mem  float64 `json:"mem"`
	Disk float64 `json:"disk"`
}

// Agent is one Mesos agent as the leading master sees it. One that is drained is Deactivated and not Active, though it is there.
type Agent struct {
	ID          string    `json:"id"`
	Host        string    `json:"host"`
	Address     string    `json:"address"`
	Active      bool      `json:"active"`
	Deactivated bool      `json:"deactivated"`
	Total       Resources `json:"total"`
	Used        Resources `json:"used"`
}

// Framework is one framework.
type Framework struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Active bool      `json:"active"`
	Used   Resources `json:"used"`
	Tasks  []Task    `json:"tasks"`
	// Reregistered is when its scheduler came back last; zero where it never had to.
	Reregistered time.Time `json:"reregistered,omitzero"`
}

// Task is one Mesos task.
type Task struct {
	ID    string    `json:"id"`
	Name  string    `json:"name,omitempty"`
	Host  string    `json:"host"`
	State string    `json:"state"`
	Size  Resources `json:"size"`
	// Since is when it got into State.
	Since time.Time `json:"since,omitzero"`
}

// Marathon is Marathon and its apps.
type Marathon struct {
	Leader  string `json:"leader"`
	Version string `json:"version,omitempty"`
	// App is the controller's app.
	App   *App   `json:"app,omitempty"`
	Error string `json:"error,omitempty"`
}

// App is a Marathon app.
type App struct {
	ID          string   `json:"id"`
	Version     string   `json:"version"`
	Running     int      `json:"running"`
	Instances   int      `json:"instances"`
	Healthy     int      `json:"healthy"`
	Deployments []string `json:"deployments,omitempty"`
	Task        string   `json:"task,omitempty"`
	Host        string   `json:"host,omitempty"`
	LastFailure string   `json:"lastFailure,omitempty"`
}

// Controller is the Jenkins controller.
type Controller struct {
	URL     string `json:"url"`
	Version string `json:"version,omitempty"`
	// State is absent, refused, starting, failed or up.
	State string `json:"state"`
	Ready bool   `json:"ready"`
	Host  string `json:"host,omitempty"`
	Task  string `json:"task,omitempty"`
	// Secured: an anonymous visitor is refused.
	Secured bool `json:"secured"`
	// AgentPort is what build agents connect to, 0 when it is not open.
	AgentPort int  `json:"agentPort"`
	Quieting  bool `json:"quieting"`
	Nodes     int  `json:"nodes"`
	Busy      int  `json:"busy"`
	// Queue are the waiting builds with the reason that each one waits.
	Queue []QueueItem `json:"queue"`
	// BuildAgents are the Nodes by name.
	BuildAgents []BuildAgent `json:"buildAgents,omitempty"`
	// Home is what the controller says about the history of its home, nil where none is kept.
	Home  *Home  `json:"home,omitempty"`
	Error string `json:"error,omitempty"`
}

// BuildAgent is one build agent as Jenkins sees it.
type BuildAgent struct {
	Name    string `json:"name"`
	Offline bool   `json:"offline,omitempty"`
	Busy    bool   `json:"busy,omitempty"`
	// Reason says why it is offline.
	Reason string `json:"reason,omitempty"`
}

// Home is the history of the controller's home.
type Home struct {
	// Epoch is the number of the controller generation that owns the home, Owner the host that it is on.
	Epoch int64  `json:"epoch"`
	Owner string `json:"owner,omitempty"`
	// Unpushed is since when there is a change that the repository does not have; zero when it has all.
	Unpushed time.Time `json:"unpushed,omitzero"`
	LastPush time.Time `json:"lastPush,omitzero"`
	Files    int       `json:"files"`
	// Problem is why something is not kept or not pushed, or why the controller was not started.
	Problem string `json:"problem,omitempty"`
}

// Backup is what became of the last backups of the home.
type Backup struct {
	Repository string `json:"repository"`
	// Period is the time between two backups of the schedule in seconds, 0 without one.
	Period float64 `json:"periodSeconds,omitempty"`
	// Good is when the last backup began of which a test restore was good, GoodID its name in the repository; zero where there is none.
	Good   time.Time `json:"good,omitzero"`
	GoodID string    `json:"goodID,omitempty"`
	// Last is when the last run ended that made a backup or failed, Host where, Failed why it did not give one that counts.
	Last   time.Time `json:"last,omitzero"`
	Host   string    `json:"host,omitempty"`
	Failed string    `json:"failed,omitempty"`
	// Failures is how many runs have failed since Good.
	Failures int `json:"failures,omitempty"`
	// Error says what could not be asked.
	Error string `json:"error,omitempty"`
}

// QueueItem is one waiting build.
type QueueItem struct {
	Job string `json:"job"`
	Why string `json:"why"`
	// Since is when it began to wait.
	Since time.Time `json:"since,omitzero"`
	// Stuck means that Jenkins sees no node that could ever run it.
	Stuck bool `json:"stuck,omitempty"`
}
