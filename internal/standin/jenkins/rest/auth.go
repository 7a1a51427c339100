package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

const (
	crumbField     = "Jenkins-Crumb"
	sessionTimeout = 30 * time.Minute
)

// sessions are the web sessions; they die with the process, and with them their crumbs.
type sessions struct {
	cookie string
	salt   []byte
	mu     sync.Mutex
	byID   map[string]*session
}

type session struct {
	user string // logged in by the form
	used time.Time
}

func newSessions() *sessions {
	return &sessions{cookie: "JSESSIONID." + home.RandomHex(4), salt: []byte(home.RandomHex(16)), byID: map[string]*session{}}
}

func (s *sessions) open(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, old := range s.byID {
		if time.Since(old.used) > sessionTimeout {
			delete(s.byID, id)
		}
	}
	id := "node0" + home.RandomHex(13) + ".node0"
	s.byID[id] = &session{user: user, used: time.Now()}
	return id
}

func (s *sessions) get(id string) (user string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[id]
	if found == nil {
		return "", false
	}
	found.used = time.Now()
	return found.user, true
}

func (s *sessions) close(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

// login reads the Basic header or the session; false means wrong credentials, which is 401 everywhere.
func (q *query) login() bool {
	if !q.secured {
		return true
	}
	header := q.r.Header.Get("Authorization")
	if kind, value, _ := strings.Cut(header, " "); !strings.EqualFold(kind, "Basic") || strings.TrimSpace(value) == "" {
		if cookie, err := q.r.Cookie(q.s.sessions.cookie); err == nil {
			if user, ok := q.s.sessions.get(cookie.Value); ok && user != "" {
				if u, ok := q.c.Users.Get(user); ok {
					q.user = &u
				}
			}
		}
		return true
	}
	id, secret, ok := q.r.BasicAuth()
	if !ok {
		return false
	}
	user, byToken, ok := q.c.Users.Login(id, secret)
	if !ok {
		return false
	}
	q.user, q.token = &user, byToken
	return true
}

func (q *query) joinSession() {
	if cookie, err := q.r.Cookie(q.s.sessions.cookie); err == nil {
		if _, ok := q.s.sessions.get(cookie.Value); ok {
			q.session = cookie.Value
		}
	}
}

// needSession makes a session where a page needs one and sends its cookie.
func (q *query) needSession() {
	if q.session == "" {
		q.session, q.fresh = q.s.sessions.open(""), true
	}
	if q.fresh {
		q.fresh = false
		q.setCookie()
	}
}

func (q *query) setCookie() {
	http.SetCookie(q.w, &http.Cookie{Name: q.s.sessions.cookie, Value: q.session, Path: q.s.prefix + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (q *query) name() string {
	if q.user == nil {
		return "anonymous"
	}
	return q.user.ID
}

// userID is who a build or an abort belongs to: "" for anonymous.
func (q *query) userID() string {
	if q.user == nil {
		return ""
	}
	return q.user.ID
}

func (q *query) crumb() string {
	mac := hmac.New(sha256.New, q.s.sessions.salt)
	mac.Write([]byte(q.name() + ";" + q.session))
	return hex.EncodeToString(mac.Sum(nil))
}

// crumbOK checks the crumb of a POST: header in any case, query or form field. A token needs none.
func (q *query) crumbOK() bool {
	crumbs := true
	q.c.Locked(func() { crumbs = q.c.Config().UseCrumbs })
	if !crumbs || q.token || q.first() == "j_spring_security_check" {
		return true
	}
	given := q.r.Header.Get(crumbField)
	if given == "" {
		given = q.param(crumbField)
	}
	return q.session != "" && hmac.Equal([]byte(given), []byte(q.crumb()))
}

// permitted says whether this user may come here at all: logged-in users can do anything, others what is open to all.
func (q *query) permitted() bool {
	if !q.secured || q.user != nil {
		return true
	}
	switch q.first() {
	case "login", "loginError", "logout", "j_spring_security_check", "whoAmI", "health", "tcpSlaveAgentListener", "jnlpJars", "static",
		"favicon.ico", "robots.txt", "wsagents", "adjuncts", "signup", "images":
		return true
	case "computer":
		// An agent fetches its descriptor without a login: only who has the secret can read it.
		return len(q.full) == 3 && strings.HasSuffix(q.full[2], "-agent.jnlp") && q.r.URL.Query().Get("encrypt") == "true"
	case "crumbIssuer", "me", "manage", "script", "scriptText", "pluginManager", "securityRealm", "configuration-as-code":
		return false
	}
	return q.open && q.r.Method != http.MethodPost
}

func (q *query) unauthorized() {
	q.w.Header().Set("WWW-Authenticate", `Basic realm="Jenkins", charset="UTF-8"`)
	q.w.Header().Add("Set-Cookie", "remember-me=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax")
	q.jetty(http.StatusUnauthorized, "Unauthorized")
}

func (q *query) forbidden(permission string) {
	q.htmlHeaders()
	h := q.w.Header()
	h.Set("X-You-Are-Authenticated-As", "anonymous")
	h.Set("X-You-Are-In-Group-Disabled", "JENKINS-39402: use -Dhudson.security.AccessDeniedException2.REPORT_GROUP_HEADERS=true or use /whoAmI to diagnose")
	h.Set("X-Required-Permission", permission)
	h.Add("X-Permission-Implied-By", "hudson.security.Permission.GenericRead")
	h.Add("X-Permission-Implied-By", "hudson.model.Hudson.Administer")
	target := q.s.prefix + "/login?from=" + url.QueryEscape(q.r.URL.RequestURI())
	q.w.WriteHeader(http.StatusForbidden)
	q.text("<html><head><meta http-equiv='refresh' content='1;url=" + target + "'/></head><body style='background-color:white; color:white;'>\nAuthentication required\n<!--\n-->\n</body></html>")
}

func (q *query) pageLogin() {
	if q.first() == "loginError" {
		q.htmlStatus(http.StatusUnauthorized, "Sign in - Jenkins", "Invalid username or password")
		return
	}
	q.needSession()
	q.htmlStatus(http.StatusOK, "Sign in - Jenkins", `<h1>Sign in to Jenkins</h1><form method="post" name="login" action="j_spring_security_check"><input name="j_username"><input name="j_password" type="password">`+
		`<input name="from" type="hidden"><input name="`+crumbField+`" type="hidden" value="`+q.crumb()+`"></form>`)
}

// pageFormLogin needs the crumb of the login page and its cookie; the session changes with the login.
func (q *query) pageFormLogin() {
	user, _, ok := q.c.Users.Login(q.param("j_username"), q.param("j_password"))
	crumb := q.session != "" && hmac.Equal([]byte(q.param(crumbField)), []byte(q.crumb()))
	if !ok || !crumb {
		q.redirect("/loginError")
		return
	}
	q.s.sessions.close(q.session)
	q.session = q.s.sessions.open(user.ID)
	q.setCookie()
	from := q.param("from")
	if !strings.HasPrefix(from, "/") || strings.HasPrefix(from, "//") {
		from = "/"
	}
	q.w.Header().Set("Location", from)
	q.w.WriteHeader(http.StatusFound)
}

func (q *query) pageLogout() {
	q.s.sessions.close(q.session)
	q.redirect("/")
}

func (q *query) pageWhoAmI(rest []string) {
	authorities := []string{"anonymous"}
	if q.user != nil {
		authorities = []string{"authenticated"}
		if !q.token {
			authorities = append(authorities, "FACTOR_PASSWORD")
		}
	}
	q.api(rest, "Who am I - Jenkins", func(view) *bean {
		return object("hudson.security.WhoAmI", f("anonymous", q.user == nil), f("authenticated", true), f("authorities", authorities), f("name", q.name()))
	})
}

func (q *query) pageCrumb(rest []string) {
	crumbs := true
	q.c.Locked(func() { crumbs = q.c.Config().UseCrumbs })
	if !crumbs {
		q.notFound()
		return
	}
	q.needSession()
	if len(rest) == 2 && rest[1] == "xml" && strings.Contains(q.r.URL.Query().Get("xpath"), "concat(//crumbRequestField") {
		q.plain(http.StatusOK, crumbField+":"+q.crumb())
		return
	}
	q.api(rest, "Jenkins", func(view) *bean {
		return object("hudson.security.csrf.DefaultCrumbIssuer", f("crumb", q.crumb()), f("crumbRequestField", crumbField))
	})
}
