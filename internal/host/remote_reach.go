package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Hidden says whether SSH reaches the host another way than the hosts of its cluster reach it: through a jump host, or at another address.
// Its other ports then need not be open to this machine; Reach leads to them.
func (r *Remote) Hidden() bool {
	return r.options.Jump != nil || r.options.ClusterAddress != r.options.Address
}

// Tunnel is the command that leads a port of one's own machine to the same port of the host, for a browser.
func (r *Remote) Tunnel(port int) string {
	o := r.options
	words := []string{"ssh", "-N", "-L", fmt.Sprintf("%d:%s", port, net.JoinHostPort(o.ClusterAddress, strconv.Itoa(port)))}
	if o.Jump != nil {
		words = append(words, "-J", fmt.Sprintf("%s@%s", o.Jump.options.User, o.Jump.options.target()))
	}
	if o.Port != 22 {
		words = append(words, "-p", strconv.Itoa(o.Port))
	}
	return strings.Join(append(words, o.User+"@"+o.Address), " ")
}

// ForwardingError means that a host's sshd opens no connections for others.
type ForwardingError struct {
	Host  string
	Cause error
}

func (e *ForwardingError) Error() string {
	return fmt.Sprintf("the sshd of host %s opens no connections to other ports: %v", e.Host, e.Cause)
}

// Unwrap is the answer of the sshd.
func (e *ForwardingError) Unwrap() error { return e.Cause }

// Hint is the way out.
func (e *ForwardingError) Hint() string {
	return "allow it in /etc/ssh/sshd_config of " + e.Host + " (AllowTcpForwarding local, and no PermitOpen or DisableForwarding against it) and reload sshd"
}

// Reach connects to a TCP address from the host, like DialContext, with a connection that knows deadlines. A port that nobody listens on is
// syscall.ECONNREFUSED, as without SSH; a sshd that does not do it is a *ForwardingError.
func (r *Remote) Reach(ctx context.Context, network, address string) (net.Conn, error) {
	far, err := r.DialContext(ctx, network, address)
	var answer *ssh.OpenChannelError
	switch {
	case err == nil:
		return withDeadlines(far, address), nil
	case errors.As(err, &answer) && answer.Reason == ssh.Prohibited:
		return nil, &ForwardingError{Host: r.Name(), Cause: err}
	case errors.As(err, &answer) && answer.Reason == ssh.ConnectionFailed && strings.Contains(strings.ToLower(answer.Message), "refused"):
		return nil, fmt.Errorf("connect to %s through host %s: %w", address, r.Name(), syscall.ECONNREFUSED)
	}
	return nil, err
}

// withDeadlines puts a pipe before a channel of SSH, which has no deadlines; ZooKeeper's library insists on them.
func withDeadlines(far net.Conn, address string) net.Conn {
	near, inner := net.Pipe()
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // how it ended shows at the near end as the end of the connection
		_ = far.Close()
		_ = inner.Close()
	}
	go pass(far, inner)
	go pass(inner, far)
	return reached{near, tcp(address)}
}

// tcp is host:port.
type tcp string

func (tcp) Network() string  { return "tcp" }
func (a tcp) String() string { return string(a) }

// reached is a connection that names the address it leads to.
type reached struct {
	net.Conn
	to net.Addr
}

// RemoteAddr is the address that was asked for.
func (c reached) RemoteAddr() net.Addr { return c.to }
