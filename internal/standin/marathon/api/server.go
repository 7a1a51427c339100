// Package api is Marathon's HTTP API on the leader, and what a standby answers instead.
package api

import (
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/event"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Leading is everything that the leader's API needs.
type Leading struct {
	Core     *core.Core
	Bus      *event.Bus
	Info     func() map[string]any
	Abdicate func() // returns at once; the process ends a little later
	// Resigned says that the leadership is being given up.
	Resigned func() bool
}

// Server answers HTTP for one process.
type Server struct {
	ID          string // host:port of this process
	Credentials string // user:password or empty
	Realm       string
	Leader      func() string // id of the leader, empty if there is none
	leading     atomic.Pointer[Leading]
	once        sync.Once
	proxy       *http.Client
}

// Lead switches the server to answering as the leader; nil takes that back.
func (s *Server) Lead(l *Leading) { s.leading.Store(l) }

// ServeHTTP answers as leader, or passes the request on.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	l := s.leading.Load()
	if l == nil {
		s.standby(w, r)
		return
	}
	h := w.Header()
	h.Set("X-Marathon-Leader", "http://"+s.ID)
	h.Set("X-Frame-Options", "DENY")
	h["X-XSS-Protection"] = []string{"1; mode=block"}
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "0")
	(&exchange{Leading: l, w: w, r: r, base: "http://" + s.ID}).route()
}

func (s *Server) allowed(w http.ResponseWriter, r *http.Request) bool {
	if s.Credentials == "" {
		return true
	}
	user, password, ok := r.BasicAuth()
	if ok && user+":"+password == s.Credentials {
		return true
	}
	if kind, code, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(kind, "basic") {
		if _, err := base64.StdEncoding.DecodeString(code); err != nil {
			htmlError(w, r, http.StatusInternalServerError, "Server Error")
			return false
		}
	}
	realm := s.Realm
	if realm == "" {
		realm = "null"
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("basic realm=%q", realm))
	htmlError(w, r, http.StatusUnauthorized, "Unauthorized")
	return false
}

// htmlError is the error page of the web server that Marathon uses.
func htmlError(w http.ResponseWriter, r *http.Request, status int, reason string) {
	h := w.Header()
	h.Set("Cache-Control", "must-revalidate,no-cache,no-store")
	h.Set("Content-Type", "text/html;charset=iso-8859-1")
	h.Del("Expires")
	body := fmt.Sprintf("<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n<title>Error %d %s</title>\n</head>\n<body><h2>HTTP ERROR %d</h2>\n"+
		"<p>Problem accessing %s. Reason:\n<pre>    %s</pre></p>\n</body>\n</html>\n", status, reason, status, r.URL.Path, reason)
	writeStatus(w, r, status, reason, []byte(body))
}

// exchange is one request and its answer.
type exchange struct {
	*Leading
	w    http.ResponseWriter
	r    *http.Request
	base string
}

func (x *exchange) query(name string) bool { return x.r.URL.Query().Get(name) == "true" }

func (x *exchange) request(force bool) core.Request {
	ip, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		ip = x.r.RemoteAddr
	}
	return core.Request{Force: force, ClientIP: ip, URI: x.r.URL.Path}
}

// json answers with a document; only successes carry Vary and are gzipped.
func (x *exchange) json(status int, value any) {
	body, err := spec.JSON(value)
	if err != nil {
		x.message(http.StatusInternalServerError, err.Error())
		return
	}
	x.bytes(status, "application/json", body)
}

func (x *exchange) bytes(status int, contentType string, body []byte) {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	if status < 300 {
		if x.r.Method != http.MethodHead {
			h.Add("Vary", "Accept-Encoding, User-Agent")
		}
		if strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip") && x.r.Method == http.MethodGet && len(body) > 0 {
			h.Set("Content-Encoding", "gzip")
			x.w.WriteHeader(status)
			zip := gzip.NewWriter(x.w)
			_, _ = zip.Write(body)
			_ = zip.Close()
			return
		}
	}
	writeStatus(x.w, x.r, status, "", body)
}

// writeStatus writes the answer; a 422 has an empty reason phrase, which net/http cannot write by itself.
func writeStatus(w http.ResponseWriter, r *http.Request, status int, reason string, body []byte) {
	if status == http.StatusUnprocessableEntity || (reason != "" && reason != http.StatusText(status)) {
		if writeRaw(w, r, status, reason, body) {
			return
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func writeRaw(w http.ResponseWriter, r *http.Request, status int, reason string, body []byte) bool {
	hijacker, ok := w.(http.Hijacker)
	if !ok || r.ProtoMajor != 1 {
		return false
	}
	conn, buffer, err := hijacker.Hijack()
	if err != nil {
		return false
	}
	defer conn.Close()
	h := w.Header().Clone()
	h.Set("Content-Length", fmt.Sprint(len(body)))
	h.Set("Connection", "close")
	h.Set("Date", httpDate())
	fmt.Fprintf(buffer, "HTTP/1.1 %d %s\r\n", status, reason)
	_ = h.Write(buffer)
	_, _ = buffer.WriteString("\r\n")
	if r.Method != http.MethodHead {
		_, _ = buffer.Write(body)
	}
	_ = buffer.Flush()
	return true
}

func (x *exchange) message(status int, text string) {
	x.json(status, map[string]string{"message": text})
}

// fail answers with what the error stands for.
func (x *exchange) fail(err error) {
	var (
		syntax      *spec.Syntax
		invalid     *spec.Invalid
		fault       *spec.Fault
		unsupported *spec.Unsupported
		missing     *core.NotFound
		conflict    *core.Conflict
		refused     *core.Refused
	)
	switch {
	case errors.As(err, &syntax):
		x.json(http.StatusBadRequest, message2{syntax.Message, syntax.Details})
	case errors.As(err, &invalid):
		x.json(http.StatusUnprocessableEntity, message2{invalid.Message, invalid.Details})
	case errors.As(err, &fault):
		x.message(http.StatusInternalServerError, fault.Text)
	case errors.As(err, &unsupported):
		x.message(http.StatusNotImplemented, unsupported.Error())
	case errors.As(err, &missing):
		if missing.Details {
			x.json(http.StatusNotFound, message2{missing.Message, []any{}})
			return
		}
		x.message(http.StatusNotFound, missing.Message)
	case errors.As(err, &conflict):
		if len(conflict.Locks) == 0 {
			x.message(http.StatusConflict, conflict.Message)
			return
		}
		locks := []core.IDRef{}
		for _, id := range conflict.Locks {
			locks = append(locks, core.IDRef{ID: id})
		}
		x.json(http.StatusConflict, struct {
			Message     string       `json:"message"`
			Deployments []core.IDRef `json:"deployments"`
		}{conflict.Message, locks})
	case errors.As(err, &refused):
		x.message(refused.Status, refused.Message)
	default:
		x.message(http.StatusInternalServerError, err.Error())
	}
}

type message2 struct {
	Message string `json:"message"`
	Details any    `json:"details"`
}

// result answers a change after it is stored.
func (x *exchange) result(status int, result core.Result, err error) {
	if err == nil {
		err = x.Core.Flush()
	}
	if err != nil {
		x.fail(err)
		return
	}
	x.w.Header().Set("Marathon-Deployment-Id", result.DeploymentID)
	x.json(status, result)
}
