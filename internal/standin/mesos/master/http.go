package master

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// server answers HTTP for one master, leading or not.
type server struct {
	*core
	flags   *flags
	started time.Time
	quorum  func() bool // enough masters for the registry

	state     sync.Mutex
	leader    *mesos.MasterInfo
	elected   time.Time // zero unless this master leads
	recovered bool
	level     int
}

const (
	textPlain  = "text/plain; charset=utf-8"
	typeJSON   = "application/json"
	typeProto  = "application/x-protobuf"
	gzipAtSize = 1024 // libprocess compresses from this size on
)

func (s *server) setLeader(leader *mesos.MasterInfo, isSelf bool) {
	s.state.Lock()
	defer s.state.Unlock()
	s.leader = leader
	if isSelf && s.elected.IsZero() {
		s.elected = time.Now()
	}
}

func (s *server) setRecovered() {
	s.state.Lock()
	defer s.state.Unlock()
	s.recovered = true
}

// standing is a consistent look at who leads.
func (s *server) standing() (leader *mesos.MasterInfo, elected time.Time, recovered bool) {
	s.state.Lock()
	defer s.state.Unlock()
	return s.leader, s.elected, s.recovered
}

// handler routes as the real master does: most endpoints twice, plain and under /master.
func (s *server) handler() http.Handler {
	leading := map[string]http.HandlerFunc{
		"/state": s.getState, "/state-summary": s.getSummary, "/slaves": s.getSlaves, "/frameworks": s.getFrameworks,
		"/tasks": s.getTasks, "/roles": s.getRoles, "/quota": s.fixed("{}"), "/weights": s.fixed("[]"),
		"/maintenance/schedule": s.maintenanceSchedule, "/maintenance/status": s.getMaintenanceStatus,
		"/teardown": s.postOnly(s.teardown), "/machine/down": s.postOnly(s.machines(s.startMaintenance)), "/machine/up": s.postOnly(s.machines(s.stopMaintenance)),
		"/reserve": s.postOnly(leftOut), "/unreserve": s.postOnly(leftOut),
		"/create-volumes": s.postOnly(leftOut), "/destroy-volumes": s.postOnly(leftOut),
	}
	recoveredOnly := map[string]http.HandlerFunc{
		"/api/v1": s.postOnly(s.operator), "/api/v1/scheduler": s.postOnly(s.scheduler),
		wire.PathRegister: s.postOnly(s.agentOnly(s.agentRegister)), wire.PathCall: s.postOnly(s.agentOnly(s.agentCall)),
	}
	local := map[string]http.HandlerFunc{"/health": empty, "/flags": s.getFlags, "/redirect": s.redirect}
	mux := http.NewServeMux()
	for path, handle := range leading {
		mux.HandleFunc(path, s.onLeader(path, false, handle))
		mux.HandleFunc("/master"+path, s.onLeader(path, false, handle))
	}
	for path, handle := range recoveredOnly {
		mux.HandleFunc(path, s.onLeader(path, true, handle))
		mux.HandleFunc("/master"+path, s.onLeader(path, true, handle))
	}
	for path, handle := range local {
		mux.HandleFunc(path, handle)
		mux.HandleFunc("/master"+path, handle)
	}
	mux.HandleFunc("/version", s.getVersion)
	mux.HandleFunc("/metrics/snapshot", s.getMetrics)
	mux.HandleFunc("/system/stats.json", s.getStats)
	mux.HandleFunc("/logging/toggle", func(w http.ResponseWriter, _ *http.Request) { answerText(w, http.StatusOK, "0\n") })
	mux.HandleFunc("/registrar(1)/registry", s.getRegistry)
	for _, path := range []string{"/files/browse", "/files/read", "/files/download"} {
		mux.HandleFunc(path, files)
	}
	mux.HandleFunc("/help", leftOut)
	mux.HandleFunc("/{$}", root)
	mux.HandleFunc("/", notFound)
	return mux
}

// onLeader lets a request through on the leader, and sends it to the leader from elsewhere.
func (s *server) onLeader(path string, recoveredOnly bool, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		leader, elected, recovered := s.standing()
		switch {
		case leader == nil:
			answerText(w, http.StatusServiceUnavailable, "No leader elected")
		case elected.IsZero():
			location := "//" + hostPort(leader) + "/master" + path
			if r.URL.RawQuery != "" {
				location += "?" + r.URL.RawQuery
			}
			redirectTo(w, location)
		case recoveredOnly && !recovered:
			answerText(w, http.StatusServiceUnavailable, "Master has not finished recovery")
		default:
			handle(w, r)
		}
	}
}

// redirectTo answers 307 with an empty body and a location without scheme, which http.Redirect would complete.
func redirectTo(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func (s *server) redirect(w http.ResponseWriter, _ *http.Request) {
	leader, _, _ := s.standing()
	if leader == nil {
		answerText(w, http.StatusServiceUnavailable, "No leader elected")
		return
	}
	redirectTo(w, "//"+hostPort(leader))
}

func (s *server) postOnly(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "POST")
			answerText(w, http.StatusMethodNotAllowed, fmt.Sprintf("405 Method Not Allowed. Expecting one of { 'POST' }, but received '%s'.", r.Method))
			return
		}
		handle(w, r)
	}
}

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", textPlain)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	answerText(w, http.StatusNotFound, "404 Not Found.")
}

// leftOut is the answer of everything that a real master does and this one does not.
func leftOut(w http.ResponseWriter, r *http.Request) {
	answerText(w, http.StatusNotImplemented, fmt.Sprintf("The stand-in for mesos-master leaves out %s %s.", r.Method, r.URL.Path))
}

func empty(http.ResponseWriter, *http.Request) {}

func root(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<!DOCTYPE html>\n<title>Mesos (stand-in)</title>\n<p>This is jomctl's stand-in for a Mesos master. It has no web interface; see <a href=\"/state\">/state</a>.\n"))
}

func files(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("path") == "" {
		answerText(w, http.StatusBadRequest, "Expecting 'path=value' in query.\n")
		return
	}
	leftOut(w, r)
}

// fixed answers GET with a constant; what would change it is left out.
func (s *server) fixed(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			leftOut(w, r)
			return
		}
		answerBody(w, r, typeJSON, []byte(body))
	}
}

// answerJSON answers 200 with JSON, in the caller's function if the query has jsonp.
func answerJSON(w http.ResponseWriter, r *http.Request, value object) {
	body := appendJSON(nil, value)
	if callback := r.URL.Query().Get("jsonp"); callback != "" {
		answerBody(w, r, "text/javascript", fmt.Appendf(nil, "%s(%s);", callback, body))
		return
	}
	answerBody(w, r, typeJSON, body)
}

func answerBody(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	if len(body) >= gzipAtSize && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Method != http.MethodHead {
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a valid one
		_, _ = packed.Write(body)
		_ = packed.Close()
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
