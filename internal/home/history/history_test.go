package history_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/history"
	"github.com/jomctl/jomctl/internal/home/keep"
	"github.com/jomctl/jomctl/internal/home/owner"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/testkit"
)

const patience = 2 * time.Minute

// site is a remote repository, and hosts that may run a controller on it.
type site struct {
	t         *testing.T
	remote    string
	zookeeper []string
	lock      string // in ZooKeeper
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, remote: filepath.Join(t.TempDir(), "remote.git"), lock: owner.Path("c")}
	out, err := exec.Command("git", "init", "--quiet", "--bare", s.remote).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return s
}

func (s *site) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir", s.remote, "-c", "user.name=x", "-c", "user.email=x@y"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// host is one machine with a home on its disk.
type host struct {
	*site
	name, dir string
	say       func(string, ...any)
}

func (s *site) host(name string) *host {
	h := &host{site: s, name: name, dir: s.t.TempDir(), say: func(string, ...any) {}}
	h.mend()
	return h
}

func (h *host) home() string { return filepath.Join(h.dir, "home") }

// way is where this host finds the remote; it can be cut for this host alone.
func (h *host) way() string { return filepath.Join(h.dir, "way.git") }

func (h *host) cut() { require.NoError(h.t, os.Remove(h.way())) }
func (h *host) mend() {
	if _, err := os.Lstat(h.way()); err != nil {
		require.NoError(h.t, os.Symlink(h.remote, h.way()))
	}
}

func (h *host) write(name, text string) {
	h.t.Helper()
	full := filepath.Join(h.home(), name)
	require.NoError(h.t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(h.t, os.WriteFile(full+".new", []byte(text), 0o600))
	require.NoError(h.t, os.Rename(full+".new", full))
}

func (h *host) read(name string) string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.home(), name))
	require.NoError(h.t, err)
	return string(data)
}

// kept are the kept files of the home.
func (h *host) kept() map[string]string {
	h.t.Helper()
	all, table := map[string]string{}, keep.NewTable()
	require.NoError(h.t, filepath.WalkDir(h.home(), func(path string, entry fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(h.home(), path); err == nil && !entry.IsDir() && table.File(name) {
			all[name] = h.read(name)
		}
		return err
	}))
	return all
}

func (h *host) controller() *history.Run {
	return &history.Run{Home: h.home(), Host: h.name, Task: "jenkins.1", Say: h.say, Config: history.Config{State: filepath.Join(h.dir, "state"), Repository: h.way(), Branch: "main",
		QuietMillis: 20, MaxMillis: 200, ZooKeeper: h.zookeeper, Lock: h.lock, SessionMillis: 4000}}
}

// up opens and starts a controller.
func (h *host) up() *history.Run {
	h.t.Helper()
	r := h.controller()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	require.NoError(h.t, r.Open(ctx))
	if _, err := os.Stat(filepath.Join(h.home(), "config.xml")); err != nil {
		h.write("config.xml", "<hudson/>") // the seed
	}
	r.Start()
	return r
}

func (h *host) down(r *history.Run) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(h.t, r.Close(ctx))
}

// refused opens a controller that must not start.
func (h *host) refused() *history.RefusedError {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	var refused *history.RefusedError
	require.ErrorAs(h.t, h.controller().Open(ctx), &refused)
	status, err := homesync.ReadStatus(h.controller().Config.StatusFile())
	require.NoError(h.t, err)
	require.Contains(h.t, status.Start, refused.Why)
	return refused
}

// filled is a host whose home has a history.
func filled(s *site) *host {
	h := s.host("one")
	h.write("jobs/a/config.xml", "<project>a</project>")
	h.write("jobs/a/nextBuildNumber", "7\n")
	h.write("jobs/f/config.xml", "<folder/>")
	h.write("jobs/f/jobs/b/config.xml", "<project>b</project>")
	h.write("users/bob_"+strings.Repeat("0a", 32)+"/config.xml", "<user><id>bob</id></user>")
	h.write("secrets/master.key", "secret")
	h.write("queue.xml", "<queue/>")
	h.down(h.up())
	return h
}

func (s *site) epochs() string {
	return s.git("log", "--reverse", "--format=%s", "--grep=Controller epoch", "main")
}

func TestAnEmptyHomeBecomesTheLastPushedConfiguration(t *testing.T) {
	s := newSite(t)
	old := filled(s)
	want := old.kept()
	next := s.host("two")
	r := next.up()
	got := next.kept()
	require.Equal(t, "<user><id>bob</id></user>", got["users/bob/config.xml"], "under its id, which needs no key")
	hashed := "users/bob_" + strings.Repeat("0a", 32) + "/config.xml"
	want["users/bob/config.xml"] = want[hashed]
	delete(want, hashed)
	require.Equal(t, want, got, "byte by byte")
	require.Equal(t, "107\n", next.read("jobs/a/nextBuildNumber"))
	require.Equal(t, "101\n", next.read("jobs/f/jobs/b/nextBuildNumber"), "it may have been built since")
	require.NoFileExists(t, filepath.Join(next.home(), "jobs/f/nextBuildNumber"))
	require.NoFileExists(t, filepath.Join(next.home(), "secrets/master.key"))
	require.NoDirExists(t, filepath.Join(next.home(), ".jomctl/restore"))
	next.down(r)
	require.Equal(t, "Controller epoch 1 starts on one\nController epoch 2 starts on two", s.epochs())
	require.Equal(t, "users/bob/config.xml", s.git("ls-tree", "-r", "--name-only", "main", "users"))
}

