package rest

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/testkit"
)

// site is a controller in memory with its pages.
type site struct {
	t       *testing.T
	c       *core.Controller
	s       *Server
	web     *httptest.Server
	client  *http.Client
	asked   []string // what the process was asked for
	problem []Problem
}

func newSite(t *testing.T, prefix string, change func(*home.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	cfg, err := home.LoadConfig(dir)
	require.NoError(t, err)
	cfg.UseSecurity = true
	if change != nil {
		change(cfg)
	}
	users, _, err := home.LoadUsers(dir)
	require.NoError(t, err)
	require.NoError(t, users.Put("admin", "Ada", "pw"))
	c, err := core.New(core.Options{Home: dir, Version: "2.568.3", Tick: 20 * time.Millisecond, Log: io.Discard}, cfg, users)
	require.NoError(t, err)
	c.Start()
	t.Cleanup(func() { c.Stop(core.Lost) })
	x := &site{t: t, c: c}
	x.s = New(prefix, "2.568.3", Control{
		Restart: func(safe bool) { x.asked = append(x.asked, sprintf("restart %v", safe)) }, Unrestart: func() { x.asked = append(x.asked, "unrestart") },
		Exit: func(safe bool) { x.asked = append(x.asked, sprintf("exit %v", safe)) }, AgentPort: func() int { return 0 },
		CascCheck:  func([]byte) []Problem { return x.problem },
		CascReload: func() error { return nil }, CascApply: func(b []byte) error { x.asked = append(x.asked, "apply "+string(b)); return nil },
		CascExport: func() []byte { return []byte("jenkins: {}\n") },
	})
	x.s.SetUp(c)
	x.web = httptest.NewServer(x.s)
	t.Cleanup(x.web.Close)
	x.fresh()
	return x
}

// fresh begins a new browser: no cookies.
func (x *site) fresh() {
	jar, err := cookiejar.New(nil)
	require.NoError(x.t, err)
	x.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type reply struct {
	code   int
	header http.Header
	body   string
}

// ask sends a request; login is "user:password", "" = anonymous. A body that begins with "<" is XML.
func (x *site) ask(login, method, path, body string) reply {
	x.t.Helper()
	req, err := http.NewRequest(method, x.web.URL+path, strings.NewReader(body))
	require.NoError(x.t, err)
	if user, password, ok := strings.Cut(login, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	if strings.HasPrefix(body, "<") {
		req.Header.Set("Content-Type", "application/xml")
	} else if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := x.client.Do(req)
	require.NoError(x.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(x.t, err)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// admin logs in with an API token, which needs no crumbs.
func (x *site) admin() string {
	_, token, err := x.c.Users.NewToken("admin", "t")
	require.NoError(x.t, err)
	return "admin:" + token
}

var crumbInPage = regexp.MustCompile(`name="Jenkins-Crumb" type="hidden" value="([0-9a-f]+)"`)

func TestFormLoginNeedsThePagesCrumbAndCookie(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", nil)
	login := func(password, crumb string) string {
		return x.ask("", "POST", "/j_spring_security_check", url.Values{"j_username": {"admin"}, "j_password": {password}, "from": {"/api/json"}, crumbField: {crumb}}.Encode()).header.Get("Location")
	}
	require.Equal(t, "/loginError", login("pw", ""))
	crumb := crumbInPage.FindStringSubmatch(x.ask("", "GET", "/login", "").body)[1]
	require.Equal(t, "/loginError", login("wrong", crumb))
	require.Equal(t, "/api/json", login("pw", crumb))
	require.Contains(t, x.ask("", "GET", "/whoAmI/api/json", "").body, `"name":"admin"`)
	require.Equal(t, 403, x.ask("", "POST", "/quietDown", crumbField+"="+crumb).code, "the session has changed, and the crumb with it")
	fresh := regexp.MustCompile(`"crumb":"([0-9a-f]+)"`).FindStringSubmatch(x.ask("", "GET", "/crumbIssuer/api/json", "").body)[1]
	require.Equal(t, 302, x.ask("", "POST", "/quietDown", crumbField+"="+fresh).code, "as a form field")
	require.Equal(t, 302, x.ask("", "POST", "/cancelQuietDown?"+crumbField+"="+fresh, "").code, "in the query")
	require.Equal(t, crumbField+":"+fresh, x.ask("", "GET", `/crumbIssuer/api/xml?xpath=concat(//crumbRequestField,%22:%22,//crumb)`, "").body)
	x.ask("", "GET", "/logout", "")
	require.Contains(t, x.ask("", "GET", "/whoAmI/api/json", "").body, `"name":"anonymous"`)
}

func TestBasicLoginIsNotRememberedInTheSession(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", nil)
	require.Equal(t, 200, x.ask("admin:pw", "GET", "/crumbIssuer/api/json", "").code)
	require.Contains(t, x.ask("", "GET", "/whoAmI/api/json", "").body, `"anonymous":true`)
}

func TestCrumbsCanBeOffAndReadingOpen(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", func(c *home.Config) { c.UseCrumbs, c.AnonymousRead = false, true })
	require.Equal(t, 404, x.ask("admin:pw", "GET", "/crumbIssuer/api/json", "").code)
	require.Equal(t, 302, x.ask("admin:pw", "POST", "/quietDown", "").code)
	require.Equal(t, 200, x.ask("", "GET", "/api/json", "").code)
	require.Equal(t, 403, x.ask("", "GET", "/manage/", "").code)
	require.Equal(t, 403, x.ask("", "POST", "/cancelQuietDown", "").code)
}

func TestPhases(t *testing.T) {
	t.Parallel()
	x := newSite(t, "/ci", nil)
	for phase, want := range map[Phase]struct {
		code int
		text string
	}{Starting: {503, "<title>Starting Jenkins</title>"}, Failed: {500, "<title>Jenkins</title>"}, Restarting: {503, "<title>Restarting Jenkins</title>"}} {
		x.s.SetPhase(phase, "why <it> failed")
		for _, path := range []string{"/ci/", "/ci/login", "/ci/health/", "/ci/static/x"} {
			answer := x.ask("admin:wrong", "GET", path, "")
			require.Equal(t, want.code, answer.code, path)
			require.Contains(t, answer.body, want.text)
			require.Empty(t, answer.header.Get("X-Jenkins"))
			require.Equal(t, "jenkins", answer.header.Get(StandinHeader))
		}
	}
	require.Equal(t, 404, x.ask("", "GET", "/cix/", "").code)
	require.Equal(t, 301, x.ask("", "GET", "/ci", "").code)
}

func TestViews(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", nil)
	admin := x.admin()
	require.Equal(t, 200, x.ask(admin, "POST", "/createItem?name=one", "<project/>").code)
	require.Equal(t, 200, x.ask(admin, "POST", "/createView?name=v1", "<hudson.model.ListView/>").code)
	require.Equal(t, "/view/v2/configure", x.ask(admin, "POST", "/createView", "name=v2&mode=hudson.model.ListView").header.Get("Location"))
	require.Equal(t, 400, x.ask(admin, "POST", "/createView", "name=v2&mode=hudson.model.ListView").code)
	require.Equal(t, 400, x.ask(admin, "POST", "/createView", "name=v3&mode=no.such.View").code)
	require.Contains(t, x.ask(admin, "GET", "/view/v1/api/json", "").body, `"jobs":[]`)
	require.Equal(t, 400, x.ask(admin, "POST", "/view/v1/addJobToView?name=nosuch", "").code)
	require.Equal(t, 200, x.ask(admin, "POST", "/view/v1/addJobToView?name=one", "").code)
	require.Contains(t, x.ask(admin, "GET", "/view/v1/api/json", "").body, `"name":"one"`)
	require.Contains(t, x.ask(admin, "GET", "/view/v1/job/one/api/json", "").body, `"fullName":"one"`)
	require.Equal(t, 200, x.ask(admin, "POST", "/view/v1/removeJobFromView?name=one", "").code)
	require.Contains(t, x.ask(admin, "GET", "/view/v1/config.xml", "").body, "<hudson.model.ListView>")
	require.Equal(t, 302, x.ask(admin, "POST", "/view/v1/doDelete", "").code)
	require.Equal(t, 404, x.ask(admin, "GET", "/view/v1/api/json", "").code)
	require.Equal(t, 500, x.ask(admin, "POST", "/view/all/doDelete", "").code)
	kept, err := home.LoadConfig(x.c.Home())
	require.NoError(t, err)
	require.Equal(t, []home.View{{Name: "v2"}}, kept.Views)
}

func TestBuildPages(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", nil)
	admin := x.admin()
	x.ask(admin, "POST", "/createItem?name=j", "<project><canRoam>true</canRoam><builders><hudson.tasks.Shell><command>echo hi; sleep 300</command></hudson.tasks.Shell></builders></project>")
	require.Equal(t, 500, x.ask(admin, "POST", "/job/j/build?delay=abc", "").code)
	require.Equal(t, 500, x.ask(admin, "POST", "/job/j/buildWithParameters?P=1", "").code)
	require.Equal(t, 201, x.ask(admin, "POST", "/job/j/build?delay=0sec", "").code)
	testkit.Eventually(t, time.Minute, "the log has begun", func(context.Context) bool {
		return strings.Contains(x.ask(admin, "GET", "/job/j/1/consoleText", "").body, "\nhi\n")
	})
	require.Equal(t, 400, x.ask(admin, "POST", "/job/j/1/doDelete", "").code, "it runs")
	html := x.ask(admin, "GET", "/job/j/1/logText/progressiveHtml?start=0", "")
	require.Contains(t, html.header.Get("Content-Type"), "text/html")
	require.Equal(t, "true", html.header.Get("X-More-Data"))
	tree := x.ask(admin, "GET", "/computer/api/json?tree=computer[executors[currentExecutable[fullDisplayName]]]", "")
	require.Contains(t, tree.body, `"fullDisplayName":"j #1"`)
	for _, ignored := range []string{"term", "kill"} {
		require.Equal(t, 302, x.ask(admin, "POST", "/job/j/1/"+ignored, "").code)
	}
	require.Contains(t, x.ask(admin, "GET", "/job/j/1/api/json", "").body, `"building":true`)
	for _, executor := range []string{"0", "1"} {
		require.Equal(t, "/computer/(built-in)/executors/"+executor+"/", x.ask(admin, "POST", "/computer/(built-in)/executors/"+executor+"/stop", "").header.Get("Location"))
	}
	testkit.Eventually(t, time.Minute, "aborted", func(context.Context) bool {
		return strings.Contains(x.ask(admin, "GET", "/job/j/1/api/json", "").body, `"result":"ABORTED"`)
	})
	require.Equal(t, 302, x.ask(admin, "POST", "/job/j/1/submitDescription", "description=why").code)
	require.Equal(t, 302, x.ask(admin, "POST", "/job/j/1/toggleLogKeep", "").code)
	require.Contains(t, x.ask(admin, "GET", "/job/j/1/api/json", "").body, `"keepLog":true`)
	require.Equal(t, 400, x.ask(admin, "POST", "/job/j/1/doDelete", "").code, "it is kept")
	x.ask(admin, "POST", "/job/j/1/toggleLogKeep", "")
	require.Equal(t, 302, x.ask(admin, "POST", "/job/j/1/doDelete", "").code)
	require.NoDirExists(t, filepath.Join(x.c.Home(), "jobs/j/builds/1"))
	require.Equal(t, 404, x.ask(admin, "GET", "/job/j/lastBuild/buildNumber", "").code, "no build is left")
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", nil)
	admin := x.admin()
	for path, asked := range map[string]string{"/restart": "restart false", "/safeRestart?message=m": "restart true", "/exit": "exit false", "/safeExit": "exit true", "/cancelQuietDown": "unrestart"} {
		x.asked = nil
		require.Equal(t, 405, x.ask(admin, "GET", path, "").code, path)
		require.Empty(t, x.asked)
		require.Less(t, x.ask(admin, "POST", path, "").code, 400, path)
		require.Equal(t, []string{asked}, x.asked)
	}
	require.Equal(t, 501, x.ask(admin, "POST", "/scriptText", "script=1").code)
	require.Equal(t, 501, x.ask(admin, "GET", "/label/a&&b/api/json", "").code)
	require.Equal(t, 501, x.ask(admin, "POST", "/configuration-as-code/nosuch", "").code)
	require.Equal(t, 501, x.ask(admin, "GET", "/api/xml?xpath=//job", "").code)
	x.problem = []Problem{{Line: -1, Message: "bad"}}
	require.JSONEq(t, `[{"line":-1,"message":"bad"}]`, x.ask(admin, "POST", "/configuration-as-code/apply", "x").body)
	x.problem, x.asked = nil, nil
	require.Equal(t, 200, x.ask(admin, "POST", "/configuration-as-code/apply", "<x>").code)
	require.Equal(t, []string{"apply <x>"}, x.asked)
	require.Equal(t, 200, x.ask(admin, "POST", "/setupWizard/completeInstall", "").code)
	require.FileExists(t, filepath.Join(x.c.Home(), "jenkins.install.UpgradeWizard.state"))
	require.Equal(t, "<div/>", x.ask(admin, "GET", "/checkJobName?value=new", "").body)
	require.Contains(t, x.ask(admin, "GET", "/checkJobName?value=a/b", "").body, "unsafe character")
	for _, path := range []string{"/", "/manage/", "/script", "/pluginManager/", "/securityRealm/", "/configuration-as-code/", "/user/admin/", "/computer/", "/queue/"} {
		answer := x.ask(admin, "GET", path, "")
		require.Equal(t, 200, answer.code, path)
		require.Contains(t, answer.body, "stand-in", path)
	}
}

func TestNodesByXML(t *testing.T) {
	t.Parallel()
	x := newSite(t, "", nil)
	admin := x.admin()
	require.Equal(t, 200, x.ask(admin, "POST", "/computer/createItem?name=t1", "<slave><remoteFS>/a</remoteFS><numExecutors>2</numExecutors><label>l</label></slave>").code)
	require.Equal(t, 400, x.ask(admin, "POST", "/computer/createItem?name=t1", "<slave/>").code)
	require.Equal(t, 500, x.ask(admin, "POST", "/computer/createItem?name=t2", "<other/>").code)
	require.Contains(t, x.ask(admin, "GET", "/computer/t1/config.xml", "").body, "<remoteFS>/a</remoteFS>")
	require.Contains(t, x.ask(admin, "GET", "/label/l/api/json", "").body, `"nodeName":"t1"`)
	encrypted := x.ask("", "GET", "/computer/t1/slave-agent.jnlp?encrypt=true", "")
	require.Equal(t, 200, encrypted.code, "agents have no login")
	require.NotContains(t, encrypted.body, "jnlp")
	require.Equal(t, 501, x.ask(admin, "POST", "/computer/doCreateItem?name=w", `json={"name":"w","launcher":{"stapler-class":"hudson.slaves.JNLPLauncher","webSocket":true}}`).code)
	require.Equal(t, 302, x.ask(admin, "POST", "/computer/t1/doDisconnect", "").code)
	require.Equal(t, 302, x.ask(admin, "POST", "/computer/t1/doDelete", "").code)
	require.Equal(t, 400, x.ask(admin, "POST", "/computer/(built-in)/doDelete", "").code)
}
