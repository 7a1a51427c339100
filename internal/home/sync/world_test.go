package sync_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/testkit"
)

const patience = 2 * time.Minute

// leftLock is longer than git ever holds a lock here, and short enough to wait for.
const leftLock = 5 * time.Second

// world is a home with a running engine, and the remote repository that it pushes to.
type world struct {
	t            testing.TB
	home, remote string
	repo         *git.Repo
	engine       *homesync.Engine
	options      homesync.Options
	stop         func()
	ended        chan error

	mu   sync.Mutex
	said []string
}

func gitOut(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

func newRemote(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "remote.git")
	out, err := exec.Command("git", "init", "--quiet", "--bare", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// newWorld makes a claimed home with one file; start it.
func newWorld(t testing.TB, change ...func(*homesync.Options)) *world {
	t.Helper()
	w := &world{t: t, home: filepath.Join(t.TempDir(), "home"), remote: newRemote(t)}
	w.write("config.xml", "<hudson><version>2.568.2</version></hudson>")
	require.NoError(t, claim.WriteMarker(w.home, claim.Marker{Home: "h"}))
	w.options = homesync.Options{Home: w.home, Quiet: 20 * time.Millisecond, Max: 200 * time.Millisecond, Scan: time.Hour, Retry: 20 * time.Millisecond, RetryMax: 100 * time.Millisecond,
		Host: "h1", Task: "jenkins.1", StatusFile: filepath.Join(t.TempDir(), "status.json"), Say: w.say}
	for _, f := range change {
		f(&w.options)
	}
	w.repo = w.clone()
	w.options.Claimed = w.claim(w.repo, 1, "h1")
	return w
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

// lastSaid is what the engine said last.
func (w *world) lastSaid() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said[max(0, len(w.said)-5):])
}

func (w *world) clone() *git.Repo {
	w.t.Helper()
	repo, err := git.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "home.git"), git.Remote{URL: w.remote, Branch: "main", LeftLock: leftLock})
	require.NoError(w.t, err)
	return repo
}

// claim takes the history, however often the owner of now pushes in between.
func (w *world) claim(repo *git.Repo, epoch int64, host string) claim.Claimed {
	w.t.Helper()
	for {
		seen, err := repo.Fetch(w.t.Context())
		require.NoError(w.t, err)
		claimed, err := claim.Take(w.t.Context(), repo, seen, seen[repo.Main()], claim.Owner{Home: "h", Epoch: epoch, Host: host, Started: time.Now()}, func(git.Hash) error { return nil })
		if errors.Is(err, claim.ErrTaken) {
			continue
		}
		require.NoError(w.t, err)
		return claimed
	}
}

func (w *world) start() *world {
	w.t.Helper()
	w.options.Repo = w.repo
	engine, err := homesync.New(w.t.Context(), w.options)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	w.engine, w.ended = engine, make(chan error, 1)
	go func() { w.ended <- engine.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if w.ended != nil {
			require.NoError(w.t, <-w.ended)
		}
	})
	w.t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.home, name) }

// write saves a file as Jenkins does: beside it, then renamed.
func (w *world) write(name, text string) {
	w.t.Helper()
	require.NoError(w.t, save(w.path(name), text))
}

func save(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := path + "-atomic123tmp"
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

var hashed = regexp.MustCompile(`_[0-9a-f]{64}/`)

// kept is what the history must hold, found out in another way than the engine's.
func (w *world) kept() map[string]string {
	all := map[string]string{}
	table := keep.NewTable()
	_ = filepath.WalkDir(w.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // it is compared again until nothing moves
		}
		name, _ := filepath.Rel(w.home, path)
		if !table.File(name) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil && keep.Check(name, data) == nil {
			all[hashed.ReplaceAllString(name, "/")] = string(data)
		}
		return nil
	})
	return all
}

// pushed is what the remote's branch holds.
func (w *world) pushed() map[string]string {
	w.t.Helper()
	return tree(w.t, w.remote, "main")
}

func tree(t testing.TB, dir, commit string) map[string]string {
	t.Helper()
	all := map[string]string{}
	repo, err := git.Open(t.Context(), dir+".look", git.Remote{URL: dir, Branch: "main"})
	require.NoError(t, err)
	_, err = repo.Run(t.Context(), "fetch", "--quiet", dir, "+"+commit+":refs/look")
	require.NoError(t, err)
	refs, err := repo.Refs(t.Context())
	require.NoError(t, err)
	var names []string
	var hashes []git.Hash
	require.NoError(t, repo.Tree(t.Context(), refs["refs/look"], func(e git.Entry) error {
		names, hashes = append(names, e.Path), append(hashes, e.Hash)
		return nil
	}))
	require.NoError(t, repo.Blobs(t.Context(), hashes, func(i int, data []byte) error {
		all[names[i]] = string(data)
		return nil
	}))
	return all
}

// settled waits until the remote holds exactly the home's kept files.
func (w *world) settled() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		head, pushed := w.engine.Head()
		if head == pushed && maps.Equal(w.kept(), w.pushed()) {
			return
		}
		select {
		case err := <-w.ended:
			w.t.Fatalf("the engine ended: %v", err)
		case <-ctx.Done():
			require.Equal(w.t, w.kept(), w.pushed(), "the history must become the home")
			w.t.Fatalf("the history is the home, but head %s, pushed %s: %+v", head, pushed, w.engine.Status())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	testkit.Eventually(w.t, patience, what, func(context.Context) bool { return condition() })
}

// subjects are the first lines of the branch's commits, newest first.
func (w *world) subjects() []string {
	return strings.Split(gitOut(w.t, w.remote, "log", "--format=%s", "main"), "\n")
}

// oneWriter checks the history: epochs never go back, and each begins with a commit that says so.
func oneWriter(t testing.TB, remote string) {
	t.Helper()
	last := int64(0)
	commits := strings.Split(gitOut(t, remote, "log", "--reverse", "--first-parent", "--format=%B%x00", "main"), "\x00")
	for _, message := range slices.DeleteFunc(commits, func(m string) bool { return strings.TrimSpace(m) == "" }) {
		epoch, ok := claim.EpochOf(message)
		if !ok {
			continue // not a controller's
		}
		require.GreaterOrEqual(t, epoch, last, "two writers: %s", message)
		if epoch > last {
			require.Contains(t, message, "starts on", "epoch %d begins without a claim", epoch)
		}
		last = epoch
	}
}
