package linkcheck

import (
	"path"
	"strings"
)

// space is one class loader: the classes that it defines, and the loaders that it asks.
type space struct {
	name  string
	names *names
	jars  []*jar
	own   map[symbol]*class
	outer []*space // asked first, unless first is set; of each only the classes that it defines itself
	masks []string // prefixes of names that are never asked from outer
	first bool
	// known are the packages that it has classes of.
	known map[string]bool
	// unlisted are prefixes of names of which nobody can say whether it has them.
	unlisted []string
}

func newSpace(name string, in *names) *space {
	return &space{name: name, names: in, own: map[symbol]*class{}, known: map[string]bool{}}
}

// fill makes the classes of the jars known, the first of a name first. Which one of two a real class loader finds depends on the
// order of the files in a folder.
func (s *space) fill() {
	count := 0
	for _, j := range s.jars {
		count += len(j.classes)
	}
	s.own = make(map[symbol]*class, count)
	for _, j := range s.jars {
		for _, c := range j.classes {
			s.put(c)
		}
	}
}

func (s *space) put(c *class) {
	if before := s.own[c.id]; before != nil {
		c.also, before.also = before.also, c
		return
	}
	s.own[c.id] = c
	s.known[path.Dir(c.name)] = true
}

// find gives the class that the class loader finds under a name, nil for none.
func (s *space) find(name symbol) *class { return s.search(name, (*class).there) }

// named is find by a name that may be nowhere.
func (s *space) named(name string) *class { return s.find(s.names.known(name)) }

// place is find by what the paths in the jars say, without reading the class.
func (s *space) place(name symbol) *class {
	return s.search(name, func(c *class) *class { return c })
}

func (s *space) search(name symbol, take func(*class) *class) *class {
	if s.first {
		if c := take(s.own[name]); c != nil {
			return c
		}
	}
	if len(s.masks) == 0 || !s.masked(s.names.text(name)) {
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
func (s *space) resolve(l link) outcome {
	if l.array {
		return s.resolveArray(l)
	}
	c := s.find(l.owner)
	if l.kind == 'c' || l.kind == 's' {
		if c == nil && !s.mayHave(s.names.text(l.owner)) {
			return outcome{problem: Missing}
		}
		return outcome{class: c}
	}
	if c == nil {
		return outcome{}
	}
	w := walk{link: l}
	switch isInterface := c.access&accInterface != 0; {
	case c.unread():
		return outcome{}
	case l.kind == 'm' && isInterface:
		return outcome{problem: Changed, class: c, why: dotted(c.name) + " is an interface now"}
	case l.kind == 'i' && !isInterface:
		return outcome{problem: Changed, class: c, why: dotted(c.name) + " is no interface any more"}
	case l.kind == 'f':
		w.field(c)
	case l.kind == 'm':
		w.method(c)
	default:
		w.interfaceMethod(c)
	}
	return w.end(c)
}

// resolveArray judges a method of an array: clone, which the Java machine makes, or one of Object.
func (s *space) resolveArray(l link) outcome {
	if l.kind == 'm' && s.names.text(l.name) == "clone" && s.names.text(l.desc) == "()Ljava/lang/Object;" {
		return outcome{}
	}
	l.owner, l.array = s.names.known("java/lang/Object"), false
	return s.resolve(l)
}

// unread says that only the name of a class is known.
func (c *class) unread() bool { return c.super == 0 && c.name != "java/lang/Object" }

// walk is one search through a class and its ancestors.
type walk struct {
	link    link
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

// here looks into one class, and into others of the same name in later jars, for a member whose flags are want where mask is set.
func (w *walk) here(c *class, members func(*class) []decl, mask, want uint16) bool {
	for ; c != nil; c = c.also.there() {
		w.unknown = w.unknown || c.unread()
		for _, m := range members(c) {
			if m.name == w.link.name && m.desc == w.link.desc && m.access&mask == want {
				w.found, w.access = c, m.access
				return true
			}
		}
	}
	return false
}

// enter gives the class of an ancestor's name as the descendant's class loader finds it, nil where it is missing or was seen.
func (w *walk) enter(from *class, name symbol) *class {
	if name == 0 {
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
	if w.seen == nil {
		w.seen = map[*class]bool{}
	}
	w.seen[c] = true
	return c
}

func fieldsOf(c *class) []decl  { return c.fields }
func methodsOf(c *class) []decl { return c.methods }

// field is JVM specification 5.4.3.2.
func (w *walk) field(c *class) bool {
	if c == nil {
		return false
	}
	if w.here(c, fieldsOf, 0, 0) {
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
		if w.here(next, methodsOf, 0, 0) || w.polymorphic(next) {
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

// polymorphic looks for the signature polymorphic methods of method handles, which have any descriptor: JVM specification 2.9.3.
func (w *walk) polymorphic(c *class) bool {
	if c.name != "java/lang/invoke/MethodHandle" && c.name != "java/lang/invoke/VarHandle" {
		return false
	}
	for _, m := range c.methods {
		if m.name == w.link.name && m.access&accVarargs != 0 && strings.HasPrefix(c.space.names.text(m.desc), "([Ljava/lang/Object;)") {
			w.found, w.access = c, m.access
			return true
		}
	}
	return false
}

// inherited looks for a method that is neither private nor static in the interfaces of a class.
func (w *walk) inherited(c *class) bool {
	for _, name := range c.interfaces {
		next := w.enter(c, name)
		if next == nil {
			continue
		}
		if w.here(next, methodsOf, accPrivate|accStatic, 0) || w.inherited(next) {
			return true
		}
	}
	return false
}

// interfaceMethod is JVM specification 5.4.3.4: the interface, the public methods of Object, the superinterfaces.
func (w *walk) interfaceMethod(c *class) bool {
	if w.here(c, methodsOf, 0, 0) {
		return true
	}
	if object := w.enter(c, c.space.names.known("java/lang/Object")); object != nil && w.here(object, methodsOf, accPublic|accStatic, accPublic) {
		return true
	}
	return w.inherited(c)
}
