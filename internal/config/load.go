package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxFileBytes = 256 << 10 // some two thousand hosts; above that it is some other file
	maxNesting   = 40        // the deepest thing in a cluster.yaml is 5 deep; the parser is recursive

	smallest = "the smallest file has three lines: apiVersion: " + APIVersion + ", name: ci, target: local"
)

// Load reads, completes (Default) and checks (Validate) one cluster.yaml. The error is Problems with everything that is
// wrong; where the file cannot be read, errors.Is finds the cause in it.
func Load(path string) (*Cluster, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

// Parse is Load for content that was read already; file is what the problems and Cluster.File name.
func Parse(data []byte, file string) (*Cluster, error) {
	c, d := decode(data, file)
	if len(d.problems) > 0 && c == nil {
		return nil, d.problems
	}
	syntax := len(d.problems)
	Default(c)
	d.refuseZeros()
	var found Problems
	if err := Validate(c); errors.As(err, &found) {
		for _, p := range found {
			// What could not be decoded was reported where it stands; its zero value is not a second problem.
			if len(d.problems[:syntax].At(p.Path)) > 0 || d.failedAround(p.Path) {
				continue
			}
			d.problems = append(d.problems, p)
		}
	}
	if len(d.problems) == 0 {
		return c, nil
	}
	for i := range d.problems {
		p := &d.problems[i]
		p.File = file
		if p.Line == 0 {
			p.Line, p.Column = d.place(p.Path)
		}
	}
	sort.SliceStable(d.problems, func(i, j int) bool { return d.problems[i].Line < d.problems[j].Line })
	return nil, d.problems
}

// read gets the file, with messages that say what to do.
func read(path string) ([]byte, error) {
	fail := func(cause error, rule, fix string) ([]byte, error) {
		return nil, Problems{{File: path, Rule: rule, Fix: fix, cause: cause}}
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		// Opening a pipe would wait for a writer, deaf to Ctrl-C.
		return fail(fs.ErrInvalid, "is a pipe or a device, not a file", "name a cluster.yaml: its folder also keeps the state")
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(err, "there is no such file", "`jomctl install` asks a few questions and writes one")
	case errors.Is(err, fs.ErrPermission):
		return fail(err, "may not be read by this user", "check the owner and mode of the file and its folders")
	case err != nil:
		return fail(err, fmt.Sprintf("cannot be opened: %v", err), "")
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fail(fs.ErrInvalid, "is a folder, not a file", "name the cluster.yaml in it")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return fail(err, fmt.Sprintf("cannot be read: %v", err), "")
	}
	return data, nil
}

// decode makes a Cluster of the text, without defaults. The Cluster is nil when the text is not YAML with one mapping.
func decode(data []byte, file string) (*Cluster, *decoder) {
	d := &decoder{places: map[string]*token.Position{}}
	body := d.parse(data)
	if body != nil && !isMapping(body) {
		d.fail(body, "", "must be a mapping of keys to values", smallest)
		body = nil
	}
	for i := range d.problems {
		d.problems[i].File = file
	}
	if body == nil {
		return nil, d
	}
	c := &Cluster{File: file}
	d.value("", body, reflect.ValueOf(c).Elem())
	return c, d
}

// parse gives the one document of the text, or nil and a problem.
func (d *decoder) parse(data []byte) (body ast.Node) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) // the lexer counts a line that ends with both twice, after a comment
	if !d.textual(data) {
		return nil
	}
	// The parser is known to panic on some malformed texts; for a user that is a syntax error like any other.
	defer func() {
		if r := recover(); r != nil {
			body = nil
			d.add(Problem{Rule: "is not valid YAML", Fix: "check indentation, quotes and brackets"})
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if !d.shallow(tokens) {
		return nil
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := Problem{Rule: "is not valid YAML"}
		var detail yaml.Error
		if errors.As(err, &detail) {
			p.Rule += ": " + show(detail.GetMessage())
			if t := detail.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Column = t.Position.Line, t.Position.Column
			}
		}
		d.add(p)
		return nil
	}
	return d.single(f)
}

// single gives the one document that is not empty.
func (d *decoder) single(f *ast.File) ast.Node {
	var bodies []ast.Node
	for _, doc := range f.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		switch doc.Body.Type() {
		case ast.CommentType, ast.NullType, ast.DirectiveType:
		default:
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		d.add(Problem{Rule: "is empty", Fix: smallest})
		return nil
	case 1:
		return bodies[0]
	}
	p := Problem{Rule: fmt.Sprintf("has %d YAML documents, one is allowed", len(bodies)), Fix: "keep one cluster in one file and remove the line ---"}
	if t := bodies[1].GetToken(); t != nil && t.Position != nil {
		p.Line, p.Column = t.Position.Line, t.Position.Column
	}
	d.add(p)
	return nil
}

// textual refuses what is not a small UTF-8 text indented with spaces.
func (d *decoder) textual(data []byte) bool {
	if len(data) > maxFileBytes {
		d.add(Problem{Rule: fmt.Sprintf("is larger than %s, which no cluster.yaml is", Size(maxFileBytes)), Fix: "is this the right file?"})
		return false
	}
	for i, line := range strings.Split(string(data), "\n") {
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			d.add(Problem{Line: i + 1, Column: 1, Rule: "is not UTF-8 text", Fix: "save the file as UTF-8"})
			return false
		}
		rest := strings.TrimLeft(line, " \t")
		indent := line[:len(line)-len(rest)]
		if at := strings.IndexByte(indent, '\t'); at >= 0 && rest != "" && rest != "\r" && rest[0] != '#' {
			d.add(Problem{Line: i + 1, Column: at + 1, Rule: "has a tab in its indentation, which YAML does not allow", Fix: "indent with spaces"})
			return false
		}
	}
	return true
}

// shallow refuses nesting that no cluster.yaml has and that would cost the recursive parser its stack.
func (d *decoder) shallow(tokens token.Tokens) bool {
	flow, sameLine, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		if t.Position.Line != line {
			line, sameLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			sameLine++
		}
		if flow > maxNesting || sameLine > maxNesting || t.Position.IndentNum > 400 {
			d.add(Problem{Line: line, Column: t.Position.Column, Rule: "is nested too deeply for a cluster.yaml", Fix: "check the brackets and the indentation"})
			return false
		}
	}
	return true
}
