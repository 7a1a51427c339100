package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// restAfter is how long the process that reads objects stays without work.
const restAfter = 30 * time.Second

// reader is one `git cat-file --batch` for many objects: a process for each would cost more than all else that a commit does.
type reader struct {
	mu   sync.Mutex
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	rest *time.Timer
}

// errMissing means that the repository does not have an object.
var errMissing = errors.New("no such object")

// object returns the kind and the content of an object; name is anything that names one. One of another kind, or none, is errMissing.
func (r *Repo) object(ctx context.Context, kind, name string) (Hash, []byte, error) {
	if err := ctx.Err(); err != nil {
		return Hash{}, nil, context.Cause(ctx)
	}
	r.objects.mu.Lock()
	defer r.objects.mu.Unlock()
	for first := true; ; first = false {
		fresh := r.objects.cmd == nil
		hash, data, err := r.ask(kind, name)
		if err == nil || errors.Is(err, errMissing) {
			return hash, data, err
		}
		r.objects.end()
		if fresh || !first {
			return hash, nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
}

func (r *Repo) ask(kind, name string) (Hash, []byte, error) {
	o := &r.objects
	if o.cmd == nil {
		if err := r.startReader(); err != nil {
			return Hash{}, nil, err
		}
	}
	o.rest.Reset(restAfter)
	if _, err := io.WriteString(o.in, name+"\n"); err != nil {
		return Hash{}, nil, err
	}
	head, err := o.out.ReadString('\n')
	if err != nil {
		return Hash{}, nil, err
	}
	fields := strings.Fields(head)
	if strings.HasSuffix(head, " missing\n") || len(fields) != 3 {
		return Hash{}, nil, fmt.Errorf("%w: %s", errMissing, strings.TrimSpace(head))
	}
	hash, err := ParseHash(fields[0])
	if err != nil {
		return hash, nil, err
	}
	size, err := strconv.Atoi(fields[2])
	if err != nil {
		return hash, nil, err
	}
	data := make([]byte, size+1) // and the end of the line
	if _, err := io.ReadFull(o.out, data); err != nil {
		return hash, nil, err
	}
	if fields[1] != kind {
		return hash, nil, fmt.Errorf("%w: %s is a %s, not a %s", errMissing, name, fields[1], kind)
	}
	return hash, data[:size], nil
}

func (r *Repo) startReader() error {
	cmd := exec.Command("git", "cat-file", "--batch")
	cmd.Env, cmd.Dir = r.env, r.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	o := &r.objects
	o.cmd, o.in, o.out = cmd, in, bufio.NewReaderSize(out, 64<<10)
	o.rest = time.AfterFunc(restAfter, r.Rest)
	return nil
}

// Rest ends the process that reads objects, if there is one; it is started again when it is needed. It ends by itself when it has had
// nothing to do for a while, and with this process.
func (r *Repo) Rest() {
	r.objects.mu.Lock()
	defer r.objects.mu.Unlock()
	r.objects.end()
}

func (o *reader) end() {
	if o.cmd == nil {
		return
	}
	o.rest.Stop()
	_ = o.in.Close()
	_ = o.cmd.Process.Kill() // it holds nothing but what it reads
	_ = o.cmd.Wait()
	o.cmd, o.in, o.out = nil, nil, nil
}