func TestAHomeGoesOnWithItsHistory(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	h.write("jobs/offline/config.xml", "<project/>") // while no controller ran
	require.NoError(t, os.RemoveAll(filepath.Join(h.home(), "jobs/a")))
	h.down(h.up())
	require.Equal(t, "config.xml\njobs/f/config.xml\njobs/f/jobs/b/config.xml\njobs/offline/config.xml\nusers/bob/config.xml", s.git("ls-tree", "-r", "--name-only", "main"))
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "state")), "the local repository is a copy")
	h.down(h.up())
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "state/home.git/HEAD"), nil, 0o600)) // as after a power failure
	h.down(h.up())
	require.Contains(t, s.epochs(), "Controller epoch 4 starts on one")
}

func TestAHomeThatIsOlderIsRefusedAndItsWorkKept(t *testing.T) {
	s := newSite(t)
	old := filled(s)
	next := s.host("two")
	r := next.up()
	next.write("jobs/new/config.xml", "<project/>")
	next.down(r)
	main := s.git("rev-parse", "main")

	old.write("jobs/mine/config.xml", "<project>never pushed</project>")
	before := old.kept()
	refused := old.refused()
	require.Contains(t, refused.Why, "epoch 1")
	require.Contains(t, refused.Why, "epoch 2 on two")
	require.Equal(t, "<project>never pushed</project>", s.git("show", refused.Kept+":jobs/mine/config.xml"))
	require.Equal(t, before, old.kept(), "nothing is overwritten")
	require.Equal(t, refused.Kept, old.refused().Kept, "started again and again, it is kept once")
	require.Len(t, strings.Fields(s.git("for-each-ref", "--format=%(refname)", "refs/heads/lost")), 1)
	require.Equal(t, main, s.git("rev-parse", "main"))
	next.down(next.up())
}

func TestForeignHomesAndForeignRepositoriesAreRefused(t *testing.T) {
	s := newSite(t)
	filled(s)
	stranger := s.host("three")
	stranger.write("config.xml", "<hudson>mine</hudson>")
	require.Contains(t, stranger.refused().Why, "never this history's")
	require.NoError(t, claim.WriteMarker(stranger.home(), claim.Marker{Home: "other", Epoch: 9}))
	require.Contains(t, stranger.refused().Why, "another history")
	require.Equal(t, "<hudson>mine</hudson>", stranger.read("config.xml"))

	other := newSite(t)
	tree := other.git("hash-object", "-t", "tree", "-w", "/dev/null")
	other.git("update-ref", "refs/heads/main", other.git("commit-tree", "-m", "a project of somebody", tree))
	require.Contains(t, other.host("x").refused().Why, "no controller made")
}

func TestARestoreThatWasCutOffBeginsAnew(t *testing.T) {
	s := newSite(t)
	want := filled(s).kept()
	next := s.host("two")
	next.write("jobs/left/config.xml", "<project>of a restore before that</project>")
	next.write("jobs/a/config.xml", "<half")
	require.NoError(t, claim.WriteMarker(next.home(), claim.Marker{Restoring: "x"}))
	next.down(next.up())
	require.Len(t, next.kept(), len(want))
	require.Equal(t, want["jobs/a/config.xml"], next.read("jobs/a/config.xml"))
}

func TestAClaimWhoseEndWasNotWrittenDownIsOurs(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	marker, _, err := claim.ReadMarker(h.home())
	require.NoError(t, err)
	marker.Claiming, marker.Owner = marker.Owner, ""
	require.NoError(t, claim.WriteMarker(h.home(), marker))
	h.down(h.up())
}

