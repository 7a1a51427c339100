package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// buffer is a log that two goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestShellRunsAsJenkinsDoes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var out buffer
	exit, err := RunShell(t.Context(), Step{Job: "j", Script: "echo $A; pwd\nexit 3", Workspace: "workspace/j", Env: map[string]string{"A": "b"}}, root, &out)
	require.NoError(t, err)
	require.Equal(t, 3, exit)
	require.Regexp(t, `(?s)^\[j\] \$ /bin/sh -xe /\S+/jenkins\d+\.sh\n\+ echo b\nb\n\+ pwd\n`+root+`/workspace/j\n\+ exit 3\n$`, out.String())
	out = buffer{}
	exit, err = RunShell(t.Context(), Step{Script: "#!/bin/sh -e\necho plain", Workspace: root}, "/", &out)
	require.NoError(t, err)
	require.Zero(t, exit)
	require.Contains(t, out.String(), "\nplain\n")
	require.NotContains(t, out.String(), "+ echo", "the script's own interpreter")
}

func TestAbortedShellTakesItsChildrenAlong(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	root := t.TempDir()
	pid := filepath.Join(root, "pid")
	var out buffer
	ended := make(chan int, 1)
	go func() {
		exit, _ := RunShell(ctx, Step{Script: "sleep 300 & echo $! > " + pid + "; wait", Workspace: root}, "/", &out)
		ended <- exit
	}()
	testkit.Eventually(t, time.Minute, "it has started", func(context.Context) bool {
		text, _ := os.ReadFile(pid)
		return strings.HasSuffix(string(text), "\n")
	})
	cancel()
	select {
	case exit := <-ended:
		require.NotZero(t, exit)
	case <-time.After(time.Minute):
		t.Fatal("the step goes on")
	}
	text, err := os.ReadFile(pid)
	require.NoError(t, err)
	testkit.Eventually(t, time.Minute, "the child is gone", func(context.Context) bool {
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		return err != nil || strings.Contains(string(state), ") Z ")
	})
}

func TestDescriptorsAreReadableOnlyWithTheSecret(t *testing.T) {
	t.Parallel()
	secret := Secret([]byte("key"), "a1")
	require.Len(t, secret, 64)
	data, err := Encrypt(secret, []byte("<jnlp/>"))
	require.NoError(t, err)
	require.NotContains(t, string(data), "jnlp")
	plain, err := Decrypt(secret, data)
	require.NoError(t, err)
	require.Equal(t, "<jnlp/>", string(plain))
	other, err := Decrypt(Secret([]byte("key"), "a2"), data)
	require.NoError(t, err)
	require.NotEqual(t, "<jnlp/>", string(other))
	_, err = Decrypt(secret, []byte("short"))
	require.Error(t, err)
	_, err = Encrypt("nothex", nil)
	require.Error(t, err)
}

// controller is the other end: an agent port and the two pages that an agent reads.
type controller struct {
	listener *Listener
	web      *httptest.Server
	channels chan *Channel
	gone     chan string
	secret   string
}

func newController(t *testing.T) *controller {
	c := &controller{channels: make(chan *Channel, 10), gone: make(chan string, 10), secret: Secret([]byte("k"), "a1")}
	var err error
	c.listener, err = Listen("127.0.0.1:0", Hooks{
		Accept: func(name, secret string, ch *Channel) error {
			if name != "a1" || secret != c.secret {
				return errors.New("Unknown client name: " + name)
			}
			c.channels <- ch
			return nil
		},
		Gone:   func(name string, _ *Channel) { c.gone <- name },
		Banner: func(client, _ string) string { return "Client: " + client + "\r\n" },
	})
	require.NoError(t, err)
	t.Cleanup(c.listener.Close)
	c.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".jnlp") {
			text := fmt.Sprintf("<jnlp><application-desc><argument>%s</argument><argument>a1</argument><argument>-url</argument><argument>http://%s/</argument></application-desc></jnlp>", c.secret, r.Host)
			data, _ := Encrypt(c.secret, []byte(text))
			_, _ = w.Write(data)
			return
		}
		w.Header().Set("X-Jenkins-JNLP-Port", fmt.Sprint(c.listener.Port()))
	}))
	t.Cleanup(c.web.Close)
	return c
}

