package dashboard

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// policy lets the page load its own script and style, talk to its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const (
	// beat is how often a stream without news shows that it lives.
	beat = 10 * time.Second
	// slow is how long a browser may take to accept an event.
	slow = 20 * time.Second
)

// Access is who may look.
type Access struct {
	// User and Password are asked for where User is set.
	User, Password string
	// AnyName answers under any host name. Without it, and without a user, only names of this machine are answered, so that no foreign
	// web page can read the cluster through the browser of somebody here (DNS rebinding).
	AnyName bool
}

// Handler serves the page at /, its events at /events, and the metrics at /metrics.
func (h *Hub) Handler(access Access) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(newCollector(h.Snapshot)); err != nil {
		return nil, fmt.Errorf("registering the metrics: %w", err)
	}
	boot := strconv.FormatInt(time.Now().UnixNano(), 36)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { h.index(w, boot) })
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { h.events(w, r, boot) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	for name, kind := range map[string]string{"app.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"} {
		data, err := files.ReadFile("page/" + name)
		if err != nil {
			return nil, fmt.Errorf("reading the page: %w", err)
		}
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind+"; charset=utf-8")
			_, _ = w.Write(data)
		})
	}
	return guard(mux, access), nil
}

// guard sets the headers of every answer and turns away who may not look.
func guard(next http.Handler, access Access) http.Handler {
	user, password := sha256.Sum256([]byte(access.User)), sha256.Sum256([]byte(access.Password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if access.User != "" {
			u, p, _ := r.BasicAuth()
			gotUser, gotPassword := sha256.Sum256([]byte(u)), sha256.Sum256([]byte(p))
			if subtle.ConstantTimeCompare(user[:], gotUser[:])&subtle.ConstantTimeCompare(password[:], gotPassword[:]) != 1 {
				header.Set("WWW-Authenticate", `Basic realm="jomctl dashboard", charset="UTF-8"`)
				http.Error(w, "a user and a password are asked for", http.StatusUnauthorized)
				return
			}
		} else if !access.AnyName && !ofThisMachine(r.Host) {
			http.Error(w, "this page answers under the names of this machine only (localhost, 127.0.0.1)", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func ofThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// part is one section of the page.
type part struct {
	Name, Heading string
	HTML          template.HTML
}

func headings() map[string]string {
	return map[string]string{"findings": "Findings", "controller": "Controller", "queue": "Queue", "agents": "Mesos agents", "hosts": "Hosts",
		"histories": "History", "parts": "Programs"}
}

func (h *Hub) index(w http.ResponseWriter, boot string) {
	h.mu.Lock()
	h.look()
	h.mu.Unlock()
	changed, s, now := h.since(0)
	data := struct {
		Title, Cluster, Target, At, Version string
		Now                                 int64
		Checked                             *moment
		Sections                            []part
	}{title(s), s.Report.Cluster, s.Report.Target, at(boot, now), h.pages.version, time.Now().UnixMilli(), newMoment(s.Report.Checked), nil}
	if data.Cluster == "" {
		data.Cluster = "The cluster is being asked"
	}
	for _, name := range sectionNames() {
		// The templates have escaped what is in it.
		data.Sections = append(data.Sections, part{name, headings()[name], template.HTML(changed[name])}) // #nosec G203
	}
	var page bytes.Buffer
	if err := h.pages.template.ExecuteTemplate(&page, "index", data); err != nil {
		http.Error(w, "making the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}

// at names a version: those of another run of the program mean nothing.
func at(boot string, version int64) string { return boot + "-" + strconv.FormatInt(version, 10) }

func versionOf(text, boot string) int64 {
	number, ours := strings.CutPrefix(text, boot+"-")
	version, err := strconv.ParseInt(number, 10, 64)
	if !ours || err != nil {
		return 0
	}
	return version
}

// news is the data of one event.
type news struct {
	Title   string `json:"title"`
	Checked string `json:"checked,omitempty"`
	// Now is the server's clock, in Unix milliseconds.
	Now      int64             `json:"now"`
	Sections map[string]string `json:"sections"`
}

// events streams what changes after the version that the browser has: Last-Event-ID where it comes back by itself.
func (h *Hub) events(w http.ResponseWriter, r *http.Request, boot string) {
	arrived, done := h.subscribe()
	defer done()
	version := versionOf(r.URL.Query().Get("after"), boot)
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		version = versionOf(id, boot)
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in between must not keep events back
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(slow)) // not every connection has deadlines
		_, err := fmt.Fprint(w, text)
		return err == nil && control.Flush() == nil
	}
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for text := "retry: 1000\n" + h.event(&version, boot); ; {
		if !send(text) {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-arrived:
			text = h.event(&version, boot)
		case <-ticker.C:
			text = "event: beat\ndata: \n\n"
		}
	}
}

// event is what is new after a version, and raises it.
func (h *Hub) event(version *int64, boot string) string {
	changed, s, now := h.since(*version)
	*version = now
	n := news{Title: title(s), Now: time.Now().UnixMilli(), Sections: changed}
	if m := newMoment(s.Report.Checked); m != nil {
		n.Checked = m.ISO
	}
	var data strings.Builder
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // an event is no page, and twice as long with it
	if err := encoder.Encode(n); err != nil {
		return ": " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n\n"
	}
	return fmt.Sprintf("id: %s\nevent: news\ndata: %s\n\n", at(boot, now), strings.TrimSuffix(data.String(), "\n"))
}
