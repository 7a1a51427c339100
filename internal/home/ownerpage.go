package home

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// OwnerPath is where a controller's owner says whether the home is its own: 200 with an Ownership while it is, 503 with the
// reason as text when it is not, or may not be, any more.
const OwnerPath = "/owner"

// EpochHeader is the header of that page with the epoch, 0 where no lock is kept in ZooKeeper.
const EpochHeader = "X-Jomctl-Epoch"

// Ownership is what the owner of a home says about itself.
type Ownership struct {
	Epoch int64  `json:"epoch"`
	Host  string `json:"host,omitempty"`
	Task  string `json:"task,omitempty"`
}

// serveOwner answers OwnerPath at address until stop is called. The controller itself answers everybody who asks it, also when its
// home is another's by now, so whoever leads users to it has to ask here. An address that is taken is an error: nobody would ever be
// led to this controller.
func serveOwner(address string, own func() (Ownership, error)) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("saying who owns the home: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+OwnerPath, func(w http.ResponseWriter, _ *http.Request) {
		o, err := own()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set(EpochHeader, strconv.FormatInt(o.Epoch, 10))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return func() {
		if err := server.Shutdown(closed()); err != nil {
			server.Close()
		}
	}, nil
}

// closed is a context that has ended: a check of the edge is not waited for.
func closed() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
