package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/probe"
	"github.com/jomctl/jomctl/internal/status"
	"github.com/jomctl/jomctl/internal/wholefile"
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
	// Tell is called with each alert, one at a time; Failed with what could not be told or kept.
	Tell   func(ctx context.Context, a Alert) error
	Failed func(err error)
	// File keeps the alerts that have begun over runs of the program, so that each begins once.
	File string
}

const (
	// backlog is how many alerts may wait to be told.
	backlog = 256
	// farewell is how long alerts that wait may take at the end.
	farewell = 5 * time.Second
)

// Run watches until ctx ends.
func (j Job) Run(ctx context.Context) error {
	open, err := readOpen(j.File)
	if err != nil {
		return err
	}
	watcher := New(j.Cluster, j.Limits, open)
	reports, samples, alerts := make(chan status.Report), make(chan probe.Sample), make(chan Alert, backlog)
	var sources, sender sync.WaitGroup
	sources.Go(func() { j.report(ctx, reports) })
	if j.Probe != nil {
		sources.Go(func() { j.Probe(ctx, func(s probe.Sample) { pass(ctx, samples, s) }) })
	}
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	sender.Go(func() { j.send(last, alerts) })
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
			j.judge(watcher, now, alerts)
		}
	}
	sources.Wait()
	close(alerts)
	timer := time.AfterFunc(farewell, cancel)
	defer timer.Stop()
	sender.Wait()
	return nil
}

func (j Job) judge(watcher *Watcher, now time.Time, alerts chan<- Alert) {
	news := watcher.Step(now)
	for _, a := range news {
		select {
		case alerts <- a:
		default:
			j.Failed(fmt.Errorf("%d alerts wait already: %s of %s was not told", backlog, a.State, a.ID))
		}
	}
	if len(news) > 0 {
		if err := writeOpen(j.File, watcher.Open()); err != nil {
			j.Failed(err)
		}
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

func (j Job) send(ctx context.Context, alerts <-chan Alert) {
	for a := range alerts {
		if err := j.Tell(ctx, a); err != nil {
			j.Failed(fmt.Errorf("%s of %s was not told: %w", a.State, a.ID, err))
		}
	}
}

func readOpen(file string) ([]Alert, error) {
	var open []Alert
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &open)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the alerts that have begun: %w (remove %s to forget them)", err, file)
	}
	return open, nil
}

func writeOpen(file string, open []Alert) error {
	data, err := json.MarshalIndent(open, "", "  ")
	if err == nil {
		err = wholefile.Write(file, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping the alerts that have begun: %w", err)
	}
	return nil
}
