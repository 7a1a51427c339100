package clusterfile

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
	"github.com/jomctl/jomctl/internal/op"
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

// Tune is the cluster file with these times in its section tuning; the rest of it, comments included, stays. A file whose section is written
// over several lines is a *op.Refusal that shows the line to write.
func Tune(c *config.Cluster, t config.Tuning) (Change, error) {
	if err := ownFile(c); err != nil {
		return Change{}, err
	}
	old, err := os.ReadFile(c.File)
	if err != nil {
		return Change{}, fmt.Errorf("reading the cluster file: %w", err)
	}
	line := tuningLine(t)
	refuse := &op.Refusal{Problem: c.File + " cannot be changed without touching what you have written", Fix: "write this line yourself, then run `jomctl install`:\n" + line}
	e, err := edit.Parse(old)
	if err == nil {
		err = e.SetLine("tuning", line)
	}
	if err != nil {
		return Change{}, refuse
	}
	now, err := config.Parse(e.Text(), c.File)
	if err != nil || now.Tuned() != t {
		return Change{}, refuse
	}
	f := Change{Cluster: now, text: e.Text()}
	if !bytes.Equal(old, f.text) {
		f.Changed = edit.Diff(old, f.text)
	}
	return f, nil
}
