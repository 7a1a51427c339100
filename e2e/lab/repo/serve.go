package repo

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Server is a repository behind HTTP. It can be taken down and brought up again on the same address.
type Server struct {
	dir, address string

	mu     sync.Mutex
	server *http.Server
	asked  []string
}

// Serve serves a folder on an address HOST:PORT; port 0 chooses one.
func Serve(dir, address string) (*Server, error) {
	s := &Server{dir: dir, address: address}
	return s, s.Up()
}

// URL is the address of the repository; it stays while the server is down.
func (s *Server) URL() string { return "http://" + s.address }

// Up starts to serve, if it does not.
func (s *Server) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return nil
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("serve the repository: %w", err)
	}
	s.address = listener.Addr().String()
	files := http.FileServer(http.Dir(s.dir))
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, q.URL.Path)
		s.mu.Unlock()
		// Two states of the repository within one second have the same time, and apt would keep the first.
		for _, name := range []string{"If-Modified-Since", "If-Range", "Range"} {
			q.Header.Del(name)
		}
		files.ServeHTTP(w, q)
	})}
	go func(server *http.Server) { _ = server.Serve(listener) }(s.server)
	return nil
}

// Down ends all connections and refuses new ones.
func (s *Server) Down() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	err := s.server.Close()
	s.server = nil
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Asked are the paths that were asked for.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Line is a line of sources.list for the repository, with the key at keyring.
func (s *Server) Line(keyring, suite string) string {
	return fmt.Sprintf("deb [signed-by=%s] %s %s main", keyring, s.URL(), suite)
}
