package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// remotePath is complete also where the login shell of an ordinary user or sudo leave out the sbin folders.
const remotePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// runMark begins the line that the shell on the host writes before the command's own output: the mark, the process
// group, and whether the command exists. What a login script writes before it is thus known not to be the command's.
const runMark = "\x1ejomctl-run"

// runScript runs "$@". The command keeps the shell's process id, so that its group is known from the beginning.
const runScript = `cd /; PATH=` + remotePath + `; LC_ALL=C; export PATH LC_ALL
read -r _ _ _ _ group _ </proc/$$/stat
if command -v -- "$1" >/dev/null 2>&1; then found=yes; else found=no; fi
printf '` + `\036jomctl-run %s %s\n' "$group" "$found"
[ $found = yes ] || exit 127
exec "$@"`

// endScript ends the process group $1, at last by force.
const endScript = `kill -TERM "-$1" 2>/dev/null || exit 0
i=0
while [ $i -lt 20 ] && kill -0 "-$1" 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
kill -KILL "-$1" 2>/dev/null
exit 0`

// quote makes one word of POSIX shell of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// asRoot is the command line that runs a shell script with arguments as the options say. Whether sudo is needed is found
// out on the host, in the same round trip.
func (s Sudo) asRoot(script string, args ...string) string {
	become := map[Sudo]string{
		SudoNever:  `exec /bin/sh -c "$0" jomctl "$@"`,
		SudoAlways: `exec sudo -n -- /bin/sh -c "$0" jomctl "$@"`,
		SudoAuto:   `[ "$(id -u)" = 0 ] || exec sudo -n -- /bin/sh -c "$0" jomctl "$@"; exec /bin/sh -c "$0" jomctl "$@"`,
	}[s]
	return "exec /bin/sh -c " + quoteAll(append([]string{become, script}, args...))
}

// ExitError is a command on a remote host that ended with another code than 0, or by a signal.
type ExitError struct {
	Code   int    // -1 when Signal is set
	Signal string // without SIG: TERM
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "signal " + e.Signal
	}
	return "exit status " + strconv.Itoa(e.Code)
}

// begunError is a command that may have begun, so that it must not be tried again.
type begunError struct{ error }

func (e *begunError) Unwrap() error { return e.error }

// errNoStatus is a command of which the peer never said how it ended.
var errNoStatus = errors.New("the command's end is not known")

// Run runs a command as root without input, with PATH and LC_ALL=C as its environment besides what the login gives. When
// the context ends, the command and what it started are ended on the host before Run returns.
func (r *Remote) Run(ctx context.Context, argv ...string) (Output, error) {
	return r.RunInput(ctx, nil, argv...)
}

// RunInput is Run with input for the command.
func (r *Remote) RunInput(ctx context.Context, stdin io.Reader, argv ...string) (Output, error) {
	if len(argv) == 0 {
		return Output{Code: -1}, errors.New("run: no command")
	}
	// Only the start may be done twice: of a command that has begun nobody knows how far it came.
	run, err := retried(ctx, r, func(c *connection) (*running, error) {
		run, err := c.start(ctx, r.options.Sudo.asRoot(runScript, argv...))
		var lost *executeError
		if errors.As(err, &lost) {
			err = &begunError{err}
		}
		return run, err
	})
	if err != nil {
		return Output{Code: -1}, fmt.Errorf("host %s: run %s: %w", r.Name(), argv[0], err)
	}
	defer run.release()
	out, err := run.wait(ctx, stdin, func(group string) { r.end(run.conn, group) })
	if err == nil {
		return out, nil
	}
	if sudo := sudoProblem(out.Stderr); run.header() == nil && sudo != "" {
		return out, fmt.Errorf("host %s: run %s: %w", r.Name(), argv[0], &SudoError{User: r.options.User, Host: r.Name(), Text: sudo})
	}
	return out, fmt.Errorf("host %s: %w", r.Name(), runError(argv, out, err))
}

