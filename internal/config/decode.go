package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder fills a Cluster from the syntax tree and goes on after a problem, so that all are reported at once.
type decoder struct {
	problems Problems
	places   map[string]*token.Position
	zeros    []zero
}

// zero is a number that the file gives as 0.
type zero struct {
	path  string
	value reflect.Value
}

func (d *decoder) add(p Problem) { d.problems = append(d.problems, p) }

// fail reports a problem at a node.
func (d *decoder) fail(n ast.Node, path, rule, fix string) {
	p := Problem{Path: path, Rule: rule, Fix: fix}
	if s, ok := scalar(n); ok && !secretPath(path) {
		p.Value = show(s)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	d.add(p)
}

// failKey reports a problem with a key.
func (d *decoder) failKey(key ast.Node, path, rule, fix string) {
	p := Problem{Path: path, Rule: rule, Fix: fix}
	if t := key.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	d.add(p)
}

// place is the position of a path, or of the closest thing around it that is in the file.
func (d *decoder) place(path string) (line, column int) {
	for path != "" {
		if p := d.places[path]; p != nil {
			return p.Line, p.Column
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0, 0
}

// failedAround says that something that the path is in could not be decoded.
func (d *decoder) failedAround(path string) bool {
	for _, p := range d.problems {
		if rest, ok := strings.CutPrefix(path, p.Path); ok && p.Path != "" && rest != "" && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// refuseZeros reports numbers that were written as 0 and that Default has replaced.
func (d *decoder) refuseZeros() {
	for _, z := range d.zeros {
		if !z.value.IsZero() {
			d.add(Problem{Path: z.path, Value: "0", Rule: "must be more than 0", Fix: fmt.Sprintf("leave it out for the default, %v", z.value.Interface())})
		}
	}
}

// value decodes one node into v.
func (d *decoder) value(path string, n ast.Node, v reflect.Value) {
	if t := n.GetToken(); t != nil && d.places[path] == nil && path != "" {
		d.places[path] = t.Position
	}
	switch n.(type) {
	case *ast.NullNode:
		if v.Type() == reflect.TypeFor[*BasicAuth]() { // without a value it would silently be off
			d.fail(n, path, "must have a value", "{} takes the defaults")
		}
		return
	case *ast.AnchorNode, *ast.AliasNode:
		d.fail(n, path, "anchors and aliases are not allowed", "write the value out")
		return
	case *ast.TagNode:
		d.fail(n, path, "tags are not allowed", "remove the word with the exclamation mark")
		return
	}
	if v.Type() == reflect.TypeFor[Source]() && !isMapping(n) {
		if s, ok := scalar(n); !ok || s != "standin" {
			d.fail(n, path, "must be the word standin or a mapping with one of "+strings.Join(sourceKinds(), ", "), "")
			return
		}
		v.Addr().Interface().(*Source).Standin = true
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(path, n, v, u)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, n, v.Elem())
	case reflect.Struct:
		d.structure(path, n, v)
	case reflect.Slice:
		d.slice(path, n, v)
	case reflect.Map:
		d.stringMap(path, n, v)
	default:
		d.scalarValue(path, n, v)
	}
}

// text decodes a Size or a Duration.
func (d *decoder) text(path string, n ast.Node, v reflect.Value, u encoding.TextUnmarshaler) {
	s, ok := scalar(n)
	if !ok {
		d.fail(n, path, "must be one value with its unit", "")
		return
	}
	if err := u.UnmarshalText([]byte(s)); err != nil {
		d.fail(n, path, err.Error(), "")
		return
	}
	if v.IsZero() {
		d.zeros = append(d.zeros, zero{path, v})
	}
}

// scalarValue decodes texts and numbers. A text may look like a number (a branch, a checksum): its source counts.
func (d *decoder) scalarValue(path string, n ast.Node, v reflect.Value) {
	s, ok := scalar(n)
	switch v.Kind() {
	case reflect.String:
		if !ok {
			d.fail(n, path, "must be a text", "")
			return
		}
		v.SetString(s)
		return
	case reflect.Bool:
		if _, boolean := n.(*ast.BoolNode); !boolean || s != "true" && s != "false" {
			d.fail(n, path, "must be true or false", "")
			return
		}
		v.SetBool(s == "true")
		return
	case reflect.Int:
		i, err := strconv.Atoi(s)
		if _, integer := n.(*ast.IntegerNode); !integer || err != nil {
			d.fail(n, path, "must be a whole number, without quotes", "")
			return
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		_, integer := n.(*ast.IntegerNode)
		_, float := n.(*ast.FloatNode)
		if !(integer || float) || err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			d.fail(n, path, "must be a number such as 0.5 or 2, without quotes", "")
			return
		}
		v.SetFloat(f)
	default:
		panic("config: type " + v.Type().String() + " has no decoder")
	}
	if v.IsZero() {
		d.zeros = append(d.zeros, zero{path, v})
	}
}

func (d *decoder) slice(path string, n ast.Node, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, path, "must be a list", "write it as [a, b] or one line per element, each beginning with a dash")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, e := range seq.Values {
		d.value(fmt.Sprintf("%s[%d]", path, i), e, v.Index(i))
	}
}

func (d *decoder) stringMap(path string, n ast.Node, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	d.entries(path, n, func(key string, e *ast.MappingValueNode, below string) {
		s, ok := scalar(e.Value)
		if !ok {
			d.fail(e.Value, below, "must be a text", "")
			return
		}
		v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(s))
	})
}

func (d *decoder) structure(path string, n ast.Node, v reflect.Value) {
	fields := keysOf(v.Type())
	d.entries(path, n, func(key string, e *ast.MappingValueNode, below string) {
		if i, ok := fields[key]; ok {
			if isMapping(e.Value) {
				d.places[below] = e.Key.GetToken().Position
			}
			d.value(below, e.Value, v.Field(i))
			return
		}
		d.failKey(e.Key, below, "unknown key", meant(key, path, fields))
	})
}

// entries calls f for every key of a mapping and reports keys that come twice or are no plain words.
func (d *decoder) entries(path string, n ast.Node, f func(key string, e *ast.MappingValueNode, below string)) {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		d.fail(n, path, "must be a mapping of keys to values", "")
		return
	}
	first := map[string]int{}
	for _, e := range values {
		key, ok := scalar(e.Key)
		if e.Key.IsMergeKey() || !ok {
			d.fail(e.Key, path, "merge keys and keys that are no plain words are not allowed", "write the values out")
			continue
		}
		below := join(path, key)
		if line, twice := first[key]; twice {
			d.failKey(e.Key, show(below), fmt.Sprintf("this key was given already in line %d", line), "keep one of them")
			continue
		}
		if t := e.Key.GetToken(); t != nil && t.Position != nil {
			first[key] = t.Position.Line
		}
		f(key, e, show(below))
	}
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// scalar is the text of a plain value, as it is in the source for numbers and words like true.
func scalar(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return s.GetToken().Value, true
	}
	return "", false
}
