package jenkinsxml

import (
	"bytes"
	"unicode/utf8"
)

// simple says for sure that a document is well-formed, for the kind that nearly all of Jenkins' files are: one element with elements,
// attributes and text. What it does not know (comments, sections, namespaces, references to characters, another encoding) it leaves to
// the real parser, which takes thirty times as long. A home of 10,000 jobs is read as a whole at every start and every restore.
func simple(document []byte) bool {
	document = bytes.TrimPrefix(document, []byte(byteOrderMark))
	found := declaration(document[:min(len(document), 512)])
	if isForeign(found) {
		return false
	}
	s := scanner{text: document[len(found):]}
	if !s.blank() || !s.element() {
		return false
	}
	return s.blank() && s.at == len(s.text)
}

// scanner goes through a document once; its functions return false for what they do not know.
type scanner struct {
	text []byte
	at   int
}

// next is the letter at hand, 0 at the end, which no document holds.
func (s *scanner) next() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) take(letter byte) bool {
	if s.next() != letter {
		return false
	}
	s.at++
	return true
}

func (s *scanner) blank() bool {
	for {
		switch s.next() {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return true
		}
	}
}

func (s *scanner) name() []byte {
	begin := s.at
	for {
		switch c := s.next(); {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case s.at > begin && (c >= '0' && c <= '9' || c == '.' || c == '-'):
		default:
			return s.text[begin:s.at]
		}
		s.at++
	}
}

// element reads one element with all that is in it.
func (s *scanner) element() bool {
	var open [][]byte
	for {
		if !s.take('<') {
			return false
		}
		switch {
		case len(open) > 0 && s.take('/'):
			if last := open[len(open)-1]; !bytes.Equal(s.name(), last) || !s.blank() || !s.take('>') {
				return false
			}
			open = open[:len(open)-1]
		default:
			name := s.name()
			if len(name) == 0 || !s.attributes() {
				return false
			}
			if s.take('/') {
				if !s.take('>') {
					return false
				}
			} else {
				s.at++ // attributes ends at > or /
				open = append(open, name)
			}
		}
		if len(open) == 0 {
			return true
		}
		if !s.characters('<') {
			return false
		}
	}
}

// attributes ends at the > or / of a tag.
func (s *scanner) attributes() bool {
	for {
		begin := s.at
		s.blank()
		if c := s.next(); c == '>' || c == '/' {
			return true
		}
		if s.at == begin || len(s.name()) == 0 || !s.take('=') {
			return false
		}
		quote := s.next()
		if quote != '"' && quote != '\'' {
			return false
		}
		s.at++
		if !s.characters(quote) || !s.take(quote) {
			return false
		}
	}
}

// characters reads text up to a letter.
func (s *scanner) characters(end byte) bool {
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == end:
			return true
		case c == '<', c == ']', c < ' ' && c != '\t' && c != '\r' && c != '\n':
			return false // ] may begin what must not stand in a text
		case c == '&':
			if !s.entity() {
				return false
			}
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size == 1 || r == 0xfffe || r == 0xffff {
				return false
			}
			s.at += size
		}
	}
	return false
}

func (s *scanner) entity() bool {
	for _, known := range []string{"&lt;", "&gt;", "&amp;", "&quot;", "&apos;"} {
		if rest := s.text[s.at:]; len(rest) >= len(known) && string(rest[:len(known)]) == known {
			s.at += len(known)
			return true
		}
	}
	return false
}
