package linkcheck

import (
	"archive/zip"
	"fmt"
	"slices"
	"sync"
)

// later is a class of the core of which only the name is known until a link leads to it: plugins link to a small part of a war.
type later struct {
	once   sync.Once
	read   func() (*class, error)
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

func (c *class) load() {
	read, err := c.later.read()
	c.later.read = nil // it holds the whole jar
	if err != nil || read == nil {
		c.later.absent = true
		return
	}
	c.super, c.interfaces, c.access, c.major, c.fields, c.methods = read.super, read.interfaces, read.access, read.major, read.fields, read.methods
}

// faults are the errors of classes that were read when a link led to them.
type faults struct {
	mu  sync.Mutex
	all []string
	by  map[string]error
}

func (f *faults) add(where string, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]error{}
	}
	if f.by[where] == nil {
		f.by[where], f.all = fmt.Errorf("read %s: %w", where, err), append(f.all, where)
	}
	return err
}

// first is the error of the first place by name, so that equal inputs fail alike.
func (f *faults) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return nil
	}
	return f.by[slices.Min(f.all)]
}

// notePlaces takes the names of the classes of a jar of the core, to be read when they are asked for.
func (s *set) notePlaces(a *archive, entries map[string]*zip.File, names []string, j *jar, into *space) {
	j.classes = make([]*class, 0, len(names))
	var mu sync.Mutex
	in := interner{} // whose names the classes of a jar share
	for _, name := range names {
		if into == s.servlet && !servletClass(name) {
			continue
		}
		f := entries[name]
		c := &class{name: name, space: into, jar: j, later: &later{}}
		c.later.read = func() (*class, error) {
			b, err := a.read(f, largestClass)
			if err != nil {
				return nil, s.faults.add(a.name+"!"+f.Name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			read, err := s.header(b, name, j, in, nil)
			if err != nil {
				return nil, s.faults.add(a.name+"!"+f.Name, err)
			}
			return read, nil
		}
		j.classes = append(j.classes, c)
	}
}
