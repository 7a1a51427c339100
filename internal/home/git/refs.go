package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// Refs returns the refs that exist here.
func (r *Repo) Refs(ctx context.Context) (map[string]Hash, error) {
	out, err := r.Run(ctx, "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, err
	}
	return parseRefs(out, " ")
}

// Remotes returns the refs of the remote that a history is made of, and branches of lost work. The error of a remote that is
// out of reach is an *Error.
func (r *Repo) Remotes(ctx context.Context) (map[string]Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	out, err := r.Run(ctx, "ls-remote", "--quiet", "origin", r.Main(), Owner, Numbers)
	if err != nil {
		return nil, err
	}
	return parseRefs(out, "\t")
}

func parseRefs(out, separator string) (map[string]Hash, error) {
	refs := map[string]Hash{}
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), separator)
		hash, err := ParseHash(id)
		if err != nil {
			return nil, fmt.Errorf("reading refs: %w", err)
		}
		refs[name] = hash
	}
	return refs, nil
}

// Fetch brings what the remote has under the tracking refs. A ref that the remote does not have is taken away here too.
func (r *Repo) Fetch(ctx context.Context) (map[string]Hash, error) {
	refs, err := r.Remotes(ctx)
	if err != nil {
		return nil, err
	}
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "origin"}
	count := len(args)
	var gone strings.Builder
	for _, ref := range []string{r.Main(), Owner, Numbers} {
		if _, ok := refs[ref]; ok {
			args = append(args, "+"+ref+":"+Tracking(ref))
		} else {
			fmt.Fprintf(&gone, "delete %s\n", Tracking(ref))
		}
	}
	if gone.Len() > 0 {
		if err := r.stream(ctx, strings.NewReader(gone.String()), io.Discard, "update-ref", "--stdin"); err != nil {
			return nil, err
		}
	}
	if len(args) > count {
		r.near(ctx)
		fetching, cancel := context.WithTimeout(ctx, 5*Timeout)
		defer cancel()
		if _, err := r.Run(fetching, args...); err != nil {
			return nil, err
		}
	}
	seen, err := r.Refs(ctx)
	if err != nil {
		return nil, err
	}
	for _, ref := range []string{r.Main(), Owner, Numbers} {
		delete(refs, ref)
		if hash, ok := seen[Tracking(ref)]; ok {
			refs[ref] = hash // what was fetched, should it have moved in between
		}
	}
	return refs, nil
}

// Set moves a local ref, whatever it was.
func (r *Repo) Set(ctx context.Context, ref string, to Hash) error {
	_, err := r.Run(ctx, "update-ref", ref, to.String())
	return err
}

// Update is one ref of the remote to move. Old is what it must be before; zero means that it must not exist.
type Update struct {
	Ref      string
	Old, New Hash
}

// ErrMoved means that the remote refused a push because a ref was not what it was expected to be.
var ErrMoved = errors.New("the remote's history moved on")

// Push moves refs of the remote all together or not at all, each only if it still is what it is expected to be: that is
// compared by the remote under the lock of the ref, for every ref that moves. After an error that is not ErrMoved the
// push may have come through all the same; Remotes tells. Locks that a git process left behind in a remote on a path
// (LeftLock) are removed.
func (r *Repo) Push(ctx context.Context, updates ...Update) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := r.push(ctx, updates)
	if err == nil || !strings.Contains(err.Error(), ".lock'") {
		return err
	}
	removed, failed := r.clearLeftLocks()
	if failed != nil {
		return fmt.Errorf("%w (removing what a killed git left: %w)", err, failed)
	}
	if removed {
		return r.push(ctx, updates)
	}
	return err
}

func (r *Repo) push(ctx context.Context, updates []Update) error {
	if done, err := r.deliver(ctx, updates); done || err != nil {
		return err
	}
	args := []string{"push", "--quiet", "--porcelain", "--atomic", "--no-verify", "--no-follow-tags"}
	for _, update := range updates {
		old := ""
		if !update.Old.IsZero() {
			old = update.Old.String()
		}
		args = append(args, "--force-with-lease="+update.Ref+":"+old)
	}
	args = append(args, "origin")
	for _, update := range updates {
		args = append(args, update.New.String()+":"+update.Ref)
	}
	out, err := r.Run(ctx, args...)
	if err == nil {
		return nil
	}
	var failed *Error
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "!") {
			continue
		}
		for _, sign := range []string{"stale info", "fetch first", "non-fast-forward", "needs force", "cannot lock ref", "failed to update ref", "incorrect old value"} {
			if strings.Contains(line, sign) {
				return fmt.Errorf("%w: %s", ErrMoved, line)
			}
		}
		if errors.As(err, &failed) {
			failed.Text = strings.Trim(failed.Text+"; "+strings.ReplaceAll(line, "\t", " "), "; ")
		}
	}
	return err
}

