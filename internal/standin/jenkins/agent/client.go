package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

// Client is a build agent with the arguments that the plugin's command line gives to agent.jar.
type Client struct {
	JnlpURL, Secret string
	NoReconnect     bool
	WorkDir         string
	Log             io.Writer
	// RetryEvery is the pause between connection attempts; 0 means the real agent's 10 s.
	RetryEvery time.Duration
}

// errRefused says that the controller does not want this agent, now or ever.
var errRefused = errors.New("the server rejected the connection")

// ParseArgs reads what stands after `-jar agent.jar`. The arguments that only another kind of connection needs are errors.
func ParseArgs(args []string) (*Client, error) {
	c := &Client{Log: os.Stderr}
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i+1 < len(args) {
				i++
				return args[i]
			}
			return ""
		}
		switch args[i] {
		case "-secret":
			c.Secret = value()
		case "-jnlpUrl":
			c.JnlpURL = value()
		case "-workDir":
			c.WorkDir = value()
		case "-internalDir", "-noReconnectAfter", "-connectTo":
			value()
		case "-noReconnect":
			c.NoReconnect = true
		case "-failIfWorkDirIsMissing", "-noKeepAlive", "-noCertificateCheck", "-headless":
		default:
			return nil, fmt.Errorf("%q is not understood by the stand-in's agent.jar (it knows -jnlpUrl, -secret, -workDir, -noReconnect)", args[i])
		}
	}
	if c.JnlpURL == "" {
		return nil, errors.New("-jnlpUrl is missing: the stand-in's agent.jar needs it")
	}
	return c, nil
}

// Run connects, runs builds and returns when the connection has dropped for good. The error is nil only for an orderly end.
func (c *Client) Run(ctx context.Context) error {
	retry := c.RetryEvery
	if retry == 0 {
		retry = 10 * time.Second
	}
	fmt.Fprintln(c.Log, "WARNING: The \"-jnlpUrl\" argument is deprecated. Use \"-url\" and \"-name\" instead, potentially also passing in \"-webSocket\", \"-tunnel\", and/or work directory options as needed.")
	for {
		connected, err := c.session(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case c.NoReconnect && connected:
			c.info("Terminated")
			return nil
		case c.NoReconnect:
			return err
		}
		c.info(fmt.Sprintf("%v: reconnecting in %s", err, retry))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retry):
		}
	}
}

func (c *Client) info(text string) {
	fmt.Fprintf(c.Log, "%s hudson.remoting.Launcher$CuiListener status\nINFO: %s\n", time.Now().Format("Jan 2, 2006 3:04:05 PM"), text)
}

type descriptor struct{ name, secret, base, workDir string }

func (c *Client) session(ctx context.Context) (connected bool, err error) {
	d, err := c.describe(ctx)
	if err != nil {
		return false, err
	}
	if c.WorkDir != "" {
		d.workDir = c.WorkDir
	}
	root, err := filepath.Abs(d.workDir)
	if err != nil {
		return false, fmt.Errorf("find the work directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "remoting"), 0o755); err != nil {
		return false, fmt.Errorf("make the work directory: %w", err)
	}
	c.info("Locating server among [" + d.base + "]")
	address, err := c.locate(ctx, d.base)
	if err != nil {
		return false, err
	}
	c.info("Connecting to " + address)
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false, fmt.Errorf("connect to the agent port: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	return c.talk(ctx, conn, d, root)
}

// describe reads the descriptor, which comes encrypted because the agent has no login.
func (c *Client) describe(ctx context.Context) (*descriptor, error) {
	resp, body, err := get(ctx, c.JnlpURL+"?encrypt=true")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("load %s: %s", c.JnlpURL, resp.Status)
	}
	plain, err := Decrypt(c.Secret, body)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", c.JnlpURL, err)
	}
	n, err := xmltree.Parse(plain)
	if err != nil || n.Child("application-desc") == nil {
		return nil, fmt.Errorf("load %s: invalid descriptor, is the secret right?", c.JnlpURL)
	}
	d := &descriptor{workDir: "."}
	args := n.Child("application-desc").Children
	for i, a := range args {
		next := ""
		if i+1 < len(args) {
			next = args[i+1].Text
		}
		switch {
		case i == 0:
			d.secret = a.Text
		case i == 1:
			d.name = a.Text
		case a.Text == "-url":
			d.base = next
		case a.Text == "-workDir":
			d.workDir = next
		}
	}
	return d, nil
}

