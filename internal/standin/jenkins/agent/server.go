package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	pingEvery        = 5 * time.Second
	silenceLimit     = 30 * time.Second
)

// ErrClosed is what a step ends with when its agent's connection drops.
var ErrClosed = errors.New("connection to the build agent closed")

// Hooks connect the listener to the controller.
type Hooks struct {
	// Accept checks name and secret and takes the channel; an error refuses the agent with its text.
	Accept func(name, secret string, ch *Channel) error
	// Gone is called once after an accepted channel has closed.
	Gone func(name string, ch *Channel)
	// Banner is the answer to an HTTP request on the agent port.
	Banner func(client, server string) string
}

// Listener is the open agent port.
type Listener struct {
	hooks    Hooks
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// Listen opens the agent port.
func Listen(address string, hooks Hooks) (*Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen to agents on %s: %w", address, err)
	}
	out := &Listener{hooks: hooks, listener: l, conns: map[net.Conn]bool{}}
	out.wg.Add(1)
	go out.serve()
	return out, nil
}

// Port is the port number that was opened.
func (l *Listener) Port() int { return l.listener.Addr().(*net.TCPAddr).Port }

// Close closes the port and every connection, and waits for their ends.
func (l *Listener) Close() {
	_ = l.listener.Close()
	l.mu.Lock()
	for c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *Listener) serve() {
	defer l.wg.Done()
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.conns[conn] = true
		l.mu.Unlock()
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			l.handle(conn)
			_ = conn.Close()
			l.mu.Lock()
			delete(l.conns, conn)
			l.mu.Unlock()
		}()
	}
}

func (l *Listener) handle(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	reader := bufio.NewReader(conn)
	first, err := reader.ReadByte()
	if err != nil {
		return
	}
	if first != 0 {
		if _, err := reader.ReadString('\n'); err == nil {
			client, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
			server, _, _ := net.SplitHostPort(conn.LocalAddr().String())
			_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/plain;charset=UTF-8\r\nX-Content-Type-Options: nosniff\r\n\r\n"+l.hooks.Banner(client, server))
		}
		return
	}
	protocol, err := readUTF(reader, first)
	if err != nil {
		return
	}
	switch protocol {
	case protocolPrefix + "Ping":
		_, _ = io.WriteString(conn, "Ping\n")
	case protocolPrefix + ownProtocol:
		l.talk(conn, reader)
	default:
		_, _ = io.WriteString(conn, "Refused: this is jomctl's stand-in for Jenkins, it does not speak "+protocol+"; only the agent.jar that it serves can connect\n")
	}
}

func (l *Listener) talk(conn net.Conn, reader *bufio.Reader) {
	var h hello
	decoder := json.NewDecoder(reader)
	if err := decoder.Decode(&h); err != nil {
		return
	}
	ch := &Channel{Root: h.Root, conn: conn, out: &lineWriter{w: conn}, ready: make(chan struct{}), done: make(chan struct{}), steps: map[int]*running{}}
	if err := l.hooks.Accept(h.Name, h.Secret, ch); err != nil {
		_ = ch.out.send(message{Type: "refused", Error: err.Error()})
		return
	}
	defer l.hooks.Gone(h.Name, ch)
	defer ch.finish()
	if ch.out.send(message{Type: "welcome"}) != nil {
		return
	}
	close(ch.ready)
	_ = conn.SetDeadline(time.Time{})
	go ch.ping()
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silenceLimit))
		var m message
		if err := decoder.Decode(&m); err != nil {
			return
		}
		ch.received(m)
	}
}

// Channel is one connected build agent.
type Channel struct {
	// Root is the agent's root folder on its host.
	Root string

	conn  net.Conn
	out   *lineWriter
	once  sync.Once
	ready chan struct{} // closed when the agent is welcomed: nothing may come before that word
	done  chan struct{}

	mu    sync.Mutex
	next  int
	steps map[int]*running
}

type running struct {
	out  io.Writer
	exit chan message
}

// Close disconnects the agent.
func (c *Channel) Close() {
	// A frozen agent must not hold the controller.
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.out.send(message{Type: "bye"})
	_ = c.conn.Close()
}

// Done is closed when the connection has ended.
func (c *Channel) Done() <-chan struct{} { return c.done }

func (c *Channel) finish() { c.once.Do(func() { close(c.done) }) }

func (c *Channel) ping() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
			_ = c.out.send(message{Type: "ping"})
		}
	}
}

func (c *Channel) received(m message) {
	c.mu.Lock()
	r := c.steps[m.ID]
	if r != nil && m.Type == "done" {
		delete(c.steps, m.ID)
	}
	c.mu.Unlock()
	if r == nil {
		return
	}
	switch m.Type {
	case "log":
		_, _ = r.out.Write(m.Data)
	case "done":
		r.exit <- m
	}
}

// Run runs a step on the agent; when ctx ends the step is aborted there, and its exit status is waited for.
func (c *Channel) Run(ctx context.Context, step Step, out io.Writer) (int, error) {
	select {
	case <-c.ready:
	case <-c.done:
		return -1, ErrClosed
	}
	r := &running{out: out, exit: make(chan message, 1)}
	c.mu.Lock()
	c.next++
	step.ID = c.next
	c.steps[step.ID] = r
	c.mu.Unlock()
	if err := c.out.send(message{Type: "run", ID: step.ID, Step: &step}); err != nil {
		return -1, ErrClosed
	}
	aborted := ctx.Done()
	for {
		select {
		case m := <-r.exit:
			if m.Error != "" {
				return m.Exit, errors.New(m.Error)
			}
			return m.Exit, nil
		case <-c.done:
			return -1, ErrClosed
		case <-aborted:
			aborted = nil
			_ = c.out.send(message{Type: "abort", ID: step.ID})
		}
	}
}
