// Package event is Marathon's event stream: a bus that readers attach to.
package event

import (
	"fmt"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Event is one event: its type and its data as one line of JSON.
type Event struct {
	Type string
	Data []byte
}

// Bus hands every event to all readers. A reader that falls behind is cut off, as Marathon does.
type Bus struct {
	mu      sync.Mutex
	readers map[chan Event]bool
	size    int
}

// NewBus makes a bus whose readers may be size events behind.
func NewBus(size int) *Bus { return &Bus{readers: map[chan Event]bool{}, size: size} }

// Attach adds a reader. The channel is closed when the reader is too slow or the bus closes.
func (b *Bus) Attach() chan Event {
	ch := make(chan Event, b.size)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers == nil {
		close(ch)
		return ch
	}
	b.readers[ch] = true
	return ch
}

// Detach removes a reader.
func (b *Bus) Detach(ch chan Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers[ch] {
		delete(b.readers, ch)
		close(ch)
	}
}

// Close ends every stream.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.readers {
		close(ch)
	}
	b.readers = nil
}

// Publish sends fields (a struct or map that becomes a JSON object) with eventType and timestamp added.
func (b *Bus) Publish(kind string, fields any) {
	data, err := spec.JSON(fields)
	if err != nil || len(data) < 2 {
		data = []byte("{}")
	}
	comma := ","
	if len(data) == 2 {
		comma = ""
	}
	data = append(data[:len(data)-1], fmt.Sprintf(`%s"eventType":%q,"timestamp":%q}`, comma, kind, spec.Timestamp(time.Now()))...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.readers {
		select {
		case ch <- Event{Type: kind, Data: WholeNumbers(data)}:
		default:
			delete(b.readers, ch)
			close(ch)
		}
	}
}

// WholeNumbers writes 1.0 as 1, which is how events (unlike answers) show whole numbers.
func WholeNumbers(data []byte) []byte {
	out := make([]byte, 0, len(data))
	quoted := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case quoted && c == '\\' && i+1 < len(data):
			out = append(out, c)
			i++
			c = data[i]
		case c == '"':
			quoted = !quoted
		case !quoted && c == '.' && i+1 < len(data) && data[i+1] == '0' && (i+2 == len(data) || data[i+2] < '0' || data[i+2] > '9'):
			i++
			continue
		}
		out = append(out, c)
	}
	return out
}
