package jenkins

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

func (p *proof) allStarted() bool {
	for _, b := range p.builds {
		if b.Number == 0 {
			return false
		}
	}
	return true
}

func (p *proof) allEnded() bool {
	for _, b := range p.builds {
		if b.Result == "" {
			return false
		}
	}
	return true
}

// waiting is one line about the builds that do not run yet.
func (p *proof) waiting() string {
	running := 0
	var why string
	for _, b := range p.builds {
		if b.Number > 0 {
			running++
		} else if why == "" {
			why = b.Job + " waits: " + b.Waits
		}
	}
	return fmt.Sprintf("%d of %d builds run, %d build agents in Mesos; %s", running, len(p.builds), len(p.tasks), why)
}

func (p *proof) working() string {
	ended := 0
	for _, b := range p.builds {
		if b.Result != "" {
			ended++
		}
	}
	return fmt.Sprintf("%d of %d builds have ended", ended, len(p.builds))
}

// stormLaunches is how many build agents for each build are launched, without one that came up, until waiting is in vain:
// an agent that cannot start is launched again for ever.
const stormLaunches = 8

func (p *proof) storm() bool {
	for _, b := range p.builds {
		if b.Number > 0 {
			return false
		}
	}
	return len(p.builds) > 0 && len(p.tasks) > stormLaunches*len(p.builds)
}

func (p *proof) notStarted() []string {
	within := fmt.Sprintf(" within %s", p.opt.Start)
	if p.storm() {
		within = ""
	}
	var failures []string
	for _, b := range p.builds {
		if b.Number == 0 {
			failures = append(failures, fmt.Sprintf("%s did not start%s: %s", b.Job, within, b.Waits))
		}
	}
	if len(failures) > 0 && len(p.tasks) == 0 {
		failures = append(failures, "no build agent was launched in Mesos: look at the framework and at what the Mesos agents have free")
	}
	if len(failures) > 0 && len(p.tasks) > len(p.builds) {
		failures = append(failures, fmt.Sprintf("%d build agents were launched for %d builds: they start and fail; `jomctl doctor` shows what the last one wrote", len(p.tasks), len(p.builds)))
	}
	return failures
}

func (p *proof) notEnded() []string {
	var failures []string
	for _, b := range p.builds {
		if b.Result == "" {
			failures = append(failures, fmt.Sprintf("%s #%d has not ended a minute after its time", b.Job, b.Number))
		}
	}
	return failures
}

// judge compares what was seen with what was promised.
func (p *proof) judge() {
	fail := func(format string, args ...any) {
		p.out.Failures = append(p.out.Failures, fmt.Sprintf(format, args...))
	}
	nodes := map[string]bool{}
	for _, b := range p.builds {
		if b.Number == 0 {
			continue
		}
		if b.Node == "" {
			fail("%s ran on the controller itself", b.Job)
		} else if !p.tasks[b.Node] {
			fail("%s ran on %s, which is no task of the framework", b.Job, b.Node)
		}
		nodes[b.Node] = true
		if b.Result != "SUCCESS" && b.Result != "" {
			fail("%s #%d ended %s", b.Job, b.Number, b.Result)
		}
	}
	delete(nodes, "")
	for node := range nodes {
		p.out.Agents = append(p.out.Agents, node)
	}
	sort.Strings(p.out.Agents)
	if len(p.out.Failures) > 0 || !p.allEnded() {
		return
	}
	n := len(p.builds)
	p.out.AtOnce = max(p.out.AtOnce, overlap(p.builds))
	if p.out.AtOnce < n {
		fail("only %d of %d builds ran at the same time", p.out.AtOnce, n)
	}
	if len(nodes) != n {
		fail("%d builds ran on %d build agents, want one each", n, len(nodes))
	}
	if !p.exact() {
		fail("the framework held %.4g cpus and %.6g MiB at its peak, want exactly %.4g and %.6g", p.out.PeakCPUs, p.out.PeakMemMiB, float64(n)*p.opt.CPUs, float64(n)*p.opt.MemMiB)
	}
	if extra := len(p.tasks) - n; extra > 0 {
		p.out.Notes = append(p.out.Notes, fmt.Sprintf("%d more build agents were launched than builds", extra))
	}
}

// exact says that the most that was held is one template for each build, or for each of the build agents where the
// provisioner has launched more of them than there are builds, as it may while the first ones still connect.
func (p *proof) exact() bool {
	for n := len(p.builds); n <= max(len(p.builds), len(p.tasks)); n++ {
		if math.Abs(p.out.PeakCPUs-float64(n)*p.opt.CPUs) < 1e-6 && math.Abs(p.out.PeakMemMiB-float64(n)*p.opt.MemMiB) < 1e-6 {
			return true
		}
	}
	return false
}

// missed says that everything else went well, but not all builds ran at the same time.
func (p *proof) missed() bool {
	nodes := map[string]bool{}
	for _, b := range p.builds {
		if b.Result != "SUCCESS" || !p.tasks[b.Node] {
			return false
		}
		nodes[b.Node] = true
	}
	n := len(p.builds)
	return len(p.out.Failures) == 0 && len(nodes) == n && max(p.out.AtOnce, overlap(p.builds)) < n
}

// spread is the time between the first and the last start.
func spread(builds []*proofBuild) time.Duration {
	first, last := builds[0].Started, builds[0].Started
	for _, b := range builds {
		if b.Started.Before(first) {
			first = b.Started
		}
		if b.Started.After(last) {
			last = b.Started
		}
	}
	return last.Sub(first).Round(time.Second)
}

// overlap is how many builds ran at one moment, by the controller's own clock: polls may miss it.
func overlap(builds []*proofBuild) int {
	most := 0
	for _, at := range builds {
		n := 0
		for _, b := range builds {
			if !at.Started.Before(b.Started) && at.Started.Before(b.Started.Add(b.Duration)) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// returned waits until the proof's nodes and the framework's resources are gone.
func (p *proof) returned(ctx context.Context) error {
	deadline := time.Now().Add(p.opt.Return)
	for {
		left, nodes, err := p.left(ctx)
		if err == nil && left == "" {
			p.out.Returned = true
			return nil
		}
		if err != nil {
			left = unwrapOwn(err).Error()
		}
		if time.Now().After(deadline) {
			failure := fmt.Sprintf("not everything was given back within %s: %s", p.opt.Return, left)
			if len(nodes) > 0 {
				failure += " (" + strings.Join(nodes, ", ") + ")"
			}
			p.out.Failures = append(p.out.Failures, failure)
			return nil
		}
		p.tell("all builds succeeded; " + left)
		if err := pause.For(ctx, p.opt.Tick); err != nil {
			return err
		}
	}
}

func (p *proof) left(ctx context.Context) (text string, nodes []string, err error) {
	use, err := p.res.Framework(ctx)
	if err != nil {
		return "", nil, err
	}
	all, err := p.c.Nodes(ctx)
	if err != nil {
		return "", nil, err
	}
	for _, n := range all {
		if slices.Contains(p.out.Agents, n.Name) {
			nodes = append(nodes, n.Name)
		}
	}
	if len(nodes) == 0 && len(use.Tasks) == 0 && use.CPUs < 1e-6 && use.MemMiB < 1e-6 {
		return "", nil, nil
	}
	text = fmt.Sprintf("%d build agents still hold %.4g cpus and %.6g MiB", len(use.Tasks), use.CPUs, use.MemMiB)
	if len(nodes) > 0 {
		text += fmt.Sprintf(", and %d are nodes in Jenkins", len(nodes))
	}
	return text, nodes, nil
}
