// Package drill injects one fault into a cluster at a time, measures from outside how it recovers, counts what is lost, and puts everything
// back: also when it is interrupted, and by the next run when it was killed.
package drill

import (
	"context"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	// KillUnit ends a unit's program with SIGKILL; its keeper starts it again, so there is nothing to undo.
	KillUnit Kind = "kill-unit"
	// StopUnit stops a unit's program with SIGSTOP, which from outside is a host that hangs. Undone by SIGCONT.
	StopUnit Kind = "stop-unit"
	// KillController ends Jenkins with SIGKILL, StopController stops it with SIGSTOP.
	KillController Kind = "kill-controller"
	StopController Kind = "stop-controller"
	// KillTask ends all processes of a Mesos task with SIGKILL.
	KillTask Kind = "kill-task"
	// PowerOff takes a host's power away. Undone by giving it back.
	PowerOff Kind = "power-off"
	// Cut drops all packets between a host and its Peers, or those of one port. Undone by taking the rules away, which the host does by itself after Limit.
	Cut Kind = "cut"
	// Move moves Path to To. Undone by moving it back.
	Move Kind = "move"
	// HomeAway ends the controller's processes and moves the home and its local history aside, as if their disk were gone. Undone by
	// putting the home back under a controller that is stopped for it.
	HomeAway Kind = "home-away"
	// FillDisk fills the disk that Path is on, except for nothing. Undone by removing the file that fills it.
	FillDisk Kind = "fill-disk"
	// Command runs a command of the user's own; Undo is its undo.
	Command Kind = "command"
)

// Injection is one fault, with everything that its undoing needs. It is written down before it is made.
type Injection struct {
	Kind Kind `json:"kind"`
	// Host is the name of a host, empty for this machine.
	Host string `json:"host,omitempty"`
	Unit string `json:"unit,omitempty"`
	Task string `json:"task,omitempty"`
	Path string `json:"path,omitempty"`
	To   string `json:"to,omitempty"`
	// Peers are IP addresses.
	Peers []string `json:"peers,omitempty"`
	// Port limits a cut to the connections that Host has to this TCP port of its Peers; 0 means all packets.
	Port int `json:"port,omitempty"`
	// Limit is after which time a host takes a cut away by itself.
	Limit   time.Duration `json:"limit,omitempty"`
	Command string        `json:"command,omitempty"`
	Undo    string        `json:"undo,omitempty"`
}

// lasting says that the fault stays until it is undone.
func (i Injection) lasting() bool {
	switch i.Kind {
	case KillUnit, KillController, KillTask:
		return false
	}
	return i.Kind != Command || i.Undo != ""
}

// blind says that it is not known where to make the fault, or to whom.
func (i Injection) blind() bool {
	switch i.Kind {
	case Command, Move: // without a host it is this machine
		return false
	case KillController, StopController, KillTask, HomeAway:
		return i.Host == "" || i.Task == ""
	}
	return i.Host == ""
}

// Facts are what a scenario chooses its fault from.
type Facts struct {
	Cluster *config.Cluster
	Report  status.Report
	// Hosts by name: the controller's, and those of the leaders. Empty where it is not known.
	Controller, MasterLeader, MarathonLeader, ZooKeeperLeader string
	// Task is the controller's.
	Task string
	// Control and Agents are the names of all hosts of a role.
	Control, Agents []string
	// Pinned says that the controller can run on one host only, as its home is there.
	Pinned bool
	// Home is the folder of the home on the controller's host, History that of its local history, empty without one.
	Home, History string
	// OwnDisk says that nothing but the home is on its disk, HomeMounted that the home itself is where the disk is mounted.
	OwnDisk, HomeMounted bool
	// Kept says that everything in the home that git keeps is pushed.
	Kept bool
	// Git is the repository of the home's history, empty without one; GitPath is where it is as a folder, empty where it is none.
	Git, GitPath string
	// GitPeers are the addresses of its server, where it has one, and GitPort is its TCP port.
	GitPeers []string
	GitPort  int
	// Contained says that the controller runs in a container.
	Contained bool
	// Registry is the host of the cluster's own image registry, empty without one.
	Registry string
	// CanPower and CanCut say why a host's power or network cannot be taken away; empty where it can.
	CanPower, CanCut string
	// BuildTask and BuildHost are a build agent that works for the drill, where there is one.
	BuildTask string
	BuildHost string
}