func (c *controller) client(t *testing.T, log io.Writer, more ...string) *Client {
	client, err := ParseArgs(append([]string{"-workDir", t.TempDir(), "-secret", c.secret, "-jnlpUrl", c.web.URL + "/computer/a1/slave-agent.jnlp"}, more...))
	require.NoError(t, err)
	client.Log, client.RetryEvery = log, 20*time.Millisecond
	return client
}

func (c *controller) start(t *testing.T, client *Client) <-chan error {
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ended <- client.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-stopped
	})
	return ended
}

func TestAgentRunsSteps(t *testing.T) {
	t.Parallel()
	c := newController(t)
	ended := c.start(t, c.client(t, io.Discard, "-noReconnect"))
	ch := <-c.channels
	var out buffer
	exit, err := ch.Run(t.Context(), Step{Script: "echo from $A", Workspace: "workspace/j", Env: map[string]string{"A": "agent"}}, &out)
	require.NoError(t, err)
	require.Zero(t, exit)
	require.Contains(t, out.String(), "from agent\n")
	require.DirExists(t, filepath.Join(ch.Root, "workspace/j"))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	exit, err = ch.Run(ctx, Step{Script: "sleep 300", Workspace: "workspace/j"}, &out)
	require.NoError(t, err)
	require.NotZero(t, exit)
	ch.Close()
	require.NoError(t, <-ended, "-noReconnect: an orderly end")
	require.Equal(t, "a1", <-c.gone)
	_, err = ch.Run(t.Context(), Step{Script: "true"}, &out)
	require.ErrorIs(t, err, ErrClosed)
}

// The controller may have work for an agent as soon as it has accepted it; an agent takes another first word for a refusal.
func TestNothingIsSentBeforeTheWelcome(t *testing.T) {
	t.Parallel()
	var sent buffer
	ch := &Channel{out: &lineWriter{w: &sent}, ready: make(chan struct{}), done: make(chan struct{}), steps: map[int]*running{}}
	ch.finish()
	_, err := ch.Run(t.Context(), Step{Script: "true"}, io.Discard)
	require.ErrorIs(t, err, ErrClosed)
	require.Empty(t, sent.String())
}

func TestAgentWithoutNoReconnectComesBack(t *testing.T) {
	t.Parallel()
	c := newController(t)
	c.start(t, c.client(t, io.Discard))
	for range 3 {
		ch := <-c.channels
		ch.Close()
		<-c.gone
	}
}

func TestWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	c := newController(t)
	client := c.client(t, io.Discard, "-noReconnect")
	client.Secret = Secret([]byte("other"), "a1")
	require.ErrorContains(t, <-c.start(t, client), "is the secret right?")
}

func TestClosedAgentPortEndsTheAgent(t *testing.T) {
	t.Parallel()
	c := newController(t)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	client := c.client(t, io.Discard, "-noReconnect")
	client.JnlpURL = web.URL + "/computer/a1/slave-agent.jnlp"
	require.ErrorContains(t, <-c.start(t, client), "404")
}

func TestOthersOnTheAgentPort(t *testing.T) {
	t.Parallel()
	c := newController(t)
	say := func(text string) string {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.listener.Port()))
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, text)
		require.NoError(t, err)
		answer, _ := io.ReadAll(conn)
		return string(answer)
	}
	require.Equal(t, "HTTP/1.0 200 OK\r\nContent-Type: text/plain;charset=UTF-8\r\nX-Content-Type-Options: nosniff\r\n\r\nClient: 127.0.0.1\r\n", say("GET / HTTP/1.0\r\n\r\n"))
	require.Equal(t, "Ping\n", say("\x00\x0dProtocol:Ping"))
	require.Contains(t, say("\x00\x16Protocol:JNLP4-connect"), "Refused: this is jomctl's stand-in for Jenkins", "what a real agent.jar hears")
}

func TestArgumentsOfOtherKindsOfAgents(t *testing.T) {
	t.Parallel()
	_, err := ParseArgs([]string{"-url", "http://x/", "-name", "a", "-webSocket"})
	require.ErrorContains(t, err, `"-url" is not understood`)
	_, err = ParseArgs([]string{"-secret", "s"})
	require.ErrorContains(t, err, "-jnlpUrl is missing")
}
