package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/sftp"
)

// RemoteDir is the root of jomctl's own files on a remote host.
const RemoteDir = "/var/lib/jomctl"

// Sudo says how a remote host's commands and files come to be root's.
type Sudo string

// The ways to be root.
const (
	// SudoAuto uses `sudo -n` unless the login user is root, and is the default.
	SudoAuto Sudo = "auto"
	// SudoAlways uses `sudo -n` also for root.
	SudoAlways Sudo = "always"
	// SudoNever works as the login user, which is enough for a jump host.
	SudoNever Sudo = "never"
)

// Options say how a remote host is reached. Empty fields have the defaults that are named.
type Options struct {
	Name string // the host's name in messages
	// Address is the IP address or name that SSH connects to, and under which known_hosts has the host's key.
	Address string
	// ClusterAddress is under what the other hosts reach it; empty means Address.
	ClusterAddress string
	User           string // root
	Port           int    // 22
	// IdentityFile is the private key. Where it is empty, the keys of the SSH agent and the usual files of ~/.ssh are tried.
	IdentityFile string
	// AgentSocket is the socket of the SSH agent; empty means that of SSH_AUTH_SOCK, "none" that no agent is asked.
	AgentSocket string
	// Passphrase is asked for the passphrase of an encrypted key, for several hosts at the same time; where it is nil such
	// a key is an error.
	Passphrase func(file string) (string, error)
	// KnownHosts is the file with the pinned host keys; it need not exist yet. See Pin.
	KnownHosts string
	// Jump is the host through which this one is reached; nil means directly. Many hosts may share one.
	Jump *Remote
	Sudo Sudo   // SudoAuto
	Dir  string // RemoteDir
	// DialTimeout is for connecting and logging in together: 15 s.
	DialTimeout time.Duration
	// KeepAlive is the time between two questions whether the peer is there: 10 s. It is lost when it has not answered for
	// one and a half times as long.
	KeepAlive time.Duration
}

func (o Options) withDefaults() Options {
	defaulted := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	defaulted(&o.User, "root")
	defaulted(&o.Name, o.Address)
	defaulted(&o.ClusterAddress, o.Address)
	defaulted(&o.Dir, RemoteDir)
	defaulted((*string)(&o.Sudo), string(SudoAuto))
	if o.Port == 0 {
		o.Port = 22
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 15 * time.Second
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 10 * time.Second
	}
	return o
}

// target is the address as ssh and known_hosts take it.
func (o Options) target() string { return net.JoinHostPort(o.Address, strconv.Itoa(o.Port)) }

// ParseDestination reads [USER@]HOST[:PORT], as a jump host is written. A missing user is "", a missing port 0.
func ParseDestination(text string) (user, host string, port int, err error) {
	wrong := fmt.Errorf("%q is not USER@HOST:PORT", text)
	host = text
	if before, after, found := strings.Cut(text, "@"); found {
		if user, host = before, after; user == "" {
			return "", "", 0, wrong
		}
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", "", 0, wrong
		}
		host = h
	} else if strings.Count(host, ":") == 1 {
		return "", "", 0, wrong
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" || strings.ContainsAny(host, " \t\n@/") {
		return "", "", 0, wrong
	}
	return user, host, port, nil
}

// Remote is a host that is reached over SSH. It has one connection, which is made when it is first needed, shared by
// everything, and made again when it was lost between two operations. Files and commands are root's (see Sudo).
type Remote struct {
	options Options
	units   *Systemd
	// turn is held while the connection is looked at or made; a channel, so that waiting for it ends with a context.
	turn   chan struct{}
	conn   *connection
	closed bool
}

// NewRemote returns the host without connecting to it.
func NewRemote(o Options) (*Remote, error) {
	switch {
	case o.Address == "":
		return nil, fmt.Errorf("host %s: no address to connect to", o.Name)
	case o.KnownHosts == "":
		return nil, fmt.Errorf("host %s: no known_hosts file for its key", o.Name)
	}
	r := &Remote{options: o.withDefaults(), turn: make(chan struct{}, 1)}
	r.units = NewSystemd(r)
	return r, nil
}

// Name is the host's name.
func (r *Remote) Name() string { return r.options.Name }

// Address is under what the other hosts of the cluster reach the host.
func (r *Remote) Address() string { return r.options.ClusterAddress }

// Dir is the root of the program's own files, RemoteDir unless the options say another.
func (r *Remote) Dir() string { return r.options.Dir }

// Units are the host's systemd units that jomctl wrote.
func (r *Remote) Units() Units { return r.units }

// Systemd is Units with what only systemd can do.
func (r *Remote) Systemd() *Systemd { return r.units }

var errClosed = errors.New("the connection was closed by this program")

// Connect makes the connection unless there is one. Everything else does so by itself. Its errors are those of SSH, and
// UnknownKeyError, ChangedKeyError, LoginError.
func (r *Remote) Connect(ctx context.Context) error {
	_, err := r.connect(ctx)
	return err
}

// connect returns the live connection.
func (r *Remote) connect(ctx context.Context) (*connection, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to host %s: %w", r.Name(), ctx.Err())
	}
	if r.closed {
		return nil, fmt.Errorf("connect to host %s: %w", r.Name(), errClosed)
	}
	if r.conn != nil && !r.conn.lost() {
		return r.conn, nil
	}
	conn, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	r.conn = conn
	return conn, nil
}

// Close ends the connection; what still uses it fails. The host cannot be used any more.
func (r *Remote) Close() error {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.closed = true
	if r.conn != nil {
		r.conn.fail(errClosed)
	}
	return nil
}

// DialContext connects to a TCP address from the host, so that a service of a closed network can be reached.
func (r *Remote) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return retried(ctx, r, func(c *connection) (net.Conn, error) {
		conn, err := c.client.DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("connect to %s through host %s: %w", address, r.Name(), notOpened(err))
		}
		return conn, nil
	})
}

// retried does something that may be done twice, and does it once more on a new connection where the old one turned out
// to be lost.
func retried[T any](ctx context.Context, r *Remote, f func(*connection) (T, error)) (T, error) {
	var none T
	for again := false; ; again = true {
		c, err := r.connect(ctx)
		if err != nil {
			return none, err
		}
		result, err := f(c)
		var begun *begunError
		if err == nil || ctx.Err() != nil || errors.As(err, &begun) {
			return result, err
		}
		lost := c.gone(err)
		switch {
		case !lost && !errors.Is(err, sftp.ErrSSHFxConnectionLost): // which is also said when sftp-server alone has ended
			return result, err
		case lost && (again || errors.Is(c.reason(), errClosed)):
			return none, fmt.Errorf("%w (%w)", err, c.reason())
		case again:
			return none, err
		}
	}
}
