package lifecycle

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/jomctl/jomctl/internal/config"
)

// errWritten is a cluster file that is written in a way that only its author should change.
var errWritten = errors.New("the list of hosts is written in another way than one host per entry")

// fileEdit changes the hosts of a cluster file line by line, so that its author's comments and order stay.
type fileEdit struct {
	lines []string
	body  *ast.MappingNode
}

func newFileEdit(text []byte) (*fileEdit, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	e := &fileEdit{lines: strings.Split(string(text), "\n")}
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case *ast.MappingNode:
			e.body = body
		case *ast.MappingValueNode:
			e.body = ast.Mapping(body.GetToken(), false, body)
		}
	}
	if e.body == nil {
		return nil, errWritten
	}
	return e, nil
}

func (e *fileEdit) text() []byte { return []byte(strings.Join(e.lines, "\n")) }

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

// lastLine finds the last line, counted from 1, that a node stands on.
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

// entry is where one host stands: its lines, from 0, the end excluded, and the text before its dash.
type entry struct {
	name       string
	start, end int
	indent     string
}

// hosts are the entries of the list of hosts; false where there is no list.
func (e *fileEdit) hosts() ([]entry, bool, error) {
	node := value(e.body, "hosts")
	if node == nil {
		return nil, false, nil
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok || list.IsFlowStyle || len(list.Values) == 0 {
		return nil, true, errWritten
	}
	var all []entry
	for _, one := range list.Values {
		name := value(one, "name")
		if name == nil {
			return nil, true, errWritten
		}
		var end lastLineOf
		ast.Walk(&end, one)
		at := entry{name: strings.Trim(name.String(), `"'`), start: one.GetToken().Position.Line - 1, end: int(end)}
		for at.start > 0 && !strings.HasPrefix(strings.TrimLeft(e.lines[at.start], " "), "-") {
			at.start--
		}
		line := e.lines[at.start]
		at.indent = line[:len(line)-len(strings.TrimLeft(line, " "))]
		if len(all) > 0 && at.start < all[len(all)-1].end {
			return nil, true, errWritten
		}
		all = append(all, at)
	}
	return all, true, nil
}

// addHosts adds one after the other, each to the text that the one before has made.
func (e *fileEdit) addHosts(added []config.Host) error {
	for _, h := range added {
		if err := e.addHost(h, ""); err != nil {
			return err
		}
		again, err := newFileEdit(e.text())
		if err != nil {
			return err
		}
		*e = *again
	}
	return nil
}

// addHost adds a host at the end of the list, or in place of another one.
func (e *fileEdit) addHost(h config.Host, insteadOf string) error {
	entries, there, err := e.hosts()
	if err != nil {
		return err
	}
	if !there {
		return errWritten
	}
	last := entries[len(entries)-1]
	start, end := last.end, last.end
	if insteadOf != "" {
		i := slices.IndexFunc(entries, func(at entry) bool { return at.name == insteadOf })
		if i < 0 {
			return errWritten
		}
		start, end = entries[i].start, entries[i].end
	}
	e.lines = slices.Replace(e.lines, start, end, last.indent+"- "+hostLine(h))
	return nil
}

// removeHosts removes one after the other.
func (e *fileEdit) removeHosts(names []string) error {
	for _, name := range names {
		if err := e.removeHost(name); err != nil {
			return err
		}
		again, err := newFileEdit(e.text())
		if err != nil {
			return err
		}
		*e = *again
	}
	return nil
}

func (e *fileEdit) removeHost(name string) error {
	entries, _, err := e.hosts()
	if err != nil {
		return err
	}
	for _, at := range entries {
		if at.name == name {
			e.lines = slices.Delete(e.lines, at.start, at.end)
			return nil
		}
	}
	return errWritten
}

// count changes a number below a section of the file, which may have neither.
func (e *fileEdit) count(section, key string, n int) error {
	node := value(e.body, section)
	if node == nil {
		for len(e.lines) > 0 && e.lines[len(e.lines)-1] == "" {
			e.lines = e.lines[:len(e.lines)-1]
		}
		e.lines = append(e.lines, fmt.Sprintf("%s: {%s: %d}", section, key, n), "")
		return nil
	}
	if number := value(node, key); number != nil {
		at := number.GetToken().Position
		line, old := e.lines[at.Line-1], number.GetToken().Value
		if !strings.HasPrefix(line[at.Column-1:], old) {
			return errWritten
		}
		e.lines[at.Line-1] = line[:at.Column-1] + strconv.Itoa(n) + line[at.Column-1+len(old):]
		return nil
	}
	switch n := n; mapping := node.(type) {
	case *ast.MappingNode:
		if mapping.IsFlowStyle {
			at := mapping.Start.Position
			line := e.lines[at.Line-1]
			comma := ", "
			if len(mapping.Values) == 0 {
				comma = ""
			}
			e.lines[at.Line-1] = line[:at.Column] + fmt.Sprintf("%s: %d%s", key, n, comma) + line[at.Column:]
			return nil
		}
		return e.before(mapping.Values[0], key, n)
	case *ast.MappingValueNode:
		return e.before(mapping, key, n)
	}
	return errWritten
}

// before writes a key before another one of the same mapping.
func (e *fileEdit) before(first *ast.MappingValueNode, key string, n int) error {
	at := first.Key.GetToken().Position
	line := strings.Repeat(" ", at.Column-1) + fmt.Sprintf("%s: %d", key, n)
	e.lines = slices.Insert(e.lines, at.Line-1, line)
	return nil
}

// hostLine is a host as one line of the file.
func hostLine(h config.Host) string {
	c := &config.Cluster{Target: config.TargetHosts, Hosts: []config.Host{h}}
	for _, line := range strings.Split(string(config.Show(c)), "\n") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "- {name: "); ok {
			return "{name: " + text
		}
	}
	return fmt.Sprintf("{name: %s, address: %s, roles: [%s]}", h.Name, h.Address, h.Roles[0])
}

// FileChange is a new text of a cluster file and the cluster that it describes.
type FileChange struct {
	Cluster *config.Cluster
	// Changed are the lines that come and go, for the preview; empty when the file says it already.
	Changed []string
	text    []byte
}

// change edits the text and proves that the new one means what is wanted and nothing else.
func change(c *config.Cluster, old []byte, wanted, show []config.Host, edit func(*fileEdit) error) (FileChange, error) {
	refuse := func(err error) (FileChange, error) {
		var lines []string
		for _, h := range show {
			lines = append(lines, "  - "+hostLine(h))
		}
		return FileChange{}, &Refusal{Problem: fmt.Sprintf("%s cannot be changed without touching what you have written: %v", c.File, err),
			Fix: "write these lines yourself, then run the command again:\nhosts:\n" + strings.Join(lines, "\n")}
	}
	e, err := newFileEdit(old)
	if err == nil {
		err = edit(e)
	}
	if err != nil {
		return refuse(err)
	}
	now, err := config.Parse(e.text(), c.File)
	if err != nil {
		return FileChange{}, err
	}
	if !slices.EqualFunc(now.Hosts, wanted, sameHost) {
		return refuse(errWritten)
	}
	return FileChange{Cluster: now, Changed: diffLines(strings.Split(string(old), "\n"), e.lines), text: e.text()}, nil
}

func sameHost(a, b config.Host) bool {
	if len(a.Attributes) == 0 && len(b.Attributes) == 0 {
		a.Attributes, b.Attributes = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// diffLines are the lines that only one of two texts has.
func diffLines(old, now []string) []string {
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
