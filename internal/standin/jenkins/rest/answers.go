package rest

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

func (q *query) text(s string) {
	if q.r.Method != http.MethodHead {
		_, _ = io.WriteString(q.w, s)
	}
}

// bare is a page without X-Jenkins: the phases before and after the controller is up.
func (q *query) bare(status int, title, body string) {
	h := q.w.Header()
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Cache-Control", "no-cache,no-store,must-revalidate")
	h.Set("Expires", "0")
	q.w.WriteHeader(status)
	q.text("<!DOCTYPE html><html lang=\"en\"><head><title>" + title + "</title></head><body><h1>" + html.EscapeString(body) + "</h1></body></html>")
}

// jetty is an error of the container: no X-Jenkins.
func (q *query) jetty(status int, message string) {
	h := q.w.Header()
	h.Set("Cache-Control", "must-revalidate,no-cache,no-store")
	h.Set("Content-Type", "text/html;charset=iso-8859-1")
	q.w.WriteHeader(status)
	m := html.EscapeString(message)
	q.text(fmt.Sprintf("<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n<title>Error %d %s</title>\n</head>\n<body><h2>HTTP ERROR %d %s</h2>\n<table>\n"+
		"<tr><th>URI:</th><td>%s</td></tr>\n<tr><th>STATUS:</th><td>%d</td></tr>\n<tr><th>MESSAGE:</th><td>%s</td></tr>\n</table>\n</body>\n</html>\n",
		status, m, status, m, html.EscapeString(q.r.URL.Path), status, m))
}

func (q *query) jenkinsHeaders() {
	q.w.Header().Set("X-Jenkins", q.s.version)
	q.w.Header().Set("X-Jenkins-Session", q.c.Session)
	q.w.Header().Set("Vary", "Accept-Encoding")
}

func (q *query) htmlHeaders() {
	q.needSession()
	h := q.w.Header()
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Cache-Control", "no-cache,no-store,must-revalidate")
	h.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
	h.Set("X-Hudson", "1.395")
	h.Set("X-Frame-Options", "sameorigin")
	q.jenkinsHeaders()
}

func (q *query) htmlStatus(status int, title, body string) {
	q.htmlHeaders()
	q.w.WriteHeader(status)
	q.text("\n  <!DOCTYPE html><html><head data-rooturl=\"" + q.s.prefix + "\" data-crumb-header=\"" + crumbField + "\" data-crumb-value=\"" + q.crumb() + "\">\n    <title>" +
		html.EscapeString(title) + "</title></head><body id=\"jenkins\" data-version=\"" + q.s.version + "\">" + body + "<footer>Jenkins " + q.s.version + " (jomctl stand-in)</footer></body></html>")
}

func (q *query) page(title string) { q.htmlStatus(http.StatusOK, title, html.EscapeString(title)) }

func (q *query) notFound() { q.htmlStatus(http.StatusNotFound, "Not Found - Jenkins", "Not Found") }

// failure is an unexpected error in Jenkins' words: the oops page.
func (q *query) failure(status int, message string) {
	q.htmlStatus(status, "Jenkins - Jenkins", "A problem occurred while processing the request.<pre>"+html.EscapeString(message)+"</pre>")
}

// userError is a 400 with X-Error; headers are Latin-1, so typographic quotes become blanks, as in the real one.
func (q *query) userError(message string) {
	latin := strings.Map(func(r rune) rune {
		if r > 0xff {
			return ' '
		}
		return r
	}, message)
	q.w.Header().Set("X-Error", latin)
	q.htmlStatus(http.StatusBadRequest, "Jenkins - Jenkins", "<h1>Error</h1><p>"+html.EscapeString(message)+"</p>")
}

// missing says that the stand-in does not have this.
func (q *query) missing(what string) {
	q.plain(http.StatusNotImplemented, "not implemented by jomctl's stand-in for Jenkins: "+what+"\n")
}

func (q *query) plain(status int, text string) {
	q.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	q.w.WriteHeader(status)
	q.text(text)
}

func (q *query) ok() { q.w.WriteHeader(http.StatusOK) }

