package linkcheck

import (
	"path"
	"strings"
)

// space is one class loader: the classes that it defines, and the loaders that it asks.
type space struct {
	name  string
	jars  []*jar
	own   map[string]*class
	outer []*space // asked first, unless first is set; of each only the classes that it defines itself
	masks []string // prefixes of names that are never asked from outer
	first bool
	// known are the packages that it has classes of.
	known map[string]bool
	// unlisted are prefixes of names of which nobody can say whether it has them.
	unlisted []string
}

func newSpace(name string) *space {
	return &space{name: name, own: map[string]*class{}, known: map[string]bool{}}
}

// fill makes the classes of the jars known, the first of a name first. Which one of two a real class loader finds depends on the
// order of the files in a folder.
func (s *space) fill() {
	for _, j := range s.jars {
		for _, c := range j.classes {
			s.put(c)
		}
	}
}

func (s *space) put(c *class) {
	if before := s.own[c.name]; before != nil {
		c.also, before.also = before.also, c
		return
	}
	s.own[c.name] = c
	s.known[path.Dir(c.name)] = true
}

// find gives the class that the class loader finds under a name, nil for none.
func (s *space) find(name string) *class { return s.search(name, (*class).there) }

// place is find by what the paths in the jars say, without reading the class.
func (s *space) place(name string) *class {
	return s.search(name, func(c *class) *class { return c })
}

func (s *space) search(name string, take func(*class) *class) *class {
	if s.first {
		if c := take(s.own[name]); c != nil {
			return c
		}
	}
	if !s.masked(name) {
		for _, o := range s.outer {
			if c := take(o.own[name]); c != nil {
				return c
			}
		}
	}
	return take(s.own[name])
}

