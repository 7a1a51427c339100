package agent

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/edition"
)

// handler serves the agent's endpoints. They exist bare and under /slave(1), and take any method, as the real ones do.
func (a *Agent) handler() http.Handler {
	routes := map[string]http.HandlerFunc{
		"/state": func(w http.ResponseWriter, r *http.Request) { reply(w, r, a.state()) },
		"/flags": func(w http.ResponseWriter, r *http.Request) {
			reply(w, r, map[string]any{"flags": a.cfg.flags.shown()})
		},
		"/health":             func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil },
		"/containers":         func(w http.ResponseWriter, r *http.Request) { reply(w, r, a.containers()) },
		"/monitor/statistics": func(w http.ResponseWriter, r *http.Request) { reply(w, r, a.statistics()) },
		"/api/v1":             onlyPost(a.operator),
		"/api/v1/executor":    onlyPost(leftOut("the v1 executor API")),
	}
	bare := map[string]http.HandlerFunc{
		"/version":          func(w http.ResponseWriter, r *http.Request) { reply(w, r, version()) },
		"/metrics/snapshot": a.snapshot,
		"/help":             help,
		"/files/browse":     a.browse, "/files/browse.json": a.browse,
		"/files/read": a.read, "/files/read.json": a.read,
		"/files/download": a.download, "/files/download.json": a.download,
		"/files/debug": a.debugFiles, "/files/debug.json": a.debugFiles,
		"/logging/toggle": leftOut("/logging/toggle"), "/profiler/start": leftOut("/profiler"), "/profiler/stop": leftOut("/profiler"),
		"/system/stats.json": a.systemStats,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		serve := bare[path]
		if serve == nil {
			serve = routes[strings.TrimPrefix(path, "/slave(1)")]
		}
		if serve == nil {
			plain(w, http.StatusNotFound, "404 Not Found.")
			return
		}
		serve(w, r)
	})
}

func onlyPost(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "POST")
			plain(w, http.StatusMethodNotAllowed, fmt.Sprintf("405 Method Not Allowed. Expecting one of { 'POST' }, but received '%s'.", r.Method))
			return
		}
		next(w, r)
	}
}

func leftOut(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusNotImplemented, "The stand-in for mesos-agent leaves out "+what)
	}
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

// reply writes a value as JSON.
func reply(w http.ResponseWriter, r *http.Request, value any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, r, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// answer writes JSON: as a call of ?jsonp=NAME where asked, compressed where accepted.
func answer(w http.ResponseWriter, r *http.Request, content []byte) {
	kind := "application/json"
	if name := r.URL.Query().Get("jsonp"); name != "" {
		content, kind = []byte(name+"("+string(content)+");"), "text/javascript"
	}
	w.Header().Set("Content-Type", kind)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(content) > 1024 {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(content)
		_ = writer.Close()
		content = packed.Bytes()
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}

// double is a number that is always written with a point, as the real programs write doubles.
type double float64

func (d double) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

const (
	buildDate = "2026-11-21 00:00:00 UTC"
	buildTime = double(1795219200)
)

func version() map[string]any {
	return map[string]any{
		"version": edition.Version(Version), "build_date": buildDate, "build_time": buildTime, "build_user": "standin", "git_sha": "standin",
	}
}

func help(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/x-markdown")
	_, _ = w.Write([]byte("## HELP\n> [/files][files]\n> [/metrics][metrics]\n> [/slave(1)][slave(1)]\n> [/system][system]\n> [/version][version]\n"))
}
