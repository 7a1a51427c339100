package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// serve finds the page.
func (q *query) serve() {
	rest := q.full
	if len(rest) > 0 {
		rest = rest[1:]
	}
	switch first := q.first(); first {
	case "":
		q.page("Dashboard - Jenkins")
	case "login", "loginError":
		q.pageLogin()
	case "logout":
		q.pageLogout()
	case "j_spring_security_check":
		if q.post() {
			q.pageFormLogin()
		}
	case "whoAmI":
		q.pageWhoAmI(rest)
	case "crumbIssuer":
		q.pageCrumb(rest)
	case "health":
		q.pageHealth()
	case "api":
		q.api(q.full, "Remote API - Jenkins", func(v view) *bean { return v.root() })
	case "job":
		q.pageJob(rest)
	case "view":
		q.pageView(rest)
	case "queue":
		q.pageQueue(rest)
	case "computer":
		q.pageComputers(rest)
	case "label":
		q.pageLabel(rest)
	case "user", "me", "securityRealm":
		q.pageUsers(first, rest)
	case "pluginManager":
		q.pagePlugins(rest)
	case "configuration-as-code":
		q.pageCasc(rest)
	case "tcpSlaveAgentListener":
		q.pageAgentListener()
	case "jnlpJars":
		q.pageJars(rest)
	case "overallLoad", "unlabeledLoad":
		q.pageLoad(first, rest)
	case "favicon.ico", "robots.txt", "userContent":
		q.pageFiles(first, rest)
	default:
		q.serveAdmin(first, rest)
	}
}

func (q *query) pageLoad(which string, rest []string) {
	q.api(rest, "Load Statistics - Jenkins", func(view) *bean {
		if which == "overallLoad" {
			return load("hudson.model.OverallLoadStatistics", true)
		}
		return load("jenkins.model.UnlabeledLoadStatistics", false)
	})
}

func (q *query) pageHealth() {
	if !q.slash {
		q.redirect("/health/")
		return
	}
	q.jenkinsHeaders()
	q.w.Header().Set("Content-Type", "application/json;charset=utf-8")
	q.text(`{"status":true}`)
}

func (q *query) pageFiles(name string, rest []string) {
	switch {
	case name == "robots.txt":
		q.plain(http.StatusOK, "# we don't want robots to click \"build\" links\nUser-agent: *\nDisallow: /\n")
	case name == "favicon.ico":
		q.w.Header().Set("Content-Type", "image/vnd.microsoft.icon")
		q.ok()
	case slices.Equal(rest, []string{"readme.txt"}):
		q.plain(http.StatusOK, "Files in this directory will be served under your http://yourjenkins/userContent/\n")
	default:
		q.notFound()
	}
}

func (q *query) pageView(rest []string) {
	if len(rest) == 0 {
		q.notFound()
		return
	}
	name, rest := rest[0], rest[1:]
	if len(rest) > 0 && rest[0] == "job" {
		q.pageJob(rest[1:])
		return
	}
	known := false
	q.c.Locked(func() { known = q.view().view(name) != nil })
	switch action := strings.Join(rest, "/"); {
	case !known:
		q.notFound()
	case action == "doDelete":
		if q.post() {
			q.deleteView(name)
		}
	case action == "addJobToView" || action == "removeJobFromView":
		if q.post() {
			q.changeView(name, action)
		}
	case action == "config.xml" && q.r.Method == http.MethodGet:
		q.xml(viewXML(name))
	default:
		q.api(rest, name+" - Jenkins", func(v view) *bean { return v.view(name) })
	}
}

func viewXML(name string) *xmltree.Node {
	class := "hudson.model.ListView"
	if name == "all" {
		class = "hudson.model.AllView"
	}
	return xmltree.Elem(class, xmltree.Text("name", name), xmltree.Text("filterExecutors", false), xmltree.Text("filterQueue", false),
		xmltree.Elem("properties").With("class", "hudson.model.View$PropertyList"))
}

func (q *query) pageLabel(rest []string) {
	if len(rest) == 0 {
		q.notFound()
		return
	}
	if strings.ContainsAny(rest[0], "&|!()<>") {
		q.missing("label expressions")
		return
	}
	q.api(rest[1:], rest[0]+" - Jenkins", func(v view) *bean { return v.label(rest[0]) })
}

func (q *query) pageQueue(rest []string) {
	switch {
	case len(rest) == 1 && rest[0] == "cancelItem":
		if q.post() {
			q.cancelItem(q.param("id"))
		}
	case len(rest) >= 2 && rest[0] == "item":
		id := atoi(rest[1])
		if len(rest) == 3 && rest[2] == "cancelQueue" {
			if q.post() {
				q.cancelItem(rest[1])
			}
			return
		}
		q.api(rest[2:], "Queue item - Jenkins", func(v view) *bean {
			if item := q.c.Item(id); item != nil {
				return v.item(item)
			}
			return nil
		})
	default:
		q.api(rest, "Build Queue - Jenkins", func(v view) *bean { return v.queue() })
	}
}

func (q *query) cancelItem(id string) {
	var item *core.Item
	left := false
	q.c.Locked(func() {
		if item = q.c.Item(atoi(id)); item != nil {
			if left = item.Left(); !left {
				q.c.Cancel(item)
			}
		}
	})
	switch {
	case item == nil:
		q.failure(http.StatusNotFound, "no item "+id)
	case left && item.Cancelled:
		q.failure(http.StatusInternalServerError, "item "+id+" is already cancelled")
	default:
		q.w.Header().Set("Vary", "Accept-Encoding")
		q.w.WriteHeader(http.StatusNoContent)
	}
}
