package sync_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

// numbers are the next build numbers at the remote.
func (w *world) numbers() map[string]int {
	return homesync.ParseNumbers([]byte(gitOut(w.t, w.remote, "show", git.Numbers+":"+homesync.NumbersFile)))
}

// What is committed is pushed at the end even where nothing more can be: the host may be gone for good after that.
func TestTheLastWordPushesWhatIsCommittedWhateverTheHomeIs(t *testing.T) {
	gone := make(chan error, 1)
	gone <- nil
	w := newWorld(t, func(o *homesync.Options) { o.Alive = func() error { err := <-gone; gone <- err; return err } })
	w.start().settled()
	away := w.remote + ".away"
	require.NoError(t, os.Rename(w.remote, away))
	before, _ := w.engine.Head()
	w.write("jobs/a/config.xml", "<project/>")
	w.eventually("it is committed here", func() bool { head, _ := w.engine.Head(); return head != before })
	w.stop()
	require.NoError(t, os.Rename(away, w.remote))
	<-gone
	gone <- os.ErrNotExist
	require.ErrorIs(t, w.engine.Flush(t.Context()), os.ErrNotExist)
	require.Contains(t, w.pushed(), "jobs/a/config.xml")
}

// A home whose disk is gone has no other next build numbers than before.
func TestTheNumbersOfAHomeThatIsGoneStay(t *testing.T) {
	w := newWorld(t, func(o *homesync.Options) {
		home := o.Home
		o.Alive = func() error { _, err := os.Stat(filepath.Join(home, "config.xml")); return err }
	})
	w.write("jobs/a/config.xml", "<project/>")
	w.write("jobs/a/nextBuildNumber", "900\n")
	w.start().settled()
	w.stop()
	require.NoError(t, w.engine.Flush(t.Context()))
	require.NoError(t, os.RemoveAll(w.home))
	require.Error(t, w.engine.Flush(t.Context()))
	require.Equal(t, map[string]int{"jobs/a": 900}, w.numbers())
}

func TestNumbersOfJobsWithAnyName(t *testing.T) {
	w := newWorld(t)
	want := map[string]int{}
	for i, job := range []string{"jobs/a\nb", "jobs/\xff\xfe", "jobs/\"q\"", "jobs/ü b", "jobs/tab\t", "jobs/?", "jobs/x\u2028y"} {
		w.write(job+"/config.xml", "<project/>")
		w.write(job+"/nextBuildNumber", "90"+string(rune('0'+i)))
		want[job] = 900 + i
	}
	w.start().settled()
	w.stop()
	require.NoError(t, w.engine.Flush(t.Context()))
	require.Equal(t, want, w.numbers())
}

// While a claim is made up for, and the remote does not answer, changes are committed here all the same.
func TestARemoteThatHangsHoldsNoCommitUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() // it takes connections and says nothing
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)))
	asked := make(chan bool, 1)
	w := newWorld(t, func(o *homesync.Options) {
		o.Claim = func(ctx context.Context, _ git.Hash) (claim.Claimed, error) {
			asked <- true
			<-ctx.Done()
			return claim.Claimed{}, ctx.Err()
		}
	})
	w.repo.Remote.URL = "git://" + listener.Addr().String() + "/home.git"
	repo, err := git.Open(t.Context(), w.repo.Dir, w.repo.Remote)
	require.NoError(t, err)
	w.repo = repo
	w.start()
	connection, err := listener.Accept()
	require.NoError(t, err, "git asks the remote")
	defer connection.Close()
	before, _ := w.engine.Head()
	w.write("jobs/a/config.xml", "<project/>")
	w.eventually("it is committed here", func() bool { head, _ := w.engine.Head(); return head != before })
	require.Empty(t, asked)
}

// A controller that is started again knows since when its commits wait: who watches the age would never be told otherwise.
func TestTheAgeOfWhatIsNotPushedOutlastsAStart(t *testing.T) {
	w := newWorld(t)
	old := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	head := w.options.Claimed.Head
	for i, when := range []time.Time{old, time.Now()} {
		var err error
		head, err = w.repo.Edit(t.Context(), git.Commit{Ref: w.repo.Main(), Parent: head, Message: "m", When: when}, []git.Edit{{Path: "jobs/a/config.xml", Data: []byte{'<', byte('a' + i), '/', '>'}}})
		require.NoError(t, err)
	}
	w.options.Repo = w.repo
	engine, err := homesync.New(t.Context(), w.options)
	require.NoError(t, err)
	require.Equal(t, old.Unix(), engine.Status().Unpushed.Unix())
	later := homesync.Status{Unpushed: time.Now().Add(time.Hour)}
	require.Zero(t, later.OldestUnpushed(time.Now()), "a clock that was set back")
}

func TestAStatusThatCannotBeReadIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status.json")
	_, err := homesync.ReadStatus(file)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, nil, 0o600)) // as after a loss of power
	_, err = homesync.ReadStatus(file)
	require.ErrorContains(t, err, file+", is damaged")
}
