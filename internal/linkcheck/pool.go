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

// interner keeps one copy of each name of a jar: most are repeated in every class.
type interner map[string]string

func (in interner) str(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	in[s] = s
	return s
}

// pool is a constant pool: where each entry's tag byte is, 0 for no entry.
type pool struct {
	b  []byte
	at []uint32
	in interner
}

func readPool(r *reader, in interner) (pool, error) {
	n := r.u2()
	p := pool{b: r.b, at: make([]uint32, n), in: in}
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

func (p pool) utf8(i int) string      { return p.in.str(p.raw(i)) }
func (p pool) className(i int) string { return p.utf8(p.number(i, tagClass, 0)) }

// member gives the link of a Fieldref, Methodref or InterfaceMethodref; kind 0 where it is none.
func (p pool) member(i int) ref {
	tag, body := p.entry(i)
	if tag != tagField && tag != tagMethod && tag != tagInterfaceMethod {
		return ref{}
	}
	nameAndType := int(binary.BigEndian.Uint16(body[2:]))
	r := ref{
		kind: "fmi"[tag-tagField], owner: p.className(int(binary.BigEndian.Uint16(body))),
		name: p.utf8(p.number(nameAndType, tagNameAndType, 0)), desc: p.utf8(p.number(nameAndType, tagNameAndType, 2)),
	}
	if r.owner == "" || r.name == "" || r.desc == "" {
		return ref{}
	}
	return r
}

// links calls yield with every link that resolving one constant makes; bootstrap arguments are other constants.
func (p pool) links(i int, yield func(ref)) {
	tag, body := p.entry(i)
	switch tag {
	case tagClass:
		if name := element(p.className(i)); name != "" {
			yield(ref{kind: 'c', owner: name})
		}
	case tagField, tagMethod, tagInterfaceMethod:
		if m := p.member(i); m.kind != 0 {
			yield(m)
			if name := element(m.owner); name != "" {
				yield(ref{kind: 'c', owner: name})
			}
		}
	case tagMethodHandle:
		target := int(binary.BigEndian.Uint16(body[1:]))
		if p.member(target).kind == 0 {
			return
		}
		p.links(target, yield)
		typesOf(p.member(target).desc, func(name string) { yield(ref{kind: 'c', owner: p.in.str([]byte(name))}) })
	case tagMethodType:
		typesOf(p.utf8(p.number(i, tag, 0)), func(name string) { yield(ref{kind: 'c', owner: p.in.str([]byte(name))}) })
	case tagDynamic, tagInvokeDynamic:
		desc := p.utf8(p.number(p.number(i, tag, 2), tagNameAndType, 2))
		typesOf(desc, func(name string) { yield(ref{kind: 'c', owner: p.in.str([]byte(name))}) })
	}
}

// element gives the class of a Class constant: of an array the class of its elements, empty for arrays of primitives.
func element(name string) string {
	if !strings.HasPrefix(name, "[") {
		return name
	}
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
