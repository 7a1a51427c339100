package jenkins

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// Resources is what the proof has to know of Mesos.
type Resources interface {
	// Framework is the use of the controller's framework now. One that Mesos does not know is no error.
	Framework(ctx context.Context) (FrameworkUse, error)
}

// FrameworkUse is what the framework holds. Memory is MiB.
type FrameworkUse struct {
	ID     string          `json:"id"`
	Known  bool            `json:"known"`
	Active bool            `json:"active"`
	CPUs   float64         `json:"cpus"`
	MemMiB float64         `json:"memMiB"`
	Tasks  []FrameworkTask `json:"tasks,omitempty"`
}

// FrameworkTask is one task of the framework. The id of a build agent's task is its node's name.
type FrameworkTask struct {
	ID    string `json:"id"`
	Host  string `json:"host"`
	State string `json:"state"`
}

// ProofOptions say what to prove. Zero values stand for what is in brackets.
type ProofOptions struct {
	// Name prefixes the jobs: <name>-proof-1 ...
	Name  string
	Label string
	// Builds is how many run at once [5], Sleep how long each works [20 s].
	Builds int
	Sleep  time.Duration
	// CPUs and MemMiB are what one build agent takes from Mesos, with what the plugin adds (ExtraMem).
	CPUs   float64
	MemMiB float64
	// Start is the time until all run at once [200 s, which covers the provisioner's first delay at its default
	// clock; 120 s do with a clock of 2 to 3 s].
	Start time.Duration
	// Return is the time until nodes and resources are gone after the end; idle time + 2 minutes. [3 min]
	Return time.Duration
	// Tick is how often everything is looked at [500 ms].
	Tick time.Duration
}

// ProofBuild is one build of the proof.
type ProofBuild struct {
	Job      string        `json:"job"`
	Number   int64         `json:"number"`
	Node     string        `json:"node"`
	Host     string        `json:"host"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"`
	Result   string        `json:"result"`
	// Waits is why it does not run (yet).
	Waits string `json:"waits,omitempty"`
}

// Proof is what came out.
type Proof struct {
	Passed bool         `json:"passed"`
	Builds []ProofBuild `json:"builds"`
	// Agents are the different build agents that ran them, AtOnce how many builds ran at the same time.
	Agents []string `json:"agents"`
	AtOnce int      `json:"atOnce"`
	// PeakCPUs and PeakMemMiB are the most that the framework held.
	PeakCPUs   float64 `json:"peakCPUs"`
	PeakMemMiB float64 `json:"peakMemMiB"`
	// Returned says that nodes and resources were gone at the end.
	Returned bool     `json:"returned"`
	Seconds  float64  `json:"seconds"`
	Notes    []string `json:"notes,omitempty"`
	Failures []string `json:"failures,omitempty"`
}

// ProofError is a proof that did not pass, or could not be made.
type ProofError struct {
	Failures []string
	Cause    error
}

func (e *ProofError) Error() string {
	text := "prove that builds run on Mesos: " + strings.Join(e.Failures, "; ")
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause, where the proof could not be made.
func (e *ProofError) Unwrap() error { return e.Cause }

// Hint says what to do next.
func (e *ProofError) Hint() string {
	return "the proof's jobs are kept in Jenkins; `jomctl doctor` looks at agents, framework and agent port"
}

type proof struct {
	c    *Client
	opt  ProofOptions
	res  Resources
	say  func(string)
	said string

	began  time.Time
	out    Proof
	builds []*proofBuild
	hosts  map[string]string // node -> host
	tasks  map[string]bool   // every task ever seen
}

type proofBuild struct {
	ProofBuild
	item int64
}

// Prove runs the builds and judges: all ran at once, each on a build agent of its own; the framework's use rose by
// exactly that many templates; every build succeeded; nodes and resources were given back. The error is a *ProofError
// whenever Passed is false. Jobs are deleted after a pass and kept otherwise.
func (c *Client) Prove(ctx context.Context, opt ProofOptions, res Resources, say func(string)) (Proof, error) {
	p := &proof{c: c, opt: opt.filled(), res: res, say: say, began: time.Now(), hosts: map[string]string{}, tasks: map[string]bool{}}
	cause := p.run(ctx)
	p.out.Seconds = math.Round(time.Since(p.began).Seconds()*10) / 10
	for _, b := range p.builds {
		p.out.Builds = append(p.out.Builds, b.ProofBuild)
	}
	p.out.Passed = cause == nil && len(p.out.Failures) == 0
	if !p.out.Passed {
		return p.out, &ProofError{Failures: p.out.Failures, Cause: cause}
	}
	for _, b := range p.builds {
		if err := c.DeleteJob(ctx, b.Job); err != nil {
			p.out.Notes = append(p.out.Notes, err.Error())
		}
	}
	return p.out, nil
}

func (o ProofOptions) filled() ProofOptions {
	if o.Builds == 0 {
		o.Builds = 5
	}
	if o.Sleep == 0 {
		o.Sleep = 20 * time.Second
	}
	if o.Start == 0 {
		o.Start = 200 * time.Second
	}
	if o.Return == 0 {
		o.Return = 3 * time.Minute
	}
	if o.Tick == 0 {
		o.Tick = 500 * time.Millisecond
	}
	return o
}

func (p *proof) run(ctx context.Context) error {
	if err := p.empty(ctx); err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	for _, phase := range []struct {
		budget time.Duration
		done   func() bool
		wait   func() string
		late   func() []string
	}{
		{p.opt.Start, p.allStarted, p.waiting, p.notStarted},
		{p.opt.Sleep + time.Minute, p.allEnded, p.working, p.notEnded},
	} {
		ok, err := p.until(ctx, phase.budget, phase.done, phase.wait)
		if err != nil {
			return err
		}
		if !ok {
			p.out.Failures = append(p.out.Failures, phase.late()...)
			break
		}
	}
	p.judge()
	if len(p.out.Failures) > 0 {
		return nil
	}
	return p.returned(ctx)
}

// empty waits until the framework holds nothing, so that what rises is the proof's own.
func (p *proof) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.opt.Return)
	defer cancel()
	for {
		use, err := p.res.Framework(ctx)
		if err == nil && len(use.Tasks) == 0 {
			return nil
		}
		if err == nil {
			p.tell(fmt.Sprintf("%d build agents of other builds are still there", len(use.Tasks)))
		}
		if stop := pause(ctx, p.opt.Tick); stop != nil {
			if err == nil {
				err = fmt.Errorf("the framework still holds %d tasks of other builds (%w)", len(use.Tasks), stop)
			}
			return err
		}
	}
}

