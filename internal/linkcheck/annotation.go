package linkcheck

import "encoding/binary"

// deepestValue bounds the nesting of annotation values; Java compilers make two or three levels.
const deepestValue = 16

// readOptional reads the class's attributes and says whether the class is an extension that Jenkins lets fail quietly:
// @Extension(optional=true), or @OptionalExtension of the variant plugin.
func readOptional(r *reader, p pool) bool {
	optional := false
	readAttributes(r, p, func(name string, body *reader) {
		if name != "RuntimeVisibleAnnotations" {
			return
		}
		for n := body.u2(); n > 0 && body.err == nil; n-- {
			kind := string(p.raw(body.u2()))
			if kind == "Lorg/jenkinsci/plugins/variant/OptionalExtension;" {
				optional = true
			}
			for pairs := body.u2(); pairs > 0 && body.err == nil; pairs-- {
				key := string(p.raw(body.u2()))
				if set := readValue(body, p, 0); set && kind == "Lhudson/Extension;" && key == "optional" {
					optional = true
				}
			}
		}
	})
	return optional
}

// readValue walks over an element_value (JVM specification 4.7.16.1) and says whether it is the boolean true.
func readValue(r *reader, p pool, depth int) bool {
	if depth > deepestValue {
		r.err = errShort
		return false
	}
	switch tag := r.u1(); tag {
	case 'e':
		r.take(4)
	case '@':
		r.take(2)
		for n := r.u2(); n > 0 && r.err == nil; n-- {
			r.take(2)
			readValue(r, p, depth+1)
		}
	case '[':
		for n := r.u2(); n > 0 && r.err == nil; n-- {
			readValue(r, p, depth+1)
		}
	default:
		constant, body := p.entry(r.u2())
		return tag == 'Z' && constant == tagInteger && binary.BigEndian.Uint32(body) != 0
	}
	return false
}
