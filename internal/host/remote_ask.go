package host

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// askScript is the beginning of what the shell for questions reads. Every answer ends with a mark on both outputs, which
// nobody can know before.
const askScript = `mark=%s
ask() {
	if command -v -- "$1" >/dev/null 2>&1; then (exec "$@") </dev/null; code=$?; else code=none; fi
	printf '\036%%s %%s\n' "$mark" "$code"; printf '\036%%s \n' "$mark" >&2
}
`

// errShell is a shell for questions that has ended.
var errShell = errors.New("the shell for questions has ended")

// longestAnswer bounds one output of a question, in bytes.
const longestAnswer = 64 << 20

// askShell is a shell on the host, root's where Run is, that answers questions in the order in which they come. Logging
// in to a session and sudo cost ten times what most questions do, so they are paid once for a connection.
type askShell struct {
	channel ssh.Channel
	group   string // its process group on the host

	mu      sync.Mutex
	waiting [2][]*question // those whose standard output, whose standard error has not come
	once    sync.Once
	why     error         // set before done is closed
	done    chan struct{} // closed when the shell is over
	stderr  lockedBuffer  // what came before the first mark, or after the last
}

// question is one that was sent.
type question struct {
	outputs [2]string
	code    string
	parts   int
	done    chan struct{} // closed when all parts have come
}

// Ask answers a question through the connection's shell for questions. One that is cut off ends the shell, and what runs in it.
func (r *Remote) Ask(ctx context.Context, argv ...string) (Output, error) {
	if len(argv) == 0 {
		return Output{Code: -1}, errors.New("ask: no command")
	}
	const tries = 3 // another question that was cut off may have ended the shell
	var out Output
	var err error
	for range tries {
		out, err = retried(ctx, r, func(c *connection) (Output, error) {
			shell, err := c.openShell(ctx, r)
			if err != nil {
				return Output{Code: -1}, err
			}
			return shell.ask(ctx, argv, func() { r.end(c, shell.group) })
		})
		if ctx.Err() != nil || !errors.Is(err, errShell) {
			break
		}
	}
	if err != nil {
		return out, fmt.Errorf("host %s: run %s: %w", r.Name(), argv[0], err)
	}
	switch out.Code {
	case 0:
		return out, nil
	case -1:
		err = fmt.Errorf("no such program: %w", fs.ErrNotExist)
	default:
		err = &ExitError{Code: out.Code}
	}
	return out, fmt.Errorf("host %s: %w", r.Name(), runError(argv, out, err))
}