// start writes all jobs first and then starts them together.
func (p *proof) start(ctx context.Context) error {
	config := FreestyleJob(p.opt.Label, fmt.Sprintf("sleep %d", int(math.Ceil(p.opt.Sleep.Seconds()))), "proves that builds run on Mesos")
	for i := range p.opt.Builds {
		b := &proofBuild{ProofBuild: ProofBuild{Job: fmt.Sprintf("%s-proof-%d", p.opt.Name, i+1)}}
		if err := p.c.EnsureJob(ctx, b.Job, config); err != nil {
			return err
		}
		p.builds = append(p.builds, b)
	}
	for _, b := range p.builds {
		id, err := p.c.StartBuild(ctx, b.Job)
		if err != nil {
			return err
		}
		b.item, b.Waits = id, "in the queue"
	}
	p.tell(fmt.Sprintf("%d builds asked for", len(p.builds)))
	return nil
}

// until looks again and again; false is a budget used up.
func (p *proof) until(ctx context.Context, budget time.Duration, done func() bool, wait func() string) (bool, error) {
	deadline := time.Now().Add(budget)
	for {
		if err := p.look(ctx); err != nil {
			return false, err
		}
		if done() {
			return true, nil
		}
		if len(p.out.Failures) > 0 || time.Now().After(deadline) {
			return false, nil
		}
		p.tell(wait())
		if err := pause(ctx, p.opt.Tick); err != nil {
			return false, err
		}
	}
}

// look reads Mesos and every build that has not ended. Errors in passing (a change of leader) are told and forgotten.
func (p *proof) look(ctx context.Context) error {
	use, err := p.res.Framework(ctx)
	if err != nil {
		p.tell(err.Error())
	} else {
		p.measure(use)
	}
	atOnce := 0
	for _, b := range p.builds {
		if b.Result == "" {
			if err := p.follow(ctx, b); err != nil {
				if ctx.Err() != nil {
					return err
				}
				p.tell(unwrapOwn(err).Error())
				continue
			}
		}
		if b.Number > 0 && b.Result == "" {
			atOnce++
		}
		b.Host = p.hosts[b.Node]
	}
	p.out.AtOnce = max(p.out.AtOnce, atOnce)
	return nil
}

func (p *proof) measure(use FrameworkUse) {
	p.out.PeakCPUs = max(p.out.PeakCPUs, use.CPUs)
	p.out.PeakMemMiB = max(p.out.PeakMemMiB, use.MemMiB)
	for _, t := range use.Tasks {
		p.tasks[t.ID] = true
		if t.Host != "" {
			p.hosts[t.ID] = t.Host
		}
	}
}

func (p *proof) follow(ctx context.Context, b *proofBuild) error {
	if b.Number == 0 {
		item, err := p.c.QueueItem(ctx, b.item)
		if err != nil {
			return err
		}
		if item.Cancelled {
			p.out.Failures = append(p.out.Failures, b.Job+" was cancelled in the queue")
			return nil
		}
		b.Number, b.Waits = item.Build, item.Why
		if item.Build == 0 {
			return nil
		}
	}
	build, err := p.c.Build(ctx, b.Job, b.Number)
	if err != nil {
		return err
	}
	b.Waits, b.Node, b.Started = "", build.Node, build.Started
	if !build.Building {
		b.Result, b.Duration = build.Result, build.Duration
	}
	return nil
}

func (p *proof) tell(text string) {
	if text != p.said && p.say != nil && text != "" {
		p.say(text)
	}
	p.said = text
}