// Until says how long a lasting fault lasts.
type Until string

// When a lasting fault is undone.
const (
	// UntilHeld undoes it after Hold; the recovery is what comes then, and what the fault itself has cost counts, too.
	UntilHeld Until = "held"
	// UntilRecovered undoes it when the cluster has recovered in spite of it.
	UntilRecovered Until = "recovered"
)

// Scenario is one drill.
type Scenario struct {
	Name  string
	Title string
	// Hypothesis is what should happen, in one sentence.
	Hypothesis string
	// Blast says in one sentence what it takes away from users.
	Blast func(Facts) string
	// Unavailable says why this cluster cannot have it; empty where it can.
	Unavailable func(Facts) string
	// Refused says why it must not be done now although this cluster can have it, as it would take the last copy of something.
	Refused func(Facts) string
	// Faults chooses what is injected, in this order.
	Faults func(Facts) []Injection
	Until  Until
	Hold   time.Duration
	// Bears are the targets of the prober that may fail for as long as it takes; any other that fails for long ends the drill.
	Bears []string
	// KeepsController says that the hypothesis is that the controller's task lives on.
	KeepsController bool
	// SavesMeanwhile saves one more configuration while the fault lasts; the drill is over only when the history has it, too.
	SavesMeanwhile bool
	// WithBuild has a build run during the fault; LosesBuild says that the hypothesis lets that build be lost.
	WithBuild, LosesBuild bool
	// Recovery is the default target.
	Recovery time.Duration
	// Builds is how many finished builds may be missing by default.
	Builds int
	// CommandHost is where RecoveredCommand runs: a host's name, or empty for this machine.
	CommandHost string
	// RecoveredCommand, where set, must end with 0, too, before it counts as recovered.
	RecoveredCommand string
	// Own says that it is the user's.
	Own bool
}

// Canary is how a drill writes what it then counts.
type Canary interface {
	// Save writes configuration number n of the drill that mark names; when it returns nil the controller has said that it is saved.
	Save(ctx context.Context, mark string, n int) error
	// Saved is the number that the controller has now of that drill, 0 where there is none: that of an earlier drill is none.
	Saved(ctx context.Context, mark string) (int, error)
	// Build runs one build to its end and returns its number.
	Build(ctx context.Context) (int64, error)
	// Builds are the numbers, of those given, that are there and ended well.
	Builds(ctx context.Context, numbers []int64) ([]int64, error)
	// Begin starts a build that takes this long, and returns when it runs, with the Mesos task of its build agent.
	Begin(ctx context.Context, length time.Duration) (number int64, task string, err error)
	// Fate is what has become of a begun build: completed, running, failed, lost, or requeued.
	Fate(ctx context.Context, number int64) (string, error)
	// Remove takes the canary jobs away.
	Remove(ctx context.Context) error
}

// World is the cluster that a drill works on.
type World interface {
	// Look learns the facts.
	Look(ctx context.Context) (Facts, error)
	// Inject makes a fault. One that was made already is made again.
	Inject(ctx context.Context, i Injection) error
	// Undo takes a fault back, wholly or cut off half-way, made or not.
	Undo(ctx context.Context, i Injection) error
	// Probe asks until the context ends.
	Probe(ctx context.Context, sink func(probe.Sample))
	// Owners counts the controllers that run now, on all hosts that can be asked: Jenkins itself, not what waits to start it.
	Owners(ctx context.Context) (int, error)
	// Command runs a command of the user's on a host, or on this machine.
	Command(ctx context.Context, host, command string) error
	Canary() Canary
}

// Target is what a recovery may cost.
type Target struct {
	// Recovery is in seconds.
	Recovery       float64 `json:"recovery"`
	Configurations int     `json:"configurations"`
	// ConfigurationSeconds lets configurations be missing that were saved less than so long before the fault.
	ConfigurationSeconds float64 `json:"configurationSeconds"`
	Builds               int     `json:"builds"`
}

