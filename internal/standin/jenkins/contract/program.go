// Package contract says what a Jenkins controller must do for the project, with assertions taken from recordings of a real
// Jenkins 2.568.2. The same suite runs on the stand-in and on a real jenkins.war.
package contract

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// Program is how controllers are started.
type Program struct {
	// Command makes the command for a home: properties (-Dk=v) before the war, options (--k=v) after it.
	Command func(home string, properties, options []string) *exec.Cmd
	// Boot is how long a start may take.
	Boot time.Duration
}

const (
	user     = "admin"
	password = "admin-pw"
	// passwordHash is that of password.
	passwordHash = "#jbcrypt:$2a$10$oIETLVeZs.gc5FH6vQj8QOaKSZBpNbWFzD0MZsdNhXIQNIF.8TOae"
)

// SecuredConfig is a config.xml that is secured from the first answer on, with two executors and no agent port.
const SecuredConfig = `<?xml version='1.1' encoding='UTF-8'?>
<hudson>
  <version>2.568.2</version>
  <numExecutors>2</numExecutors>
  <mode>NORMAL</mode>
  <useSecurity>true</useSecurity>
  <authorizationStrategy class="hudson.security.FullControlOnceLoggedInAuthorizationStrategy">
    <denyAnonymousReadAccess>true</denyAnonymousReadAccess>
  </authorizationStrategy>
  <securityRealm class="hudson.security.HudsonPrivateSecurityRealm">
    <disableSignup>true</disableSignup>
    <enableCaptcha>false</enableCaptcha>
  </securityRealm>
  <slaveAgentPort>-1</slaveAgentPort>
  <nodeRenameMigrationNeeded>false</nodeRenameMigrationNeeded>
  <crumbIssuer class="hudson.security.csrf.DefaultCrumbIssuer"/>
  <workspaceDir>${JENKINS_HOME}/workspace/${ITEM_FULL_NAME}</workspaceDir>
</hudson>
`

const userConfig = `<?xml version='1.1' encoding='UTF-8'?>
<user>
  <version>10</version>
  <id>admin</id>
  <fullName>admin</fullName>
  <properties>
    <hudson.security.HudsonPrivateSecurityRealm_-Details>
      <passwordHash>` + passwordHash + `</passwordHash>
    </hudson.security.HudsonPrivateSecurityRealm_-Details>
  </properties>
</user>
`

// SecuredHome writes a home with SecuredConfig and the account admin / admin-pw.
func SecuredHome(t testing.TB) string {
	dir := t.TempDir()
	WriteFile(t, dir, "config.xml", SecuredConfig)
	WriteFile(t, dir, "users/admin/config.xml", userConfig)
	return dir
}

// WriteFile writes a file below a home.
func WriteFile(t testing.TB, dir, name, text string) {
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// Controller is one started controller.
type Controller struct {
	Base  string // with a slash at its end
	Home  string
	Token string // of admin, made by NewToken
	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{}
	boot  time.Duration
}

// Start starts a controller on loopback; it is killed at the end of the test.
func (p Program) Start(t testing.TB, home string, properties ...string) *Controller {
	return p.StartAt(t, home, testkit.FreeAddr(t, "127.0.0.1"), "", properties...)
}

// StartAt starts a controller on that address, with a prefix like "/ci" or "".
func (p Program) StartAt(t testing.TB, home, address, prefix string, properties ...string) *Controller {
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	options := []string{"--httpListenAddress=" + host, "--httpPort=" + port, "--webroot=" + t.TempDir()}
	if prefix != "" {
		options = append(options, "--prefix="+prefix)
	}
	c := &Controller{Base: "http://" + address + prefix + "/", Home: home, t: t, ended: make(chan struct{}), boot: p.Boot}
	c.cmd = p.Command(home, append([]string{"-Djenkins.install.runSetupWizard=false"}, properties...), options)
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	require.NoError(t, err)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, c.cmd.Start())
	go func() {
		_ = c.cmd.Wait()
		_ = log.Close()
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
		text, _ := os.ReadFile(log.Name())
		if strings.Contains(string(text), "DATA RACE") {
			t.Error("a data race in the controller's process")
		}
		if t.Failed() {
			t.Logf("log of the controller:\n%s", text)
		}
	})
	return c
}

// Pid is the process.
func (c *Controller) Pid() int { return c.cmd.Process.Pid }

// Signal sends a signal.
func (c *Controller) Signal(sig os.Signal) { require.NoError(c.t, c.cmd.Process.Signal(sig)) }

// Exit waits for the end and gives the exit status, 128+n for a signal.
func (c *Controller) Exit() int {
	select {
	case <-c.ended:
	case <-time.After(c.boot):
		c.t.Fatal("the controller does not end")
	}
	status := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// Up waits until /login answers 200 and makes a token.
func (c *Controller) Up() *Controller {
	c.t.Helper()
	c.AwaitStatus("login", http.StatusOK)
	return c
}

// AwaitStatus waits for a status of an anonymous GET; 0 = connection refused.
func (c *Controller) AwaitStatus(path string, status int) {
	c.t.Helper()
	testkit.Eventually(c.t, c.boot, fmt.Sprintf("%s answers %d", path, status), func(context.Context) bool {
		return c.status(path) == status
	})
}

func (c *Controller) status(path string) int {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(c.Base + path)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// Auth is how a request logs in.
type Auth int

// Anonymous sends nothing, Password and Token Basic, Bad a wrong password, Crumbed a password with crumb and session cookie.
const (
	Anonymous Auth = iota
	Token
	Password
	Crumbed
	Bad
)

// Answer is one answer with its body read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Title is the title of an HTML page.
func (a Answer) Title() string {
	_, rest, _ := strings.Cut(a.Body, "<title>")
	title, _, _ := strings.Cut(rest, "</title>")
	return title
}

// Do sends a request without following redirects. A body that begins with "<" is XML, another one a form; headers are pairs.
func (c *Controller) Do(auth Auth, method, path, body string, headers ...string) Answer {
	c.t.Helper()
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequest(method, c.Base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	switch {
	case strings.HasPrefix(body, "<"):
		req.Header.Set("Content-Type", "application/xml")
	case body != "":
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	switch auth {
	case Token:
		req.SetBasicAuth(user, c.token())
	case Password:
		req.SetBasicAuth(user, password)
	case Crumbed:
		req.SetBasicAuth(user, password)
		req.Header.Set("Jenkins-Crumb", c.crumb(client))
	case Bad:
		req.SetBasicAuth(user, "wrong")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}

// Get reads with the token.
func (c *Controller) Get(path string) Answer { return c.Do(Token, http.MethodGet, path, "") }

// Post posts with the token.
func (c *Controller) Post(path, body string) Answer { return c.Do(Token, http.MethodPost, path, body) }

func (c *Controller) crumb(client *http.Client) string {
	req, err := http.NewRequest(http.MethodGet, c.Base+"crumbIssuer/api/json", nil)
	require.NoError(c.t, err)
	req.SetBasicAuth(user, password)
	resp, err := client.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return field(c.t, string(text), "crumb")
}

func (c *Controller) token() string {
	if c.Token == "" {
		answer := c.Do(Crumbed, http.MethodPost, "me/descriptorByName/jenkins.security.ApiTokenProperty/generateNewToken", "newTokenName=contract")
		require.Equal(c.t, http.StatusOK, answer.Status, answer.Body)
		c.Token = field(c.t, answer.Body, "data", "tokenValue")
	}
	return c.Token
}

func basic(name, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+secret))
}

func escape(s string) string { return url.QueryEscape(s) }