// end ends the process group of a command whose context is over.
func (r *Remote) end(c *connection, group string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	channel, requests, err := c.channel(ctx, r.options.Sudo.asRoot(endScript, group))
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	stop := context.AfterFunc(ctx, func() { _ = channel.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, channel)
	_ = channel.Close()
}

// running is a command that has been handed to the host.
type running struct {
	conn     *connection
	channel  ssh.Channel
	requests <-chan *ssh.Request
	stdout   markedOutput
	stderr   lockedBuffer
}

func (c *connection) start(ctx context.Context, command string) (*running, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	channel, requests, err := c.channel(ctx, command)
	if err != nil {
		<-c.slots
		return nil, err
	}
	return &running{conn: c, channel: channel, requests: requests, stdout: markedOutput{marked: make(chan struct{})}}, nil
}

func (r *running) release() {
	_ = r.channel.Close()
	<-r.conn.slots
}

// header are the fields of the marked line, nil before it has come.
func (r *running) header() []string {
	select {
	case <-r.stdout.marked:
		return r.stdout.fields
	default:
		return nil
	}
}

// wait waits for the end of the command, or ends it together with the context.
func (r *running) wait(ctx context.Context, stdin io.Reader, end func(group string)) (Output, error) {
	ended := make(chan error, 1)
	go func() { ended <- r.follow() }()
	go func() {
		if stdin != nil {
			_, _ = io.Copy(r.channel, stdin) // a command may well not read all of its input
		}
		_ = r.channel.CloseWrite()
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		select { // without its group, nothing can be ended
		case <-r.stdout.marked:
			end(r.stdout.fields[0])
		case <-r.conn.done:
		case <-time.After(5 * time.Second):
		}
		_ = r.channel.Close()
		err = ctx.Err()
	}
	out := Output{Stdout: r.stdout.String(), Stderr: r.stderr.String(), Code: -1}
	var exit *ExitError
	switch header := r.header(); {
	case err == nil:
		out.Code = 0
	case errors.Is(err, errNoStatus) && r.conn.gone(err):
		err = fmt.Errorf("%w; the command may still run", r.conn.reason())
	case errors.As(err, &exit) && len(header) == 2 && header[1] == "no":
		err = fmt.Errorf("no such program: %w", fs.ErrNotExist)
	case exit != nil:
		out.Code = exit.Code
	}
	return out, err
}

// follow collects the output until the command has ended. Something that the command left behind may hold the output
// open for ever, so it does not wait for its end for long.
func (r *running) follow() error {
	var copied sync.WaitGroup
	copied.Go(func() { _, _ = io.Copy(&r.stdout, r.channel) })
	copied.Go(func() { _, _ = io.Copy(&r.stderr, r.channel.Stderr()) })
	all := make(chan struct{})
	go func() { copied.Wait(); close(all) }()
	result := error(errNoStatus)
	for request := range r.requests {
		known := true
		switch request.Type {
		case "exit-status":
			var status struct{ Code uint32 }
			if err := ssh.Unmarshal(request.Payload, &status); err != nil {
				return err
			}
			result = nil
			if status.Code != 0 {
				result = &ExitError{Code: int(status.Code)}
			}
		case "exit-signal":
			var signal struct {
				Name       string
				Core       bool
				Text, Lang string
			}
			if err := ssh.Unmarshal(request.Payload, &signal); err != nil {
				return err
			}
			result = &ExitError{Code: -1, Signal: signal.Name}
		default:
			known = false
		}
		if request.WantReply {
			_ = request.Reply(known, nil)
		}
		if known {
			break
		}
	}
	go ssh.DiscardRequests(r.requests)
	select {
	case <-all:
	case <-time.After(2 * time.Second):
	}
	return result
}

// lockedBuffer can be read while something still writes to it.
type lockedBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// markedOutput drops everything up to the end of the marked line.
type markedOutput struct {
	lockedBuffer
	marked chan struct{} // closed when fields are known
	fields []string
}

func (m *markedOutput) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data.Write(p)
	if m.fields != nil {
		return len(p), nil
	}
	before, after, found := bytes.Cut(m.data.Bytes(), []byte(runMark))
	line, rest, whole := bytes.Cut(after, []byte("\n"))
	if !found || !whole {
		return len(p), nil
	}
	_ = before
	m.fields = strings.Fields(string(line))
	rest = bytes.Clone(rest)
	m.data.Reset()
	m.data.Write(rest)
	close(m.marked)
	return len(p), nil
}
