package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// writer writes YAML with the keys in the order of the types.
type writer struct {
	out   bytes.Buffer
	live  map[string]bool
	docs  map[string]string
	hints bool
}

// line writes one line. In a part that is commented out as a whole, the # stands where the part begins.
func (w *writer) line(depth, hint int, text string) {
	if hint >= 0 {
		w.out.WriteString(strings.Repeat("  ", hint) + "#" + strings.Repeat("  ", depth-hint))
	} else {
		w.out.WriteString(strings.Repeat("  ", depth))
	}
	w.out.WriteString(text + "\n")
}

// section writes the keys of a struct. example stands in for sections that v does not have. hint is the depth of the part
// that is commented out around it, -1 for none.
func (w *writer) section(v, example reflect.Value, path string, depth, hint int) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, ok := keyOf(field)
		if !ok {
			continue
		}
		at, value, sample := join(path, key), v.Field(i), reflect.Value{}
		if example.IsValid() {
			sample = deref(example.Field(i))
		}
		missing := value.Kind() == reflect.Pointer && value.IsNil()
		if value = deref(value); missing {
			value = sample
		}
		live := w.anyLive(at) && !missing
		if !value.IsValid() || (!live && (!w.hints || !hintable(value))) {
			continue
		}
		under := hint
		if !live && hint < 0 {
			under = depth
		}
		if w.hints && depth == 0 {
			w.out.WriteString("\n")
		}
		w.comment(w.docs[v.Type().Name()+"."+field.Name], field.Name, key, depth, hint)
		if isSection(value.Type()) {
			w.line(depth, under, key+":")
			w.section(value, sample, at, depth+1, under)
			continue
		}
		w.leaf(key, value, depth, under)
	}
}

// leaf writes one key; lists of structs take one line per element.
func (w *writer) leaf(key string, value reflect.Value, depth, hint int) {
	if value.Kind() != reflect.Slice || value.Type().Elem().Kind() != reflect.Struct || value.Len() == 0 {
		w.line(depth, hint, key+": "+flow(value))
		return
	}
	w.line(depth, hint, key+":")
	for i := range value.Len() {
		w.line(depth+1, hint, "- "+flow(value.Index(i)))
	}
}

// comment writes a doc comment with the key's name in place of the field's.
func (w *writer) comment(doc, name, key string, depth, hint int) {
	if !w.hints || doc == "" {
		return
	}
	doc = describe(doc, name, key)
	const width = 110
	for doc != "" {
		cut := len(doc)
		if cut > width {
			if cut = strings.LastIndexByte(doc[:width], ' '); cut < 0 {
				cut = len(doc)
			}
		}
		w.line(depth, hint, "# "+doc[:cut])
		doc = strings.TrimSpace(doc[cut:])
	}
}

// describe is a doc comment of a field as the description of its key.
func describe(doc, name, key string) string {
	if rest, ok := strings.CutPrefix(doc, name+" "); ok {
		return key + " " + rest
	}
	return doc
}

func (w *writer) anyLive(path string) bool {
	for p := range w.live {
		if p == path || strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// hintable leaves out of the comments what would only be long or empty.
func hintable(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		return v.Len() > 0 && v.Len() <= 8
	case reflect.Map:
		return v.Len() > 0
	}
	return true
}

func deref(v reflect.Value) reflect.Value {
	if v.IsValid() && v.Kind() == reflect.Pointer {
		return v.Elem()
	}
	return v
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keyOf is the key of a field, false for fields that are not in the file.
func keyOf(f reflect.StructField) (string, bool) {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key, key != "" && key != "-"
}

// flow writes a value on one line, without the empty values of fields that say omitempty.
func flow(v reflect.Value) string {
	if s, ok := v.Interface().(Source); ok && s.Standin {
		return "standin"
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic("config: " + err.Error()) // Size and Duration never fail
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return flow(v.Elem())
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, flow(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		var parts []string
		for _, k := range v.MapKeys() {
			parts = append(parts, quote(k.String())+": "+flow(v.MapIndex(k)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key, ok := keyOf(f)
			if !ok || (v.Field(i).IsZero() && strings.HasSuffix(f.Tag.Get("yaml"), ",omitempty")) {
				continue
			}
			parts = append(parts, key+": "+flow(v.Field(i)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

var (
	plainText = regexp.MustCompile(`^(\.?[A-Za-z_/][A-Za-z0-9_./@~+-]*(:[A-Za-z0-9_./@~+-]+)*|~/[A-Za-z0-9_./@~+-]*|[0-9]+(\.[0-9]+){3})$`)
	otherWord = regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n|\.inf|\.nan)$`)
)

// quote writes a text plain where every YAML reader takes it for that text, else as JSON, which YAML includes.
func quote(s string) string {
	if plainText.MatchString(s) && !otherWord.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("config: " + err.Error()) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
