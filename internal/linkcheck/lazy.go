package linkcheck

import (
	"archive/zip"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// later is a class of the core of which only the name counts until a link leads to it: plugins link to a small part of a war. Most that links lead
// to were read ahead.
type later struct {
	once   sync.Once
	ahead  bool
	err    error
	absent bool // it is another class than its path says, which no class loader finds
}

// there gives a class whose header is known: the first of its name that is what its path says, nil for none.
func (c *class) there() *class {
	for ; c != nil; c = c.also {
		if c.later == nil {
			return c
		}
		c.later.once.Do(c.load)
		if !c.later.absent {
			return c
		}
	}
	return nil
}

// load reads the class unless it was read ahead. Only now an error counts.
func (c *class) load() {
	if !c.later.ahead {
		c.jar.late.read(c)
	}
	if c.later.err != nil {
		c.jar.late.set.faults.add(c.later.err)
	}
}

// take makes a header, or the lack of one, that of the class.
func (c *class) take(read *class, err error) {
	c.later.err, c.later.absent = err, read == nil
	if read != nil {
		c.super, c.interfaces, c.access, c.major, c.fields, c.methods = read.super, read.interfaces, read.access, read.major, read.fields, read.methods
	}
}

// late reads single classes of a jar of the core, which it opens again for the first of them.
type late struct {
	set     *set
	mu      sync.Mutex
	worker  *worker
	inner   *archive
	entries map[string]*zip.File
	err     error
}

func (l *late) read(c *class) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.worker == nil {
		l.worker = &worker{classReader: classReader{names: l.set.names}}
		l.err = c.jar.again(func(inner *archive, root string) (err error) {
			l.inner = inner
			l.entries, err = inner.classEntries(root, l.set.java)
			return err
		})
	}
	switch f := l.entries[c.name]; {
	case l.err != nil:
		c.take(nil, l.err)
	case f == nil:
		c.take(nil, fmt.Errorf("read %s!%s: the archive was changed meanwhile", l.inner.name, c.name))
	default:
		c.take(l.set.headerOf(l.worker, l.inner, f, c))
	}
}

// headerOf reads one class of the core.
func (s *set) headerOf(w *worker, inner *archive, f *zip.File, c *class) (*class, error) {
	if err := inner.readInto(&w.class, f, largestClass); err != nil {
		return nil, err
	}
	read, err := s.header(w, w.class.Bytes(), c.name, c.jar)
	if err != nil {
		return nil, fmt.Errorf("read %s!%s: %w", inner.name, f.Name, err)
	}
	return read, nil
}

// faults are the errors of classes that links lead to.
type faults struct {
	mu  sync.Mutex
	all []error
}

func (f *faults) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err)
}

// first is the first of the errors in the order of their texts, so that equal inputs fail alike.
func (f *faults) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return nil
	}
	return slices.MinFunc(f.all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

// readLater takes the names of the classes of a jar of the core, and reads ahead those that are wanted, with what they stand on in the same
// jar.
func (s *set) readLater(ctx context.Context, w *worker, a *archive, j *jar, into *space) error {
	inner, root, err := within(a, j.entry, &w.jar)
	if err != nil {
		return err
	}
	entries, sorted, err := inner.sortedClasses(root, s.java)
	if err != nil {
		return err
	}
	j.late = &late{set: s}
	j.classes = make([]*class, 0, len(sorted))
	here, wanted := make(map[symbol]*class, len(sorted)), []*class{}
	for _, name := range sorted {
		if into == s.servlet && !servletClass(name) {
			continue
		}
		id := s.names.of([]byte(name))
		c := &class{name: s.names.text(id), id: id, space: into, jar: j, later: &later{}}
		j.classes, here[id] = append(j.classes, c), c
		if s.wanted[id] {
			wanted = append(wanted, c)
		}
	}
	for len(wanted) > 0 {
		c := wanted[len(wanted)-1]
		wanted = wanted[:len(wanted)-1]
		if c.later.ahead {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.later.ahead = true
		c.take(s.headerOf(w, inner, entries[c.name], c))
		for _, name := range append(slices.Clone(c.interfaces), c.super) {
			if next := here[name]; next != nil && !next.later.ahead {
				wanted = append(wanted, next)
			}
		}
	}
	return nil
}
