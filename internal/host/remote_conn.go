package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// sessionsPerConnection stays below the 10 of sshd's MaxSessions, as one is for files, one for questions and one ends commands.
const sessionsPerConnection = 7

// connection is one SSH connection.
type connection struct {
	name   string
	client *ssh.Client
	slots  chan struct{} // sessions for commands
	done   chan struct{} // closed when the connection is lost

	once sync.Once
	why  error // set before done is closed

	// filesTurn is held while the file session is looked at or made.
	filesTurn chan struct{}
	files     *fileSession

	// shellTurn is held while the shell for questions is looked at or made.
	shellTurn chan struct{}
	shell     *askShell
}

// dial connects, checks the host's key and logs in.
func (r *Remote) dial(ctx context.Context) (*connection, error) {
	o := r.options
	wrap := func(err error) error {
		return fmt.Errorf("connect to host %s (%s@%s): %w", o.Name, o.User, o.target(), err)
	}
	keys, err := readKnownHosts(o.KnownHosts)
	if err != nil {
		return nil, wrap(err)
	}
	auth, err := newAuth(ctx, o)
	if err != nil {
		return nil, wrap(err)
	}
	defer auth.close()
	config := &ssh.ClientConfig{User: o.User, Auth: auth.methods(), HostKeyCallback: keys.callback(o.Name),
		HostKeyAlgorithms: keys.algorithms(o.target())}
	client, err := r.handshake(ctx, config)
	if err != nil {
		return nil, wrap(auth.explain(err))
	}
	c := &connection{name: o.Name, client: client, slots: make(chan struct{}, sessionsPerConnection),
		done: make(chan struct{}), filesTurn: make(chan struct{}, 1), shellTurn: make(chan struct{}, 1)}
	go func() {
		err := client.Wait()
		if errors.Is(err, io.EOF) || err == nil {
			err = errors.New("the host ended it")
		}
		c.fail(fmt.Errorf("the connection was lost: %w", err))
	}()
	go c.keepAlive(o.KeepAlive)
	return c, nil
}

// handshake honours the context and the time-out also where the connection cannot have a deadline, which is so through a
// jump host.
func (r *Remote) handshake(ctx context.Context, config *ssh.ClientConfig) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.options.DialTimeout, fmt.Errorf("no answer within %s", r.options.DialTimeout))
	defer cancel()
	target := r.options.target()
	var conn net.Conn
	var err error
	if r.options.Jump != nil {
		conn, err = r.options.Jump.DialContext(ctx, "tcp", target)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", target)
	}
	if err != nil {
		return nil, orCause(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, target, config)
	if !stop() && err == nil {
		_ = sshConn.Close()
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, orCause(ctx, err)
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

// orCause prefers the reason why the context ended to what closing the connection then led to.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// keepAlive notices a peer that is gone without having said so.
func (c *connection) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		patience := every * 3 / 2
		select {
		case <-c.done:
			return
		case err := <-answered:
			if err != nil {
				c.fail(fmt.Errorf("the connection was lost: %w", err))
				return
			}
		case <-time.After(patience):
			c.fail(fmt.Errorf("the connection was lost: the host has not answered for %s", patience))
			return
		}
	}
}

// fail closes the connection for a reason, of which the first counts.
func (c *connection) fail(why error) {
	c.once.Do(func() {
		c.why = why
		close(c.done)
		_ = c.client.Close()
	})
}

func (c *connection) lost() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// reason is why the connection is lost, nil while it is not.
func (c *connection) reason() error {
	if c.lost() {
		return c.why
	}
	return nil
}

// gone says whether the error came from the loss of the connection. Whoever uses a connection may see its end a moment
// before the connection itself does.
func (c *connection) gone(err error) bool {
	if c.lost() {
		return true
	}
	sign := func(of error) bool { return errors.Is(err, of) }
	if !slices.ContainsFunc([]error{io.EOF, net.ErrClosed, sftp.ErrSSHFxConnectionLost, errNoStatus, errNotOpened}, sign) {
		return false
	}
	select {
	case <-c.done:
		return true
	case <-time.After(time.Second):
		return false
	}
}

// channel opens a session channel and lets the peer execute a command in it.
func (c *connection) channel(ctx context.Context, command string) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	result := make(chan opened, 1)
	go func() {
		channel, requests, err := c.client.OpenChannel("session", nil)
		if err == nil {
			err = execute(channel, requests, command)
		} else {
			err = notOpened(err)
		}
		result <- opened{channel, requests, err}
	}()
	select {
	case o := <-result:
		var refused *ssh.OpenChannelError
		if errors.As(o.err, &refused) {
			return nil, nil, fmt.Errorf("the host's sshd refused a session (MaxSessions in sshd_config must be 10 or more): %w", o.err)
		}
		return o.channel, o.requests, o.err
	case <-ctx.Done():
		go func() {
			if o := <-result; o.err == nil {
				go ssh.DiscardRequests(o.requests)
				_ = o.channel.Close()
			}
		}()
		return nil, nil, ctx.Err()
	}
}

// errNotOpened is a channel that was not opened, and not because the peer refused it.
var errNotOpened = errors.New("no channel could be opened")

// notOpened sets errNotOpened apart, for which the library has no type.
func notOpened(err error) error {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("%w: %w", errNotOpened, err)
}

func execute(channel ssh.Channel, requests <-chan *ssh.Request, command string) error {
	ok, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	if err == nil && !ok {
		err = errors.New("the host's sshd refused to execute a command")
	}
	if err != nil {
		go ssh.DiscardRequests(requests)
		_ = channel.Close()
		return &executeError{err}
	}
	return nil
}

// executeError is a session that was opened, and then it is not known whether its command was executed.
type executeError struct{ error }

func (e *executeError) Unwrap() error { return e.error }
