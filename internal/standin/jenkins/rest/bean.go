package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// bean is one exported object. Fields keep Jenkins' order.
type bean struct {
	class  string // "" = no _class
	fields []field
}

// field is one exported property. A value is nil, a scalar, a *bean, a []*bean, a []string or a json.RawMessage; a func() any
// is called only when the property is shown.
type field struct {
	name string
	// vis is Stapler's visibility: shown at depth d below the root when vis > d - the depth asked for.
	vis    int
	value  any
	inline bool // the children count as being on this level
}

func f(name string, value any) field  { return field{name: name, vis: 1, value: value} }
func f2(name string, value any) field { return field{name: name, vis: 2, value: value} }
func f3(name string, value any) field { return field{name: name, vis: 3, value: value} }
func inlined(name string, value any) field {
	return field{name: name, vis: 1, value: value, inline: true}
}
func object(class string, fs ...field) *bean { return &bean{class: class, fields: fs} }
func (b *bean) add(fs ...field) *bean        { b.fields = append(b.fields, fs...); return b }
func raw(format string, args ...any) any     { return json.RawMessage(fmt.Sprintf(format, args...)) }
func beans[T any](list []T, f func(T) *bean) []*bean {
	out := make([]*bean, 0, len(list))
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

// pruner decides what is shown: by tree= or by depth=.
type pruner interface {
	accept(f field) (pruner, *span, bool)
}

type byDepth int

func (d byDepth) accept(f field) (pruner, *span, bool) {
	if f.vis < int(d) {
		return nil, nil, false
	}
	if f.inline {
		return d, nil, true
	}
	return d + 1, nil, true
}

type span struct{ from, to int } // to < 0: to the end

type byTree struct {
	children map[string]*byTree
	span     *span
}

func (t *byTree) accept(f field) (pruner, *span, bool) {
	if child := t.children[f.name]; child != nil {
		return child, child.span, true
	}
	if child := t.children["*"]; child != nil && f.vis > 0 {
		return child, child.span, true
	}
	return nil, nil, false
}

var errTree = errors.New("syntax error in tree")

// parseTree reads `a,b[c,d]{0,2}`.
func parseTree(text string) (*byTree, error) {
	p := &treeParser{text: text}
	t, err := p.list()
	if err == nil && p.at < len(p.text) {
		err = errTree
	}
	return t, err
}

type treeParser struct {
	text string
	at   int
}

func (p *treeParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *treeParser) list() (*byTree, error) {
	t := &byTree{children: map[string]*byTree{}}
	for {
		start := p.at
		for p.at < len(p.text) && !strings.ContainsRune(",[]{}", rune(p.text[p.at])) {
			p.at++
		}
		name := strings.TrimSpace(p.text[start:p.at])
		if name == "" {
			return nil, errTree
		}
		child := &byTree{children: map[string]*byTree{}}
		if p.peek() == '[' {
			p.at++
			var err error
			if child, err = p.list(); err != nil {
				return nil, err
			}
			if p.peek() != ']' {
				return nil, errTree
			}
			p.at++
		}
		if p.peek() == '{' {
			if err := p.span(child); err != nil {
				return nil, err
			}
		}
		if old := t.children[name]; old != nil {
			for k, v := range child.children {
				old.children[k] = v
			}
			child = old
		}
		t.children[name] = child
		if p.peek() != ',' {
			return t, nil
		}
		p.at++
	}
}

func (p *treeParser) span(child *byTree) error {
	end := strings.IndexByte(p.text[p.at:], '}')
	if end < 0 {
		return errTree
	}
	text := p.text[p.at+1 : p.at+end]
	p.at += end + 1
	from, to, ranged := strings.Cut(text, ",")
	s := &span{to: -1}
	var err error
	if from != "" {
		if s.from, err = strconv.Atoi(from); err != nil {
			return errTree
		}
	}
	if !ranged {
		s.to = s.from + 1
	} else if to != "" {
		if s.to, err = strconv.Atoi(to); err != nil {
			return errTree
		}
	}
	child.span = s
	return nil
}

func (s *span) cut(n int) (int, int) {
	if s == nil {
		return 0, n
	}
	to := s.to
	if to < 0 || to > n {
		to = n
	}
	return min(max(s.from, 0), to), to
}

// writeJSON writes a bean as /api/json does.
func writeJSON(b *bytes.Buffer, o *bean, p pruner) {
	b.WriteByte('{')
	comma := ""
	if o.class != "" {
		fmt.Fprintf(b, "\"_class\":%s", quote(o.class))
		comma = ","
	}
	for _, fd := range o.fields {
		next, cut, ok := p.accept(fd)
		if !ok {
			continue
		}
		b.WriteString(comma + quote(fd.name) + ":")
		comma = ","
		writeValue(b, fd.value, next, cut)
	}
	b.WriteByte('}')
}

func writeValue(b *bytes.Buffer, value any, p pruner, cut *span) {
	switch v := value.(type) {
	case func() any:
		writeValue(b, v(), p, cut)
	case nil:
		b.WriteString("null")
	case *bean:
		if v == nil {
			b.WriteString("null")
			return
		}
		writeJSON(b, v, p)
	case []*bean:
		from, to := cut.cut(len(v))
		b.WriteByte('[')
		for i, o := range v[from:to] {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, o, p)
		}
		b.WriteByte(']')
	case json.RawMessage:
		b.Write(v)
	case string:
		b.WriteString(quote(v))
	default:
		data, err := json.Marshal(v)
		if err != nil {
			data = []byte("null")
		}
		b.Write(data)
	}
}

func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