// Entry is one file of a commit.
type Entry struct {
	Path       string
	Hash       Hash
	Executable bool
	Size       int64
}

// Tree calls visit for each file of a commit or tree, sorted by path.
func (r *Repo) Tree(ctx context.Context, commit Hash, visit func(Entry) error) error {
	return r.read(ctx, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString(0)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			head, path, _ := strings.Cut(strings.TrimSuffix(line, "\x00"), "\t")
			fields := strings.Fields(head) // mode type hash size
			if len(fields) != 4 || fields[1] != "blob" || fields[0] == "120000" {
				continue
			}
			hash, err := ParseHash(fields[2])
			if err != nil {
				return err
			}
			size, _ := strconv.ParseInt(fields[3], 10, 64)
			if err := visit(Entry{Path: path, Hash: hash, Executable: fields[0] == "100755", Size: size}); err != nil {
				return err
			}
		}
	}, nil, "ls-tree", "-r", "-z", "--long", "--full-tree", commit.String())
}

// Blobs calls visit with the content of each object, in the order given. The data is valid during the call only.
func (r *Repo) Blobs(ctx context.Context, hashes []Hash, visit func(i int, data []byte) error) error {
	in, feed := io.Pipe()
	go func() {
		out := bufio.NewWriter(feed)
		for _, hash := range hashes {
			fmt.Fprintln(out, hash)
		}
		feed.CloseWithError(out.Flush())
	}()
	defer in.Close()
	return r.read(ctx, func(out *bufio.Reader) error {
		var data bytes.Buffer
		for i, hash := range hashes {
			head, err := out.ReadString('\n')
			if err != nil {
				return fmt.Errorf("reading object %s: %w", hash, err)
			}
			fields := strings.Fields(head)
			if len(fields) != 3 || fields[1] != "blob" {
				return fmt.Errorf("reading object %s: %s", hash, strings.TrimSpace(head))
			}
			size, err := strconv.ParseInt(fields[2], 10, 64)
			if err != nil {
				return fmt.Errorf("reading object %s: %w", hash, err)
			}
			data.Reset()
			if _, err := io.CopyN(&data, out, size+1); err != nil {
				return fmt.Errorf("reading object %s: %w", hash, err)
			}
			if err := visit(i, data.Bytes()[:size]); err != nil {
				return err
			}
		}
		return nil
	}, in, "cat-file", "--batch", "--buffer")
}

// read runs git and hands its stdout to consume while it runs.
func (r *Repo) read(ctx context.Context, consume func(*bufio.Reader) error, in io.Reader, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := r.stream(ctx, in, writer, args...)
		writer.CloseWithError(err)
		done <- err
	}()
	err := consume(bufio.NewReaderSize(reader, 64<<10))
	reader.Close()
	if err != nil {
		cancel()
		<-done
		return err
	}
	return <-done
}

// File returns one file of a commit, and false where the commit does not have it.
func (r *Repo) File(ctx context.Context, commit Hash, path string) ([]byte, bool, error) {
	out, err := r.Run(ctx, "ls-tree", "-z", "--full-tree", commit.String(), "--", path)
	if err != nil || out == "" {
		return nil, false, err
	}
	fields := strings.Fields(out)
	if len(fields) < 4 || fields[1] != "blob" {
		return nil, false, nil
	}
	text, err := r.Run(ctx, "cat-file", "blob", fields[2])
	return []byte(text), err == nil, err
}

// Ancestor says whether a commit is the other one or part of its history. Both must be here; nothing is part of all.
func (r *Repo) Ancestor(ctx context.Context, old, of Hash) (bool, error) {
	if old == of || old.IsZero() {
		return true, nil
	}
	if of.IsZero() {
		return false, nil
	}
	_, err := r.Run(ctx, "merge-base", "--is-ancestor", old.String(), of.String())
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}
