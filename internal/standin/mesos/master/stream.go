package master

import (
	"net/http"
	"sync"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// stream is the open answer to a subscriber: a queue of records that the handler's goroutine writes, so that nobody who
// holds the master's lock waits for a slow reader.
type stream struct {
	mu     sync.Mutex
	queue  [][]byte
	closed bool
	wake   chan struct{}
}

func newStream() *stream { return &stream{wake: make(chan struct{}, 1)} }

// send queues one record. It does nothing after end.
func (s *stream) send(message []byte) {
	s.mu.Lock()
	if !s.closed {
		s.queue = append(s.queue, wire.Record(message))
	}
	s.mu.Unlock()
	s.ring()
}

// end closes the stream after what is queued.
func (s *stream) end() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.ring()
}

func (s *stream) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *stream) take() (records [][]byte, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	records, s.queue = s.queue, nil
	return records, s.closed
}

// serve writes the records, each flushed as one chunk, until end or until the reader is gone.
func (s *stream) serve(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.Flush()
	for {
		records, closed := s.take()
		for _, record := range records {
			if _, err := w.Write(record); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
		if closed {
			return
		}
		select {
		case <-s.wake:
		case <-r.Context().Done():
			return
		}
	}
}