// mayHave says whether a class that was not found may be there nevertheless.
func (s *space) mayHave(name string) bool {
	for _, o := range s.outer {
		for _, prefix := range o.unlisted {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

func (s *space) masked(name string) bool {
	for _, mask := range s.masks {
		if strings.HasPrefix(name, mask) {
			return true
		}
	}
	return false
}

// knows says whether any class of a package can be found.
func (s *space) knows(pkg string) bool {
	if s.known[pkg] {
		return true
	}
	for _, o := range s.outer {
		if o.known[pkg] && !s.masked(pkg+"/") {
			return true
		}
	}
	return false
}

// outcome is how the resolution of a link ended.
type outcome struct {
	problem Problem // empty: resolved, or not to be judged here
	class   *class  // the class found: the link's own, or the one that declares the member
	access  uint16  // of the member
	why     string
}

// resolve finds what a link of a class in this space means: JVM specification 5.4.3.1 to 5.4.3.4. A member whose owner or one of the
// owner's ancestors cannot be found has no problem of its own: that class is reported.
func (s *space) resolve(r ref) outcome {
	if strings.HasPrefix(r.owner, "[") {
		return s.resolveArray(r)
	}
	c := s.find(r.owner)
	if r.kind == 'c' || r.kind == 's' {
		if c == nil && !s.mayHave(r.owner) {
			return outcome{problem: Missing}
		}
		return outcome{class: c}
	}
	if c == nil {
		return outcome{}
	}
	w := walk{ref: r, seen: map[*class]bool{}}
	switch isInterface := c.access&accInterface != 0; {
	case c.unread():
		return outcome{}
	case r.kind == 'm' && isInterface:
		return outcome{problem: Changed, class: c, why: dotted(c.name) + " is an interface now"}
	case r.kind == 'i' && !isInterface:
		return outcome{problem: Changed, class: c, why: dotted(c.name) + " is no interface any more"}
	case r.kind == 'f':
		w.field(c)
	case r.kind == 'm':
		w.method(c)
	default:
		w.interfaceMethod(c)
	}
	return w.end(c)
}

// resolveArray judges a method of an array: clone, which the Java machine makes, or one of Object.
func (s *space) resolveArray(r ref) outcome {
	if r.kind == 'm' && r.name == "clone" && r.desc == "()Ljava/lang/Object;" {
		return outcome{}
	}
	r.owner = "java/lang/Object"
	return s.resolve(r)
}

// unread says that only the name of a class is known.
func (c *class) unread() bool { return c.super == "" && c.name != "java/lang/Object" }

// walk is one search through a class and its ancestors.
type walk struct {
	ref     ref
	found   *class
	access  uint16
	unknown bool // an ancestor is missing
	seen    map[*class]bool
}

func (w *walk) end(c *class) outcome {
	switch {
	case w.found != nil:
		return outcome{class: w.found, access: w.access}
	case w.unknown:
		return outcome{}
	}
	return outcome{problem: Missing, class: c, why: "the class is there without it: " + c.origin()}
}

// here looks into one class, and into others of the same name in later jars.
func (w *walk) here(c *class, members func(*class) []member, fits func(*class, member) bool) bool {
	for ; c != nil; c = c.also.there() {
		w.unknown = w.unknown || c.unread()
		for _, m := range members(c) {
			if fits(c, m) {
				w.found, w.access = c, m.access
				return true
			}
		}
	}
	return false
}

// enter gives the class of an ancestor's name as the descendant's class loader finds it, nil where it is missing or was seen.
func (w *walk) enter(from *class, name string) *class {
	if name == "" {
		return nil
	}
	c := from.space.find(name)
	if c == nil {
		w.unknown = true
		return nil
	}
	if w.seen[c] {
		return nil
	}
	w.seen[c] = true
	return c
}

func fieldsOf(c *class) []member  { return c.fields }
func methodsOf(c *class) []member { return c.methods }

func (w *walk) same(_ *class, m member) bool { return m.name == w.ref.name && m.desc == w.ref.desc }

// field is JVM specification 5.4.3.2.
func (w *walk) field(c *class) bool {
	if c == nil {
		return false
	}
	if w.here(c, fieldsOf, w.same) {
		return true
	}
	for _, name := range c.interfaces {
		if w.field(w.enter(c, name)) {
			return true
		}
	}
	return w.field(w.enter(c, c.super))
}

// method is JVM specification 5.4.3.3: the class and its superclasses, then all their interfaces.
func (w *walk) method(c *class) bool {
	var chain []*class
	for next := c; next != nil; next = w.enter(next, next.super) {
		if w.here(next, methodsOf, w.sameOrPolymorphic) {
			return true
		}
		chain = append(chain, next)
	}
	for _, next := range chain {
		if w.inherited(next) {
			return true
		}
	}
	return false
}

// sameOrPolymorphic also takes the signature polymorphic methods of method handles, which have any descriptor: JVM specification 2.9.3.
func (w *walk) sameOrPolymorphic(c *class, m member) bool {
	if w.same(c, m) {
		return true
	}
	return (c.name == "java/lang/invoke/MethodHandle" || c.name == "java/lang/invoke/VarHandle") && m.name == w.ref.name &&
		m.access&accVarargs != 0 && strings.HasPrefix(m.desc, "([Ljava/lang/Object;)")
}

// inherited looks for a method that is neither private nor static in the interfaces of a class.
func (w *walk) inherited(c *class) bool {
	for _, name := range c.interfaces {
		next := w.enter(c, name)
		if next == nil {
			continue
		}
		if w.here(next, methodsOf, func(c *class, m member) bool { return w.same(c, m) && m.access&(accPrivate|accStatic) == 0 }) || w.inherited(next) {
			return true
		}
	}
	return false
}

// interfaceMethod is JVM specification 5.4.3.4: the interface, the public methods of Object, the superinterfaces.
func (w *walk) interfaceMethod(c *class) bool {
	if w.here(c, methodsOf, w.same) {
		return true
	}
	if object := w.enter(c, "java/lang/Object"); object != nil &&
		w.here(object, methodsOf, func(c *class, m member) bool { return w.same(c, m) && m.access&(accPublic|accStatic) == accPublic }) {
		return true
	}
	return w.inherited(c)
}
