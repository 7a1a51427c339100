package watch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
)

// Job is a watch that goes on until it is ended.
type Job struct {
	Cluster string
	Limits  Limits
	// Every is how often Report is asked, Step how often what is known is judged.
	Every, Step time.Duration
	Report      func(ctx context.Context) status.Report
	// Probe, where set, passes samples until its context ends.
	Probe func(ctx context.Context, sink func(probe.Sample))
	// Show, where set, is called once with each alert, before it is told for the first time.
	Show func(a Alert) error
	// Tell is called with each alert, one at a time, until it returns nil: again after Again, 0 means a minute. Failed gets what could
	// not be told or kept.
	Tell   func(ctx context.Context, a Alert) error
	Again  time.Duration
	Failed func(err error)
	// File keeps the alerts that have begun, and those that nobody has taken, over runs of the program.
	File string
}

const (
	// backlog is how many alerts may wait to be told; more than that, and the oldest are given up.
	backlog = 256
	// again is the pause before an alert that nobody took is told again.
	again = time.Minute
	// farewell is how long alerts that wait may take at the end.
	farewell = 5 * time.Second
)

// Run watches until ctx ends.
func (j Job) Run(ctx context.Context) error {
	box, err := openOutbox(j.File)
	if err != nil {
		return err
	}
	watcher := New(j.Cluster, j.Limits, box.memory.Open)
	reports, samples := make(chan status.Report), make(chan probe.Sample)
	var sources, sender sync.WaitGroup
	sources.Go(func() { j.report(ctx, reports) })
	if j.Probe != nil {
		sources.Go(func() { j.Probe(ctx, func(s probe.Sample) { pass(ctx, samples, s) }) })
	}
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ending := make(chan struct{})
	sender.Go(func() { j.send(last, box, ending) })
	ticker := time.NewTicker(j.Step)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case r := <-reports:
			watcher.Reported(r)
		case s := <-samples:
			watcher.Probed(s)
		case now := <-ticker.C:
			j.judge(watcher, now, box)
		}
	}
	sources.Wait()
	close(ending)
	timer := time.AfterFunc(farewell, cancel)
	defer timer.Stop()
	sender.Wait()
	return nil
}

func (j Job) judge(watcher *Watcher, now time.Time, box *outbox) {
	news := watcher.Step(now)
	if len(news) == 0 {
		return
	}
	lost, err := box.add(news, watcher.Open())
	if lost > 0 {
		j.Failed(fmt.Errorf("%d alerts wait already: the %d oldest of them are given up", backlog, lost))
	}
	if err != nil {
		j.Failed(err)
	}
}

// report asks again and again. The pause is at least as long as the answer took.
func (j Job) report(ctx context.Context, reports chan<- status.Report) {
	for ctx.Err() == nil {
		begun := time.Now()
		r := j.Report(ctx)
		if ctx.Err() != nil {
			return
		}
		pass(ctx, reports, r)
		select {
		case <-ctx.Done():
		case <-time.After(max(j.Every, time.Since(begun))):
		}
	}
}

func pass[T any](ctx context.Context, to chan<- T, value T) {
	select {
	case to <- value:
	case <-ctx.Done():
	}
}

// send tells what is in the box, the oldest first. When it is ending the rest is told until one is not taken; what is left stays in the
// box for the next run.
func (j Job) send(ctx context.Context, box *outbox, ending <-chan struct{}) {
	for {
		a, there := box.first()
		if !there {
			select {
			case <-box.news:
				continue
			case <-ending:
			}
			if a, there = box.first(); !there {
				return
			}
		}
		if j.tell(ctx, box, a) {
			continue
		}
		select {
		case <-ending:
			return
		case <-time.After(j.pause()):
		}
	}
}

func (j Job) pause() time.Duration {
	if j.Again > 0 {
		return j.Again
	}
	return again
}

// tell shows and tells one alert, the first of the box; false where nobody took it.
func (j Job) tell(ctx context.Context, box *outbox, a letter) bool {
	failed := func(err error) {
		if err != nil {
			j.Failed(err)
		}
	}
	if j.Show != nil && !a.Shown {
		failed(j.Show(a.Alert))
		failed(box.shown())
	}
	if err := j.Tell(ctx, a.Alert); err != nil {
		j.Failed(fmt.Errorf("%s of %s was not told, and will be told again: %w", a.State, a.ID, err))
		return false
	}
	failed(box.taken())
	return true
}
