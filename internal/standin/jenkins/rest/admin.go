package rest

import (
	"encoding/json"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

// serveAdmin serves the administrator's actions and what is left.
func (q *query) serveAdmin(first string, rest []string) {
	switch first {
	case "createItem":
		q.createItem()
	case "createView":
		q.createView()
	case "checkJobName":
		q.checkJobName()
	case "quietDown":
		q.quietDown()
	case "cancelQuietDown":
		if q.post() {
			q.s.control.Unrestart()
			q.c.QuietDown(false, "")
			q.redirect("/")
		}
	case "restart", "safeRestart":
		q.restart(first == "safeRestart")
	case "exit", "safeExit":
		q.exit(first == "safeExit")
	case "reload":
		if q.post() {
			q.answer(q.c.Reload(), func() { q.redirect("/") })
		}
	case "script", "scriptText":
		q.script(first)
	case "config.xml":
		q.xml(viewXML("all"))
	case "manage":
		if len(rest) > 0 && rest[0] == "api" {
			q.api(rest, "", func(v view) *bean { return v.root() })
			return
		}
		q.page("Manage Jenkins - Jenkins")
	case "updateCenter":
		q.api(rest, "Update Center - Jenkins", func(view) *bean {
			return object("hudson.model.UpdateCenter", f("availables", []*bean{}), f("jobs", []*bean{}), f("restartRequiredForCompletion", false), f("sites", []*bean{}))
		})
	case "setupWizard":
		q.wizard(rest)
	case "cli", "wsagents":
		q.missing(first)
	default:
		q.notFound()
	}
}

func (q *query) checkJobName() {
	body := "<div/>"
	q.c.Locked(func() {
		if err := q.c.CheckName(q.param("value")); err != nil {
			body = "<div class=error>" + html.EscapeString(err.Error()) + "</div>"
		}
	})
	q.w.Header().Set("Content-Type", "text/html;charset=utf-8")
	q.text(body)
}

func (q *query) restart(safe bool) {
	if !q.post() {
		return
	}
	if safe {
		q.c.QuietDown(true, q.param("message"))
	}
	q.s.control.Restart(safe)
	q.redirect("/")
}

func (q *query) wizard(rest []string) {
	if len(rest) != 1 || rest[0] != "completeInstall" {
		q.page("Setup Wizard - Jenkins")
		return
	}
	if q.post() {
		q.answer(home.FinishWizard(q.c.Home(), q.c.Version()), q.ok)
	}
}

func (q *query) quietDown() {
	if !q.post() {
		return
	}
	q.c.QuietDown(true, q.param("message"))
	if q.param("block") == "true" {
		limit := time.Duration(0)
		if ms, err := strconv.Atoi(q.param("timeout")); err == nil {
			limit = time.Duration(ms) * time.Millisecond
		}
		q.waitIdle(limit)
	}
	q.redirect("/")
}

// waitIdle polls as the real one does, but four times a second; limit 0 = for ever.
func (q *query) waitIdle(limit time.Duration) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for q.c.Busy() > 0 && (limit == 0 || time.Since(start) < limit) {
		select {
		case <-q.r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func (q *query) exit(safe bool) {
	if !q.post() {
		return
	}
	text := "Shutting down"
	if safe {
		q.c.QuietDown(true, "")
		text = "Shutting down as soon as all jobs are complete"
	}
	q.plain(http.StatusOK, text)
	if flusher, ok := q.w.(http.Flusher); ok {
		flusher.Flush()
	}
	q.s.control.Exit(safe)
}

func (q *query) script(name string) {
	if q.r.Method != http.MethodPost {
		if name == "script" {
			q.page("Script Console - Jenkins")
			return
		}
		q.plain(http.StatusOK, "")
		return
	}
	q.missing("Groovy: the script was not run")
}

// pageUsers serves /me, /user/NAME and the user administration of the local realm.
func (q *query) pageUsers(first string, rest []string) {
	id := q.name()
	switch first {
	case "securityRealm":
		if len(rest) > 1 && rest[0] == "user" {
			q.pageUsersOf(rest[1], rest[2:], "/securityRealm/")
			return
		}
		q.securityRealm(rest)
		return
	case "user":
		if len(rest) == 0 {
			q.notFound()
			return
		}
		id, rest = rest[0], rest[1:]
	}
	q.pageUsersOf(id, rest, "/")
}

func (q *query) pageUsersOf(id string, rest []string, back string) {
	user, ok := q.c.Users.Get(id)
	if !ok {
		q.notFound()
		return
	}
	const tokens = "descriptorByName/jenkins.security.ApiTokenProperty/"
	switch action := strings.Join(rest, "/"); action {
	case "doDelete":
		if !q.post() {
			return
		}
		if user.ID == q.name() {
			q.jetty(http.StatusBadRequest, "Cannot delete self")
			return
		}
		_, err := q.c.Users.Delete(user.ID)
		q.answer(err, func() { q.redirect(back) })
	case tokens + "generateNewToken":
		if q.post() {
			q.newToken(user.ID)
		}
	case tokens + "revoke":
		if q.post() {
			q.answer(q.c.Users.RevokeToken(user.ID, q.param("tokenUuid")), q.ok)
		}
	case tokens + "addFixedToken":
		q.failure(http.StatusInternalServerError, "fixed tokens are not allowed")
	default:
		q.api(rest, user.FullName+" - Jenkins", func(v view) *bean {
			var description any
			if user.Description != "" {
				description = user.Description
			}
			return object("hudson.model.User", f("absoluteUrl", v.base+"user/"+esc(user.ID)), f("description", description), f("fullName", user.FullName),
				f("id", user.ID), f("property", userProperties()))
		})
	}
}

func userProperties() []*bean {
	var out []*bean
	for _, class := range []string{"hudson.security.HudsonPrivateSecurityRealm$Details", "jenkins.security.ApiTokenProperty", "hudson.model.MyViewsProperty"} {
		out = append(out, object(class))
	}
	return append(out, object("hudson.search.UserSearchProperty", f2("insensitiveSearch", true)), object("hudson.model.TimeZoneProperty"))
}

func (q *query) newToken(id string) {
	name := q.param("newTokenName")
	if name == "" {
		name = "Token created on " + time.Now().UTC().Format(time.RFC3339Nano)
	}
	uuid, value, err := q.c.Users.NewToken(id, name)
	q.answer(err, func() {
		data, _ := json.Marshal(map[string]any{"status": "ok", "data": map[string]any{"aboutToExpire": false, "tokenName": name,
			"tokenUuid": uuid, "tokenValue": value, "expirationDate": "never"}})
		q.jenkinsHeaders()
		q.w.Header().Set("Content-Type", "application/json;charset=utf-8")
		_, _ = q.w.Write(data)
	})
}

func (q *query) securityRealm(rest []string) {
	if len(rest) == 0 {
		q.page("Users - Jenkins")
		return
	}
	if rest[0] != "createAccountByAdmin" {
		q.notFound()
		return
	}
	if !q.post() {
		return
	}
	id := q.param("username")
	if _, taken := q.c.Users.Get(id); taken || id == "" || q.param("password1") != q.param("password2") {
		q.htmlStatus(http.StatusOK, "Create User - Jenkins", "User name is already taken, empty, or the passwords differ")
		return
	}
	q.answer(q.c.Users.Put(id, q.param("fullname"), q.param("password1")), func() { q.redirect("/securityRealm/") })
}

func (q *query) pageCasc(rest []string) {
	action := strings.Join(rest, "/")
	switch action {
	case "":
		q.page("Configuration as Code - Jenkins")
	case "check", "apply", "configure":
		if !q.post() {
			return
		}
		body, err := q.body()
		if err != nil {
			q.failure(http.StatusInternalServerError, err.Error())
			return
		}
		q.cascDocument(action, body)
	case "reload":
		if q.post() {
			q.answer(q.s.control.CascReload(), func() { q.redirect("/configuration-as-code/") })
		}
	case "export":
		if q.post() {
			q.w.Header().Set("Content-Type", "application/x-yaml; charset=utf-8")
			_, _ = q.w.Write(q.s.control.CascExport())
		}
	default:
		q.missing("configuration-as-code/" + action)
	}
}

func (q *query) cascDocument(action string, body []byte) {
	problems := q.s.control.CascCheck(body)
	if problems == nil {
		problems = []Problem{}
	}
	if action != "check" && len(problems) == 0 {
		q.answer(q.s.control.CascApply(body), q.ok)
		return
	}
	status := http.StatusOK
	if len(problems) > 0 {
		status = http.StatusBadRequest
	}
	data, _ := json.Marshal(problems)
	q.jenkinsHeaders()
	q.w.Header().Set("Content-Type", "application/json;charset=utf-8")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(data)
}
