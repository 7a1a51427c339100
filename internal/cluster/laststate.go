package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// LastState is the last state of Mesos that was read, with the text that it was read from: that of many Mesos agents is long, and mostly the same. The zero
// LastState is ready, and safe for several goroutines.
type LastState struct {
	mu    sync.Mutex
	text  []byte
	state State
}

// read is the state that a text says; l may be nil.
func (l *LastState) read(text []byte) (State, error) {
	if l == nil {
		return readState(text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != nil && bytes.Equal(l.text, text) {
		return l.state, nil
	}
	state, err := readState(text)
	if err == nil {
		l.text, l.state = text, state
	}
	return state, err
}

func readState(text []byte) (State, error) {
	var raw rawState
	if err := json.Unmarshal(text, &raw); err != nil {
		return State{}, fmt.Errorf("not the JSON that was expected: %w", err)
	}
	return raw.state(), nil
}
