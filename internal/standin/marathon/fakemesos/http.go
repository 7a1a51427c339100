package fakemesos

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/google/uuid"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// Handler serves the v1 scheduler API. A new subscription ends the one before.
func (m *Mesos) Handler() http.Handler {
	h := &handler{m: m}
	return h
}

type handler struct {
	m      *Mesos
	mu     sync.Mutex
	stream string
	end    chan struct{}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var call sched.Call
	if err != nil || r.URL.Path != "/api/v1/scheduler" || call.Unmarshal(body) != nil {
		http.Error(w, "Failed to decode the call", http.StatusBadRequest)
		return
	}
	if call.Type == sched.Call_SUBSCRIBE {
		h.subscribe(w, r, &call)
		return
	}
	h.mu.Lock()
	known := h.stream != "" && r.Header.Get("Mesos-Stream-Id") == h.stream
	h.mu.Unlock()
	if !known {
		http.Error(w, "All non-subscribe calls should include the 'Mesos-Stream-Id' header", http.StatusBadRequest)
		return
	}
	h.m.Call(&call)
	w.WriteHeader(http.StatusAccepted)
}

func (h *handler) subscribe(w http.ResponseWriter, r *http.Request, call *sched.Call) {
	end := make(chan struct{})
	h.mu.Lock()
	if h.end != nil {
		close(h.end)
	}
	h.stream, h.end = uuid.NewString(), end
	w.Header().Set("Mesos-Stream-Id", h.stream)
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
	events := make(chan *sched.Event, 100000)
	id := ""
	if call.FrameworkID != nil {
		id = call.FrameworkID.Value
	}
	h.m.Subscribe(func(e *sched.Event) { events <- e }, id)
	for {
		select {
		case e := <-events:
			data, err := e.Marshal()
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "%d\n%s", len(data), data); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		case <-end:
			return
		case <-h.m.stop:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// Disconnect cuts the present subscription.
func (h *handler) Disconnect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end != nil {
		close(h.end)
		h.end = nil
	}
}
