package linkcheck

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Tags of the constant pool, JVM specification table 4.4-A.
const (
	tagUtf8 = 1 + iota
	_
	tagInteger
	tagFloat
	tagLong
	tagDouble
	tagClass
	tagString
	tagField
	tagMethod
	tagInterfaceMethod
	tagNameAndType
	_
	_
	tagMethodHandle
	tagMethodType
	tagDynamic
	tagInvokeDynamic
	tagModule
	tagPackage
)

// pool is a constant pool: where each entry's tag byte is, 0 for no entry.
type pool struct {
	b       []byte
	at      []uint32
	symbols []symbol // of the names that were asked for
	names   *names
}

// pool reads a constant pool, which is there until the next one is read.
func (cr *classReader) pool(r *reader) (pool, error) {
	n := r.u2()
	cr.at, cr.symbols = sized(cr.at, n), sized(cr.symbols, n)
	p := pool{b: r.b, at: cr.at, symbols: cr.symbols, names: cr.names}
	for i := 1; i < n && r.err == nil; i++ {
		p.at[i] = uint32(r.off)
		switch tag := r.u1(); tag {
		case tagUtf8:
			r.take(r.u2())
		case tagClass, tagString, tagMethodType, tagModule, tagPackage:
			r.take(2)
		case tagMethodHandle:
			r.take(3)
		case tagInteger, tagFloat, tagField, tagMethod, tagInterfaceMethod, tagNameAndType, tagDynamic, tagInvokeDynamic:
			r.take(4)
		case tagLong, tagDouble:
			r.take(8)
			i++ // they take two places
		default:
			if r.err == nil {
				return p, fmt.Errorf("constant %d has the unknown tag %d", i, tag)
			}
		}
	}
	return p, r.err
}

// sized gives n zeros, in the memory of a list where that is enough.
func sized[T any](list []T, n int) []T {
	if n > cap(list) {
		return make([]T, n, 2*n)
	}
	list = list[:n]
	clear(list)
	return list
}

// entry gives the tag of a constant and its bytes, 0 for a number that is none.
func (p pool) entry(i int) (tag int, body []byte) {
	if i <= 0 || i >= len(p.at) || p.at[i] == 0 {
		return 0, nil
	}
	at := p.at[i]
	return int(p.b[at]), p.b[at+1:]
}

func (p pool) number(i, tag, offset int) int {
	t, body := p.entry(i)
	if t != tag {
		return 0
	}
	return int(binary.BigEndian.Uint16(body[offset:]))
}

// raw gives the bytes of a Utf8 constant, nil for anything else.
func (p pool) raw(i int) []byte {
	t, body := p.entry(i)
	if t != tagUtf8 {
		return nil
	}
	return body[2 : 2+int(binary.BigEndian.Uint16(body))]
}

// utf8 gives the symbol of a Utf8 constant, 0 for anything else.
func (p pool) utf8(i int) symbol {
	if i <= 0 || i >= len(p.symbols) {
		return 0
	}
	if p.symbols[i] == 0 {
		p.symbols[i] = p.names.of(p.raw(i))
	}
	return p.symbols[i]
}

// classConstant gives the number of the Utf8 constant with the name of a Class constant.
func (p pool) classConstant(i int) int { return p.number(i, tagClass, 0) }
func (p pool) className(i int) symbol  { return p.utf8(p.classConstant(i)) }

// member gives the link of a Fieldref, Methodref or InterfaceMethodref; kind 0 where it is none.
func (p pool) member(i int) link {
	tag, body := p.entry(i)
	if tag != tagField && tag != tagMethod && tag != tagInterfaceMethod {
		return link{}
	}
	owner := p.classConstant(int(binary.BigEndian.Uint16(body)))
	nameAndType := int(binary.BigEndian.Uint16(body[2:]))
	l := link{
		kind: "fmi"[tag-tagField], array: isArray(p.raw(owner)), owner: p.utf8(owner),
		name: p.utf8(p.number(nameAndType, tagNameAndType, 0)), desc: p.utf8(p.number(nameAndType, tagNameAndType, 2)),
	}
	if l.owner == 0 || l.name == 0 || l.desc == 0 {
		return link{}
	}
	return l
}

// links calls yield with every link that resolving one constant makes; bootstrap arguments are other constants.
func (p pool) links(i int, yield func(link)) {
	tag, body := p.entry(i)
	types := func(constant int) {
		typesOf(string(p.raw(constant)), func(name string) { yield(link{kind: 'c', owner: p.names.of([]byte(name))}) })
	}
	switch tag {
	case tagClass:
		p.element(i, yield)
	case tagField, tagMethod, tagInterfaceMethod:
		if m := p.member(i); m.kind != 0 {
			yield(m)
			p.element(int(binary.BigEndian.Uint16(body)), yield)
		}
	case tagMethodHandle:
		target := int(binary.BigEndian.Uint16(body[1:]))
		if p.member(target).kind == 0 {
			return
		}
		p.links(target, yield)
		_, member := p.entry(target)
		types(p.number(int(binary.BigEndian.Uint16(member[2:])), tagNameAndType, 2))
	case tagMethodType:
		types(p.number(i, tag, 0))
	case tagDynamic, tagInvokeDynamic:
		types(p.number(p.number(i, tag, 2), tagNameAndType, 2))
	}
}

// element yields the link of a Class constant: of an array to the class of its elements.
func (p pool) element(i int, yield func(link)) {
	constant := p.classConstant(i)
	raw := p.raw(constant)
	if !isArray(raw) {
		if len(raw) > 0 {
			yield(link{kind: 'c', owner: p.utf8(constant)})
		}
		return
	}
	if name := element(string(raw)); name != "" {
		yield(link{kind: 'c', owner: p.names.of([]byte(name))})
	}
}

func isArray(name []byte) bool { return len(name) > 0 && name[0] == '[' }

// element gives the class of an array's elements, empty for arrays of primitives.
func element(name string) string {
	name = strings.TrimLeft(name, "[")
	if strings.HasPrefix(name, "L") && strings.HasSuffix(name, ";") {
		return name[1 : len(name)-1]
	}
	return ""
}

// typesOf calls yield with every class that a descriptor names; a method has at most 255 parameters.
func typesOf(desc string, yield func(string)) {
	for range 256 {
		start := strings.IndexByte(desc, 'L')
		if start < 0 {
			return
		}
		end := strings.IndexByte(desc[start:], ';')
		if end < 2 {
			return
		}
		yield(desc[start+1 : start+end])
		desc = desc[start+end+1:]
	}
}
