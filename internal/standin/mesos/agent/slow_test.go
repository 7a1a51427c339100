package agent

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// slowServer keeps its answer back until released.
type slowServer struct {
	url   string
	asked chan struct{}
	gate  chan struct{}
	once  sync.Once
	t     *testing.T
}

func newSlowServer(t *testing.T) *slowServer {
	s := &slowServer{asked: make(chan struct{}, 8), gate: make(chan struct{}), t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked <- struct{}{}
		<-s.gate
		_, _ = w.Write([]byte("content"))
	}))
	s.url = server.URL
	t.Cleanup(func() {
		s.release()
		server.Close()
	})
	return s
}

func (s *slowServer) awaitRequest() {
	s.t.Helper()
	select {
	case <-s.asked:
	case <-time.After(time.Minute):
		s.t.Fatal("nobody asked the slow server")
	}
}

func (s *slowServer) release() { s.once.Do(func() { close(s.gate) }) }
