package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
)

func (q *query) pageComputers(rest []string) {
	if len(rest) == 0 || rest[0] == "api" {
		q.api(rest, "Nodes - Jenkins", func(v view) *bean { return v.computers() })
		return
	}
	switch rest[0] {
	case "doCreateItem":
		if q.r.Method != http.MethodPost {
			q.notFound()
			return
		}
		q.createNodeByForm()
		return
	case "createItem":
		if q.post() {
			q.createNodeByXML()
		}
		return
	}
	var n *core.Node
	q.c.Locked(func() { n = q.c.Node(rest[0]) })
	if n == nil {
		q.notFound()
		return
	}
	q.pageComputer(n, rest[1:])
}

func (q *query) pageComputer(n *core.Node, rest []string) {
	name := n.Name
	if name == "" {
		name = "(built-in)"
	}
	page := "/computer/" + strings.NewReplacer("%28", "(", "%29", ")").Replace(esc(name)) + "/"
	if len(rest) == 0 {
		q.api(rest, n.Display()+" - Jenkins", nil)
		return
	}
	switch rest[0] {
	case "jenkins-agent.jnlp", "slave-agent.jnlp":
		q.descriptor(n)
	case "config.xml":
		q.nodeConfig(n)
	case "doDelete":
		if q.post() {
			if !q.c.RemoveNode(n.Name) {
				q.failure(http.StatusBadRequest, "the built-in node cannot be deleted")
				return
			}
			q.redirect("/computer/")
		}
	case "doDisconnect":
		if q.post() {
			q.c.Disconnect(n)
			q.redirect(page)
		}
	case "toggleOffline":
		if q.post() {
			q.toggleOffline(n)
			q.redirect(page)
		}
	case "executors":
		q.stopExecutor(n, rest, page)
	case "log", "logText":
		q.page(n.Display() + " log - Jenkins")
	default:
		q.api(rest, "", func(v view) *bean { return v.computer(n) })
	}
}

func (q *query) toggleOffline(n *core.Node) {
	message := q.param("offlineMessage")
	q.c.Locked(func() {
		n.TempOffline = !n.TempOffline
		n.OfflineMessage, n.Offline = message, nil
		if n.TempOffline {
			text := "Disconnected by " + q.name()
			if message != "" {
				text += " : " + message
			}
			n.Offline = &core.OfflineCause{Class: "hudson.slaves.OfflineCause$UserCause", Text: text, At: time.Now()}
		}
	})
}

func (q *query) nodeConfig(n *core.Node) {
	if n.Name == "" || q.r.Method != http.MethodGet {
		q.w.WriteHeader(http.StatusBadRequest)
		return
	}
	q.c.Locked(func() { q.xml(n.XML()) })
}

func (q *query) stopExecutor(n *core.Node, rest []string, page string) {
	if len(rest) != 3 || rest[2] != "stop" {
		q.notFound()
		return
	}
	if !q.post() {
		return
	}
	q.c.Locked(func() {
		if i := atoi(rest[1]); i >= 0 && i < len(n.Executors()) && n.Executors()[i] != nil {
			q.c.Abort(n.Executors()[i], q.name())
		}
	})
	q.redirect(page + "executors/" + rest[1] + "/")
}

// descriptor tells an agent who it is. It contains the secret, so without a login it comes encrypted with that secret.
func (q *query) descriptor(n *core.Node) {
	if n.Name == "" {
		q.notFound()
		return
	}
	secret := q.c.AgentSecret(n.Name)
	base, workDir := "", n.RemoteFS
	q.c.Locked(func() { base = q.view().base })
	if n.Ephemeral() && workDir == "" {
		workDir = "jenkins"
	}
	args := []string{secret, n.Name}
	if workDir != "" {
		args = append(args, "-workDir", workDir, "-internalDir", "remoting")
	}
	var b strings.Builder
	b.WriteString("<jnlp><application-desc>")
	for _, a := range append(args, "-url", base) {
		fmt.Fprintf(&b, "<argument>%s</argument>", xmlEscape(a))
	}
	b.WriteString("</application-desc></jnlp>")
	if q.r.URL.Query().Get("encrypt") == "true" {
		data, err := agent.Encrypt(secret, []byte(b.String()))
		if err != nil {
			q.failure(http.StatusInternalServerError, err.Error())
			return
		}
		q.w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = q.w.Write(data)
		return
	}
	q.w.Header().Set("Content-Type", "application/x-java-jnlp-file")
	q.text(b.String())
}

func xmlEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func (q *query) createNodeByForm() {
	text := q.param("json")
	if text == "" {
		q.jetty(http.StatusBadRequest, "This page expects a form submission")
		return
	}
	var form struct {
		Name            string `json:"name"`
		NodeDescription string `json:"nodeDescription"`
		NumExecutors    any    `json:"numExecutors"`
		RemoteFS        string `json:"remoteFS"`
		LabelString     string `json:"labelString"`
		Mode            string `json:"mode"`
		Launcher        struct {
			Class     string `json:"stapler-class"`
			WebSocket bool   `json:"webSocket"`
		} `json:"launcher"`
	}
	if err := json.Unmarshal([]byte(text), &form); err != nil {
		q.failure(http.StatusInternalServerError, "json: "+err.Error())
		return
	}
	if form.Launcher.WebSocket || form.Launcher.Class != "" && form.Launcher.Class != "hudson.slaves.JNLPLauncher" {
		q.missing("nodes with another launcher than the inbound TCP one (asked for: " + form.Launcher.Class + ")")
		return
	}
	name := q.param("name")
	if name == "" {
		name = form.Name
	}
	executors := atoi(fmt.Sprint(form.NumExecutors))
	mode := form.Mode
	if mode == "" {
		mode = "NORMAL"
	}
	n := &core.Node{Name: name, Description: form.NodeDescription, RemoteFS: form.RemoteFS, Mode: mode, NumExecutors: max(executors, 1), Labels: strings.Fields(form.LabelString)}
	q.locked(func() error { return q.c.AddNode(n) }, func() { q.redirect("/computer/") })
}

func (q *query) createNodeByXML() {
	data, err := q.body()
	if err == nil {
		var n *core.Node
		if n, err = core.ParseNode(data); err == nil {
			n.Name = q.param("name")
			q.locked(func() error { return q.c.AddNode(n) }, q.ok)
			return
		}
	}
	q.failure(http.StatusInternalServerError, err.Error())
}

func (q *query) pageAgentListener() {
	port := q.s.control.AgentPort()
	if port <= 0 {
		q.notFound()
		return
	}
	h := q.w.Header()
	q.jenkinsHeaders()
	h.Set("Content-Type", "text/plain;charset=utf-8")
	// Written past Go's spelling, for people who look with curl and grep.
	h["X-Hudson-JNLP-Port"], h["X-Jenkins-JNLP-Port"] = []string{itoa(port)}, []string{itoa(port)}
	if q.s.control.AgentHost != "" {
		h["X-Jenkins-JNLP-Host"] = []string{q.s.control.AgentHost}
	}
	h.Set("X-Jenkins-Agent-Protocols", "JNLP4-connect, Ping")
	h.Set("X-Remoting-Minimum-Version", core.RemotingMinimum)
	q.w.WriteHeader(http.StatusOK)
	q.text("\n\n  Jenkins\n")
}

func (q *query) pageJars(rest []string) {
	name := strings.Join(rest, "/")
	switch name {
	case "agent.jar", "slave.jar", "remoting.jar":
		q.w.Header().Set("Content-Type", "application/java-archive")
		q.w.Header().Set("Content-Disposition", "attachment; filename="+name)
		q.w.Header().Set("Accept-Ranges", "bytes")
		q.w.Header().Set("Content-Length", itoa(len(agent.Marker)))
		q.text(agent.Marker)
	case "jenkins-cli.jar":
		q.missing("the command line client")
	default:
		q.failure(http.StatusInternalServerError, "no such jar: "+name)
	}
}
