package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

// layer writes the files of a commit below a folder, several at a time.
type layer struct {
	below   string
	entries []git.Entry    // sorted by path
	known   map[string]int // next build numbers by job
	raised  atomic.Int64
}

// lay writes all files of a commit below a folder, each of them read back, and a next build number for every job.
func lay(ctx context.Context, repo *git.Repo, commit, numbers git.Hash, below string) (Result, error) {
	l := &layer{below: below}
	var hashes []git.Hash
	table := keep.NewTable()
	err := repo.Tree(ctx, commit, func(e git.Entry) error {
		if !filepath.IsLocal(e.Path) {
			return fmt.Errorf("the history holds a file outside of the home: %q", e.Path)
		}
		if !table.File(e.Path) {
			return nil // a README that somebody put beside the home's files
		}
		l.entries, hashes = append(l.entries, e), append(hashes, e.Hash)
		return nil
	})
	if err == nil {
		l.known, err = numbersOf(ctx, repo, numbers)
	}
	if err == nil {
		err = os.MkdirAll(below, 0o755)
	}
	if err == nil {
		err = l.files(ctx, repo, hashes)
	}
	return Result{Files: len(l.entries), Numbers: int(l.raised.Load())}, err
}

// numbersOf are the next build numbers that a history knows.
func numbersOf(ctx context.Context, repo *git.Repo, numbers git.Hash) (map[string]int, error) {
	if numbers.IsZero() {
		return nil, nil
	}
	data, ok, err := repo.File(ctx, numbers, homesync.NumbersFile)
	if err != nil || !ok {
		return nil, err
	}
	return homesync.ParseNumbers(data), nil
}

// batch is a few files in a row with their contents, which end in data where ends says.
type batch struct {
	first int
	ends  []int
	data  []byte
}

// A batch is that large at most, unless one file is larger.
const (
	batchFiles = 64
	batchBytes = 256 << 10
)

// files reads the contents in one stream and leaves the rest to as many writers as there are processors.
func (l *layer) files(ctx context.Context, repo *git.Repo, hashes []git.Hash) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan batch)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for b := range work {
				if err := l.write(b); err != nil {
					cancel(err)
				}
			}
		})
	}
	var next batch
	hand := func() error {
		select {
		case work <- next:
			next = batch{first: next.first + len(next.ends)}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := repo.Blobs(ctx, hashes, func(_ int, data []byte) error {
		next.data = append(next.data, data...)
		next.ends = append(next.ends, len(next.data))
		if len(next.ends) == batchFiles || len(next.data) >= batchBytes {
			return hand()
		}
		return nil
	})
	if err == nil {
		err = hand()
	}
	close(work)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause // of what failed first
	}
	return err
}

func (l *layer) write(b batch) error {
	begin := 0
	for i, end := range b.ends {
		e := l.entries[b.first+i]
		if err := l.one(e, b.data[begin:end]); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		begin = end
	}
	return nil
}

// one writes a file and reads it back: it must be what the history names, and XML that Jenkins can read.
func (l *layer) one(e git.Entry, data []byte) error {
	if err := keep.WellFormed(e.Path, data); err != nil {
		return err
	}
	name := filepath.Join(l.below, filepath.FromSlash(e.Path))
	if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, modeOf(e))
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		clear(data) // what is compared comes from the file
		_, err = file.ReadAt(data, 0)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if git.BlobHash(data) != e.Hash {
		return errors.New("it was not written as the history has it")
	}
	return l.raise(e)
}

func modeOf(e git.Entry) fs.FileMode {
	switch {
	case e.Executable:
		return 0o755
	case strings.HasPrefix(e.Path, "users/"): // hashes of passwords
		return 0o600
	}
	return 0o644
}

// raise writes the next build number of a job. One that the history does not know may have been built since its last push.
func (l *layer) raise(e git.Entry) error {
	job, ok := strings.CutSuffix(e.Path, "/config.xml")
	if _, isJob := keep.JobOfNumber(job + "/nextBuildNumber"); !ok || !isJob {
		return nil
	}
	next, built := l.known[job]
	if !built && hasJobs(l.entries, job) {
		return nil // a folder, which is never built
	}
	l.raised.Add(1)
	text := strconv.Itoa(max(next, 1)+Raise) + "\n"
	return os.WriteFile(filepath.Join(l.below, filepath.FromSlash(job), "nextBuildNumber"), []byte(text), 0o644) // #nosec G306
}

// hasJobs says whether a job is a folder with jobs in it; entries are sorted.
func hasJobs(entries []git.Entry, job string) bool {
	prefix := job + "/jobs/"
	low, high := 0, len(entries)
	for low < high {
		middle := (low + high) / 2
		if entries[middle].Path < prefix {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low < len(entries) && strings.HasPrefix(entries[low].Path, prefix)
}
