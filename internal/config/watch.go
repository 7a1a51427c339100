package config

import (
	"strings"
	"time"
)

// Watch is when `jomctl watch` tells somebody, and whom. What is said on its command line goes before.
type Watch struct {
	// After is how long something must be wrong before it is told; left out, 30s.
	After *Duration `yaml:"after,omitempty"`
	// ClearAfter is how long it must be right again before its end is told; left out, 1m.
	ClearAfter *Duration `yaml:"clearAfter,omitempty"`
	// Unpushed is how old changes of the home may become before they are pushed; left out, 5m.
	Unpushed Duration `yaml:"unpushed,omitempty"`
	// Disk is how full a disk may be, in percent, 6 to 100; left out, 90.
	Disk float64 `yaml:"disk,omitempty"`
	// Reregistered is how often a framework may register again within 10 minutes; left out, 3.
	Reregistered int `yaml:"reregistered,omitempty"`
	// Command is a command line for the shell, which gets each alert as JSON on its stdin.
	Command string `yaml:"command,omitempty"`
	// Webhook names a URL that gets each alert as JSON in a POST.
	Webhook Secret `yaml:"webhook,omitempty"`
}

func (k *checker) watch(w *Watch) {
	if w == nil {
		return
	}
	for _, one := range []struct {
		key   string
		value *Duration
	}{{"after", w.After}, {"clearAfter", w.ClearAfter}, {"unpushed", &w.Unpushed}} {
		if one.value != nil && (*one.value < 0 || one.value.Duration() > 7*24*time.Hour) {
			k.add("watch."+one.key, *one.value, "must be 0 to 7d", "")
		}
	}
	if w.Disk != 0 && (w.Disk <= 5 || w.Disk > 100) {
		k.add("watch.disk", w.Disk, "must be a percentage from 6 to 100", "")
	}
	if w.Reregistered < 0 {
		k.add("watch.reregistered", w.Reregistered, "must be 1 or more", "")
	}
	if w.Command != "" && w.Webhook != "" {
		k.add("watch", nil, "must have command or webhook, not both", "have the command post it, too")
	}
	if w.Command != "" && (strings.TrimSpace(w.Command) == "" || strings.ContainsFunc(w.Command, unprintable)) {
		k.add("watch.command", w.Command, "must be one line for the shell", "")
	}
	k.secret("watch.webhook", w.Webhook)
}
