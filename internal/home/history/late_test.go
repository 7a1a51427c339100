package history_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/history"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/testkit"
)

// oneWriter checks a branch: its epochs never go back, and whoever reads it from its beginning finds that an epoch starts before anything else of it.
func (s *site) oneWriter(branch string) {
	s.t.Helper()
	last := int64(0)
	for message := range strings.SplitSeq(s.git("log", "--reverse", "--first-parent", "--format=%B%x00", branch), "\x00") {
		epoch, ok := claim.EpochOf(message)
		if !ok {
			continue // a person's
		}
		require.GreaterOrEqual(s.t, epoch, last, "two writers: %s", message)
		if epoch > last {
			require.Contains(s.t, message, "starts on", "epoch %d begins without a word", epoch)
		}
		last = epoch
	}
}

// kill ends a controller without a last word.
func (h *host) kill(r *history.Run) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	cancel()
	require.Error(h.t, r.Close(ctx))
}

// committed writes a job and waits until it is in the local repository.
func (h *host) committed(job string) {
	h.t.Helper()
	h.write("jobs/"+job+"/config.xml", "<project>"+job+"</project>")
	testkit.Eventually(h.t, patience, job+" is committed here", func(context.Context) bool {
		return exec.Command("git", "--git-dir", filepath.Join(h.dir, "state/home.git"), "cat-file", "-e", "main:jobs/"+job+"/config.xml").Run() == nil
	})
}

// pushed waits until the remote's branch has the jobs.
func (s *site) pushed(jobs ...string) {
	s.t.Helper()
	for _, job := range jobs {
		testkit.Eventually(s.t, patience, job+" is pushed", func(context.Context) bool {
			return exec.Command("git", "--git-dir", s.remote, "cat-file", "-e", "main:jobs/"+job+"/config.xml").Run() == nil
		})
	}
}

// person pushes a commit of their own.
func (s *site) person() {
	s.t.Helper()
	s.git("update-ref", "refs/heads/main", s.git("commit-tree", "-m", "a person's", "-p", "main", "main^{tree}"))
}

// Git is away at the start: the controller runs all the same, is killed and started again, twice. The history that is pushed in the end is in order, also
// where a person pushed meanwhile, or where ZooKeeper lost what it knew of epochs.
func TestStartsWithoutGitAreInOrderInTheHistory(t *testing.T) {
	server := testkit.StartZooKeeper(t).Addr
	for name, meanwhile := range map[string]func(*host){
		"nothing else happens":           func(*host) {},
		"a person pushes":                func(h *host) { h.person() },
		"both, and ZooKeeper is emptied": func(h *host) { h.lock += "-again"; h.person(); h.mend() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.zookeeper, s.lock = []string{server}, "/jomctl/"+strings.ReplaceAll(name, " ", "-")+"/home"
			h := filled(s)
			h.cut()
			for _, job := range []string{"first", "second"} {
				r := h.up()
				h.committed(job)
				h.kill(r)
			}
			meanwhile(h)
			r := h.up()
			h.committed("third")
			h.mend()
			s.pushed("first", "second", "third")
			h.committed("afterwards")
			h.down(r)
			s.pushed("a", "afterwards")
			s.oneWriter("main")
			next := s.host("two")
			next.down(next.up())
			s.oneWriter("main")
			require.Equal(t, "<project>third</project>", next.read("jobs/third/config.xml"))
		})
	}
}

// While git is away for a controller that started without it, its lock is given to another, which has the history: the first one is stopped, and what it
// did is kept as a branch, whether it comes to the last word itself or is killed before.
func TestAControllerThatStartedWithoutGitLosesToTheNext(t *testing.T) {
	server := testkit.StartZooKeeper(t).Addr
	for name, end := range map[string]func(*testing.T, *host, *history.Run){
		"it has a last word": func(t *testing.T, h *host, r *history.Run) {
			h.mend()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			require.ErrorIs(t, r.Close(ctx), homesync.ErrFenced)
		},
		"it is killed": func(_ *testing.T, h *host, r *history.Run) {
			h.kill(r)
			h.mend()
			h.refused()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.zookeeper, s.lock = []string{server}, "/jomctl/"+strings.ReplaceAll(name, " ", "-")+"/home"
			h := filled(s)
			h.cut()
			r := h.up()
			h.committed("mine")
			conn, _, err := zk.Connect(s.zookeeper, 4*time.Second, zk.WithLogInfo(false))
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.Delete(s.lock+"/owner", -1)) // as when the session of a stopped controller ends
			require.ErrorContains(t, <-r.Failed(), "the owner lock of the home is lost")
			other := s.host("two")
			winner := other.up()
			other.write("jobs/theirs/config.xml", "<project/>")
			s.pushed("theirs")
			other.down(winner)
			end(t, h, r)
			lost := s.git("for-each-ref", "--format=%(refname)", "refs/heads/lost/one")
			require.Equal(t, "<project>mine</project>", s.git("show", lost+":jobs/mine/config.xml"))
			s.oneWriter("main")
			s.oneWriter(lost)
			require.Contains(t, s.epochs(), "Controller epoch 3 starts on two")
		})
	}
}

// The controller ends, as by a loss of power, in the middle of a start without git, and another one has the next epoch. The number alone must not make the first
// home the last one.
func TestAStartWithoutGitThatWasCutOffIsNotTheLastOwner(t *testing.T) {
	s := newSite(t)
	s.zookeeper = []string{testkit.StartZooKeeper(t).Addr}
	h := filled(s)
	conn, _, err := zk.Connect(s.zookeeper, 4*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.SetACL(s.lock+"/epoch", zk.WorldACL(zk.PermRead|zk.PermAdmin), -1)
	require.NoError(t, err)
	h.cut()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorContains(t, h.controller().Open(ctx), "writing the epoch 2")
	_, err = conn.SetACL(s.lock+"/epoch", zk.WorldACL(zk.PermAll), -1)
	require.NoError(t, err)

	other := s.host("two")
	winner := other.up()
	other.write("jobs/theirs/config.xml", "<project/>")
	other.down(winner)
	require.Contains(t, s.epochs(), "Controller epoch 2 starts on two")

	said := make(chan string, 100)
	h.say = func(format string, _ ...any) { said <- format }
	late, opened := h.controller(), make(chan error, 1)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go func() { opened <- late.Open(ctx) }()
	require.Contains(t, <-said, "the controller waits for it")
	cancel()
	require.ErrorIs(t, <-opened, context.Canceled)
	h.mend()
	require.Contains(t, h.refused().Why, "epoch 2 on two")
}