// redirect answers 302 with a path-only Location below the prefix.
func (q *query) redirect(path string) {
	q.w.Header().Set("Vary", "Accept-Encoding")
	q.w.Header().Set("Location", q.s.prefix+path)
	q.w.WriteHeader(http.StatusFound)
}

// post lets only POST through; anything else is 405.
func (q *query) post() bool {
	if q.r.Method == http.MethodPost {
		return true
	}
	q.w.Header().Set("Allow", "POST")
	q.htmlStatus(http.StatusMethodNotAllowed, "Method Not Allowed - Jenkins", "POST is required")
	return false
}

// api serves what stands below an object: its page, /api/json, /api/xml, /api/python. render is called under the lock; nil is 404.
func (q *query) api(rest []string, title string, render func(view) *bean) {
	switch {
	case len(rest) == 0 && !q.slash && len(q.full) > 0 && q.r.Method == http.MethodGet && !strings.Contains(q.full[len(q.full)-1], "."):
		q.redirect("/" + escPath(q.full) + "/")
		return
	case len(rest) == 0:
		q.page(title)
		return
	case rest[0] != "api":
		q.notFound()
		return
	case len(rest) == 1 && !q.slash:
		q.redirect("/" + escPath(q.full) + "/")
		return
	case len(rest) == 1:
		q.page("Remote API - Jenkins")
		return
	}
	p, err := q.pruner()
	if err != nil {
		q.failure(http.StatusInternalServerError, err.Error())
		return
	}
	if q.r.URL.Query().Get("jsonp") != "" {
		q.jetty(http.StatusForbidden, "jsonp forbidden; implement jenkins.security.SecureRequester")
		return
	}
	q.render(rest[1], p, render)
}

func (q *query) render(format string, p pruner, render func(view) *bean) {
	var body bytes.Buffer
	found := true
	q.c.Locked(func() {
		b := render(q.view())
		switch {
		case b == nil:
			found = false
		case format == "xml":
			writeXML(&body, b, p)
		default:
			writeJSON(&body, b, p)
		}
	})
	kind := map[string]string{"json": "application/json;charset=utf-8", "xml": "application/xml;charset=UTF-8", "python": "text/x-python;charset=UTF-8"}[format]
	if !found || kind == "" {
		q.notFound()
		return
	}
	if format == "xml" && q.r.URL.Query().Get("xpath") != "" {
		q.missing("xpath")
		return
	}
	q.jenkinsHeaders()
	q.w.Header().Set("Content-Type", kind)
	data := body.String()
	if format == "python" {
		data = pythonLiterals(data)
	}
	q.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	q.w.WriteHeader(http.StatusOK)
	q.text(data)
}

func (q *query) pruner() (pruner, error) {
	values := q.r.URL.Query()
	if tree := values.Get("tree"); tree != "" {
		return parseTree(tree)
	}
	depth := 0
	if text := values.Get("depth"); text != "" {
		var err error
		if depth, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("depth: %w", err)
		}
	}
	// Deep trees repeat themselves; nobody asks for more.
	return byDepth(1 - min(depth, 4)), nil
}

func escPath(parts []string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = esc(p)
	}
	return strings.Join(out, "/")
}

// pythonLiterals changes the three words outside of strings.
func pythonLiterals(json string) string {
	var b strings.Builder
	inString := false
	for i := 0; i < len(json); i++ {
		switch {
		case inString && json[i] == '\\':
			b.WriteString(json[i : i+2])
			i++
			continue
		case json[i] == '"':
			inString = !inString
		case !inString:
			if word, to := literal(json[i:]); word != "" {
				b.WriteString(to)
				i += len(word) - 1
				continue
			}
		}
		b.WriteByte(json[i])
	}
	return b.String()
}

func literal(s string) (word, to string) {
	for _, w := range [][2]string{{"null", "None"}, {"true", "True"}, {"false", "False"}} {
		if strings.HasPrefix(s, w[0]) {
			return w[0], w[1]
		}
	}
	return "", ""
}

// xml answers with a configuration, without X-Jenkins.
func (q *query) xml(n *xmltree.Node) {
	q.w.Header().Set("Content-Type", "application/xml")
	q.w.WriteHeader(http.StatusOK)
	q.text(string(n.Render(xmltree.AnswerHeader)))
}
