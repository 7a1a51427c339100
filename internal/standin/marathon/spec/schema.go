package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// Detail is one complaint: a path such as /networks(0)/mode and its error texts.
type Detail struct {
	Path   string   `json:"path"`
	Errors []string `json:"errors"`
}

// Invalid is a refused document; Message is "Invalid JSON" for faults of type and range, "Object is not valid" for others.
type Invalid struct {
	Message string
	Details []Detail
}

func (e *Invalid) Error() string {
	parts := []string{e.Message}
	for _, d := range e.Details {
		parts = append(parts, d.Path+" "+strings.Join(d.Errors, ", "))
	}
	return strings.Join(parts, "; ")
}

// Faults that Marathon answers with 500 where 422 is due.
type Fault struct{ Text string }

func (e *Fault) Error() string { return e.Text }

type node struct {
	kind     string // string, number, int, bool, object, map, array, any, unreachable, envvalue, volume
	min, max *float64
	minLen   int
	pattern  *regexp.Regexp
	enum     []string
	required []string
	fields   map[string]*node
	items    *node
	null     bool // null is a fault of its own kind, not absence
}

type walker struct{ details []Detail }

func (w *walker) fail(path, text string) {
	w.details = append(w.details, Detail{Path: path, Errors: []string{text}})
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

func (w *walker) walk(path string, raw json.RawMessage, n *node) {
	switch n.kind {
	case "string":
		w.text(path, raw, n)
	case "number", "int":
		w.number(path, raw, n)
	case "bool":
		var v bool
		if json.Unmarshal(raw, &v) != nil {
			w.fail(path, "error.expected.jsboolean")
		}
	case "array":
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			w.fail(path, "error.expected.jsarray")
			return
		}
		for i, item := range items {
			w.walk(fmt.Sprintf("%s(%d)", path, i), item, n.items)
		}
	case "map":
		var values map[string]json.RawMessage
		if json.Unmarshal(raw, &values) != nil {
			w.fail(path, "error.expected.jsobject")
			return
		}
		for key, value := range values {
			w.walk(path+"/"+key, value, n.items)
		}
	case "object":
		w.object(path, raw, n)
	case "envvalue":
		if len(raw) > 0 && raw[0] != '"' {
			w.object(path, raw, &node{kind: "object", required: []string{"secret"}, fields: map[string]*node{"secret": {kind: "string"}}})
		}
	case "unreachable":
		if len(raw) > 0 && raw[0] != '"' {
			w.object(path, raw, unreachableNode())
		}
	case "volume":
		w.object(path, raw, volumeNode(raw))
	}
}

func (w *walker) text(path string, raw json.RawMessage, n *node) {
	var v *string
	if json.Unmarshal(raw, &v) != nil || v == nil {
		w.fail(path, "error.expected.jsstring")
		return
	}
	switch {
	case len(*v) < n.minLen:
		w.fail(path, "error.minLength")
	case n.pattern != nil && !n.pattern.MatchString(*v):
		w.fail(path, "error.pattern")
	case n.enum != nil && !contains(n.enum, *v):
		w.fail(path, "error.unknown.enum.literal")
	}
}

func (w *walker) number(path string, raw json.RawMessage, n *node) {
	var v *float64
	if json.Unmarshal(raw, &v) != nil || v == nil {
		w.fail(path, "error.expected.jsnumber")
		return
	}
	switch {
	case n.kind == "int" && *v != math.Trunc(*v):
		w.fail(path, "error.expected.int")
	case n.min != nil && *v < *n.min:
		w.fail(path, "error.min")
	case n.max != nil && *v > *n.max:
		w.fail(path, "error.max")
	}
}

func (w *walker) object(path string, raw json.RawMessage, n *node) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		if path == "" { // the app itself
			w.fail("/id", compact(raw)+" is not an object")
			return
		}
		w.fail(path, "error.expected.jsobject")
		return
	}
	for _, name := range n.required {
		if _, ok := fields[name]; !ok {
			w.fail(path+"/"+name, fmt.Sprintf("'%s' is undefined on object: %s", name, compact(raw)))
		}
	}
	for name, value := range fields {
		child := n.fields[name]
		if child == nil || (isNull(value) && !contains(n.required, name)) {
			continue
		}
		w.walk(path+"/"+name, value, child)
	}
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

func syntaxText(body []byte, err error) (message, details string) {
	if len(bytes.TrimSpace(body)) == 0 {
		return "Please specify data in JSON format", "No content to map due to end-of-input\n at [Source: (byte[])\"\"; line: 1, column: 0]"
	}
	text := err.Error()
	char := func() string {
		if syntax, ok := err.(*json.SyntaxError); ok && syntax.Offset > 0 && int(syntax.Offset) <= len(body) {
			c := body[syntax.Offset-1]
			return fmt.Sprintf("('%c' (code %d))", c, c)
		}
		return ""
	}
	switch {
	case strings.Contains(text, "looking for beginning of object key"):
		details = "Unexpected character " + char() + ": was expecting double-quote to start field name"
	case strings.Contains(text, "after object key:value pair"):
		details = "Unexpected character " + char() + ": was expecting comma to separate Object entries"
	case strings.Contains(text, "after array element"):
		details = "Unexpected character " + char() + ": was expecting comma to separate Array entries"
	case strings.Contains(text, "unexpected end of JSON input"):
		details = fmt.Sprintf("Unexpected end-of-input: expected close marker for Object (start marker at [Source: (byte[])%q; line: 1, column: 1])", body)
	default:
		token := regexp.MustCompile(`^[^\s{}\[\]":,]*`).Find(bytes.TrimSpace(body))
		details = "Unrecognized token '" + string(token) + "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
	}
	return "Invalid JSON", details
}

// Syntax is a body that is no JSON; it is answered with 400 and Details as a string.
type Syntax struct{ Message, Details string }

func (e *Syntax) Error() string { return e.Message + ": " + e.Details }

// CheckSyntax returns a *Syntax for a body that is empty or no JSON.
func CheckSyntax(body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		message, details := syntaxText(body, err)
		return &Syntax{Message: message, Details: details}
	}
	return nil
}
