package api

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

func httpDate() string { return time.Now().UTC().Format(http.TimeFormat) }

func (x *exchange) route() {
	path := x.r.URL.Path
	switch {
	case path == "/ping":
		if x.only("GET") {
			x.ping()
		}
	case path == "/v2/events":
		x.events()
	case path == "/metrics":
		if x.only("GET") {
			x.json(http.StatusOK, x.Core.Metrics())
		}
	case path == "/v2/info":
		if x.only("GET") && x.acceptable() {
			x.json(http.StatusOK, x.Info())
		}
	case path == "/v2/leader":
		x.leader()
	case path == "/v2/plugins":
		if x.only("GET") {
			x.json(http.StatusOK, map[string]any{"plugins": []any{}})
		}
	case path == "/v2/deployments" || strings.HasPrefix(path, "/v2/deployments/"):
		x.deployments(strings.TrimPrefix(strings.TrimPrefix(path, "/v2/deployments"), "/"))
	case path == "/v2/queue" || (strings.HasPrefix(path, "/v2/queue/") && strings.HasSuffix(path, "/delay")):
		x.queue(strings.TrimSuffix(strings.TrimPrefix(path, "/v2/queue"), "/delay"))
	case path == "/v2/tasks":
		if x.only("GET") && x.acceptable() {
			x.allTasks()
		}
	case path == "/v2/tasks/delete":
		if x.only("POST") {
			x.deleteTasks()
		}
	case path == "/v2/apps" || strings.HasPrefix(path, "/v2/apps/"):
		x.apps(strings.Trim(strings.TrimPrefix(path, "/v2/apps"), "/"))
	case path == "/v2/groups" || strings.HasPrefix(path, "/v2/groups/"):
		x.groups(strings.Trim(strings.TrimPrefix(path, "/v2/groups"), "/"))
	case path == "/v2/pods" || strings.HasPrefix(path, "/v2/pods/"):
		x.message(http.StatusNotImplemented, "the stand-in for Marathon does not do pods")
	case path == "/logging", path == "/metrics/prometheus", path == "/help", path == "/ui", path == "/ui/", strings.HasPrefix(path, "/public/api/"):
		x.message(http.StatusNotImplemented, "the stand-in for Marathon has no "+path)
	case path == "/":
		x.w.Header().Set("Location", x.base+"/ui/")
		writeStatus(x.w, x.r, http.StatusFound, "", nil)
	default:
		x.message(http.StatusInternalServerError, "URI not found")
	}
}

// only answers 405 to any other method; HEAD goes with GET.
func (x *exchange) only(methods ...string) bool {
	for _, m := range methods {
		if x.r.Method == m || (m == http.MethodGet && x.r.Method == http.MethodHead) {
			return true
		}
	}
	if x.r.Method == http.MethodOptions {
		x.w.Header().Set("Allow", strings.Join(append(methods, "OPTIONS"), ","))
		x.bytes(http.StatusOK, "text/plain", nil)
		return false
	}
	x.message(http.StatusMethodNotAllowed, "Method Not Allowed")
	return false
}

func (x *exchange) acceptable() bool {
	accept := x.r.Header.Get("Accept")
	if accept == "" {
		return true
	}
	for _, item := range strings.Split(accept, ",") {
		kind, _, err := mime.ParseMediaType(strings.TrimSpace(item))
		if err != nil || kind == "*/*" || kind == "application/json" || kind == "application/*" || kind == "*" {
			return true
		}
	}
	x.message(http.StatusNotAcceptable, "Not Acceptable")
	return false
}

// body reads the request's body; false means that the answer (415) is given.
func (x *exchange) body() ([]byte, bool) {
	if kind := x.r.Header.Get("Content-Type"); kind != "" {
		if parsed, _, err := mime.ParseMediaType(kind); err != nil || parsed != "application/json" {
			x.message(http.StatusUnsupportedMediaType, "Unsupported Media Type")
			return nil, false
		}
	}
	data, err := io.ReadAll(io.LimitReader(x.r.Body, 16<<20))
	if err != nil {
		x.message(http.StatusBadRequest, err.Error())
		return nil, false
	}
	return data, true
}

func (x *exchange) ping() {
	kind := "text/plain"
	if accept := x.r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "*") {
		if parsed, _, err := mime.ParseMediaType(strings.Split(accept, ",")[0]); err == nil {
			kind = parsed
		}
	}
	x.w.Header().Add("Vary", "Accept")
	text := "pong"
	if kind == "application/json" {
		text = `"pong"`
	}
	x.bytes(http.StatusOK, kind, []byte(text))
}

func (x *exchange) leader() {
	if !x.only("GET", "DELETE") {
		return
	}
	if x.Resigned() {
		x.json(http.StatusNotFound, message2{"There is no leader", []any{}})
		return
	}
	if x.r.Method != http.MethodDelete {
		x.json(http.StatusOK, map[string]string{"leader": strings.TrimPrefix(x.base, "http://")})
		return
	}
	q := x.r.URL.Query()
	if q.Has("backup") || q.Has("restore") {
		x.message(http.StatusNotImplemented, "the stand-in for Marathon does not do backup and restore")
		return
	}
	x.json(http.StatusOK, message2{"Leadership abdicated", []any{}})
	x.Abdicate()
}

func (x *exchange) deployments(id string) {
	if id == "" {
		if x.only("GET") && x.acceptable() {
			x.json(http.StatusOK, x.Core.Deployments())
		}
		return
	}
	if !x.only("DELETE") {
		return
	}
	force := x.query("force")
	result, err := x.Core.CancelDeployment(id, force)
	if err == nil && force {
		if err = x.Core.Flush(); err == nil {
			writeStatus(x.w, x.r, http.StatusAccepted, "", nil)
			return
		}
	}
	x.result(http.StatusOK, result, err)
}

func (x *exchange) queue(id string) {
	if id == "" {
		if x.only("GET") && x.acceptable() {
			embed := strings.Contains(strings.Join(x.r.URL.Query()["embed"], " "), "lastUnusedOffers")
			x.json(http.StatusOK, map[string]any{"queue": x.Core.Queue(embed)})
		}
		return
	}
	if !x.only("DELETE") {
		return
	}
	if err := x.Core.ResetDelay(spec.AbsoluteID("", id)); err != nil {
		body, _ := json.Marshal(message2{err.Error(), []any{}})
		x.bytes(http.StatusNotFound, "application/octet-stream", body)
		return
	}
	x.w.WriteHeader(http.StatusNoContent)
}
