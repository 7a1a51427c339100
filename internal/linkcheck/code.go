package linkcheck

import (
	"encoding/binary"
	"fmt"
)

// caught are the types whose handler also gets the error of a missing link: the code is prepared for it. A finally block has no
// type and throws the error again.
var caught = []string{
	"java/lang/Throwable", "java/lang/Error", "java/lang/LinkageError", "java/lang/NoClassDefFoundError",
	"java/lang/IncompatibleClassChangeError", "java/lang/NoSuchMethodError", "java/lang/NoSuchFieldError",
}

// handler is one row of a method's exception table.
type handler struct {
	start, end int
	guards     bool
	catches    string
}

// uses reads a class file again, with its code, and calls yield for each place that has a link.
func (cr *classReader) uses(b []byte, yield func(l link, use Use)) error {
	r := &reader{b: b}
	r.take(8)
	p, err := cr.pool(r)
	if err != nil {
		return err
	}
	r.take(2)
	own, super := p.names.text(p.className(r.u2())), r.u2()
	p.links(super, func(l link) { yield(l, Use{Class: own, How: "extends"}) })
	for n := r.u2(); n > 0 && r.err == nil; n-- {
		p.links(r.u2(), func(l link) { yield(l, Use{Class: own, How: "extends"}) })
	}
	var bodies []methodBody
	for kind := range 2 {
		for n := r.u2(); n > 0 && r.err == nil; n-- {
			r.u2()
			name, desc := string(p.raw(r.u2())), string(p.raw(r.u2()))
			title := name + desc
			if kind == 0 {
				title = name + " " + desc
			}
			typesOf(desc, func(t string) {
				yield(link{kind: 's', owner: p.names.of([]byte(t))}, Use{Class: own, Member: title, How: "signature"})
			})
			readAttributes(r, p, func(attribute string, body *reader) {
				if kind == 1 && attribute == "Code" {
					bodies = append(bodies, methodBody{own, title, body})
				}
			})
		}
	}
	var bootstraps [][]int
	readAttributes(r, p, func(attribute string, body *reader) {
		if attribute == "BootstrapMethods" {
			bootstraps = readBootstraps(body)
		}
	})
	if r.err != nil {
		return r.err
	}
	for _, m := range bodies {
		if err := m.uses(p, bootstraps, yield); err != nil {
			return fmt.Errorf("code of %s: %w", m.title, err)
		}
	}
	return nil
}

// readBootstraps gives for each bootstrap method its handle and arguments, numbers of constants.
func readBootstraps(r *reader) [][]int {
	var table [][]int
	for n := r.u2(); n > 0 && r.err == nil; n-- {
		constants := []int{r.u2()}
		for arguments := r.u2(); arguments > 0 && r.err == nil; arguments-- {
			constants = append(constants, r.u2())
		}
		table = append(table, constants)
	}
	return table
}

type methodBody struct {
	class, title string
	attribute    *reader
}

func (m methodBody) uses(p pool, bootstraps [][]int, yield func(link, Use)) error {
	r := m.attribute
	r.take(4)
	code := r.take(r.u4())
	var handlers []handler
	for n := r.u2(); n > 0 && r.err == nil; n-- {
		h := handler{start: r.u2(), end: r.u2()}
		r.u2()
		catch := r.u2()
		h.catches = string(p.raw(p.classConstant(catch)))
		for _, name := range caught {
			h.guards = h.guards || h.catches == name
		}
		p.links(catch, func(l link) { yield(l, Use{Class: m.class, Member: m.title, How: "catch"}) })
		handlers = append(handlers, h)
	}
	if r.err != nil {
		return r.err
	}
	return eachConstant(code, func(at, constant int) {
		use := Use{Class: m.class, Member: m.title, How: "code"}
		for _, h := range handlers {
			use.Guarded = use.Guarded || h.guards && h.start <= at && at < h.end
		}
		p.links(constant, func(l link) { yield(l, use) })
		if tag, body := p.entry(constant); tag == tagInvokeDynamic || tag == tagDynamic {
			if b := int(binary.BigEndian.Uint16(body)); b < len(bootstraps) {
				for _, argument := range bootstraps[b] {
					p.links(argument, func(l link) { yield(l, use) })
				}
			}
		}
	})
}

// operands has the length of each instruction's operands as a digit, JVM specification 6.5; t and l are the switches, w is wide,
// and a letter from A on means a constant pool index of 1 byte (A), 2 bytes (B), 2 of 3 (C), 2 of 4 bytes (D).
const operands = "" +
	"0000000000000000" + "12ABB11111000000" + "0000000000000000" + "0000001111100000" + // 0x00
	"0000000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000" + // 0x40
	"0000200000000000" + "0000000002222222" + "222222222" + "1tl000000" + "BBBBBBB" + "DD" + "B1B" + "00" + "BB" + "00" + // 0x80
	"wC2244"

// eachConstant walks over the instructions of a method and calls yield for each that names a constant.
func eachConstant(code []byte, yield func(at, constant int)) error {
	r := &reader{b: code}
	for r.off < len(code) && r.err == nil {
		at := r.off
		op := r.u1()
		if op >= len(operands) {
			return fmt.Errorf("unknown instruction %#x at %d", op, at)
		}
		switch kind := operands[op]; kind {
		case 'A':
			yieldAfter(r, at, r.u1(), 0, yield)
		case 'B', 'C', 'D':
			yieldAfter(r, at, r.u2(), int(kind-'B'), yield)
		case 't', 'l':
			skipSwitch(r, kind)
		case 'w':
			if r.u1() == 0x84 { // iinc
				r.take(2)
			}
			r.take(2)
		default:
			r.take(int(kind - '0'))
		}
	}
	return r.err
}

func yieldAfter(r *reader, at, constant, rest int, yield func(at, constant int)) {
	if r.take(rest); r.err == nil {
		yield(at, constant)
	}
}

// skipSwitch walks over a tableswitch or lookupswitch, whose operands begin at a multiple of four.
func skipSwitch(r *reader, kind byte) {
	r.take((4 - r.off%4) % 4)
	r.take(4)
	if kind == 'l' {
		if n := r.u4(); n <= len(r.b) { // what is larger cannot be
			r.take(8 * n)
			return
		}
		r.err = errShort
		return
	}
	low, high := int32(uint32(r.u4())), int32(uint32(r.u4()))
	n := int64(high) - int64(low) + 1
	if n < 0 || n > int64(len(r.b)) {
		r.err = errShort
		return
	}
	r.take(int(n) * 4)
}
