package api

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/event"
)

const heartbeat = 10 * time.Second

// events is the event stream. It is written past net/http, because the real one is neither chunked nor kept alive.
func (x *exchange) events() {
	switch {
	case x.r.Method == http.MethodOptions:
		x.w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		writeStatus(x.w, x.r, http.StatusOK, "", nil)
		return
	case x.r.Method == http.MethodDelete:
		htmlError(x.w, x.r, http.StatusMethodNotAllowed, "Http method DELETE is not supported by this URL")
		return
	case (x.r.Method != http.MethodGet && x.r.Method != http.MethodHead) || len(x.r.Header["Accept"]) == 0 || !onlyStream(x.r.Header["Accept"]):
		htmlError(x.w, x.r, http.StatusMethodNotAllowed, fmt.Sprintf("HTTP method %s is not supported by this URL", x.r.Method))
		return
	}
	h := x.w.Header().Clone()
	h.Set("Content-Type", "text/event-stream;charset=utf-8")
	h.Set("Connection", "close")
	h.Set("Date", httpDate())
	hijacker, ok := x.w.(http.Hijacker)
	if !ok {
		x.message(http.StatusInternalServerError, "this connection cannot carry a stream")
		return
	}
	conn, buffer, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	// Attached before the client hears of it, so that nothing that follows is missed.
	events := x.Bus.Attach()
	defer x.Bus.Detach(events)
	fmt.Fprint(buffer, "HTTP/1.1 200 OK\r\n")
	_ = h.Write(buffer)
	fmt.Fprint(buffer, "\r\n")
	if buffer.Flush() != nil {
		return
	}
	remote, _, _ := net.SplitHostPort(x.r.RemoteAddr)
	x.Bus.Publish("event_stream_attached", map[string]string{"remoteAddress": remote})
	defer func() {
		x.Bus.Detach(events)
		x.Bus.Publish("event_stream_detached", map[string]string{"remoteAddress": remote})
	}()
	if x.r.Method == http.MethodHead {
		return
	}
	stream(conn, events, x.r.URL.Query()["event_type"])
}

// onlyStream tolerates the header more than once, as the client library sends it after a redirect.
func onlyStream(accept []string) bool {
	for _, value := range accept {
		if value != "text/event-stream" {
			return false
		}
	}
	return true
}

func stream(conn net.Conn, events <-chan event.Event, kinds []string) {
	wanted := map[string]bool{}
	for _, kind := range kinds {
		wanted[kind] = true
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		frame := "\r\n"
		select {
		case e, open := <-events:
			if !open {
				return
			}
			if len(wanted) > 0 && !wanted[e.Type] {
				continue
			}
			frame = "event: " + e.Type + "\r\ndata: " + string(e.Data) + "\r\n\r\n"
		case <-tick.C:
		}
		_ = conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Write([]byte(frame)); err != nil {
			return
		}
	}
}
