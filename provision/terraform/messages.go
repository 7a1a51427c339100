package terraform

import (
	"bytes"
	"encoding/json"
	"strings"
)

// message is one line of Terraform's machine-readable output. Shape: developer.hashicorp.com/terraform/internals/machine-readable-ui.
type message struct {
	Level      string      `json:"@level"`
	Text       string      `json:"@message"`
	Type       string      `json:"type"`
	Diagnostic *diagnostic `json:"diagnostic"`
}

// diagnostic is an error or a warning.
type diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
}

func (d diagnostic) text() string {
	parts := []string{d.Summary}
	if d.Address != "" {
		parts[0] += " (" + d.Address + ")"
	}
	if d.Detail != "" {
		parts = append(parts, strings.TrimSpace(d.Detail))
	}
	return strings.Join(parts, ": ")
}

// listener takes Terraform's machine-readable output: it hands on what a person wants to follow and keeps the errors.
type listener struct {
	progress func(string)
	errors   []diagnostic
	rest     []byte
}

// Write takes any part of the output; it never fails, since what cannot be understood must not stop Terraform.
func (l *listener) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, after, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.line(line)
		l.rest = after
	}
}

func (l *listener) line(line []byte) {
	var m message
	if json.Unmarshal(line, &m) != nil {
		l.tell(string(line))
		return
	}
	switch {
	case m.Diagnostic != nil && m.Diagnostic.Severity == "error":
		l.errors = append(l.errors, *m.Diagnostic)
	case m.Diagnostic != nil:
		l.tell(m.Diagnostic.Severity + ": " + m.Diagnostic.text())
	case m.Type == "apply_start", m.Type == "apply_progress", m.Type == "apply_complete", m.Type == "apply_errored",
		m.Type == "provision_progress", m.Type == "change_summary", m.Level != "info" && m.Text != "":
		l.tell(m.Text)
	}
}

func (l *listener) tell(line string) {
	if line = strings.TrimRight(line, " \r\t"); l.progress != nil && line != "" {
		l.progress(line)
	}
}
