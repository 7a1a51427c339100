// Package agent is the build agent: the private protocol on the agent port, its two ends, and the shell that runs steps.
//
// The protocol begins like the real one (a length-prefixed "Protocol:NAME"), so that real agents are told clearly that the
// port is not for them. Then both sides send one JSON object per line.
package agent

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Marker begins the stand-in's agent.jar: a java that finds it in the -jar file runs the agent itself.
const Marker = "jomctl stand-in agent.jar: run by the stand-in's own java, not by a JVM\n"

const (
	protocolPrefix = "Protocol:"
	ownProtocol    = "jomctl-standin-connect"
)

// Step is one shell step of a build.
type Step struct {
	ID     int    `json:"id"`
	Job    string `json:"job"`
	Script string `json:"script"`
	// Workspace is absolute, or relative to the agent's root.
	Workspace string            `json:"workspace"`
	Env       map[string]string `json:"env"`
}

type hello struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
	Root   string `json:"root"`
}

type message struct {
	Type  string `json:"type"` // welcome, refused, run, abort, ping, pong, log, done, bye
	ID    int    `json:"id,omitempty"`
	Step  *Step  `json:"step,omitempty"`
	Data  []byte `json:"data,omitempty"`
	Exit  int    `json:"exit,omitempty"`
	Error string `json:"error,omitempty"`
}

// lineWriter sends whole messages from several goroutines.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) send(m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("send %s: %w", m.Type, err)
	}
	return nil
}

func writeUTF(w io.Writer, s string) error {
	data := binary.BigEndian.AppendUint16(nil, uint16(len(s)))
	_, err := w.Write(append(data, s...))
	return err
}

func readUTF(r io.Reader, first byte) (string, error) {
	second := make([]byte, 1)
	if _, err := io.ReadFull(r, second); err != nil {
		return "", err
	}
	text := make([]byte, int(first)<<8|int(second[0]))
	_, err := io.ReadFull(r, text)
	return string(text), err
}
