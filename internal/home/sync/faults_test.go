package sync_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
)

// A controller whose clock is years ahead wrote last, files have times of the past and of the future, and the clock of the next owner
// stands in the past: the order of the history is that of its commits, and a file is known by more than its time.
func TestAClockThatJumpsLosesNothing(t *testing.T) {
	w := newWorld(t)
	seen, err := w.repo.Fetch(t.Context())
	require.NoError(t, err)
	ahead := claim.Owner{Home: "h", Epoch: 2, Host: "h1", Started: time.Now().AddDate(12, 0, 0)}
	w.options.Claimed, err = claim.Take(t.Context(), w.repo, seen, seen[w.repo.Main()], ahead, func(git.Hash) error { return nil })
	require.NoError(t, err)
	w.start().settled()
	for i, when := range []time.Time{time.Now().AddDate(5, 0, 0), time.Unix(1, 0), time.Now().AddDate(-3, 0, 0), time.Now()} {
		file := w.path("jobs/a/config.xml")
		require.NoError(t, save(file+".kept", fmt.Sprintf("<project>%d</project>", i))) // the same size each time
		require.NoError(t, os.Chtimes(file+".kept", when, when))
		require.NoError(t, os.Rename(file+".kept", file))
		w.settled()
		require.Equal(t, fmt.Sprintf("<project>%d</project>", i), w.pushed()["jobs/a/config.xml"])
	}
	head, _ := w.engine.Head()
	w.stop()

	other := w.clone()
	seen, err = other.Fetch(t.Context())
	require.NoError(t, err)
	behind := claim.Owner{Home: "h", Epoch: 3, Host: "h2", Started: time.Unix(86400, 0)}
	claimed, err := claim.Take(t.Context(), other, seen, seen[other.Main()], behind, func(git.Hash) error { return nil })
	require.NoError(t, err)
	for _, pair := range [][2]git.Hash{{head, claimed.Head}, {w.options.Claimed.Head, claimed.Head}} {
		part, err := other.Ancestor(t.Context(), pair[0], pair[1])
		require.NoError(t, err)
		require.True(t, part, "an earlier commit with a later date")
		part, err = other.Ancestor(t.Context(), pair[1], pair[0])
		require.NoError(t, err)
		require.False(t, part)
	}
	oneWriter(t, w.remote)
}

// Folders of jobs move while others save in them and while the engine reads them.
func TestFoldersThatMoveWhileTheyAreSynced(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		w.write(fmt.Sprintf("jobs/f/jobs/j%d/config.xml", n), "<project>0</project>")
	}
	w.write("jobs/f/config.xml", "<folder/>")
	w.start().settled()
	saved := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				saved <- nil
				return
			default:
			}
			for _, folder := range []string{"f", "g"} { // where it is not, there is nobody to save
				file := w.path(fmt.Sprintf("jobs/%s/jobs/j%d/config.xml", folder, i%20))
				if err := os.WriteFile(file+"-atomic1tmp", fmt.Appendf(nil, "<project>%d</project>", i), 0o600); err == nil {
					_ = os.Rename(file+"-atomic1tmp", file)
				}
			}
		}
	}()
	commits := len(w.subjects())
	for i := range 60 {
		from, to := "jobs/f", "jobs/g"
		if i%2 == 1 {
			from, to = to, from
		}
		require.NoError(t, os.Rename(w.path(from), w.path(to)))
		if i%20 == 19 {
			w.eventually("something of it is pushed", func() bool { return len(w.subjects()) > commits })
			commits = len(w.subjects())
		}
	}
	close(stop)
	require.NoError(t, <-saved)
	w.settled()
	pushed := w.pushed()
	require.Contains(t, pushed, "jobs/f/config.xml")
	for name := range pushed {
		require.False(t, strings.HasPrefix(name, "jobs/g/"), name)
	}
	oneWriter(t, w.remote)
}

// The one file that Jenkins cannot start without: what is broken never replaces what was good, and holds nothing else up.
func TestACorruptConfigXMLNeverReachesTheHistory(t *testing.T) {
	w := newWorld(t).start()
	w.settled()
	good := w.pushed()["config.xml"]
	for i, bad := range []string{"", "<hudson><version>2.568.2</version>", "<hudson>\x00\x00\x00</hudson>", strings.Repeat("\x00", 4096), "<hudson>&#zz;</hudson>"} {
		w.write("config.xml", bad)
		other := fmt.Sprintf("jobs/j%d/config.xml", i)
		w.write(other, "<project/>")
		w.eventually("the other file is pushed", func() bool { return w.pushed()[other] != "" })
		require.Equal(t, good, w.pushed()["config.xml"])
		w.eventually("it is reported", func() bool { return strings.Contains(w.engine.Status().Refused["config.xml"], "not well-formed") })
	}
	require.NoError(t, os.Truncate(filepath.Join(w.home, "config.xml"), 0))
	w.write("config.xml", good+"<!-- again -->")
	w.settled()
	require.Empty(t, w.engine.Status().Refused)
}
