package jenkins

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

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
	// ran: it was running when it was looked at last.
	ran bool
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

func (p *proof) run(ctx context.Context) error {
	if err := p.empty(ctx); err != nil {
		return err
	}
	if err := p.round(ctx); err != nil {
		return err
	}
	if p.missed() {
		if err := p.again(ctx); err != nil {
			return err
		}
	}
	p.judge()
	if len(p.out.Failures) > 0 {
		return nil
	}
	return p.returned(ctx)
}

// again makes the one further round that is allowed when all went well but the builds missed each other: on a slow
// machine build agents come up further apart than the builds are long.
func (p *proof) again(ctx context.Context) error {
	note := fmt.Sprintf("at first only %d of %d builds ran at the same time, because their build agents came up over %s", max(p.out.AtOnce, overlap(p.builds)), len(p.builds), spread(p.builds))
	p.tell(note + "; once more with longer builds")
	p.opt.Sleep += spread(p.builds) + 5*time.Second
	p.out.Agents = nil
	for _, b := range p.builds {
		p.out.Agents = append(p.out.Agents, b.Node)
	}
	if err := p.returned(ctx); err != nil {
		return err
	}
	if len(p.out.Failures) > 0 {
		return nil
	}
	p.out = Proof{Notes: []string{note}}
	p.builds, p.tasks = nil, map[string]bool{}
	return p.round(ctx)
}

func (p *proof) round(ctx context.Context) error {
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
	return nil
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
		if stop := pause.For(ctx, p.opt.Tick); stop != nil {
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
		if len(p.out.Failures) > 0 || p.storm() || time.Now().After(deadline) {
			return false, nil
		}
		p.tell(wait())
		if err := pause.For(ctx, p.opt.Tick); err != nil {
			return false, err
		}
	}
}

// look reads every build that has not ended, and then Mesos: a build's agent outlives it. Errors in passing (a change
// of leader) are told and forgotten.
func (p *proof) look(ctx context.Context) error {
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
		// One that ran at the last look and still runs has run at the moment between the two, like all others of its kind.
		runs := b.Number > 0 && b.Result == ""
		if runs && b.ran {
			atOnce++
		}
		b.ran = runs
	}
	p.out.AtOnce = max(p.out.AtOnce, atOnce)
	use, err := p.res.Framework(ctx)
	if err != nil {
		p.tell(err.Error())
		return ctx.Err()
	}
	p.measure(use)
	for _, b := range p.builds {
		b.Host = p.hosts[b.Node]
	}
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
