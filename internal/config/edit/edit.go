// Package edit changes a cluster file line by line, so that its author's comments, order and way of writing stay. What a change means
// is for the caller to prove, by parsing the new text.
package edit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ErrWritten is a cluster file that is written in a way that only its author should change.
var ErrWritten = errors.New("that part of it is not written as one line, or one line or block per entry")

// File is the text of a cluster file while it is changed. After an error its text is as it was before.
type File struct {
	mark  string // a byte order mark, which the parser would take for a part of the first key
	lines []string
	body  *ast.MappingNode
}

// Parse reads a text. Its error is the parser's, or ErrWritten for a text that is no mapping.
func Parse(text []byte) (*File, error) {
	rest := strings.TrimPrefix(string(text), "\xef\xbb\xbf")
	file, err := parser.ParseBytes([]byte(strings.ReplaceAll(rest, "\r\n", "\n")), 0) // it miscounts lines that end with both
	if err != nil {
		return nil, err
	}
	f := &File{mark: strings.TrimSuffix(string(text), rest), lines: strings.Split(rest, "\n")}
	for _, doc := range file.Docs {
		if f.body != nil && doc.Body != nil && doc.Body.Type() != ast.CommentType {
			return nil, ErrWritten // no file of one cluster
		}
		switch body := doc.Body.(type) {
		case *ast.MappingNode:
			f.body = body
		case *ast.MappingValueNode:
			f.body = ast.Mapping(body.GetToken(), false, body)
		}
	}
	if f.body == nil {
		return nil, ErrWritten
	}
	return f, nil
}

// Text is the text as it is now.
func (e *File) Text() []byte { return []byte(e.mark + strings.Join(e.lines, "\n")) }

// Has says whether the text has a key at its top.
func (e *File) Has(key string) bool { return value(e.body, key) != nil }

// take makes the lines the text, if it can be read. New lines end as the others do.
func (e *File) take(lines []string) error {
	if strings.HasSuffix(e.lines[0], "\r") {
		for i, line := range lines[:len(lines)-1] {
			lines[i] = strings.TrimSuffix(line, "\r") + "\r"
		}
	}
	next, err := Parse([]byte(strings.Join(lines, "\n")))
	if err != nil {
		return ErrWritten // what the parser says is about a text that nobody wrote
	}
	next.mark = e.mark
	*e = *next
	return nil
}

// value is the node of a key in a mapping, nil where there is none.
func value(node ast.Node, key string) ast.Node {
	if one, ok := node.(*ast.MappingValueNode); ok {
		node = ast.Mapping(one.GetToken(), false, one)
	}
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, pair := range mapping.Values {
		if pair.Key.String() == key {
			return pair.Value
		}
	}
	return nil
}

// lastLineOf finds the last line, counted from 1, that a node stands on.
type lastLineOf int

// Visit implements ast.Visitor.
func (l *lastLineOf) Visit(node ast.Node) ast.Visitor {
	ends := []int{node.GetToken().Position.Line}
	switch n := node.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle && n.End != nil {
			ends = append(ends, n.End.Position.Line)
		}
	case *ast.SequenceNode:
		if n.IsFlowStyle && n.End != nil {
			ends = append(ends, n.End.Position.Line)
		}
	}
	*l = lastLineOf(max(int(*l), slices.Max(ends)))
	return l
}

// SetNumber sets a number below a section, such as agents of local. The text may have neither. ErrWritten is for a section that is no mapping.
func (e *File) SetNumber(section, key string, n int) error {
	lines := slices.Clone(e.lines)
	text := fmt.Sprintf("%s: %d", key, n)
	switch node := value(e.body, section).(type) {
	case nil:
		return e.take(appendLine(lines, section+": {"+text+"}"))
	case *ast.MappingNode:
		if number := value(node, key); number != nil {
			return e.replaceNumber(number, n)
		}
		if !node.IsFlowStyle {
			return e.take(before(lines, node.Values[0], text))
		}
		at := node.Start.Position
		if len(node.Values) > 0 {
			text += ", "
		}
		line := lines[at.Line-1]
		lines[at.Line-1] = line[:at.Column] + text + line[at.Column:]
		return e.take(lines)
	case *ast.MappingValueNode:
		if number := value(node, key); number != nil {
			return e.replaceNumber(number, n)
		}
		return e.take(before(lines, node, text))
	}
	return ErrWritten
}

func (e *File) replaceNumber(number ast.Node, n int) error {
	at, old := number.GetToken().Position, number.GetToken().Value
	lines := slices.Clone(e.lines)
	line := lines[at.Line-1]
	if !strings.HasPrefix(line[at.Column-1:], old) {
		return ErrWritten
	}
	lines[at.Line-1] = line[:at.Column-1] + strconv.Itoa(n) + line[at.Column-1+len(old):]
	return e.take(lines)
}

// before writes a line before a key, as deep as that.
func before(lines []string, first *ast.MappingValueNode, text string) []string {
	at := first.Key.GetToken().Position
	return slices.Insert(lines, at.Line-1, strings.Repeat(" ", at.Column-1)+text)
}

// appendLine writes a line at the end of the text.
func appendLine(lines []string, line string) []string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return append(lines, line, "")
}

// SetLine makes a line that begins with a key of the top, such as `tuning: {agentPing: 9s}`, the key's only one. ErrWritten is for a section
// over several lines, and for one with a comment.
func (e *File) SetLine(key, line string) error {
	switch node := value(e.body, key).(type) {
	case nil:
		return e.take(appendLine(slices.Clone(e.lines), line))
	case *ast.MappingNode:
		at := node.GetToken().Position.Line - 1
		if !node.IsFlowStyle || node.End == nil || node.End.Position.Line-1 != at || !strings.HasPrefix(e.lines[at], key+":") || strings.Contains(e.lines[at], "#") {
			return ErrWritten
		}
		lines := slices.Clone(e.lines)
		lines[at] = line
		return e.take(lines)
	}
	return ErrWritten
}

// SetWord sets a word at the top of the text, such as the release: in its own line, or in a new one below another key.
func (e *File) SetWord(key, word, below string) error {
	lines := slices.Clone(e.lines)
	if node := value(e.body, key); node != nil {
		at := node.GetToken().Position
		line := []rune(lines[at.Line-1])
		start := at.Column - 1
		end := start + len([]rune(node.GetToken().Value))
		if start > 0 && start < len(line) && (line[start] == '"' || line[start] == '\'') {
			end += 2
		}
		if start < 0 || end > len(line) {
			return ErrWritten
		}
		lines[at.Line-1] = string(line[:start]) + word + string(line[end:])
		next := *e
		if err := next.take(lines); err != nil {
			return err
		}
		if now, is := value(next.body, key).(ast.ScalarNode); !is || now.GetToken().Value != word {
			return ErrWritten // it had an anchor, a list, a quoted quote
		}
		*e = next
		return nil
	}
	node := value(e.body, below)
	if node == nil {
		return ErrWritten
	}
	return e.take(slices.Insert(lines, node.GetToken().Position.Line, key+": "+word))
}

// Diff are the lines that only one of two texts has, with "- " or "+ " before them.
func Diff(before, after []byte) []string {
	old, now := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	var out []string
	for _, line := range old {
		if !slices.Contains(now, line) {
			out = append(out, "- "+strings.TrimSpace(line))
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			out = append(out, "+ "+strings.TrimSpace(line))
		}
	}
	return out
}
