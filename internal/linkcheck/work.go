package linkcheck

import (
	"bytes"
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// job is a jar to be read, by one of the workers.
type job func(ctx context.Context, w *worker) error

// worker has what reading a jar needs, for one after the other.
type worker struct {
	classReader
	jar, class bytes.Buffer
	// links of the jar, with their numbers, and those of one class.
	links   []link
	numbers map[link]uint32
	refs    []uint32
	made    chunk[uint32]
}

// newWorkers are as many as there are processors.
func newWorkers(in *names) chan *worker {
	workers := make(chan *worker, runtime.GOMAXPROCS(0))
	for range cap(workers) {
		workers <- &worker{classReader: classReader{names: in}, numbers: map[link]uint32{}}
	}
	return workers
}

// do runs jobs, each with a worker of its own.
func do(ctx context.Context, jobs []job, workers chan *worker) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(workers))
	for _, one := range jobs {
		group.Go(func() error {
			w := <-workers
			defer func() { workers <- w }()
			return one(ctx, w)
		})
	}
	return group.Wait()
}