func TestWorkThatWasNotPushedComesBackFromTheSameHost(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	r := h.up()
	away := s.remote + ".away"
	require.NoError(t, os.Rename(s.remote, away))
	h.write("jobs/unpushed/config.xml", "<project/>")
	testkit.Eventually(t, patience, "it is committed here", func(context.Context) bool {
		out, err := exec.Command("git", "--git-dir", filepath.Join(h.dir, "state/home.git"), "cat-file", "-e", "main:jobs/unpushed/config.xml").CombinedOutput()
		return err == nil && len(out) == 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, r.Close(ctx)) // as a kill -9 would
	require.NoError(t, os.Rename(away, s.remote))
	require.NoError(t, os.RemoveAll(h.home()))
	h.down(h.up())
	require.Equal(t, "<project/>", h.read("jobs/unpushed/config.xml"))
	require.Equal(t, "<project/>", s.git("show", "main:jobs/unpushed/config.xml"))
}

func TestTheLoserStopsAndItsWorkIsKept(t *testing.T) {
	s := newSite(t)
	one := filled(s)
	r := one.up()
	other := s.host("two")
	winner := other.up() // without a lock in ZooKeeper git alone decides
	one.write("jobs/mine/config.xml", "<project>mine</project>")
	require.ErrorIs(t, <-r.Failed(), homesync.ErrFenced)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorIs(t, r.Close(ctx), homesync.ErrFenced)
	branch := s.git("for-each-ref", "--format=%(refname)", "refs/heads/lost/one")
	require.Equal(t, "<project>mine</project>", s.git("show", branch+":jobs/mine/config.xml"))
	other.down(winner)
	require.Equal(t, "Controller epoch 1 starts on one\nController epoch 2 starts on one\nController epoch 3 starts on two", s.epochs())
}

func TestGitAwayAtTheStart(t *testing.T) {
	s := newSite(t)
	s.zookeeper = []string{testkit.StartZooKeeper(t).Addr}
	h := filled(s)
	away := s.remote + ".away"
	require.NoError(t, os.Rename(s.remote, away))
	r := h.up() // the last owner by ZooKeeper's word
	h.write("jobs/meanwhile/config.xml", "<project/>")
	h2 := s.host("two")
	said := make(chan string, 100)
	h2.say = func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }
	opened := make(chan error, 1)
	waiting := h2.controller()
	go func() { opened <- waiting.Open(t.Context()) }()
	require.Contains(t, <-said, "waiting for the owner lock")

	require.NoError(t, os.Rename(away, s.remote))
	testkit.Eventually(t, patience, "the claim is made up for", func(context.Context) bool {
		return strings.Contains(s.epochs(), "Controller epoch 2 starts on one") && strings.Contains(s.git("ls-tree", "-r", "--name-only", "main"), "jobs/meanwhile")
	})
	h.down(r)
	require.NoError(t, <-opened)
	waiting.Start()
	h2.down(waiting)
	require.Equal(t, "<project/>", h2.read("jobs/meanwhile/config.xml"))

	require.NoError(t, os.Rename(s.remote, away))
	// The first home is not the last owner any more: it must wait for git to know what it missed.
	late := h.controller()
	heard := make(chan string, 100)
	late.Say = func(format string, args ...any) { heard <- fmt.Sprintf(format, args...) }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { opened <- late.Open(ctx) }()
	require.Contains(t, <-heard, "the controller waits for it")
	cancel()
	require.ErrorIs(t, <-opened, context.Canceled)
}

func TestALockThatGitLeftBehindDoesNotKeepTheLastWord(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	r := h.up()
	h.write("jobs/last/config.xml", "<project/>")
	require.NoError(t, os.WriteFile(filepath.Join(r.Config.RepoDir(), "refs/seen/heads/main.lock"), nil, 0o600))
	h.down(r)
	require.Equal(t, "<project/>", s.git("show", "main:jobs/last/config.xml"))
}

func TestALostLockEndsTheRun(t *testing.T) {
	s := newSite(t)
	z := testkit.StartZooKeeper(t)
	s.zookeeper = []string{z.Addr}
	h := s.host("one")
	r := h.up()
	z.Kill()
	require.ErrorIs(t, <-r.Failed(), owner.ErrLost)
	require.ErrorIs(t, r.Reason(), owner.ErrLost)
	h.write("jobs/a/config.xml", "<project/>")
	h.down(r) // git still knows that the history is ours
	require.Equal(t, "<project/>", s.git("show", "main:jobs/a/config.xml"))
}

func TestSomebodysReadmeStays(t *testing.T) {
	s := newSite(t)
	h := filled(s)
	s.git("read-tree", "main")
	blob := s.git("hash-object", "-w", "/etc/hostname")
	s.git("update-index", "--add", "--cacheinfo", "100644,"+blob+",README.md")
	s.git("update-ref", "refs/heads/main", s.git("commit-tree", "-m", "Say what this is", "-p", "main", s.git("write-tree")))
	h.write("jobs/next/config.xml", "<project/>")
	h.down(h.up())
	names := s.git("ls-tree", "-r", "--name-only", "main")
	require.Contains(t, names, "README.md")
	require.Contains(t, names, "jobs/next/config.xml")
	next := s.host("two")
	next.down(next.up())
	require.NoFileExists(t, filepath.Join(next.home(), "README.md"))
	require.Contains(t, s.git("ls-tree", "-r", "--name-only", "main"), "README.md")
}

func TestConfigurationsAreChecked(t *testing.T) {
	err := history.Config{State: "relative", ZooKeeper: []string{"x:1"}}.Check()
	for _, want := range []string{"history.state", "history.lock"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, history.Config{State: "/s"}.Check(), "history.repository")
	require.ErrorContains(t, history.Config{State: "/s", Repository: "/r"}.Check(), "history.branch")
	lock := history.Config{State: "/s", ZooKeeper: []string{"x:1"}, Lock: "/l"}
	require.NoError(t, lock.Check(), "a lock without a history")
	require.Equal(t, "/s/restore.json", lock.OrderFile())
	lock.Beside = "/b"
	require.Equal(t, []string{"/b/restore.json", "/b/status.json", "/s/home.git"}, []string{lock.OrderFile(), lock.StatusFile(), lock.RepoDir()})
}