func get(ctx context.Context, url string) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, body, err
}

func (c *Client) locate(ctx context.Context, base string) (string, error) {
	page := strings.TrimSuffix(base, "/") + "/tcpSlaveAgentListener/"
	resp, _, err := get(ctx, page)
	if err != nil {
		return "", err
	}
	port := resp.Header.Get("X-Jenkins-JNLP-Port")
	if resp.StatusCode != http.StatusOK || port == "" {
		return "", fmt.Errorf("%s is invalid: %s", page, resp.Status)
	}
	host := resp.Header.Get("X-Jenkins-JNLP-Host")
	if host == "" {
		u, err := url.Parse(base)
		if err != nil {
			return "", fmt.Errorf("read server address %s: %w", base, err)
		}
		host = u.Hostname()
	}
	c.info(fmt.Sprintf("Agent discovery successful\n  Agent address: %s\n  Agent port:    %s", host, port))
	return net.JoinHostPort(host, port), nil
}

func (c *Client) talk(ctx context.Context, conn net.Conn, d *descriptor, root string) (connected bool, err error) {
	if err := writeUTF(conn, protocolPrefix+ownProtocol); err != nil {
		return false, fmt.Errorf("greet the controller: %w", err)
	}
	out := &lineWriter{w: conn}
	if err := json.NewEncoder(conn).Encode(hello{Name: d.name, Secret: d.secret, Root: root}); err != nil {
		return false, fmt.Errorf("greet the controller: %w", err)
	}
	decoder := json.NewDecoder(bufio.NewReader(conn))
	var first message
	if err := decoder.Decode(&first); err != nil {
		return false, fmt.Errorf("read the controller's greeting: %w", err)
	}
	if first.Type != "welcome" {
		return false, fmt.Errorf("%w: %s", errRefused, first.Error)
	}
	c.info("Connected")
	w := &worker{root: root, out: out, cancels: map[int]context.CancelFunc{}}
	w.ctx, w.stop = context.WithCancel(ctx)
	defer w.end()
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silenceLimit))
		var m message
		if err := decoder.Decode(&m); err != nil {
			return true, fmt.Errorf("connection to the controller: %w", err)
		}
		if m.Type == "bye" {
			return true, errors.New("disconnected by the controller")
		}
		w.handle(m)
	}
}

// worker runs the steps of one connection.
type worker struct {
	ctx  context.Context
	stop context.CancelFunc
	root string
	out  *lineWriter
	wg   sync.WaitGroup

	mu      sync.Mutex
	cancels map[int]context.CancelFunc
}

func (w *worker) end() {
	w.stop()
	w.wg.Wait()
}

func (w *worker) handle(m message) {
	switch {
	case m.Type == "ping":
		_ = w.out.send(message{Type: "pong"})
	case m.Type == "abort":
		w.mu.Lock()
		if cancel := w.cancels[m.ID]; cancel != nil {
			cancel()
		}
		w.mu.Unlock()
	case m.Type == "run" && m.Step != nil:
		ctx, cancel := context.WithCancel(w.ctx)
		w.mu.Lock()
		w.cancels[m.ID] = cancel
		w.mu.Unlock()
		w.wg.Add(1)
		go func() {
			defer w.wg.Done()
			defer cancel()
			exit, err := RunShell(ctx, *m.Step, w.root, logWriter{id: m.ID, out: w.out})
			done := message{Type: "done", ID: m.ID, Exit: exit}
			if err != nil {
				done.Error = err.Error()
			}
			_ = w.out.send(done)
			w.mu.Lock()
			delete(w.cancels, m.ID)
			w.mu.Unlock()
		}()
	}
}

type logWriter struct {
	id  int
	out *lineWriter
}

// Write never fails: a step goes on although nobody reads it, and is stopped by its context.
func (l logWriter) Write(p []byte) (int, error) {
	_ = l.out.send(message{Type: "log", ID: l.id, Data: p})
	return len(p), nil
}
