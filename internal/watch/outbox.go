package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// letter is an alert that nobody has taken yet.
type letter struct {
	Alert
	// Shown says that it has been shown where alerts are shown besides being sent.
	Shown bool `json:"shown,omitempty"`
}

// memory is the file that a watch leaves for its next run.
type memory struct {
	// Open are the alerts that have begun, Untold those that nobody has taken, the oldest first.
	Open   []Alert  `json:"open"`
	Untold []letter `json:"untold,omitempty"`
}

// outbox keeps the alerts that have begun, and those that are to be told until somebody has taken them.
type outbox struct {
	file string
	news chan struct{}

	mu     sync.Mutex
	memory memory
}

func openOutbox(file string) (*outbox, error) {
	box := &outbox{file: file, news: make(chan struct{}, 1)}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return box, nil
	}
	if err == nil {
		if err = json.Unmarshal(data, &box.memory); err != nil && json.Unmarshal(data, &box.memory.Open) == nil {
			err = nil // the file was an array of what has begun
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the alerts that have begun: %w (remove %s to forget them)", err, file)
	}
	return box, nil
}

// add takes what is to be told, and what has begun. It returns how many of the oldest were given up, as there are too many.
func (b *outbox) add(news, open []Alert) (lost int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range news {
		b.memory.Untold = append(b.memory.Untold, letter{Alert: a})
	}
	if lost = max(len(b.memory.Untold)-backlog, 0); lost > 0 {
		// The first one is being told.
		b.memory.Untold = append(b.memory.Untold[:1:1], b.memory.Untold[1+lost:]...)
	}
	b.memory.Open = open
	select {
	case b.news <- struct{}{}:
	default:
	}
	return lost, b.write()
}

// first is the oldest one that nobody has taken; false without any.
func (b *outbox) first() (letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.memory.Untold) == 0 {
		return letter{}, false
	}
	return b.memory.Untold[0], true
}

// shown notes that the first one was shown.
func (b *outbox) shown() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.Untold[0].Shown = true
	return b.write()
}

// taken takes the first one out.
func (b *outbox) taken() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.Untold = b.memory.Untold[1:]
	return b.write()
}

func (b *outbox) write() error {
	if b.memory.Open == nil {
		b.memory.Open = []Alert{}
	}
	data, err := json.MarshalIndent(b.memory, "", "  ")
	if err == nil {
		err = wholefile.Write(b.file, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping the alerts that have begun: %w", err)
	}
	return nil
}
