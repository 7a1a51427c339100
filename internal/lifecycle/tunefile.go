package lifecycle

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/jomctl/jomctl/internal/config"
)

// tuningLine is the section as one line, without what is as ever.
func tuningLine(t config.Tuning) string {
	d := config.DefaultTuning()
	var parts []string
	add := func(key string, value, normal fmt.Stringer) {
		if value.String() != normal.String() {
			parts = append(parts, key+": "+value.String())
		}
	}
	count := func(key string, value, normal int) {
		if value != normal {
			parts = append(parts, fmt.Sprintf("%s: %d", key, value))
		}
	}
	add("healthInterval", t.HealthInterval, d.HealthInterval)
	add("healthTimeout", t.HealthTimeout, d.HealthTimeout)
	count("healthFailures", t.HealthFailures, d.HealthFailures)
	add("backoff", t.Backoff, d.Backoff)
	add("maxBackoff", t.MaxBackoff, d.MaxBackoff)
	add("agentPing", t.AgentPing, d.AgentPing)
	count("agentPings", t.AgentPings, d.AgentPings)
	add("zookeeperSession", t.ZooKeeperSession, d.ZooKeeperSession)
	return "tuning: {" + strings.Join(parts, ", ") + "}"
}

// TuneFile is the cluster file with these times in its section tuning; the rest of it, comments included, stays. A file whose section is written
// over several lines is a *Refusal that shows the line to write.
func TuneFile(c *config.Cluster, t config.Tuning) (FileChange, error) {
	if err := ownFile(c); err != nil {
		return FileChange{}, err
	}
	old, err := os.ReadFile(c.File)
	if err != nil {
		return FileChange{}, fmt.Errorf("reading the cluster file: %w", err)
	}
	line := tuningLine(t)
	refuse := &Refusal{Problem: c.File + " cannot be changed without touching what you have written", Fix: "write this line yourself, then run `jomctl install`:\n" + line}
	e, err := newFileEdit(old)
	if err != nil {
		return FileChange{}, refuse
	}
	switch node := value(e.body, "tuning").(type) {
	case nil:
		text := strings.TrimRight(string(old), "\n") + "\n" + line + "\n"
		e.lines = strings.Split(text, "\n")
	case *ast.MappingNode:
		at := node.GetToken().Position.Line - 1
		if !node.IsFlowStyle || node.End == nil || node.End.Position.Line-1 != at || !strings.HasPrefix(e.lines[at], "tuning:") || strings.Contains(e.lines[at], "#") {
			return FileChange{}, refuse
		}
		e.lines[at] = line
	default:
		return FileChange{}, refuse
	}
	now, err := config.Parse(e.text(), c.File)
	if err != nil || now.Tuned() != t {
		return FileChange{}, refuse
	}
	f := FileChange{Cluster: now, text: e.text()}
	if !bytes.Equal(old, f.text) {
		f.Changed = diffLines(strings.Split(string(old), "\n"), e.lines)
	}
	return f, nil
}