// openShell returns the connection's shell for questions, which is made when it is first needed.
func (c *connection) openShell(ctx context.Context, r *Remote) (*askShell, error) {
	select {
	case c.shellTurn <- struct{}{}:
		defer func() { <-c.shellTurn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.shell != nil {
		select {
		case <-c.shell.done:
		default:
			return c.shell, nil
		}
	}
	channel, requests, err := c.channel(ctx, r.options.Sudo.asRoot(runScript, "/bin/sh"))
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(requests)
	s := &askShell{channel: channel, done: make(chan struct{})}
	mark := rand.Text()
	go s.read(0, channel, mark)
	go s.read(1, channel.Stderr(), mark)
	if err := s.begin(ctx, mark); err != nil {
		if sudo := sudoProblem(s.stderr.String()); sudo != "" && ctx.Err() == nil {
			err = &SudoError{User: r.options.User, Host: r.options.Name, Text: sudo}
		}
		return nil, err
	}
	c.shell = s
	return s, nil
}

// begin waits until the shell answers, and learns its process group from the marked line of runScript.
func (s *askShell) begin(ctx context.Context, mark string) error {
	q, err := s.send(fmt.Sprintf(askScript, mark) + "ask true\n")
	if err != nil {
		return err
	}
	select {
	case <-q.done:
	case <-s.done:
		return s.why
	case <-ctx.Done():
		s.fail(ctx.Err())
		return ctx.Err()
	}
	_, after, _ := strings.Cut(q.outputs[0], runMark)
	line, _, _ := strings.Cut(after, "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		s.fail(errShell)
		return fmt.Errorf("%w: it did not say its process group", errShell)
	}
	s.group = fields[0]
	return nil
}

// send hands the text of a question over.
func (s *askShell) send(text string) (*question, error) {
	q := &question{done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return nil, s.why
	default:
	}
	for i := range s.waiting {
		s.waiting[i] = append(s.waiting[i], q)
	}
	if _, err := io.WriteString(s.channel, text); err != nil {
		s.fail(fmt.Errorf("%w: %w", errShell, err))
		return nil, s.why
	}
	return q, nil
}

// ask sends a question and waits for its answer. end is called to end what runs in the shell when the context is over.
func (s *askShell) ask(ctx context.Context, argv []string, end func()) (Output, error) {
	none := Output{Code: -1}
	cut := func() {
		s.fail(errShell)
		end()
	}
	stop := context.AfterFunc(ctx, func() { _ = s.channel.Close() }) // also while the question is on its way
	defer stop()
	q, err := s.send("ask " + quoteAll(argv) + "\n")
	if err != nil {
		if ctx.Err() != nil {
			cut()
			err = ctx.Err()
		}
		return none, err
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		cut()
		return none, ctx.Err()
	case <-s.done:
		if ctx.Err() != nil {
			cut()
			return none, ctx.Err()
		}
		return none, s.why
	}
	out := Output{Stdout: q.outputs[0], Stderr: q.outputs[1], Code: -1}
	if q.code == "none" {
		return out, nil
	}
	if out.Code, err = strconv.Atoi(q.code); err != nil {
		s.fail(errShell)
		return none, fmt.Errorf("%w: it answered with the code %q", errShell, q.code)
	}
	return out, nil
}

// read parts one of the shell's outputs into answers.
func (s *askShell) read(output int, from io.Reader, mark string) {
	sign := []byte("\x1e" + mark + " ")
	answers := bufio.NewScanner(from)
	answers.Buffer(nil, longestAnswer)
	answers.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.Index(data, sign); i >= 0 {
			if j := bytes.IndexByte(data[i:], '\n'); j >= 0 {
				return i + j + 1, data[:i+j], nil
			}
		}
		if atEOF && len(data) > 0 && output == 1 {
			_, _ = s.stderr.Write(data)
		}
		return 0, nil, nil
	})
	for answers.Scan() {
		before, code, _ := bytes.Cut(answers.Bytes(), sign)
		s.mu.Lock()
		if len(s.waiting[output]) == 0 {
			s.mu.Unlock()
			break
		}
		q := s.waiting[output][0]
		s.waiting[output] = slices.Delete(s.waiting[output], 0, 1)
		q.outputs[output] = string(before)
		if output == 0 {
			q.code = string(code)
		}
		if q.parts++; q.parts == len(s.waiting) {
			close(q.done)
		}
		s.mu.Unlock()
	}
	if output == 0 { // what it says of its end may still be on the way
		time.AfterFunc(200*time.Millisecond, func() { s.ended(answers.Err()) })
		return
	}
	s.ended(answers.Err())
}

// ended is fail with what the shell wrote at last.
func (s *askShell) ended(err error) {
	why := errShell
	if text := strings.TrimSpace(s.stderr.String()); text != "" {
		why = fmt.Errorf("%w: %s", errShell, text)
	}
	if err == nil {
		err = io.EOF // which is how the loss of the connection looks, too
	}
	s.fail(fmt.Errorf("%w: %w", why, err))
}

// fail ends the shell for a reason, of which the first counts.
func (s *askShell) fail(why error) {
	s.once.Do(func() {
		s.why = why
		close(s.done)
		_ = s.channel.Close()
	})
}
