package edit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/jomctl/jomctl/internal/config"
)

// entry is where one host stands: its lines, from 0, the end excluded, and the text before its dash.
type entry struct {
	name       string
	start, end int
	indent     string
}

// hosts are the entries of the list of hosts; false where there is no list.
func (e *File) hosts() ([]entry, bool, error) {
	node := value(e.body, "hosts")
	if node == nil {
		return nil, false, nil
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok || list.IsFlowStyle || len(list.Values) == 0 {
		return nil, true, ErrWritten
	}
	var all []entry
	for _, one := range list.Values {
		name := value(one, "name")
		if name == nil {
			return nil, true, ErrWritten
		}
		var end lastLineOf
		ast.Walk(&end, one)
		at := entry{name: strings.Trim(name.String(), `"'`), start: one.GetToken().Position.Line - 1, end: int(end)}
		for at.start > 0 && !strings.HasPrefix(strings.TrimLeft(e.lines[at.start], " "), "-") {
			at.start--
		}
		line := e.lines[at.start]
		at.indent = line[:len(line)-len(strings.TrimLeft(line, " "))]
		at.end = e.endOf(at)
		if len(all) > 0 && at.start < all[len(all)-1].end {
			return nil, true, ErrWritten
		}
		all = append(all, at)
	}
	return all, true, nil
}

// endOf is the end of an entry whose last value may go over several lines, as a block of text: those are deeper than the dash.
func (e *File) endOf(at entry) int {
	end := at.end
	for i := end; i < len(e.lines); i++ {
		text := strings.TrimSpace(e.lines[i])
		switch depth := len(e.lines[i]) - len(strings.TrimLeft(e.lines[i], " ")); {
		case text == "": // within a block, or below the entry
		case depth <= len(at.indent):
			return end
		case text[0] != '#':
			end = i + 1
		}
	}
	return end
}

// AddHosts adds hosts at the end of the list. ErrWritten is for a text without a list of one host per entry.
func (e *File) AddHosts(added []config.Host) error {
	if len(added) == 0 {
		return nil
	}
	entries, there, err := e.hosts()
	if err != nil {
		return err
	}
	if !there {
		return ErrWritten
	}
	last := entries[len(entries)-1]
	var lines []string
	for _, h := range added {
		lines = append(lines, last.indent+"- "+HostLine(h))
	}
	return e.take(slices.Insert(slices.Clone(e.lines), last.end, lines...))
}

// ReplaceHost puts a host in the place of another one.
func (e *File) ReplaceHost(name string, h config.Host) error {
	at, err := e.entry(name)
	if err != nil {
		return err
	}
	return e.take(slices.Replace(slices.Clone(e.lines), at.start, at.end, at.indent+"- "+HostLine(h)))
}

// RemoveHosts takes hosts out of the list: all of them, or none with an error.
func (e *File) RemoveHosts(names []string) error {
	now := *e
	for _, name := range names {
		at, err := now.entry(name)
		if err == nil {
			err = now.take(slices.Delete(slices.Clone(now.lines), at.start, at.end))
		}
		if err != nil {
			return err
		}
	}
	*e = now
	return nil
}

func (e *File) entry(name string) (entry, error) {
	entries, _, err := e.hosts()
	if err != nil {
		return entry{}, err
	}
	for _, at := range entries {
		if at.name == name {
			return at, nil
		}
	}
	return entry{}, ErrWritten
}

// HostLine is a host as it stands behind the dash of its entry.
func HostLine(h config.Host) string {
	c := &config.Cluster{Target: config.TargetHosts, Hosts: []config.Host{h}}
	for _, line := range strings.Split(string(config.Show(c)), "\n") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "- {name: "); ok {
			return "{name: " + text
		}
	}
	return fmt.Sprintf("{name: %s, address: %s, roles: [%s]}", h.Name, h.Address, h.Roles[0])
}