// Lost is what was saved before the fault and is missing after it, and what did not work meanwhile.
type Lost struct {
	// Configurations of Saved numbered ones; ConfigurationSeconds is the age of the oldest missing one at the fault, negative where it was
	// saved while the fault lasted.
	Configurations       int     `json:"configurations"`
	Saved                int     `json:"saved"`
	ConfigurationSeconds float64 `json:"configurationSeconds"`
	// Builds of Built ended ones.
	Builds int `json:"builds"`
	Built  int `json:"built"`
	// Running is what became of the build that ran at the fault: completed, running, failed, lost or requeued; empty without one.
	Running string `json:"running,omitempty"`
	// Requests are those of the prober to the edge that failed, of Requested.
	Requests  int `json:"requests"`
	Requested int `json:"requested"`
}

// Oldest says when the oldest missing configuration was saved.
func (l Lost) Oldest() string {
	if l.ConfigurationSeconds < 0 {
		return fmt.Sprintf("%.1f s after the fault", -l.ConfigurationSeconds)
	}
	return fmt.Sprintf("%.1f s before the fault", l.ConfigurationSeconds)
}

// Recovery is a recovery in seconds. Phases that did not take place are 0.
type Recovery struct {
	// Seconds is the time from the fault until people were served for good and Jenkins was registered with Mesos; -1 where that never came.
	Seconds float64 `json:"seconds"`
	// Served is the time until people were served for good, a part of Seconds; -1 where that never came.
	Served       float64 `json:"served"`
	Detection    float64 `json:"detection"`
	Rescheduling float64 `json:"rescheduling"`
	Image        float64 `json:"image"`
	HomeRestore  float64 `json:"homeRestore"`
	Boot         float64 `json:"boot"`
	// Edge is for a controller that was there all the time.
	Edge       float64 `json:"edge"`
	Framework  float64 `json:"framework"`
	FirstBuild float64 `json:"firstBuild"`
}

// Result is how one drill ended.
type Result struct {
	Name string `json:"name"`
	// Passed says that it recovered, that the hypothesis held, and that no target was missed.
	Passed   bool     `json:"passed"`
	Recovery Recovery `json:"recovery"`
	Lost     Lost     `json:"lost"`
	Target   Target   `json:"target"`
	// Recovered is false where the cluster did not come back in time, or the drill was ended before.
	Recovered bool `json:"recovered"`
	// Unmeasured are the targets that did not answer before the fault either, so that nothing is said about them.
	Unmeasured []string `json:"unmeasured,omitempty"`
	// Reasons are why it has not passed.
	Reasons    []string      `json:"reasons,omitempty"`
	Title      string        `json:"title"`
	Hypothesis string        `json:"hypothesis"`
	Cluster    string        `json:"cluster"`
	Run        string        `json:"run,omitempty"`
	Began      time.Time     `json:"began"`
	Ended      time.Time     `json:"ended"`
	Faults     []Injection   `json:"faults"`
	Events     []probe.Event `json:"events"`
	// Outages are the targets that failed.
	Outages []probe.Outage `json:"outages,omitempty"`
	// Phases and Intervals are what charts are drawn from.
	Phases    []probe.Part     `json:"phases,omitempty"`
	Intervals []probe.Interval `json:"intervals,omitempty"`
}

// Counted says that the drill has come as far as counting what is lost; otherwise its zeros mean nothing.
func (r Result) Counted() bool { return r.Recovered || r.Lost.Saved > 0 }

// homeDeleted is the one scenario in which the disk is gone with what was not pushed yet: at most what was saved within jenkins.scm.debounce and
// the time of one push.
const (
	homeDeleted = "home-deleted"
	onePush     = 3 * time.Second
)

// TargetOf is the target of a scenario: that of the cluster file, or the scenario's own.
func TargetOf(c *config.Cluster, s Scenario) Target {
	t := Target{Recovery: s.Recovery.Seconds(), Builds: s.Builds}
	if s.Name == homeDeleted && c.Jenkins.SCM != nil {
		t.ConfigurationSeconds = c.Jenkins.SCM.Debounce.Duration().Seconds() + onePush.Seconds()
	}
	if c.Drill == nil {
		return t
	}
	for _, own := range c.Drill.Targets {
		if own.Scenario != s.Name {
			continue
		}
		if own.Recovery > 0 {
			t.Recovery = own.Recovery.Duration().Seconds()
		}
		t.Configurations = own.Configurations
		if own.Builds > 0 { // left out, it is the scenario's own
			t.Builds = own.Builds
		}
	}
	return t
}
