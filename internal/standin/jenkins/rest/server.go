// Package rest is the HTTP side of the stand-in controller: the pages and the remote API of Jenkins 2.568 that clients of the
// project use, with its oddities (../contract says which). What it does not have it answers with 501 and a text.
package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/plugins"
)

// StandinHeader is on every answer, so that clients can tell the stand-in from the real one.
const StandinHeader = "X-Jomctl-Standin"

// Phase is where the controller is in its life.
type Phase int

// Starting and Restarting answer 503, Failed 500, Up everything else.
const (
	Starting Phase = iota
	Failed
	Up
	Restarting
)

// Problem is one finding about a JCasC document.
type Problem struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// Control is what the pages ask of the process around the controller. Restart and Exit return at once; Unrestart cancels a safe
// restart that still waits.
type Control struct {
	Restart   func(safe bool)
	Exit      func(safe bool)
	Unrestart func()
	// CascCheck says what is wrong with a document, CascReload reads the configured file again, CascApply applies a document.
	CascCheck  func(document []byte) []Problem
	CascReload func() error
	CascApply  func(document []byte) error
	CascExport func() []byte
	// AgentPort is the open agent port, 0 when it is closed; AgentHost is what is advertised, "" = the URL's host.
	AgentPort func() int
	AgentHost string
	// Plugins are those that are loaded, nil for the imitated ones.
	Plugins func() []plugins.Plugin
}

// Server answers on one listener for all phases.
type Server struct {
	prefix   string
	version  string
	sessions *sessions
	control  Control

	mu    sync.RWMutex
	phase Phase
	why   string
	c     *core.Controller
}

// New makes a server that says 503 until SetUp. prefix is "" or begins with a slash.
func New(prefix, version string, control Control) *Server {
	return &Server{prefix: strings.TrimSuffix(prefix, "/"), version: version, control: control, sessions: newSessions()}
}

// SetUp serves a controller.
func (s *Server) SetUp(c *core.Controller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c, s.phase = c, Up
}

// SetPhase changes the phase; why is shown on the 500 pages of a failed boot.
func (s *Server) SetPhase(p Phase, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.why = p, why
}

func (s *Server) state() (Phase, string, *core.Controller) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.phase, s.why, s.c
}

// query is one request on its way through the pages.
type query struct {
	s *Server
	c *core.Controller
	w http.ResponseWriter
	r *http.Request
	// full is the path below the prefix with single slashes; slash says that it ended with one.
	full  []string
	slash bool

	user    *home.User // nil = anonymous
	token   bool
	session string
	fresh   bool // the session is new and its cookie not yet sent
	secured bool
	open    bool // anonymous may read
}

// ServeHTTP is the chain of filters in front of the pages: phase, login, crumb, permission.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(StandinHeader, "jenkins")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	path, ok := s.inside(w, r)
	if !ok {
		return
	}
	phase, why, c := s.state()
	q := &query{s: s, c: c, w: w, r: r}
	switch phase {
	case Starting:
		q.bare(http.StatusServiceUnavailable, "Starting Jenkins", "Please wait while Jenkins is getting ready to work")
		return
	case Restarting:
		q.bare(http.StatusServiceUnavailable, "Restarting Jenkins", "Please wait while Jenkins is restarting")
		return
	case Failed:
		q.bare(http.StatusInternalServerError, "Jenkins", "Error: "+why)
		return
	}
	if r.Method == http.MethodTrace {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	q.split(path)
	c.Locked(func() { q.secured, q.open = c.Config().UseSecurity, c.Config().AnonymousRead })
	if !q.login() {
		q.unauthorized()
		return
	}
	q.joinSession()
	if r.Method == http.MethodPost && !q.crumbOK() {
		q.jetty(http.StatusForbidden, "No valid crumb was included in the request")
		return
	}
	if !q.permitted() {
		q.forbidden("hudson.model.Hudson.Read")
		return
	}
	q.serve()
}

// inside answers for paths outside the prefix and cuts it off.
func (s *Server) inside(w http.ResponseWriter, r *http.Request) (string, bool) {
	path := r.URL.EscapedPath()
	if s.prefix == "" {
		return path, true
	}
	if path == s.prefix {
		w.Header().Set("Location", s.prefix+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return "", false
	}
	if !strings.HasPrefix(path, s.prefix+"/") {
		(&query{s: s, w: w, r: r}).jetty(http.StatusNotFound, "Not Found")
		return "", false
	}
	return path[len(s.prefix):], true
}

// split takes a path apart; Jenkins does not care about double and trailing slashes.
func (q *query) split(path string) {
	q.slash = strings.HasSuffix(path, "/")
	for _, part := range strings.Split(path, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(q.full) > 0 {
				q.full = q.full[:len(q.full)-1]
			}
		default:
			text, err := url.PathUnescape(part)
			if err != nil {
				text = part
			}
			q.full = append(q.full, text)
		}
	}
}

func (q *query) first() string {
	if len(q.full) == 0 {
		return ""
	}
	return q.full[0]
}

// param is a value from the query or the form.
func (q *query) param(name string) string {
	v, _ := q.lookup(name)
	return v
}

func (q *query) lookup(name string) (string, bool) {
	q.parseForm()
	if v, ok := q.r.Form[name]; ok && len(v) > 0 {
		return v[0], true
	}
	return "", false
}

// parseForm leaves bodies that are no forms (config.xml, JCasC) for their page.
func (q *query) parseForm() {
	if q.r.Form != nil {
		return
	}
	kind, _, _ := strings.Cut(q.r.Header.Get("Content-Type"), ";")
	var err error
	switch strings.TrimSpace(strings.ToLower(kind)) {
	case "multipart/form-data":
		err = q.r.ParseMultipartForm(1 << 20)
	case "application/x-www-form-urlencoded":
		err = q.r.ParseForm()
	}
	if q.r.Form == nil || err != nil {
		q.r.Form = q.r.URL.Query()
	}
}

// requestBase is the URL of this server as the client sees it, with a slash at its end.
func (q *query) requestBase() string {
	scheme, host := "http", q.r.Host
	if v := q.r.Header.Get("X-Forwarded-Proto"); v != "" {
		scheme, _, _ = strings.Cut(v, ",")
	}
	if v := q.r.Header.Get("X-Forwarded-Host"); v != "" {
		host, _, _ = strings.Cut(v, ",")
		host = strings.TrimSpace(host)
	}
	if v := q.r.Header.Get("X-Forwarded-Port"); v != "" && !strings.Contains(host, ":") {
		if !(scheme == "https" && v == "443" || scheme == "http" && v == "80") {
			host += ":" + v
		}
	}
	return strings.TrimSpace(scheme) + "://" + host + q.s.prefix + "/"
}

// view renders with the configured root URL, or with the request's. Call it under the controller's lock.
func (q *query) view() view {
	base := q.c.RootURL()
	if base == "" {
		base = q.requestBase()
	}
	return view{c: q.c, base: base}
}

func esc(s string) string                    { return strings.ReplaceAll(url.PathEscape(s), "+", "%2B") }
func itoa(n int) string                      { return strconv.Itoa(n) }
func sprintf(format string, a ...any) string { return fmt.Sprintf(format, a...) }
