// Package sync keeps the history of a running home: it watches the files that are kept, commits what changed when the home is
// quiet, and pushes each commit as long as the history is this controller's. What cannot be committed is passed over and
// reported; what cannot be pushed waits.
package sync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
)

// Options are what an Engine works with. The durations that are 0 get the value in brackets.
type Options struct {
	Home string
	Repo *git.Repo
	// Quiet [2 s] and Max [15 s] put a commit off; Scan [5 min] is how often everything is looked at, whatever was watched.
	Quiet, Max, Scan time.Duration
	// Numbers [10 min] is how often the next build numbers are pushed.
	Numbers time.Duration
	// Retry [1 s] is the first wait after a push that failed; it grows to RetryMax [1 min].
	Retry, RetryMax time.Duration
	// Host and Task say in each commit who made it.
	Host, Task string
	// Claimed is the claim that the history is written under. Where Claim is set, it is called first, until it succeeds.
	Claimed claim.Claimed
	Claim   func(ctx context.Context, head git.Hash) (claim.Claimed, error)
	// Alive, where set, must say nil before anything is committed: a home whose disk is gone is not an empty one.
	Alive func() error
	// StatusFile, where set, is rewritten after every change of the Status.
	StatusFile string
	// Say is told what a person should know.
	Say func(format string, args ...any)
}

// ErrFenced means that the history belongs to another controller now. This one must stop.
var ErrFenced = claim.ErrTaken

// Engine is one home's history.
type Engine struct {
	o Options
	// tree, watch and blind belong to the commit loop.
	tree  *tree
	watch *watcher
	blind error // why nothing is watched, or not all

	mailbox mailbox
	wake    chan struct{} // there is something to push

	mu      sync.Mutex // guards what follows, and the branch in the local repository
	claimed claim.Claimed
	head    git.Hash
	pushed  git.Hash
	// numbers is the commit of the next build numbers here, numbersPushed that of the remote.
	numbers, numbersPushed git.Hash
	unpushed               time.Time // since when there is something in commits that is not pushed
	later                  time.Time // the same, for what was committed after the push that is under way began
	status                 Status
}

// New makes an engine, the one owner of its local repository, which holds the history that the home is compared
// with.
func New(ctx context.Context, o Options) (*Engine, error) {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&o.Quiet, 2 * time.Second}, {&o.Max, 15 * time.Second}, {&o.Scan, 5 * time.Minute}, {&o.Numbers, 10 * time.Minute}, {&o.Retry, time.Second}, {&o.RetryMax, time.Minute}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	if o.Alive == nil {
		o.Alive = func() error { return nil }
	}
	if err := o.Repo.Recover(); err != nil {
		return nil, err
	}
	refs, err := o.Repo.Refs(ctx)
	if err != nil {
		return nil, err
	}
	e := &Engine{o: o, tree: newTree(o.Home), wake: make(chan struct{}, 1), claimed: o.Claimed,
		head: refs[o.Repo.Main()], pushed: refs[git.Tracking(o.Repo.Main())],
		numbers: refs[git.Numbers], numbersPushed: refs[git.Tracking(git.Numbers)]}
	if e.unpushed, err = oldest(ctx, o.Repo, e.pushed, e.head); err != nil {
		return nil, err
	}
	e.mailbox = mailbox{table: e.tree.table, wait: Debounce{Quiet: o.Quiet, Max: o.Max}, signal: make(chan struct{}, 1)}
	if err := e.tree.load(ctx, o.Repo, e.head); err != nil {
		return nil, fmt.Errorf("reading the history: %w", err)
	}
	return e, nil
}

// Run works until the context ends, which is no error, or until the history is another controller's: ErrFenced.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch, err := newWatcher(e.o.Home)
	if err != nil {
		e.blind = err
		e.o.Say("%v", err)
	} else {
		e.watch = watch
		defer watch.close()
	}
	defer e.o.Repo.Rest()
	e.mailbox.put(event{Overflow: true}) // look at everything first
	var group sync.WaitGroup
	if watch != nil {
		group.Go(func() {
			if err := watch.read(ctx, e.mailbox.put); err != nil {
				e.o.Say("%v", err)
			}
		})
	}
	group.Go(func() { e.commitLoop(ctx) })
	group.Go(func() {
		if err := e.pushLoop(ctx); err != nil {
			cancel(err)
		}
	})
	<-ctx.Done()
	group.Wait()
	e.watch = nil
	if err := context.Cause(ctx); errors.Is(err, ErrFenced) {
		return err
	}
	return nil
}

// Flush commits and pushes what there is, once: the last thing a controller does, when Jenkins is gone. Run must be over.
func (e *Engine) Flush(ctx context.Context) error {
	defer e.o.Repo.Rest()
	// What is committed already is pushed whatever becomes of the rest.
	err := errors.Join(e.round(ctx, dirty{all: true}, time.Now()), e.commitNumbers(ctx))
	for {
		if pushErr := e.push(ctx); pushErr != nil {
			return errors.Join(err, pushErr)
		}
		// A push that was cut off may have come through: then the first one only finds that out.
		if head, pushed := e.Head(); head == pushed {
			return err
		}
	}
}

// oldest is since when there is a commit that is not pushed; zero for none. After a clock that was set back it is now.
func oldest(ctx context.Context, repo *git.Repo, pushed, head git.Hash) (time.Time, error) {
	if head == pushed || head.IsZero() {
		return time.Time{}, nil
	}
	args := []string{"log", "--first-parent", "--format=%ct", head.String()}
	if !pushed.IsZero() {
		args = append(args, "^"+pushed.String())
	}
	out, err := repo.Run(ctx, args...)
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for what is not pushed: %w", err)
	}
	first := time.Now()
	for line := range strings.Lines(out) {
		if seconds, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil && seconds < first.Unix() {
			first = time.Unix(seconds, 0)
		}
	}
	return first, nil
}

// Head is the last commit that was made, and the last one that is known to be pushed.
func (e *Engine) Head() (made, pushed git.Hash) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.head, e.pushed
}

// mailbox collects events between two rounds.
type mailbox struct {
	table  tableOf
	mu     sync.Mutex
	wait   Debounce
	dirty  dirty
	counts bool // a next build number changed
	signal chan struct{}
}

type tableOf interface {
	File(name string) bool
	Folder(name string) bool
}

func (m *mailbox) put(e event) {
	if !e.Overflow {
		if e.Folder && !m.table.Folder(e.Name) {
			return
		}
		if !e.Folder && !m.table.File(e.Name) {
			if isNumber(e.Name) {
				m.mu.Lock()
				m.counts = true
				m.mu.Unlock()
			}
			return
		}
	}
	m.mu.Lock()
	m.dirty.add(e)
	m.wait.Touch(time.Now())
	m.mu.Unlock()
	notify(m.signal)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// due is when the next round is to begin.
func (m *mailbox) due() (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wait.Due()
}

// take empties the mailbox; first is when its oldest event came.
func (m *mailbox) take() (d dirty, first time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, first = m.dirty, m.wait.Since()
	m.dirty = dirty{}
	m.wait.Done()
	return d, first
}

// back returns names whose commit could not be made.
func (m *mailbox) back(d dirty, first time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirty.merge(d)
	m.wait.Again(first, time.Now())
}

func (m *mailbox) since() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wait.Since()
}

// numbered says whether a next build number changed since the last call.
func (m *mailbox) numbered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := m.counts
	m.counts = false
	return changed
}
