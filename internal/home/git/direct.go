package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// recent is what is known of commits that Edit made, so that a push need not find out again.
type recent struct {
	mu      sync.Mutex
	commits map[Hash]madeCommit
	// trees are the contents of large trees of the last commit.
	trees  map[Hash][]byte
	remote plainness
	// direct: objects were copied to the remote since it was tidied.
	direct bool
}

type madeCommit struct {
	parent  Hash
	objects []Hash
}

const (
	// mostRemembered is how many commits are remembered; what is not is pushed by git.
	mostRemembered = 256
	// largeTree is from when on a tree is worth its memory, mostTrees how much memory that may be, in bytes.
	largeTree, mostTrees = 4 << 10, 2 << 20
)

func (r *Repo) remember(commit, parent Hash, w *treeWriter) {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	if len(r.recent.commits) >= mostRemembered || r.recent.commits == nil {
		r.recent.commits = map[Hash]madeCommit{}
	}
	made := madeCommit{parent: parent}
	r.recent.trees = map[Hash][]byte{}
	held := 0
	for _, o := range w.made {
		made.objects = append(made.objects, o.hash)
		if data := w.trees[o.hash]; len(data) >= largeTree && held+len(data) <= mostTrees {
			r.recent.trees[o.hash], held = data, held+len(data)
		}
	}
	r.recent.commits[commit] = made
}

func (r *Repo) recall(tree Hash) ([]byte, bool) {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	data, ok := r.recent.trees[tree]
	return data, ok
}

// between returns the objects of the commits after old up to now, and false where they are not remembered.
func (r *Repo) between(old, now Hash) ([]Hash, bool) {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	var objects []Hash
	for now != old {
		made, ok := r.recent.commits[now]
		if !ok {
			return nil, false
		}
		objects, now = append(objects, made.objects...), made.parent
	}
	return objects, true
}

// forgetPushed forgets commits that the remote has.
func (r *Repo) forgetPushed(objects []Hash) {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	r.recent.direct = true
	for _, hash := range objects {
		delete(r.recent.commits, hash)
	}
}

// delivered says whether objects were copied to the remote since it was asked last.
func (r *Repo) delivered() bool {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	was := r.recent.direct
	r.recent.direct = false
	return was
}

// deliver pushes commits that Edit made to a repository on a path, without the search on both sides for what is missing: their objects are
// copied, then the refs are compared and moved by git itself, together and under their locks, as a push does in the end. It does
// nothing and returns false where that is not all that a push would do: for other commits, or for a repository with hooks or settings of
// its own.
func (r *Repo) deliver(ctx context.Context, updates []Update) (bool, error) {
	var objects []Hash
	for _, u := range updates {
		more, ok := r.between(u.Old, u.New)
		if !ok || u.Old.IsZero() {
			return false, nil
		}
		objects = append(objects, more...)
	}
	if len(objects) == 0 || !filepath.IsAbs(r.Remote.URL) {
		return false, nil
	}
	ok, err := bounded(ctx, func() (bool, error) {
		if plain, err := r.plain(ctx); !plain || err != nil {
			return false, err
		}
		return r.copyObjects(objects)
	})
	if !ok || err != nil {
		return false, err
	}
	var there, here strings.Builder
	for _, u := range updates {
		if u.Old == u.New {
			fmt.Fprintf(&there, "verify %s %s\n", u.Ref, u.Old)
			continue
		}
		fmt.Fprintf(&there, "update %s %s %s\n", u.Ref, u.New, u.Old)
		fmt.Fprintf(&here, "update %s %s\n", Tracking(u.Ref), u.New)
	}
	// A ref that is on the disk is so after the objects, whose folders the same journal holds.
	err = r.stream(ctx, strings.NewReader(there.String()), io.Discard, "-c", "core.fsync=reference", "--git-dir="+r.Remote.URL, "update-ref", "--stdin")
	if err != nil {
		return true, moved(err)
	}
	r.forgetPushed(objects)
	return true, r.stream(ctx, strings.NewReader(here.String()), io.Discard, "update-ref", "--stdin")
}

// bounded ends with the context even where a file system does not answer. What goes on then only adds objects that nothing refers to.
func bounded(ctx context.Context, work func() (bool, error)) (bool, error) {
	type result struct {
		ok  bool
		err error
	}
	done := make(chan result, 1)
	go func() {
		ok, err := work()
		done <- result{ok, err}
	}()
	select {
	case got := <-done:
		return got.ok, got.err
	case <-ctx.Done():
		return false, &Error{Command: "push", Err: context.Cause(ctx)}
	}
}

// copyObjects returns false where one of them is in a pack by now.
func (r *Repo) copyObjects(objects []Hash) (bool, error) {
	const together = 64 // bounds the memory
	for len(objects) > 0 {
		part := objects[:min(together, len(objects))]
		objects = objects[len(part):]
		var files []looseObject
		for _, hash := range part {
			data, err := os.ReadFile(objectFile(r.Dir, hash))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			files = append(files, looseObject{hash, data})
		}
		if err := store(r.Remote.URL, files); err != nil {
			return false, &Error{Command: "push", Err: err}
		}
	}
	return true, nil
}

// moved tells a ref that is not what it was expected to be from other failures.
func moved(err error) error {
	for _, sign := range []string{"but expected", "unable to resolve reference", "reference already exists"} {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w: %w", ErrMoved, err)
		}
	}
	return err
}

// plainness is what was found out about a remote's settings, as long as their file is the same.
type plainness struct {
	size  int64
	mtime time.Time
	plain bool
}

// plain says whether the remote is a bare repository on a path that does nothing of its own when it is pushed to: no hooks, no rights that are to be given to
// others, no other kinds of objects or refs.
func (r *Repo) plain(ctx context.Context) (bool, error) {
	for _, hook := range []string{"pre-receive", "update", "post-receive", "post-update", "proc-receive", "reference-transaction", "push-to-checkout"} {
		if _, err := os.Stat(filepath.Join(r.Remote.URL, "hooks", hook)); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	}
	info, err := os.Stat(filepath.Join(r.Remote.URL, "config"))
	if err != nil {
		return false, nil // git says what is wrong
	}
	r.recent.mu.Lock()
	last := r.recent.remote
	r.recent.mu.Unlock()
	if info.Size() == last.size && info.ModTime().Equal(last.mtime) {
		return last.plain, nil
	}
	out, err := r.Run(ctx, "--git-dir="+r.Remote.URL, "config", "--list", "--name-only", "--includes")
	if err != nil {
		return false, nil
	}
	bare, err := r.Run(ctx, "--git-dir="+r.Remote.URL, "rev-parse", "--is-bare-repository")
	if err != nil {
		return false, nil
	}
	seen := plainness{info.Size(), info.ModTime(), strings.TrimSpace(bare) == "true"}
	for name := range strings.Lines(strings.ToLower(out)) {
		name = strings.TrimSpace(name)
		for _, own := range []string{"core.sharedrepository", "core.hookspath", "core.alternaterefs", "receive.", "transfer.", "extensions.", "include"} {
			seen.plain = seen.plain && !strings.HasPrefix(name, own)
		}
	}
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	r.recent.remote = seen
	return seen.plain, nil
}
