package linkcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Access flags, JVM specification tables 4.1-B, 4.5-A and 4.6-A.
const (
	accPublic    = 0x0001
	accPrivate   = 0x0002
	accProtected = 0x0004
	accStatic    = 0x0008
	accVarargs   = 0x0080
	accInterface = 0x0200
	accModule    = 0x8000
)

// newestMajor is the class file version of Java 25; a later one may have a constant pool that cannot be read.
const newestMajor = 44 + 25

var errShort = errors.New("the class file ends too early")

// class is the header of a class file.
type class struct {
	name       string
	id, super  symbol // super is 0 for java/lang/Object
	interfaces []symbol
	access     uint16
	major      uint16
	fields     []decl
	methods    []decl

	refs     []uint32 // of a plugin's class: what it links to, numbers in its jar's table
	optional bool     // annotated as an extension that may fail to load
	space    *space
	jar      *jar
	also     *class // the same name in a later jar of the same plugin
	later    *later // its header is not read yet, or not asked for; nil where it is
}

// decl is a field or method that a class declares.
type decl struct {
	name, desc symbol
	access     uint16
}

// link is one link: kind 'c' class, 'f' field, 'm' method, 'i' interface method, 's' class that is only named in a signature.
type link struct {
	kind              byte
	array             bool // the owner of a member is an array
	owner, name, desc symbol
}

// ref is a link with its names.
type ref struct {
	kind              byte
	owner, name, desc string
}

func (n *names) ref(l link) ref { return ref{l.kind, n.text(l.owner), n.text(l.name), n.text(l.desc)} }

// classReader reads class files one after the other, with memory that is used again.
type classReader struct {
	names   *names
	at      []uint32
	symbols []symbol
	decls   []decl
	made    chunk[decl]
	parents chunk[symbol]
}

// chunk gives out slices of one piece of memory.
type chunk[T any] struct{ free []T }

func (c *chunk[T]) clone(list []T) []T {
	if len(list) == 0 {
		return nil
	}
	if len(list) > len(c.free) {
		c.free = make([]T, max(4096, len(list)))
	}
	out := c.free[:len(list):len(list)]
	c.free = c.free[len(list):]
	copy(out, list)
	return out
}

// reader walks over bytes; the first read past the end sets err and all later ones give zero.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b)-r.off {
		r.err = errShort
		return nil
	}
	r.off += n
	return r.b[r.off-n : r.off]
}

func (r *reader) u1() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) u2() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u4() int {
	if b := r.take(4); b != nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

// read reads the header of a class file. A module-info gives nil. With links, yield gets everything the class links to.
func (cr *classReader) read(b []byte, links func(link)) (*class, error) {
	r := &reader{b: b}
	if r.u4() != 0xCAFEBABE {
		return nil, errors.New("no class file: it does not begin with CAFEBABE")
	}
	r.u2()
	c := &class{major: uint16(r.u2())}
	if r.err == nil && c.major > newestMajor {
		return nil, fmt.Errorf("class file version %d is of Java %d; this program knows up to Java %d", c.major, int(c.major)-44, newestMajor-44)
	}
	p, err := cr.pool(r)
	if err != nil {
		return nil, err
	}
	c.access = uint16(r.u2())
	c.id, c.super = p.className(r.u2()), p.className(r.u2())
	var parents []symbol
	for n := r.u2(); n > 0 && r.err == nil; n-- {
		parents = append(parents, p.className(r.u2()))
	}
	c.interfaces = cr.parents.clone(parents)
	c.fields = cr.members(r, p)
	c.methods = cr.members(r, p)
	c.optional = readOptional(r, p)
	switch {
	case r.err != nil:
		return nil, r.err
	case c.access&accModule != 0:
		return nil, nil
	case c.id == 0:
		return nil, errors.New("the class file does not name its class")
	}
	c.name = p.names.text(c.id)
	if links != nil {
		c.links(p, links)
	}
	return c, nil
}

func (cr *classReader) members(r *reader, p pool) []decl {
	n := r.u2()
	if n > (len(r.b)-r.off)/8 { // a member takes at least eight bytes
		r.err = errShort
		return nil
	}
	cr.decls = cr.decls[:0]
	for ; n > 0 && r.err == nil; n-- {
		cr.decls = append(cr.decls, decl{access: uint16(r.u2()), name: p.utf8(r.u2()), desc: p.utf8(r.u2())})
		readAttributes(r, p, nil)
	}
	return cr.made.clone(cr.decls)
}

// readAttributes walks over a table of attributes and hands each one out.
func readAttributes(r *reader, p pool, each func(name string, body *reader)) {
	for n := r.u2(); n > 0 && r.err == nil; n-- {
		name := r.u2()
		body := r.take(r.u4())
		if each != nil && r.err == nil {
			each(string(p.raw(name)), &reader{b: body})
		}
	}
}

// links hands out what the class links to: its constants, and the types of its own members, which reflection resolves.
func (c *class) links(p pool, yield func(link)) {
	for i := range p.at {
		p.links(i, yield)
	}
	for _, members := range [][]decl{c.fields, c.methods} {
		for _, m := range members {
			typesOf(p.names.text(m.desc), func(name string) { yield(link{kind: 's', owner: p.names.of([]byte(name))}) })
		}
	}
}
