// Package upgrade is the order of an upgrade of the controller: the literal list of its stages, the gates that each has to pass, the
// time that it may take, and the way back. What it needs of a cluster is the interface Cluster, so that every cut and every failure can be
// tried on a cluster that is none.
package upgrade

import (
	"context"
	"time"

	"github.com/jomctl/jomctl/internal/lifecycle/progress"
	"github.com/jomctl/jomctl/internal/op"
)

// Verb is the command that the plan carries out.
const Verb = "upgrade-jenkins"

// Side is one of the two versions.
type Side string

// The sides of an upgrade.
const (
	// Old is what ran before, with the home as it was when it was stopped.
	Old Side = "old"
	New Side = "new"
)

// Build is one build that runs, or one item that waits.
type Build struct {
	// Job is the full name, with slashes between folders, Number 0 for what waits, Item the id in the queue.
	Job    string            `json:"job"`
	Number int64             `json:"number,omitempty"`
	Item   int64             `json:"item,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Causes []string          `json:"causes,omitempty"`
	// Secret says that a parameter cannot be read back, so that nobody can ask for the build again.
	Secret bool `json:"secret,omitempty"`
	// Resumes says that a restart does not end it: a Pipeline goes on.
	Resumes bool `json:"resumes,omitempty"`
}

// Work is what a controller does and has still to do.
type Work struct {
	Running []Build `json:"running,omitempty"`
	Queued  []Build `json:"queued,omitempty"`
}

// Rehearsal is what the new version has shown on a copy of the home.
type Rehearsal struct {
	// Seconds is from the start of the process to the first answer.
	Seconds float64  `json:"seconds"`
	Notes   []string `json:"notes,omitempty"`
}

// Preparing is what happens while the old version serves.
type Preparing interface {
	// Check returns the reasons for which nothing may begin now.
	Check(ctx context.Context) []Reason
	// BringNear makes war, plugins or image of the new version ready where the controller will run.
	BringNear(ctx context.Context, say op.Say) error
	// BackUp makes a backup of the home and returns its id; proven says that a test restore must have been made.
	BackUp(ctx context.Context, proven bool, say op.Say) (string, error)
	// Rehearse boots the new version on a restored copy of the backup, without clouds, agent port and queue.
	Rehearse(ctx context.Context, backup string, say op.Say) (Rehearsal, error)
}

// Serving is what is asked of a controller that runs, whichever it is.
type Serving interface {
	// Message is what is shown to everybody, Announce replaces it.
	Message(ctx context.Context) (string, error)
	Announce(ctx context.Context, message string) error
	// Quiet lets nothing new start, Loud ends that.
	Quiet(ctx context.Context, message string) error
	Loud(ctx context.Context) error
	Work(ctx context.Context) (Work, error)
	StopBuild(ctx context.Context, build Build) error
	// Requeue asks for the builds again. Those that are in the queue already, or that nobody can ask for, are returned with the reason.
	Requeue(ctx context.Context, builds []Build, say op.Say) (left []string, err error)
}

// Exchanging is the change itself. Every method copes with having been cut off half-way, and with being called again.
type Exchanging interface {
	// Push waits until everything of the home is pushed to its history, where one is kept.
	Push(ctx context.Context, say op.Say) error
	// Listing notes the files of the home, so that Keep can tell what changed after the backup. From then on no backup is removed.
	Listing(ctx context.Context) error
	// LetGo lets old backups be removed again after a run that was taken back; Record does so after the others.
	LetGo(ctx context.Context) error
	// Stop ends whatever controller there is, and proves that it is gone.
	Stop(ctx context.Context, say op.Say) error
	// Keep notes, of a controller that is gone, everything that the last backup lacks: what it has written since, queue.xml and config.xml.
	Keep(ctx context.Context, say op.Say) error
	// Deploy starts a version. The new one starts shut: no queue, no cloud, no executor.
	Deploy(ctx context.Context, side Side, say op.Say) error
	// Ready is the gate: the version, secured, plugins as locked, configuration applied; the new one still shut.
	Ready(ctx context.Context, side Side, say op.Say) error
	// Canary runs a build on an agent of each template, while no other build can start.
	Canary(ctx context.Context, say op.Say) error
	// Open gives the new version its cloud and its executors.
	Open(ctx context.Context, say op.Say) error
	// Touched says whether the home is another one than Keep has seen.
	Touched(ctx context.Context) (bool, error)
	// Ahead restores, while the new version may still run, the home that Keep has seen beside the one that is there, so that Restore has little to do.
	Ahead(ctx context.Context, backup string, say op.Say) error
	// Restore puts the home in place that Keep has seen, and returns where the failed one is kept.
	Restore(ctx context.Context, backup string, say op.Say) (kept string, err error)
	// Untouched gives a home that was not written to its queue back.
	Untouched(ctx context.Context) error
	// Record makes the cluster file and what is known of the installed cluster those of the new version.
	Record(ctx context.Context, say op.Say) error
}

// Cluster is everything that an upgrade needs.
type Cluster interface {
	Preparing
	Serving
	Exchanging
}

// Options shape a run. The zero Now is time.Now.
type Options struct {
	// Wait lets the run wait for the window instead of being refused outside of it.
	Wait bool
	// Drain is how long running builds may take to end; StopBuilds ends them then, otherwise the run is given up.
	Drain      time.Duration
	StopBuilds bool
	// Push is how long the home's history may take to have everything; 0 means 5 minutes. Nothing new starts meanwhile.
	Push time.Duration
	// Canary is how long the builds of the canary may take together.
	Canary time.Duration
	// Start is how long the new version may take to be ready.
	Start time.Duration
	// Changes are the preview's lines, by the ids of steps.
	Changes map[string][]string
	// Window gives the time in which changes are allowed.
	Window Window
	// Tick is how often the drain looks.
	Tick time.Duration
	Now  func() time.Time
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// Plan is the whole upgrade. Each stage is left only through its gates; up to the step `open` everything can be taken back, and from
// there on the run only goes forward.
func Plan(c Cluster, s *Store, opts Options) op.Plan {
	u := &upgrade{c: c, s: s, o: opts, times: progress.Recorder{Times: &s.State.Times, Now: opts.now, Save: s.Save}}
	return op.Plan{Verb: Verb, Stages: []op.Stage{
		{Name: "Beforehand", Steps: []op.Step{u.near(), u.firstBackup(), u.rehearse()}},
		{Name: "Window", Steps: []op.Step{u.window()}},
		{Name: "Quiet", Steps: []op.Step{u.announce(), u.quiet(), u.drain(), u.push(), u.lastBackup()}},
		{Name: "Exchange", Steps: []op.Step{u.stop(), u.keep(), u.deploy(), u.ready(), u.canary(), u.open()}},
		{Name: "Afterwards", Steps: []op.Step{u.requeue(), u.withdraw(), u.record()}},
	}}
}

type upgrade struct {
	c Cluster
	s *Store
	o Options
	// times are those of the state.
	times progress.Recorder
}
