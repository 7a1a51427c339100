package dashboard

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// idle is how often the cluster is asked while nobody looks: often enough for metrics, and to tell since when it is away.
	idle = 15 * time.Second
	// attention is how long a look at the page counts as looking.
	attention = time.Minute
	// rest is how many times as long as a report took the cluster is left alone after it.
	rest = 4
)

// Hub polls a cluster for everybody who looks at it.
type Hub struct {
	sources Sources
	every   time.Duration
	pages   *pages
	kick    chan struct{}

	mu       sync.Mutex
	snapshot Snapshot
	probes   map[string]Probe
	// sections are the rendered parts of the page, and the version in which each one changed last.
	sections map[string]section
	version  int64
	looked   time.Time
	clients  map[chan struct{}]bool
}

// section is one part of the page.
type section struct {
	html    string
	version int64
}

// NewHub makes a hub that asks the cluster about this often while somebody looks. Run starts it.
func NewHub(sources Sources, every time.Duration) (*Hub, error) {
	pages, err := newPages(sources)
	if err != nil {
		return nil, err
	}
	return &Hub{sources: sources, every: every, pages: pages, kick: make(chan struct{}, 1),
		probes: map[string]Probe{}, sections: map[string]section{}, clients: map[chan struct{}]bool{}}, nil
}

// Run polls until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	for ctx.Err() == nil {
		h.Poll(ctx)
		h.wait(ctx)
	}
}

// wait returns when the cluster is to be asked again.
func (h *Hub) wait(ctx context.Context) {
	h.mu.Lock()
	pause := max(h.every, rest*h.snapshot.Took)
	if len(h.clients) == 0 && time.Since(h.looked) > attention {
		pause = max(idle, pause)
	}
	h.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-h.kick:
	}
}

// Poll asks the cluster once, and tells the browsers what has changed.
func (h *Hub) Poll(ctx context.Context) {
	begun := time.Now()
	report := h.sources.Report(ctx)
	took := time.Since(begun)
	if ctx.Err() != nil {
		return // what it says is that it was interrupted
	}
	runs, releases, drills := read(ctx, h.sources.Runs), read(ctx, h.sources.Releases), read(ctx, h.sources.Drills)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.snapshot = h.snapshot.next(report, took)
	h.snapshot.Runs, h.snapshot.Releases, h.snapshot.Drills = runs, releases, drills
	h.render()
}

func read(ctx context.Context, history History) Timeline {
	if history == nil {
		return Timeline{}
	}
	entries, err := history.Entries(ctx)
	return Timeline{entries, err}
}

// Probed takes what an outside look has shown. A change is shown at once, and the whole cluster is asked again.
func (h *Hub) Probed(p Probe) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.probes[p.Target]
	if known && old.Up == p.Up && old.Detail == p.Detail {
		return
	}
	if known && old.Up == p.Up {
		p.Since = old.Since
	}
	h.probes[p.Target] = p
	if !h.snapshot.Report.Checked.IsZero() {
		h.render()
	}
	if known && old.Up != p.Up {
		h.Wake()
	}
}

// Wake makes the next poll come at once.
func (h *Hub) Wake() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// Snapshot is what is known now.
func (h *Hub) Snapshot() Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current()
}

// look notes that somebody looks; the first look after a while ends the long pause.
func (h *Hub) look() {
	if len(h.clients) == 0 && time.Since(h.looked) > attention {
		h.Wake()
	}
	h.looked = time.Now()
}

func (h *Hub) current() Snapshot {
	s := h.snapshot
	s.Clients = len(h.clients)
	s.Probes = slices.SortedFunc(maps.Values(h.probes), func(a, b Probe) int { return strings.Compare(a.Target, b.Target) })
	return s
}

// render makes the sections anew. The caller holds the lock.
func (h *Hub) render() {
	next := h.version + 1
	for name, html := range h.pages.sections(h.current()) {
		if h.sections[name].html != html {
			h.sections[name] = section{html, next}
		}
	}
	h.version = next
	for client := range h.clients {
		select {
		case client <- struct{}{}:
		default: // it has not read the last change yet, and will read both
		}
	}
}

// subscribe gives a channel that gets something whenever there is a newer version.
func (h *Hub) subscribe() (news <-chan struct{}, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look()
	client := make(chan struct{}, 1)
	h.clients[client] = true
	return client, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.clients, client)
		h.looked = time.Now()
	}
}

// since is what has changed after a version, and the version that it is now; everything after version 0.
func (h *Hub) since(version int64) (changed map[string]string, at Snapshot, now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed = map[string]string{}
	for name, one := range h.sections {
		if one.version > version {
			changed[name] = one.html
		}
	}
	return changed, h.current(), h.version
}
